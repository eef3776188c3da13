#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// Whether a statement, by its text, only reads. PostgreSQL's own grammar (libpg_query) reads it,
/// and every kind of node that may stand in a read is named in a table: what is not there, what
/// cannot be read, and what is known to write is for the primary. So a doubt costs speed, and never
/// a write. What a read mentions may still hide a write: the catalogue of its database says
/// (route/judge.h).
namespace pgweir::sql {

/// As the statement says it: without a schema it is looked for along the search_path.
struct Name {
    std::string schema{};
    std::string name{};

    bool operator==(const Name&) const = default;
};

std::string to_text(const Name& name);

/// By name, in the order of the text; some more than once.
struct Mentions {
    std::vector<Name> harmless_functions{};  // of PostgreSQL's, if no other has the name
    std::vector<Name> functions{};           // all others
    std::vector<Name> operators{};
    std::vector<Name> types{};
    std::vector<Name> relations{};
    std::vector<std::string> queries{};  // of WITH: may stand where a relation may
    std::vector<std::string> fields{};   // behind a dot: columns, or functions of the row before it
};

struct Classification {
    bool reads = false;  // by its text
    std::string why{};   // not; empty if it does
    Mentions mentions{};
    bool begins_read_only = false;  // BEGIN or START TRANSACTION that says READ ONLY
    bool of_session = false;  // settings, transactions, channels: no data, though it is no read
};

/// Texts that are longer, or could nest deeper, are not read: the grammar nests as they do, on the
/// stack.
inline constexpr size_t kClassifiedBytesMax = 64 << 10;
inline constexpr size_t kNestingMax = 1000;
inline constexpr size_t kCommentsMax = 100;

/// Whether PostgreSQL's own function of this name, in small letters, may be part of one.
bool is_part_of_reads(std::string_view function);

/// Whether a function of an extension, or of a later PostgreSQL, runs SQL that it is given as text,
/// though it is declared to write nothing.
bool runs_text(std::string_view function);

/// Thread: any; costs microseconds, so its answer is to be kept.
Classification classify(std::string_view sql);

}  // namespace pgweir::sql
