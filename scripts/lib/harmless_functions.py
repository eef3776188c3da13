"""harmless_functions.py DSN [FILE]: writes the table in src/sql/harmless_functions.cc anew from a server's pg_proc.

Harmless is what leaves nothing behind in the session that calls it. Functions whose every overload is immutable or
stable are, but for the exceptions below, and casts to types; volatile ones are where this file says so. psql must be in the PATH.
"""

import pathlib
import re
import subprocess
import sys

# Names that SQL calls: no input, output, operator, index or planner support, no handlers and triggers.
CANDIDATES = """
SELECT p.proname
  FROM pg_proc p
       LEFT JOIN pg_description d ON d.objoid = p.oid AND d.classoid = 'pg_proc'::regclass AND d.objsubid = 0
 WHERE p.pronamespace = 'pg_catalog'::regnamespace
   AND p.prorettype NOT IN (SELECT oid FROM pg_type WHERE typname IN ('internal', 'cstring', 'trigger', 'void',
        'event_trigger', 'language_handler', 'fdw_handler', 'index_am_handler', 'tsm_handler', 'table_am_handler'))
   AND NOT p.proargtypes::oid[] && ARRAY(SELECT oid FROM pg_type WHERE typname IN ('internal', 'cstring'))
   AND coalesce(d.description, '') !~ ('^(I/O|implementation of|internal|less-equal-greater|hash|larger of|'
        || 'smaller of|aggregate (transition|final|serial|deserial|combine)|restriction|join selectivity|SQL.*cast|statistics:|btree |GIN |GiST |SP-GiST |BRIN )')
   AND p.oid NOT IN (SELECT amproc FROM pg_amproc)
   AND p.oid NOT IN (SELECT unnest(ARRAY[aggtransfn, aggfinalfn, aggcombinefn, aggserialfn, aggdeserialfn,
        aggmtransfn, aggminvtransfn, aggmfinalfn])::oid FROM pg_aggregate)
 GROUP BY p.proname
HAVING bool_and((SELECT bool_and(o.provolatile IN ('i', 's') OR o.prokind IN ('a', 'w'))
                   FROM pg_proc o WHERE o.proname = p.proname AND o.pronamespace = p.pronamespace))
UNION
-- Types are called as functions that cast to them.
SELECT typname FROM pg_type
 WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype IN ('b', 'r', 'm') AND typcategory <> 'A'
   AND typname !~ '^pg_'
 ORDER BY 1
"""

# They run a query that is given as text, or whose text nobody sees.
RUN_QUERIES = r"(query|cursor|table|schema|database)_to_xml.*|ts_stat|ts_rewrite|ts_rewrite_.*"
# About the session's own statistics and replication, or of use to views only.
NOT_CALLED = r"pg_stat_.*|pg_logical_.*|pg_replication_.*|pg_show_.*|binary_upgrade_.*|RI_.*|.*_(support|subscript_handler)"
# Changes what others see.
CHANGES = r"pg_backend_pid|set_config|currval|lastval|setseed|pg_(try_)?advisory_(un)?lock.*"

# Volatile, or not in every version; what they do belongs to the transaction, to the server as a whole, or to the data.
ALSO_HARMLESS = """
clock_timestamp timeofday random random_normal gen_random_uuid uuidv4 uuidv7 pg_notify
starts_with array_cat inet_same_family inet_merge jsonb_delete
pg_sleep pg_sleep_for pg_sleep_until pg_cancel_backend pg_terminate_backend pg_blocking_pids
pg_safe_snapshot_blocking_pids pg_lock_status pg_export_snapshot pg_is_in_recovery pg_is_wal_replay_paused
pg_advisory_xact_lock pg_advisory_xact_lock_shared pg_try_advisory_xact_lock pg_try_advisory_xact_lock_shared
lo_close lo_creat lo_create lo_from_bytea lo_get lo_lseek lo_lseek64 lo_open lo_put lo_tell lo_tell64 lo_truncate
lo_truncate64 lo_unlink loread lowrite
txid_current txid_current_if_assigned txid_current_snapshot txid_status pg_current_xact_id
pg_current_xact_id_if_assigned pg_current_snapshot pg_xact_status pg_xact_commit_timestamp pg_last_committed_xact
pg_database_size pg_indexes_size pg_relation_size pg_table_size pg_tablespace_size pg_total_relation_size
pg_current_wal_lsn pg_current_wal_insert_lsn pg_current_wal_flush_lsn pg_last_wal_receive_lsn
pg_last_wal_replay_lsn pg_last_xact_replay_timestamp pg_switch_wal pg_create_restore_point pg_reload_conf
pg_rotate_logfile pg_current_logfile pg_notification_queue_usage pg_partition_tree pg_partition_ancestors
pg_sequence_last_value pg_stat_file pg_ls_dir pg_ls_logdir pg_ls_waldir pg_ls_tmpdir pg_read_file
pg_read_binary_file pg_stat_get_activity pg_stat_reset pg_stat_clear_snapshot pg_control_checkpoint
pg_control_system pg_collation_actual_version pg_get_shmem_allocations pg_jit_available pg_prepared_xact
any_value array_sample array_shuffle array_reverse array_sort date_add date_subtract erf erfc gamma lgamma
casefold crc32 crc32c to_bin to_oct unicode_assigned uuid_extract_timestamp uuid_extract_version xmltext
pg_input_is_valid pg_input_error_info pg_basetype to_regtypemod json_array json_arrayagg json_object_agg_strict
json_scalar json_serialize json_exists json_query json_value json_table
""".split()

# Extensions that applications call in every other statement.
OF_EXTENSIONS = """
uuid_generate_v1 uuid_generate_v1mc uuid_generate_v3 uuid_generate_v4 uuid_generate_v5 uuid_nil uuid_ns_dns
uuid_ns_url digest hmac crypt gen_salt gen_random_bytes unaccent similarity word_similarity strict_word_similarity
""".split()

BEGIN = "// The names, written by scripts/lib/harmless_functions.py.\n"
END = "// End of the names.\n"


def names_of(dsn):
    found = subprocess.run(["psql", dsn, "--no-psqlrc", "--tuples-only", "--no-align", f"--command={CANDIDATES}"],
                           check=True, capture_output=True, text=True).stdout.split()
    unwanted = re.compile("|".join(f"(?:{pattern})$" for pattern in (RUN_QUERIES, NOT_CALLED, CHANGES)))
    kept = {name for name in found if re.fullmatch(r"[a-z_][a-z0-9_]*", name) and not unwanted.match(name)}
    return sorted(kept | set(ALSO_HARMLESS) | set(OF_EXTENSIONS))


def table_of(names):
    lines, line = [], "   "
    for name in names:
        word = f' "{name}",'
        if len(line) + len(word) > 100:
            lines.append(line)
            line = "   "
        line += word
    lines.append(line)
    rows = "\n".join(lines)
    return f"constexpr auto kNames = std::to_array<std::string_view>({{\n{rows}\n}});\n"


def main():
    if len(sys.argv) not in (2, 3) or sys.argv[1] in ("-h", "--help"):
        print(__doc__)
        return 2
    file = pathlib.Path(sys.argv[2] if len(sys.argv) == 3 else "src/sql/harmless_functions.cc")
    text = file.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    file.write_text(before + BEGIN + table_of(names_of(sys.argv[1])) + END + after, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
