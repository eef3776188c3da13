#!/usr/bin/env bash
# psql, with ON_ERROR_STOP off where an error is wanted.
set -euo pipefail
sql() { psql --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 "$@"; }
must() { [ "$1" = "$2" ] || { echo "got '$1', want '$2'" >&2; exit 1; }; }
count() { sql --command="SELECT count(*) FROM work WHERE who = '$DRIVER_ID'"; }

must "$(sql --command="SELECT 42, 1.50::numeric, 'snö', true, NULL::int, ARRAY[1,2]")" '42|1.50|snö|t||{1,2}'
{
    echo 'BEGIN; PREPARE twice AS SELECT $1::int * 2;'
    for number in $(seq 20); do echo "EXECUTE twice ($number);"; done
    echo 'DEALLOCATE twice; COMMIT;'
} | sql --file=- | cmp - <(seq 2 2 40)
sql --command="INSERT INTO work VALUES ('$DRIVER_ID', 1)"
printf '%s\n' 'BEGIN;' "INSERT INTO work VALUES ('$DRIVER_ID', 2);" 'ROLLBACK;' | sql --file=-
must "$(count)" 1
must "$(printf '%s\n' 'SELECT 1/0;' 'SELECT 5;' | sql --set=ON_ERROR_STOP=0 --file=- 2>/dev/null)" 5
must "$(sql --command="SELECT n, repeat('x', 500) FROM generate_series(1, 20000) AS n" | wc --lines)" 20000
must "$(printf '%s\n' '\set FETCH_COUNT 1000' 'SELECT generate_series(1, 20000);' | sql --file=- | wc --lines)" 20000
seq 1000 | sed "s/.*/$DRIVER_ID\t7/" | sql --command='\copy work from stdin'
must "$(sql --command="\\copy (SELECT n FROM work WHERE who = '$DRIVER_ID' AND n = 7) to stdout" | wc --lines)" 1000
echo OK
