#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

namespace pgweir::session {

/// Where each client of the process is: by the number that it was told as its process id, and that
/// it keeps when it changes workers. A number that came free is not given again soon, as with
/// PostgreSQL, so that a late cancel request finds nobody rather than somebody else.
/// Thread: any. It takes a lock, at logins, departures, moves and cancel requests only.
class ClientDirectory {
public:
    struct Place {
        uint32_t worker = 0;
        uint32_t index = 0;  // of the session's slot there; kUnderWay while it is not there yet

        bool operator==(const Place&) const = default;
    };

    static constexpr uint32_t kUnderWay = UINT32_MAX;

    /// A number above zero that fits into a signed integer: drivers keep it in one.
    uint32_t add(Place place);

    /// The client is at `place` from now on.
    void arrived(uint32_t number, Place place);

    /// It was sent from one place to a worker, and may have arrived there already, or even have
    /// gone on: then this changes nothing.
    void departed(uint32_t number, Place from, uint32_t to);
    void remove(uint32_t number);

    /// std::nullopt: nobody has this number now.
    std::optional<Place> find(uint32_t number) const;

    /// Numbers that are taken.
    size_t size() const;

private:
    static constexpr uint32_t kNobody = UINT32_MAX - 1;  // in Place::worker
    static constexpr uint32_t kFreeMin = 1024;           // numbers that rest before one is reused
    static constexpr uint32_t kEnd = UINT32_MAX;

    mutable std::mutex mutex_;
    std::vector<Place> places_;  // of number n in n - 1; a free one names the next free in `index`
    uint32_t oldest_free_ = kEnd;
    uint32_t newest_free_ = kEnd;
    uint32_t free_ = 0;
};

}  // namespace pgweir::session
