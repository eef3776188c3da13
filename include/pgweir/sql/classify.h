#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// Whether a statement may run on a standby. PostgreSQL's own grammar (libpg_query) reads it, and
/// every kind of node that may stand in a read is named in a table: what is not there, what cannot
/// be read, and what is not known to be harmless is for the primary. So a doubt costs speed, and
/// never a write.
namespace pgweir::sql {

enum class RouteClass : uint8_t {
    Read,     // reads, and whatever node it runs on, it says the same
    Depends,  // the same, if the functions that it calls do
    Primary,  // everything else
};

std::string_view to_text(RouteClass which);

struct Classification {
    RouteClass which = RouteClass::Primary;
    std::string why{};                     // it is not a read; empty if it is
    std::vector<std::string> functions{};  // that are not PostgreSQL's; with schema, if it says so
    std::vector<std::string> relations{};  // that it reads: tables, views, sequences
};

/// Texts that are longer, or could nest deeper, are not read: the grammar nests as they do, on the
/// stack.
inline constexpr size_t kClassifiedBytesMax = 64 << 10;
inline constexpr size_t kNestingMax = 1000;
inline constexpr size_t kCommentsMax = 100;

/// Thread: any; costs microseconds, so its answer is to be kept.
Classification classify(std::string_view sql);

}  // namespace pgweir::sql
