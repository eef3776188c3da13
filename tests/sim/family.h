#pragma once

#include "pgweir/base/prng.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

/// Kinds of traffic beyond the everyday one, which a seed may have or not.
namespace pgweir::sim {

enum class Family : uint8_t {
    RecklessClients,
    RecklessServers,
    CopyErrors,
    CopySyncs,
    PipelinedDiscards,
    Notifications,
    Drains,
    SharedLimits,
    Walsenders,
    SessionState,
    Moves,
    Primaries,
    Standbys,
    LazyBegins,
    StalePlans,
};

struct FamilyRow {
    Family family;
    std::string_view name;  // as simulator --family knows it
    uint32_t percent;       // of the seeds that have it unasked; zero: only when asked for
    std::string_view what;
};

inline constexpr auto kFamilies = std::to_array<FamilyRow>({
    {Family::RecklessClients,   "reckless-clients",   12, "clients that break the protocol"              },
    {Family::RecklessServers,   "reckless-servers",   8,  "servers that say what nobody asked for"       },
    {Family::CopyErrors,        "copy-errors",        12, "cancels and errors amid COPY"                 },
    {Family::CopySyncs,         "copy-syncs",         0,  "the same with Syncs under way"                },
    {Family::Notifications,     "notifications",      10, "LISTEN and NOTIFY"                            },
    {Family::Drains,            "drains",             10, "a reload or a drain amid the traffic"         },
    {Family::SharedLimits,      "shared-limits",      8,  "pools that want more servers than max_servers"},
    {Family::Walsenders,        "walsenders",         8,  "replication beside everything else"           },
    {Family::PipelinedDiscards, "pipelined-discards", 10, "requests in one go with DISCARD ALL"          },
    {Family::SessionState,      "session-state",      12, "temporary tables, locks, SQL's PREPARE"       },
    {Family::Moves,             "moves",              20, "clients that change workers"                  },
    {Family::Primaries,         "primaries",          10, "another primary, or none for a while"         },
    {Family::Standbys,          "standbys",           15, "reads at standbys that are late, or go"       },
    {Family::LazyBegins,        "lazy-begins",        20, "BEGIN waits for the first statement"          },
    {Family::StalePlans,        "stale-plans",        12, "tables change under prepared statements"      },
});

class Families {
public:
    bool has(Family family) const { return (bits_ & bit(family)) != 0; }

    void add(Family family) { bits_ |= bit(family); }

    bool any() const { return bits_ != 0; }

private:
    static uint32_t bit(Family family) { return 1u << static_cast<uint32_t>(family); }

    uint32_t bits_ = 0;
};

/// Drawn beside everything else: a seed without families plays as it did before there were any.
inline Families draw_families(uint64_t seed) {
    Prng prng(~seed);
    Families families;
    for (const FamilyRow& row : kFamilies) {
        const bool drawn = prng.chance(row.percent);
        // What a walsender says passes unjudged: nonsense of it would reach its client.
        const bool judged =
            row.family != Family::Walsenders || !families.has(Family::RecklessServers);
        if (drawn && judged) families.add(row.family);
    }
    return families;
}

inline std::optional<Family> find_family(std::string_view name) {
    for (const FamilyRow& row : kFamilies) {
        if (row.name == name) return row.family;
    }
    return std::nullopt;
}

}  // namespace pgweir::sim
