#pragma once

#include "pgweir/cluster/watch.h"

#include <optional>
#include <span>
#include <string_view>

/// What a node is asked, and how its answers are read. They are input from outside: whatever does
/// not look as it should is no answer.
namespace pgweir::cluster {

/// Its role and its place in the log. Both answers come from one moment, unless the node is
/// promoted in between: then it answers with an error. See: functions-admin.html,
/// monitoring-stats.html (pg_stat_wal_receiver)
inline constexpr const char* kPlaceQuestion =
    "SELECT recovers,"
    " CASE WHEN recovers THEN pg_catalog.pg_last_wal_replay_lsn()"
    " ELSE pg_catalog.pg_current_wal_insert_lsn() END,"
    " CASE WHEN recovers THEN (SELECT received_tli FROM pg_catalog.pg_stat_wal_receiver) END,"
    " CASE WHEN NOT recovers THEN"
    " pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()) END,"
    " CASE WHEN recovers THEN pg_catalog.pg_is_wal_replay_paused() ELSE false END"
    " FROM (SELECT pg_catalog.pg_is_in_recovery() AS recovers OFFSET 0) AS node";

/// See: functions-info.html (pg_control_system), runtime-config-preset.html
inline constexpr const char* kIdentityQuestion =
    "SELECT (SELECT system_identifier FROM pg_catalog.pg_control_system()),"
    " (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'wal_block_size'),"
    " (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'wal_segment_size')";

/// The columns of one row as text; nullopt is NULL.
using Row = std::span<const std::optional<std::string_view>>;

/// The answer to kPlaceQuestion; when it was asked is not set.
std::optional<Answer> read_place(Row row);

/// The answer to kIdentityQuestion.
std::optional<Identity> read_identity(Row row);

}  // namespace pgweir::cluster
