"""What a connection keeps, or may not keep, from one transaction to the next."""

import select as select_call

import psycopg2.extensions
from checks import THREADS, check, in_threads, must, start, wait_for
from orm_checks import ROUNDS, engine
from shop import SETTINGS, Account, make_engine
from sqlalchemy import Column, Integer, MetaData, Table, event, func, select, text
from sqlalchemy.orm import Session


def shown(connection, name):
    return connection.scalar(text(f"SELECT current_setting('{name}', true)"))


@check
def settings_of_the_connect_event_hold():
    def work(_):
        with engine.connect() as connection:
            for _ in range(ROUNDS):
                for name, value in SETTINGS.items():
                    must(shown(connection, name), value, name)
                connection.connection.rollback()

    in_threads(work)


@check
def settings_of_the_checkout_event_are_its_users():
    own = make_engine()

    @event.listens_for(own, "checkout")
    def checkout(connection, record, _):
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('shop.clerk', %s, false)", [str(id(record))])
        connection.commit()

    @event.listens_for(own, "checkin")
    def checkin(connection, _):
        with connection.cursor() as cursor:
            cursor.execute("RESET shop.clerk")
        connection.commit()

    def work(_):
        for _ in range(4):
            with own.connect() as connection:
                clerk = str(id(connection.connection._connection_record))
                for _ in range(4):
                    with connection.begin():
                        must(shown(connection, "shop.clerk"), clerk)
                        connection.execute(text("UPDATE accounts SET balance = balance WHERE name = 'holder 0'"))

    in_threads(work)
    own.dispose()


@check
def set_in_a_transaction_that_rolls_back_is_undone():
    def work(number):
        with engine.connect() as connection:
            for n in range(ROUNDS):
                transaction = connection.begin()
                connection.execute(text(f"SET work_mem = '{2000 + number}kB'"))
                connection.execute(text("SET LOCAL statement_timeout = '7s'"))
                must(shown(connection, "work_mem"), f"{2000 + number}kB")
                transaction.commit() if n % 2 else transaction.rollback()
                must(shown(connection, "work_mem"), f"{2000 + number}kB" if n % 2 else SETTINGS["work_mem"])
                must(shown(connection, "statement_timeout"), SETTINGS["statement_timeout"])
                connection.execute(text(f"SET work_mem = '{SETTINGS['work_mem']}'").execution_options(autocommit=True))

    in_threads(work)


@check
def isolation_levels_are_a_connections_own():
    levels = ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE", "AUTOCOMMIT"]

    def work(number):
        level = levels[number % 4]
        for _ in range(ROUNDS):
            with engine.connect().execution_options(isolation_level=level) as connection:
                wanted = "read committed" if level == "AUTOCOMMIT" else level.lower()
                for _ in range(3):
                    with connection.begin():
                        must(shown(connection, "transaction_isolation"), wanted)
                        must(connection.scalar(text("SELECT count(*) FROM accounts")), THREADS)
                must(connection.get_isolation_level(), wanted.upper())

    in_threads(work)


@check
def read_only_connections_refuse_to_write():
    def work(number):
        options = {"postgresql_readonly": number % 2 == 0, "isolation_level": "SERIALIZABLE",
                   "postgresql_deferrable": number % 2 == 0}
        with engine.connect().execution_options(**options) as connection:
            for _ in range(4):
                with connection.begin():
                    must(shown(connection, "transaction_read_only"), "off" if number % 2 else "on")
                    must(shown(connection, "transaction_deferrable"), "off" if number % 2 else "on")
        with engine.connect() as connection:
            must(shown(connection, "transaction_read_only"), "off")
            must(shown(connection, "transaction_isolation"), "read committed")

    in_threads(work)


@check
def engines_with_levels_of_their_own():
    for level in ("REPEATABLE READ", "AUTOCOMMIT"):
        own = make_engine(isolation_level=level)

        def work(_):
            for _ in range(4):
                with own.connect() as connection:
                    must(shown(connection, "transaction_isolation"),
                         "read committed" if level == "AUTOCOMMIT" else "repeatable read")
                    must(shown(connection, "work_mem"), SETTINGS["work_mem"])

        in_threads(work)
        own.dispose()


