#pragma once

#include "pgweir/base/bytes.h"
#include "pgweir/base/stream.h"

#include <array>
#include <cstring>

namespace pgweir::session {

/// Collects what goes to one stream in one turn, so that it leaves in one write and nothing that
/// only passes through is copied.
/// Lifetime: added bytes stay where they are until flush().
class Gather {
public:
    explicit Gather(Stream& stream) : stream_(stream) {}

    Gather(const Gather&) = delete;
    Gather& operator=(const Gather&) = delete;

    void add(Bytes bytes) {
        if (bytes.empty()) return;
        bytes_ += bytes.size();
        if (count_ > 0 && pieces_[count_ - 1].data() + pieces_[count_ - 1].size() == bytes.data()) {
            pieces_[count_ - 1] = {pieces_[count_ - 1].data(),
                                   pieces_[count_ - 1].size() + bytes.size()};
            return;
        }
        if (count_ == pieces_.size()) flush();
        pieces_[count_++] = bytes;
    }

    /// For bytes that do not live long enough.
    void add_copy(Bytes bytes) {
        // Before the copy: a flush frees the scratch that the copy would lie in.
        const bool room = bytes.size() <= scratch_.size() - scratch_used_;
        if (!room || count_ == pieces_.size()) flush();
        if (bytes.size() > scratch_.size()) {
            bytes_ += bytes.size();
            stream_.send(bytes);
            return;
        }
        uint8_t* at = scratch_.data() + scratch_used_;
        if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
        scratch_used_ += bytes.size();
        add({at, bytes.size()});
    }

    void flush() {
        if (count_ > 0) stream_.send(std::span<const Bytes>(pieces_.data(), count_));
        count_ = 0;
        scratch_used_ = 0;
    }

    /// Units: bytes added so far, flushed or not.
    size_t bytes() const { return bytes_; }

private:
    Stream& stream_;
    size_t count_ = 0;
    size_t scratch_used_ = 0;
    size_t bytes_ = 0;
    std::array<Bytes, 24> pieces_;
    std::array<uint8_t, 2048> scratch_;
};

}  // namespace pgweir::session
