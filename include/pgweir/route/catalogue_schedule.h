#pragma once

#include "pgweir/base/clock.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace pgweir::route {

/// Of which databases of a cluster the catalogue is read, when, and what is believed meanwhile. One
/// is read at a time, in the order in which they are due; those that somebody waits for have a lead
/// over those that are listed by name, and these over the others.
/// Thread: its owner's.
class CatalogueSchedule {
public:
    static constexpr Duration kEvery =
        std::chrono::seconds(30);  // or as often as the others let it
    /// Whoever changes things all the time does not have them read all the time.
    static constexpr Duration kSoon = std::chrono::seconds(1);
    static constexpr Duration kAgain =
        std::chrono::seconds(2);  // after a failure; then twice that, …
    static constexpr Duration kAgainMax = std::chrono::minutes(2);
    /// What cannot be read for so long, though there is a primary, is not believed any more.
    static constexpr Duration kBelieved = std::chrono::minutes(5);

    /// As the server calls them.
    struct Databases {
        std::vector<std::string> listed{};     // read from the start
        size_t others_max = 0;                 // how many more may be learned
        std::vector<std::string> elsewhere{};  // and these are none of them
    };

    struct Known {
        std::optional<uint64_t> digest{};  // of the catalogue that is believed; nullopt: none is
        Instant read{};                    // when that was asked for
        std::string why{};                 // the last reading failed; empty if it did not
        Instant due{};                     // the next one
        Duration pause{};                  // before the last one, if it failed
        Instant failing_since{};           // if why is not empty
        bool untold = false;  // True exactly when somebody waits for what is read next.
        Instant untold_since{};
        bool learned = false;  // True exactly when it is none of those listed by name.
        Instant missed{};      // of one that is learned: when somebody last asked for it
    };

    using ByDatabase = std::map<std::string, Known, std::less<>>;

    const ByDatabase& known() const { return known_; }

    /// What is known of those that stay, stays; the answer is who does not.
    std::vector<std::string> set_databases(Databases databases);

    enum class Learning : uint8_t { Done, Refused, FirstRefused };

    /// Somebody misses the catalogue of this one: it is read from now on, if it may be. If it
    /// cannot be for kBelieved, and nobody missed it meanwhile, it is forgotten.
    Learning learn(const std::string& database, Instant now);

    /// How often one was missed that could not be learned because there are too many.
    uint64_t refused() const { return refused_; }

    /// Begins what is due. False: nothing is, or one is being read.
    bool begin(Instant now);

    /// That is read now; empty: none.
    const std::string& reading() const { return reading_; }

    Instant begun() const { return begun_; }

    /// Something that its catalogue tells of has changed: it is read again, kSoon after the last
    /// time, and somebody waits for it.
    void read_soon(const std::string& database, Instant now);

    /// Another node is the primary: what is being read is not its, and all is to be read again.
    void start_over();

    /// What is to be done about a reading that came to its end.
    struct Outcome {
        std::string database;
        bool believed = false;     // it is the database's catalogue from now on
        bool is_news = false;      // for the log
        bool told = false;         // whoever uses it is to be told of what is believed now, or none
        bool dropped = false;      // what was believed is so no more
        bool forgotten = false;    // it is not read any more until it is missed
        bool has_another = false;  // an older one goes on being believed
    };

    Outcome succeeded(uint64_t digest, Instant now);
    Outcome failed(const std::string& why, Instant now);

private:
    ByDatabase known_;
    Databases databases_{};
    uint64_t refused_ = 0;
    size_t learned_ = 0;
    bool refusal_told_ = false;
    std::string reading_;
    Instant begun_{};
    bool read_again_ = false;  // True exactly when something changed while it is read.
    bool outdated_ = false;    // True exactly when what is read now is of a primary of before.
};

}  // namespace pgweir::route