@check
def server_side_cursors_stream():
    def work(number):
        with engine.connect() as connection:
            rows = connection.execution_options(stream_results=True, max_row_buffer=100).execute(
                text("SELECT n, repeat('x', 100) FROM generate_series(1, 3000) AS n"))
            must(sum(row[0] for row in rows), 3000 * 3001 // 2)
        with Session(engine) as session:
            names = session.execute(select(Account.name).order_by(Account.id)
                                    .execution_options(stream_results=True, yield_per=3))
            must(sum(len(part) for part in names.partitions(3)), THREADS)
            early = session.execute(select(Account).execution_options(yield_per=2)).scalars()
            next(early)
            early.close()

    in_threads(work)


@check
def cursors_with_hold_outlive_their_transaction():
    def work(number):
        raw = engine.raw_connection()
        cursor = raw.cursor(f"held_{number}", withhold=True)
        cursor.itersize = 100
        cursor.execute("SELECT n FROM generate_series(1, 1000) AS n")
        seen = 0
        for n, (value,) in enumerate(cursor, 1):
            seen += value
            if n % 100 == 0:
                raw.commit()
                with raw.cursor() as other:
                    other.execute("SELECT current_setting('shop.branch')")
                    must(other.fetchone(), (SETTINGS["shop.branch"],))
        must(seen, 500500)
        cursor.close()
        raw.commit()
        raw.close()

    in_threads(work)


@check
def temporary_tables_stay_within_their_connection():
    def work(number):
        basket = Table("basket", MetaData(), Column("amount", Integer), prefixes=["TEMPORARY"])
        with engine.connect() as connection:
            with connection.begin():
                basket.create(connection)
            for n in range(5):
                with connection.begin():
                    connection.execute(basket.insert(), [{"amount": number}, {"amount": n}])
            with connection.begin():
                must(connection.scalar(select(func.sum(basket.c.amount))), 5 * number + 10)
                connection.execute(text("CREATE TEMP TABLE gone ON COMMIT DROP AS SELECT * FROM basket"))
                must(connection.scalar(text("SELECT count(*) FROM gone")), 10)
            must(connection.scalar(text("SELECT to_regclass('pg_temp.gone')")), None)
            with connection.begin():
                basket.drop(connection)

    in_threads(work)


@check
def what_is_not_ended_is_rolled_back_on_return():
    def work(number):
        for _ in range(ROUNDS):
            connection = engine.connect()
            connection.begin()
            connection.execute(text("UPDATE accounts SET name = 'nobody' WHERE name = :name"),
                               {"name": f"holder {number}"})
            connection.execute(text("SET work_mem = '9MB'"))
            connection.close()
            with engine.connect() as again:
                must(again.scalar(text("SELECT count(*) FROM accounts WHERE name = 'nobody'")), 0)
                must(shown(again, "work_mem"), SETTINGS["work_mem"])

    in_threads(work)


@check
def discard_all_on_return_leaves_nothing():
    own = make_engine(pool_reset_on_return=None, pool_size=3)

    @event.listens_for(own, "reset")
    def reset(_, record):
        connection = record.dbapi_connection
        connection.rollback()
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("DISCARD ALL")
        connection.autocommit = False

    def work(number):
        for _ in range(4):
            with own.connect() as connection:
                must(shown(connection, "work_mem") in ("4MB", SETTINGS["work_mem"]), True)
                assert shown(connection, "shop.clerk") in (None, "")
                with connection.begin():
                    connection.execute(text("CREATE TEMP TABLE IF NOT EXISTS till (n int)"))
                    connection.execute(text("INSERT INTO till VALUES (1)"))
                    connection.execute(text(f"SET shop.clerk = '{number}'"))
                must(connection.scalar(text("SELECT count(*) FROM till")), 1)
                must(shown(connection, "shop.clerk"), str(number))

    in_threads(work)
    own.dispose()


@check
def advisory_locks_exclude_each_other():
    inside, most = [], []

    def work(number):
        for _ in range(3):
            with engine.connect() as connection:
                connection.execute(text("SELECT pg_advisory_lock(4711)").execution_options(autocommit=True))
                inside.append(number)
                most.append(len(inside))
                with connection.begin():
                    connection.execute(text("SELECT pg_sleep(0.002)"))
                inside.remove(number)
                must(connection.scalar(text("SELECT pg_advisory_unlock(4711)")), True)
            with engine.begin() as connection:
                connection.execute(text("SELECT pg_advisory_xact_lock(4711)"))

    in_threads(work)
    must(max(most), 1)


@check
def notifications_reach_who_listens():
    lent = engine.raw_connection()
    lent.detach()
    raw = lent.dbapi_connection
    raw.set_isolation_level(psycopg2.extensions.ISOLATION_LEVEL_AUTOCOMMIT)
    with raw.cursor() as cursor:
        cursor.execute("LISTEN news")

    def listen():
        while len(raw.notifies) < THREADS:
            assert select_call.select([raw], [], [], 10)[0], f"only {len(raw.notifies)} were heard"
            raw.poll()

    listener = start([listen])

    def work(number):
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_notify('news', :number)"), {"number": str(number)})

    in_threads(work)
    wait_for(listener)
    must(sorted(int(notify.payload) for notify in raw.notifies), list(range(THREADS)))
    lent.close()


@check
def tables_change_while_connections_work():
    done = []

    def change():
        for n in range(4):
            with engine.begin() as connection:
                connection.execute(text(f"ALTER TABLE accounts ADD COLUMN note{n} text"))
        done.append(True)

    changes = start([change])

    def work(number):
        seen = 0
        while not done or seen < 20:
            with engine.connect() as connection:
                must(connection.execute(text("SELECT * FROM accounts WHERE name = :name"),
                                        {"name": f"holder {number}"}).mappings().one()["name"], f"holder {number}")
            seen += 1

    in_threads(work)
    wait_for(changes)
