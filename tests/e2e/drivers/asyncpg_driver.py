import asyncio

import asyncpg
from expect import (ADDRESS, COPIED_ROWS, DATABASE, LARGE, LARGE_ROWS, ROUNDS, TYPED, WHO, check_typed)


async def main():
    connection = await asyncpg.connect(database=DATABASE, ssl=False, **ADDRESS)

    async def count():
        return await connection.fetchval("SELECT count(*) FROM work WHERE who = $1", WHO)

    check_typed(await connection.fetchrow(TYPED))
    for number in range(ROUNDS):
        assert await connection.fetchval("SELECT $1::int * 2", number) == number * 2

    async with connection.transaction():
        await connection.execute("INSERT INTO work VALUES ($1, 1)", WHO)
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute("INSERT INTO work VALUES ($1, 2)", WHO)
    await transaction.rollback()
    assert await count() == 1

    try:
        await connection.fetchval("SELECT 1 / $1::int", 0)
        raise AssertionError("no error")
    except asyncpg.DivisionByZeroError:
        assert await count() == 1

    assert len(await connection.fetch(LARGE)) == LARGE_ROWS
    async with connection.transaction():
        assert len([row async for row in connection.cursor(LARGE, prefetch=1000)]) == LARGE_ROWS

    await connection.executemany("INSERT INTO work VALUES ($1, $2)", [(WHO, 8)] * ROUNDS)
    await connection.copy_records_to_table("work", records=[(WHO, 7)] * COPIED_ROWS)
    assert await count() == 1 + ROUNDS + COPIED_ROWS
    await connection.close()


asyncio.run(main())
print("OK")
