"""The same shop on asyncpg, which prepares every statement and keeps it."""

import asyncio

from checks import CHECK_SECONDS_MAX, THREADS, check, must
from shop import Account, Entry, address
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import selectinload

ROUNDS = 10
STARTUP = {"statement_timeout": "25s", "application_name": "shop", "shop.branch": "south"}


def in_tasks(function, count=THREADS):
    """Runs function(engine, 0) … at once, in an engine of their own."""
    async def run():
        engine = create_async_engine(address("asyncpg"), pool_size=count + 2, max_overflow=0, pool_timeout=20,
                                     connect_args={"server_settings": STARTUP})
        work = asyncio.gather(*(function(engine, number) for number in range(count)))
        result = await asyncio.wait_for(work, CHECK_SECONDS_MAX)
        await engine.dispose()
        return result

    return asyncio.run(run())


@check
def async_sessions_add_and_change():
    async def work(engine, number):
        async with AsyncSession(engine, expire_on_commit=False) as session:
            async with session.begin():
                session.add(Account(name=f"async {number}", balance=100, entries=[
                    Entry(amount=n, detail={"n": n}) for n in range(ROUNDS)]))
        for n in range(ROUNDS):
            async with AsyncSession(engine) as session, session.begin():
                account = (await session.execute(select(Account).filter_by(name=f"async {number}")
                                                 .with_for_update())).scalar_one()
                account.balance += n
                nested = await session.begin_nested()
                account.balance += 1000
                await session.flush()
                await nested.rollback()
        async with AsyncSession(engine) as session:
            account = (await session.execute(select(Account).options(selectinload(Account.entries))
                                             .filter_by(name=f"async {number}"))).scalar_one()
            must(account.balance, 100 + sum(range(ROUNDS)))
            must({entry.made for entry in account.entries}, {STARTUP["shop.branch"]})
            must(sorted(entry.detail["n"] for entry in account.entries), list(range(ROUNDS)))

    in_tasks(work)


@check
def async_settings_hold():
    async def work(engine, number):
        async with engine.connect() as connection:
            await connection.execute(text(f"SET shop.clerk = '{number}'"))
            await connection.commit()
            for _ in range(ROUNDS):
                for name, value in {**STARTUP, "shop.clerk": str(number)}.items():
                    must(await connection.scalar(text(f"SELECT current_setting('{name}')")), value, name)
                await connection.rollback()

    in_tasks(work)


@check
def async_streams():
    async def work(engine, number):
        async with engine.connect() as connection:
            seen = 0
            rows = await connection.stream(text("SELECT n, :me FROM generate_series(1, 2000) AS n"), {"me": str(number)})
            async for n, me in rows:
                seen += n
                must(me, str(number))
            must(seen, 2000 * 2001 // 2)

    in_tasks(work)


@check
def async_isolation_levels():
    async def work(engine, number):
        level = ["SERIALIZABLE", "REPEATABLE READ", "READ COMMITTED"][number % 3]
        async with engine.connect() as connection:
            await connection.execution_options(isolation_level=level)
            for _ in range(4):
                async with connection.begin():
                    must(await connection.scalar(text("SHOW transaction_isolation")), level.lower())
                    must(await connection.scalar(select(func.count()).select_from(Account)
                                                 .filter(Account.name.like("async %"))), THREADS)

    in_tasks(work)


@check
def async_temporary_tables():
    async def work(engine, number):
        async with engine.connect() as connection:
            async with connection.begin():
                await connection.execute(text("CREATE TEMP TABLE basket (n int)"))
            for n in range(4):
                async with connection.begin():
                    await connection.execute(text("INSERT INTO basket VALUES (:n)"), {"n": n + number})
            async with connection.begin():
                must(await connection.scalar(text("SELECT sum(n) FROM basket")), 4 * number + 6)
                await connection.execute(text("DROP TABLE basket"))

    in_tasks(work)


@check
def async_notifications():
    heard = []

    async def work(engine, number):
        if number == 0:
            async with engine.connect() as connection:
                raw = (await connection.get_raw_connection()).driver_connection
                await raw.add_listener("news", lambda *notice: heard.append(notice[3]))
                async with connection.begin():
                    await connection.execute(text("SELECT pg_notify('news', '0')"))
                while len(heard) < THREADS:
                    await asyncio.sleep(0.02)
                await raw.reset()
        else:
            while not heard:
                await asyncio.sleep(0.02)
            async with engine.begin() as connection:
                await connection.execute(text("SELECT pg_notify('news', :number)"), {"number": str(number)})

    in_tasks(work)
    must(sorted(map(int, heard)), list(range(THREADS)))


@check
def async_reset_and_copy_of_asyncpg():
    async def work(engine, number):
        async with engine.connect() as connection:
            raw = (await connection.get_raw_connection()).driver_connection
            await raw.execute("CREATE TEMP TABLE basket (n int); SET work_mem = '5MB'")
            await raw.copy_records_to_table("basket", records=[(n,) for n in range(100)], schema_name="pg_temp")
            must(await raw.fetchval("SELECT sum(n) FROM basket"), 4950)
            async with raw.transaction():
                must(sum([row["n"] async for row in raw.cursor("SELECT n FROM basket", prefetch=7)]), 4950)
            await raw.execute("DROP TABLE basket")
            await raw.reset()
            must(await raw.fetchval("SHOW work_mem"), "4MB")
            must(await raw.fetchval("SHOW statement_timeout"), STARTUP["statement_timeout"])

    in_tasks(work)


@check
def tables_change_under_statements_of_asyncpg():
    """SQLAlchemy prepares again what it holds, on every connection, as soon as one has been told so."""
    async def work(engine, number):
        query = text("SELECT * FROM accounts WHERE name = :name")
        async with engine.connect() as connection:
            must((await connection.execute(query, {"name": f"async {number}"})).mappings().one()["name"],
                 f"async {number}")
            await connection.rollback()
            gate.append(number)
            while len(gate) < THREADS:
                await asyncio.sleep(0.01)
            if number == 0:
                async with connection.begin():
                    await connection.execute(text("ALTER TABLE accounts ADD COLUMN extra text DEFAULT 'new'"))
                gate.append(number)
            while len(gate) == THREADS:
                await asyncio.sleep(0.01)
            for tries in range(5):
                try:
                    row = (await connection.execute(query, {"name": f"async {number}"})).mappings().one()
                    must(row["extra"], "new")
                    await connection.rollback()
                    return tries
                except Exception as failure:
                    if "cached statement plan is invalid" not in str(failure):
                        raise
                    await connection.rollback()
            raise AssertionError("the cached plan stays invalid")

    gate = []
    in_tasks(work)
