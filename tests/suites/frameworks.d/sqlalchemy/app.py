"""A shop on SQLAlchemy 1.4 with psycopg2 and asyncpg: sessions, isolation, cursors, two phases, in many threads."""

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.realpath(__file__)),
                os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib")]

import checks  # noqa: E402
import orm_checks  # noqa: E402, F401  their order is that of the checks
import connection_checks  # noqa: E402, F401
import async_checks  # noqa: E402, F401

if __name__ == "__main__":
    checks.run_checks(begin_anew=orm_checks.begin_anew)
