#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pgweir::cluster {

/// A place in the write-ahead log.
/// Units: bytes; zero stands for "not known".
using Lsn = uint64_t;

/// "16/B374D848"; nullopt when the text is none.
/// See: datatype-pg-lsn.html
std::optional<Lsn> parse_lsn(std::string_view text);

std::string lsn_text(Lsn lsn);

/// The timeline in the name of a WAL file, its first eight hexadecimal digits; nullopt when the
/// text is no such name.
/// See: pg_walfile_name() in functions-admin.html
std::optional<uint32_t> timeline_of_file(std::string_view name);

/// How a server lays out its log.
struct WalLayout {
    uint32_t block_size = 0;  // zero: not known
    uint64_t segment_size = 0;

    bool operator==(const WalLayout&) const = default;
};

/// Where the last record ends, when the next one begins at `insert`. The two differ when a record
/// has just filled a page: the next one begins behind the header of the page that follows, which a
/// standby has not reached before that record comes. An idle primary would seem ahead for ever.
Lsn end_of_log(Lsn insert, const WalLayout& layout);

}  // namespace pgweir::cluster
