#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

/// Why a server stays with its client although no transaction is open: state of the session that
/// lives in that one backend and cannot be carried to another.
namespace pgweir::session {

enum class Pin : uint8_t {
    TemporaryTable,      // or anything else in pg_temp
    AdvisoryLock,        // of the session, not of a transaction
    HoldableCursor,      // DECLARE ... WITH HOLD
    PreparedStatement,   // PREPARE in SQL
    TemporaryStatement,  // the same, in a session that has had temporary tables meanwhile
    Channel,             // LISTEN, and the shared connection does not listen on it yet
    SharedChannel,       // LISTEN, and it does
    Sequence,            // nextval(), setval(), currval() or lastval()
    Process,             // it asked for pg_backend_pid()
    Module,              // LOAD and setseed() leave what nothing can wipe
    Unknown,             // what the session holds could not be found out
};

inline constexpr size_t kPins = 11;

/// As SHOW PINNED, SHOW pgweir.pinned and the metric's label name them, in the order of Pin.
inline constexpr std::array<std::string_view, kPins> kPinNames{
    "temporary table",     "advisory lock",     "holdable cursor", "prepared statement",
    "temporary statement", "listening channel", "shared channel",  "sequence",
    "process number",      "loaded module",     "unknown state"};

class Pins {
public:
    constexpr Pins() = default;

    constexpr bool any() const { return bits_ != 0; }

    /// True exactly when it keeps the server only as long as nobody waits for one: SQL's prepared
    /// statements can be prepared elsewhere, the shared connection can listen, and few ask later
    /// where a sequence stands or which backend it was.
    constexpr bool yields() const {
        Pins rest = *this;
        rest.remove(Pin::PreparedStatement);
        rest.remove(Pin::SharedChannel);
        rest.remove(Pin::Sequence);
        rest.remove(Pin::Process);
        return any() && !rest.any();
    }

    constexpr bool listens() const { return has(Pin::Channel) || has(Pin::SharedChannel); }

    constexpr bool has(Pin pin) const { return (bits_ & bit(pin)) != 0; }

    constexpr void add(Pin pin) { bits_ = static_cast<uint16_t>(bits_ | bit(pin)); }

    constexpr void add(Pins others) { bits_ = static_cast<uint16_t>(bits_ | others.bits_); }

    constexpr void remove(Pin pin) { bits_ = static_cast<uint16_t>(bits_ & ~bit(pin)); }

    constexpr bool operator==(const Pins&) const = default;

    /// The names with commas between them; empty when there is none.
    std::string to_text() const {
        std::string text;
        for (size_t i = 0; i < kPins; ++i) {
            if (!has(static_cast<Pin>(i))) continue;
            if (!text.empty()) text += ", ";
            text += kPinNames[i];
        }
        return text;
    }

private:
    static constexpr uint16_t bit(Pin pin) {
        return static_cast<uint16_t>(1U << static_cast<uint8_t>(pin));
    }

    uint16_t bits_ = 0;
};

}  // namespace pgweir::session
