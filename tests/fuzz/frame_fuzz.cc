#include "pgweir/base/bytes.h"
#include "pgweir/base/check.h"
#include "pgweir/base/prng.h"
#include "pgweir/wire/frame.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

namespace pgweir::fuzz_frame {
namespace {

constexpr uint32_t kLimit = 300;

struct Seen {
    char type;
    uint32_t body_bytes;

    bool operator==(const Seen&) const = default;
};

/// Splits a stream as the pumps do: a header at a time, bodies by count.
class Scanner {
public:
    void feed(Bytes bytes) {
        pending_.append(as_text(bytes));
        size_t used = 0;
        while (!broken && used < pending_.size()) {
            const Bytes rest = as_bytes(pending_).subspan(used);
            const size_t taken = passing_ > 0 ? pass(rest) : take_header(rest);
            if (taken == 0) break;
            used += taken;
        }
        pending_.erase(0, used);
        PGW_CHECK(broken || pending_.size() < wire::kHeaderBytes);
    }

    std::vector<Seen> seen;
    std::string bodies;
    bool broken = false;

private:
    size_t pass(Bytes rest) {
        const size_t count = std::min<size_t>(passing_, rest.size());
        bodies.append(as_text(rest.first(count)));
        passing_ -= static_cast<uint32_t>(count);
        return count;
    }

    size_t take_header(Bytes rest) {
        wire::FrameHeader header;
        switch (wire::read_header(rest, kLimit, header)) {
            case wire::Framing::Short: return 0;
            case wire::Framing::Invalid:
                PGW_CHECK(!wire::bad_length(rest, kLimit).message.empty());
                broken = true;
                return 0;
            case wire::Framing::Complete: break;
        }
        PGW_CHECK(header.body_bytes <= kLimit);
        PGW_CHECK(header.total_bytes() == wire::kHeaderBytes + header.body_bytes);
        seen.push_back({header.type, header.body_bytes});
        passing_ = header.body_bytes;
        return wire::kHeaderBytes;
    }

    std::string pending_;
    uint32_t passing_ = 0;
};

}  // namespace

void fuzz_one(Bytes data);

/// However the network cuts a stream, its messages are the same. The first byte seeds the cuts.
void fuzz_one(Bytes data) {
    if (data.empty()) return;
    Bytes rest = data.subspan(1);
    Scanner whole;
    whole.feed(rest);

    Scanner pieces;
    Prng prng(data[0]);
    while (!rest.empty()) {
        const size_t count = std::min<size_t>(rest.size(), 1 + prng.below(9));
        pieces.feed(rest.first(count));
        rest = rest.subspan(count);
    }
    PGW_CHECK(whole.seen == pieces.seen);
    PGW_CHECK(whole.bodies == pieces.bodies);
    PGW_CHECK(whole.broken == pieces.broken);
}

}  // namespace pgweir::fuzz_frame

#ifdef PGWEIR_LIBFUZZER
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    pgweir::fuzz_frame::fuzz_one({data, size});
    return 0;
}
#endif
