#include "pgweir/session/client_directory.h"

#include "pgweir/base/check.h"

namespace pgweir::session {

uint32_t ClientDirectory::add(Place place) {
    const std::lock_guard lock(mutex_);
    if (free_ < kFreeMin) {
        places_.push_back(place);
        return static_cast<uint32_t>(places_.size());
    }
    const uint32_t slot = oldest_free_;
    oldest_free_ = places_[slot].index;
    --free_;
    places_[slot] = place;
    return slot + 1;
}

void ClientDirectory::arrived(uint32_t number, Place place) {
    const std::lock_guard lock(mutex_);
    places_[number - 1] = place;
}

void ClientDirectory::departed(uint32_t number, Place from, uint32_t to) {
    const std::lock_guard lock(mutex_);
    Place& place = places_[number - 1];
    if (place == from) place = {to, kUnderWay};
}

void ClientDirectory::remove(uint32_t number) {
    const std::lock_guard lock(mutex_);
    const uint32_t slot = number - 1;
    PGW_CHECK(slot < places_.size() && places_[slot].worker != kNobody);
    places_[slot] = {kNobody, kEnd};
    if (free_ == 0) {
        oldest_free_ = slot;
    } else {
        places_[newest_free_].index = slot;
    }
    newest_free_ = slot;
    ++free_;
}

std::optional<ClientDirectory::Place> ClientDirectory::find(uint32_t number) const {
    const std::lock_guard lock(mutex_);
    if (number == 0 || number > places_.size()) return std::nullopt;
    const Place place = places_[number - 1];
    if (place.worker == kNobody) return std::nullopt;
    return place;
}

size_t ClientDirectory::size() const {
    const std::lock_guard lock(mutex_);
    return places_.size() - free_;
}

}  // namespace pgweir::session
