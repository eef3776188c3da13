"""What all Python drivers are asked, and what they must answer."""

import datetime
import decimal
import os

WHO = os.environ["DRIVER_ID"]
ADDRESS = {"host": os.environ["PGHOST"], "port": int(os.environ["PGPORT"]), "user": os.environ["PGUSER"],
           "password": os.environ["PGPASSWORD"]}
DATABASE = os.environ["PGDATABASE"]

TYPED = ("SELECT 42, 9007199254740993::int8, 1.50::numeric, 'snö'::text, true, NULL::int,"
         " '2026-02-28 12:34:56'::timestamp, '\\x00ff'::bytea, ARRAY[1, 2]")
TYPED_ROW = (42, 9007199254740993, decimal.Decimal("1.50"), "snö", True, None,
             datetime.datetime(2026, 2, 28, 12, 34, 56), b"\x00\xff", [1, 2])
LARGE = "SELECT n, repeat('x', 500) FROM generate_series(1, 20000) AS n"
LARGE_ROWS = 20000
ROUNDS = 20
COPIED_ROWS = 1000


def check_typed(row):
    got = tuple(bytes(value) if isinstance(value, memoryview) else value for value in row)
    assert got == TYPED_ROW, got
