"""What the unit of work does."""

import random

from checks import THREADS, check, in_threads, must
from shop import SETTINGS, Account, Base, Entry, make_engine
from sqlalchemy import func, inspect, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.orm import Session, joinedload, selectinload, sessionmaker
from sqlalchemy.orm.exc import StaleDataError

ROUNDS = 10
engine = make_engine()
Sessions = sessionmaker(engine, future=True)


def begin_anew():
    """The pool has nothing but connections that were hung up."""
    engine.pool = engine.pool.recreate()


def account_of(session, number):
    return session.execute(select(Account).filter_by(name=f"holder {number}")).scalar_one()


def total():
    with Sessions() as session:
        return session.execute(select(func.sum(Account.balance))).scalar_one()


@check
def tables_are_made_dropped_and_made_again():
    Base.metadata.create_all(engine)
    must(sorted(inspect(engine).get_table_names()), ["accounts", "entries"])
    Base.metadata.drop_all(engine)
    must(inspect(engine).get_table_names(), [])
    Base.metadata.create_all(engine)
    must([column["name"] for column in inspect(engine).get_columns("accounts")], ["id", "name", "balance", "version"])


@check
def sessions_add_change_and_delete():
    def work(number):
        with Sessions.begin() as session:
            session.add(Account(name=f"holder {number}", entries=[
                Entry(amount=n, detail={"n": n, "text": "snö"}) for n in range(ROUNDS)]))
        for n in range(ROUNDS):
            with Sessions.begin() as session:
                account = account_of(session, number)
                account.balance += n
                session.flush()
                must(session.scalar(select(Account.balance).filter_by(id=account.id)), 100 + sum(range(n + 1)))
        with Sessions() as session:
            account = session.execute(select(Account).options(selectinload(Account.entries))
                                      .filter_by(name=f"holder {number}")).scalar_one()
            must(sum(entry.amount for entry in account.entries), sum(range(ROUNDS)))
            must({entry.made for entry in account.entries}, {SETTINGS["shop.branch"]})
            account.entries.pop()
            account.balance = 100
            session.commit()
            must(session.scalar(select(func.count()).select_from(Entry).filter_by(account_id=account.id)), ROUNDS - 1)

    in_threads(work)
    must(total(), 100 * THREADS)


@check
def savepoints_and_roll_backs():
    before = total()

    def work(number):
        for n in range(ROUNDS):
            with Sessions() as session:
                account = account_of(session, number)
                account.balance += 7
                try:
                    with session.begin_nested():
                        session.add(Account(name="holder 0", version=1))
                        session.flush()
                    raise AssertionError("a name was taken twice")
                except IntegrityError:
                    pass
                with session.begin_nested():
                    session.add(Entry(account=account, amount=1000))
                session.rollback()
        with Sessions() as session:
            must(session.scalar(select(func.count()).select_from(Entry).filter_by(amount=1000)), 0)

    in_threads(work)
    must(total(), before)


@check
def row_locks_move_money_and_lose_none():
    before = total()

    def work(number):
        chosen = random.Random(number)
        for _ in range(ROUNDS):
            with Sessions.begin() as session:
                names = [f"holder {n}" for n in chosen.sample(range(THREADS), 2)]
                giver, taker = session.execute(select(Account).filter(Account.name.in_(names)).order_by(Account.id)
                                               .with_for_update()).scalars()
                giver.balance -= 5
                taker.balance += 5

    in_threads(work)
    must(total(), before)


@check
def a_version_tells_who_came_late():
    def work(_):
        for _ in range(3):
            while True:
                try:
                    with Sessions.begin() as session:
                        account_of(session, 0).balance += 1
                    break
                except StaleDataError:
                    continue

    before = total()
    in_threads(work)
    must(total(), before + 3 * THREADS)


@check
def bulk_inserts_and_upserts():
    def work(number):
        names = [f"bulk {number}.{n}" for n in range(200)]
        with Sessions.begin() as session:
            session.bulk_save_objects([Account(name=name, balance=1, version=1) for name in names])
        with Sessions.begin() as session:
            rows = insert(Account).values([{"name": name, "balance": 1, "version": 1} for name in names])
            session.execute(rows.on_conflict_do_update(index_elements=["name"],
                                                       set_={"balance": Account.balance + rows.excluded.balance}))
        with Sessions.begin() as session:
            mine = Account.name.like(f"bulk {number}.%")
            must(session.scalar(select(func.sum(Account.balance)).filter(mine)), 400)
            seen = session.execute(select(Account).filter(mine).order_by(Account.id)
                                   .execution_options(yield_per=30)).scalars()
            must(sum(account.balance for account in seen), 400)
            must(session.query(Account).filter(mine).delete(synchronize_session=False), 200)

    in_threads(work)


@check
def eager_loading_sees_what_is_there():
    def work(number):
        with Session(engine) as session:
            account = session.query(Account).options(joinedload(Account.entries)).filter_by(
                name=f"holder {number}").one()
            must(len(account.entries), ROUNDS - 1)

    in_threads(work)


@check
def serializable_transactions_are_retried():
    serializable = engine.execution_options(isolation_level="SERIALIZABLE")

    def work(_):
        for _ in range(5):
            while True:
                try:
                    with Session(serializable) as session, session.begin():
                        must(session.scalar(text("SHOW transaction_isolation")), "serializable")
                        account_of(session, 1).balance += 1
                    break
                except (OperationalError, StaleDataError) as failure:
                    assert isinstance(failure, StaleDataError) or failure.orig.pgcode == "40001", failure

    before = total()
    in_threads(work, 4)
    must(total(), before + 20)
    with engine.connect() as connection:
        must(connection.scalar(text("SHOW transaction_isolation")), "read committed")


@check
def two_phase_sessions_commit_and_roll_back():
    twophase = sessionmaker(engine, twophase=True, future=True)
    before = total()

    def work(number):
        for n in range(4):
            with twophase() as session:
                account_of(session, number).balance += 3
                session.flush()
                session.prepare()
                session.rollback() if n % 2 else session.commit()

    in_threads(work)
    must(total(), before + 2 * 3 * THREADS)
    with engine.connect() as connection:
        must(connection.scalar(text("SELECT count(*) FROM pg_prepared_xacts")), 0)


@check
def two_phases_end_on_another_connection():
    def work(number):
        with engine.connect() as connection:
            transaction = connection.begin_twophase(f"shop-{number}")
            connection.execute(text("UPDATE accounts SET balance = balance + 1 WHERE name = :name"),
                               {"name": f"holder {number}"})
            transaction.prepare()
            connection.invalidate()  # it is lost before it could commit
        with engine.connect() as connection:
            assert f"shop-{number}" in connection.recover_twophase()
            connection.commit_prepared(f"shop-{number}", recover=True)

    before = total()
    in_threads(work)
    must(total(), before + THREADS)


@check
def a_lost_connection_is_replaced():
    careful = make_engine(pool_size=1, pool_pre_ping=True)
    with careful.connect() as connection:
        pid = connection.scalar(text("SELECT pg_backend_pid()"))
        try:
            connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
            raise AssertionError("it still answers")
        except DBAPIError as failure:
            assert failure.connection_invalidated, failure
    with careful.connect() as connection:
        assert connection.scalar(text("SELECT pg_backend_pid()")) != pid
        must(connection.scalar(text("SHOW work_mem")), SETTINGS["work_mem"])
    careful.dispose()
