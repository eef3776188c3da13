#include "sql/harmless_functions.h"

#include <doctest/doctest.h>

namespace pgweir::sql {

TEST_CASE("harmless functions: those that every application calls, in any case") {
    for (const auto* name : {"lower",
                             "LOWER",
                             "count",
                             "sum",
                             "now",
                             "generate_series",
                             "jsonb_agg",
                             "json_build_object",
                             "row_number",
                             "pg_notify",
                             "random",
                             "pg_sleep",
                             "pg_advisory_xact_lock",
                             "pg_try_advisory_xact_lock",
                             "lo_open",
                             "txid_current",
                             "clock_timestamp",
                             "gen_random_uuid",
                             "pg_database_size",
                             "pg_cancel_backend",
                             "pg_terminate_backend",
                             "pg_export_snapshot",
                             "pg_get_expr",
                             "pg_table_is_visible",
                             "format_type",
                             "current_setting",
                             "to_tsvector",
                             "unnest",
                             "array_agg",
                             "string_agg",
                             "date_trunc",
                             "uuid_generate_v4"}) {
        CAPTURE(name);
        CHECK(is_harmless_function(name));
    }
}

TEST_CASE("harmless functions: none that leaves something or runs a text") {
    for (const auto* name : {"",
                             "x",
                             "low",
                             "lowers",
                             "set_config",
                             "currval",
                             "lastval",
                             "setseed",
                             "pg_advisory_lock",
                             "pg_advisory_lock_shared",
                             "pg_try_advisory_lock",
                             "pg_try_advisory_lock_shared",
                             "pg_advisory_unlock",
                             "pg_advisory_unlock_all",
                             "pg_replication_origin_session_setup",
                             "pg_logical_slot_get_changes",
                             "pg_create_logical_replication_slot",
                             "pg_backup_start",
                             "query_to_xml",
                             "cursor_to_xml",
                             "table_to_xml",
                             "schema_to_xml",
                             "database_to_xml",
                             "ts_stat",
                             "ts_rewrite",
                             "dblink",
                             "dblink_connect",
                             "lo_import_file",
                             "textin",
                             "plpgsql_call_handler"}) {
        CAPTURE(name);
        CHECK_FALSE(is_harmless_function(name));
    }
}

}  // namespace pgweir::sql
