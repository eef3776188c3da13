#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>

/// What a statement may leave behind in the session that runs it, read off its text alone. The
/// answer errs on one side only: an effect that is named need not happen, which costs a question
/// to the server; what is not named does not happen, as far as a text can tell. What triggers,
/// operators, casts and column defaults of the application's own do is not in the text.
namespace pgweir::sql {

enum class Effect : uint16_t {
    // settings, role, temporary relations, session locks, holdable cursors, SQL's prepared
    // statements, channels: somebody has to look once the transaction is over
    MayChangeSession = 1,
    // DISCARD, DEALLOCATE: statements of the protocol are gone as well
    MayForgetStatements = 2,
    // LOAD, setseed(), a base backup, a temporary slot: a trace that cannot be seen or wiped, so
    // that the server must not go to a stranger
    BindsForGood = 4,
    // currval(), lastval(): must not see what a stranger's nextval() left
    ReadsSequenceState = 8,
    // DROP, CLOSE, DISCARD, UNLISTEN, pg_advisory_unlock(): what kept a server may be gone
    MayFree = 16,
    // DO, CALL, EXECUTE, functions that are not known: what they set need not be in any view
    MayHideSettings = 32,
    // RESET, DISCARD, SET ... TO DEFAULT: settings may be as the session began
    MayReset = 64,
    // nextval(), setval(): what currval() and lastval() say afterwards
    MovesSequences = 128,
    // temporary relations, session locks, holdable cursors, LOAD: state that lives in one backend,
    // where the text says so
    MayPin = 256,
    // DROP, CREATE and ALTER DATABASE: PostgreSQL wants nobody else to be connected
    NeedsDatabaseAlone = 512,
    // pg_backend_pid(): whoever asks for it wants to find the same backend again
    AsksProcess = 1024,
};

/// A set of effects.
class Effects {
public:
    constexpr Effects() = default;

    constexpr Effects(Effect effect)
        : bits_(static_cast<uint16_t>(effect)) {}  // NOLINT: one is a set

    constexpr bool any() const { return bits_ != 0; }

    constexpr bool has(Effect effect) const { return contains(Effects(effect)); }

    constexpr bool contains(Effects others) const { return (bits_ & others.bits_) == others.bits_; }

    constexpr bool any_of(Effects others) const { return (bits_ & others.bits_) != 0; }

    constexpr void add(Effects others) { bits_ = static_cast<uint16_t>(bits_ | others.bits_); }

    constexpr Effects operator|(Effects others) const {
        others.add(*this);
        return others;
    }

    constexpr bool operator==(const Effects&) const = default;

private:
    uint16_t bits_ = 0;
};

constexpr Effects operator|(Effect one, Effect other) {
    return Effects(one) | Effects(other);
}

inline constexpr Effects kOfSequences = Effect::ReadsSequenceState | Effect::MovesSequences;

/// The effects of all statements of `sql`; all that is hidden and MayForgetStatements are added
/// when the text is cut off or can be read in two ways. Takes no memory and one pass. The text is
/// UTF-8 or has one byte a character; in the client-only encodings (SJIS, BIG5, GBK, UHC, JOHAB,
/// GB18030) a few texts more than necessary are a doubt.
Effects effects_of(std::string_view sql) noexcept;

/// The name in a text that is one DEALLOCATE of one statement and nothing else, in the form that
/// PostgreSQL knows it by; empty: it is another text. Errs towards empty.
std::string deallocated_name(std::string_view sql);

/// True exactly when the text is one statement, with or without a semicolon behind it, that ends
/// where it seems to.
bool is_single_statement(std::string_view sql) noexcept;

/// PostgreSQL has no limit for a setting's name but NAMEDATALEN for each part of it; this one is
/// for us to have one.
inline constexpr size_t kCustomSettingBytesMax = 127;

/// A text with more names is not one that sets them.
inline constexpr size_t kCustomSettingsPerTextMax = 64;

/// True exactly when `value` alone (a Bind parameter's bytes) has the form of the name of a setting
/// that an application made up: at least two identifiers with dots between.
bool is_custom_setting_name(std::string_view value) noexcept;

/// What for_each_custom_setting() is without its template.
struct CustomSettingSink {
    void* state = nullptr;
    void (*found)(void* state, std::string_view name) = nullptr;
};

bool visit_custom_settings(std::string_view sql, CustomSettingSink sink);

/// Calls found(name) for whatever may be the name of a custom setting that the text sets or resets
/// ("myapp.user_id"): strings that have its form from end to end, also inside a dollar-quoted
/// body, and names behind SET, SESSION, LOCAL and RESET. Many are tables or host names in truth.
/// Names come in lower case, as PostgreSQL compares them, and may come twice.
/// False: there were more than kCustomSettingsPerTextMax; the rest was not told.
/// Lifetime: a name is gone when `found` returns.
template <class Found>
bool for_each_custom_setting(std::string_view sql, Found&& found) {
    using Callee = std::remove_reference_t<Found>;
    const CustomSettingSink sink{
        .state = const_cast<void*>(static_cast<const void*>(std::addressof(found))),
        .found = [](void* state, std::string_view name) { (*static_cast<Callee*>(state))(name); },
    };
    return visit_custom_settings(sql, sink);
}

}  // namespace pgweir::sql
