#pragma once

#include "pgweir/base/bytes.h"
#include "pgweir/base/lazy_array.h"
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
        if (count_ > 0) {
            Bytes& last = pieces_[count_ - 1];
            if (last.data() + last.size() == bytes.data()) {
                last = {last.data(), last.size() + bytes.size()};
                return;
            }
        }
        if (count_ == pieces_.size()) flush();
        pieces_.put(count_++, bytes);
    }

    /// For bytes that do not live long enough.
    void add_copy(Bytes bytes) {
        // Before the copy: a flush frees the scratch that the copy would lie in.
        const bool room = bytes.size() <= scratch_.size() - scratch_used_;
        if (!room || count_ == pieces_.size()) flush();
        if (bytes.size() > scratch_.size()) {
            bytes_ += bytes.size();
            stream_.send(bytes);
            ++flushes_;
            return;
        }
        uint8_t* at = scratch_.data() + scratch_used_;
        if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
        scratch_used_ += bytes.size();
        add({at, bytes.size()});
    }

    void flush() {
        if (count_ == 0) return;
        stream_.send(std::span<const Bytes>(pieces_.data(), count_));
        ++flushes_;
        count_ = 0;
        scratch_used_ = 0;
    }

    /// Units: bytes added so far, flushed or not.
    size_t bytes() const { return bytes_; }

    /// How often something left; in between, the stream's backlog stays as it is.
    size_t flushes() const { return flushes_; }

private:
    Stream& stream_;
    size_t count_ = 0;
    size_t flushes_ = 0;
    size_t scratch_used_ = 0;
    size_t bytes_ = 0;
    LazyArray<Bytes, 24> pieces_;
    std::array<uint8_t, 2048> scratch_;
};

}  // namespace pgweir::session
