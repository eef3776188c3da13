import io

import psycopg2
from expect import (ADDRESS, COPIED_ROWS, DATABASE, LARGE, LARGE_ROWS, ROUNDS, TYPED, WHO, check_typed)

connection = psycopg2.connect(dbname=DATABASE, **ADDRESS)
cursor = connection.cursor()


def count():
    cursor.execute("SELECT count(*) FROM work WHERE who = %s", (WHO,))
    return cursor.fetchone()[0]


cursor.execute(TYPED)
check_typed(cursor.fetchone())

cursor.execute("PREPARE twice AS SELECT $1::int * 2")
for number in range(ROUNDS):
    cursor.execute("EXECUTE twice (%s)", (number,))
    assert cursor.fetchone() == (number * 2,)
cursor.execute("DEALLOCATE twice")
connection.commit()

cursor.execute("INSERT INTO work VALUES (%s, 1)", (WHO,))
connection.commit()
cursor.execute("INSERT INTO work VALUES (%s, 2)", (WHO,))
connection.rollback()
assert count() == 1

try:
    cursor.execute("SELECT 1/0")
    raise AssertionError("no error")
except psycopg2.errors.DivisionByZero:
    connection.rollback()
assert count() == 1

cursor.execute(LARGE)
assert sum(1 for _ in cursor) == LARGE_ROWS
with connection.cursor("named") as named:  # a server-side cursor inside the transaction
    named.execute(LARGE)
    assert sum(1 for _ in named) == LARGE_ROWS

cursor.copy_expert("COPY work FROM STDIN", io.StringIO(f"{WHO}\t7\n" * COPIED_ROWS))
connection.commit()
out = io.StringIO()
cursor.copy_expert(f"COPY (SELECT n FROM work WHERE who = '{WHO}' AND n = 7) TO STDOUT", out)
assert out.getvalue() == "7\n" * COPIED_ROWS
connection.close()
print("OK")
