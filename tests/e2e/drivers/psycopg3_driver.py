import psycopg
from expect import (ADDRESS, COPIED_ROWS, DATABASE, LARGE, LARGE_ROWS, ROUNDS, TYPED, WHO, check_typed)

connection = psycopg.connect(dbname=DATABASE, autocommit=True, **ADDRESS)


def count():
    return connection.execute("SELECT count(*) FROM work WHERE who = %s", [WHO]).fetchone()[0]


check_typed(connection.execute(TYPED).fetchone())
with connection.cursor(binary=True) as binary:
    check_typed(binary.execute(TYPED).fetchone())

for number in range(ROUNDS):
    row = connection.execute("SELECT %s::int * 2", [number], prepare=True).fetchone()
    assert row == (number * 2,)

with connection.transaction():
    connection.execute("INSERT INTO work VALUES (%s, 1)", [WHO])
with connection.transaction(force_rollback=True):
    connection.execute("INSERT INTO work VALUES (%s, 2)", [WHO])
assert count() == 1

try:
    connection.execute("SELECT 1/0")
    raise AssertionError("no error")
except psycopg.errors.DivisionByZero:
    assert count() == 1

with connection.pipeline() as pipeline:
    cursors = [connection.execute("SELECT %s::int", [number]) for number in range(ROUNDS)]
    pipeline.sync()
    assert [cursor.fetchone()[0] for cursor in cursors] == list(range(ROUNDS))
try:
    with connection.pipeline():
        connection.execute("SELECT 1")
        connection.execute("SELECT 1/0")
        connection.execute("SELECT 2")
    raise AssertionError("no error")
except psycopg.errors.DivisionByZero:
    assert count() == 1

assert sum(1 for _ in connection.cursor().stream(LARGE)) == LARGE_ROWS
with connection.transaction(), connection.cursor("named") as named:
    assert sum(1 for _ in named.execute(LARGE)) == LARGE_ROWS

with connection.cursor().copy("COPY work FROM STDIN") as copy:
    for _ in range(COPIED_ROWS):
        copy.write_row((WHO, 7))
with connection.cursor().copy("COPY (SELECT n FROM work WHERE who = %s AND n = 7) TO STDOUT", [WHO]) as copy:
    assert sum(len(bytes(block)) for block in copy) == 2 * COPIED_ROWS
connection.close()
print("OK")
