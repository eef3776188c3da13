#pragma once

#include "pgweir/base/clock.h"
#include "pgweir/config/model.h"
#include "pgweir/control/pg_connection.h"
#include "pgweir/route/catalogue.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <uv.h>

namespace pgweir::control {

/// Reads the catalogues of a cluster's databases from its primary, one after the other, in the
/// background: each kEvery, or as often as the others let it; those that somebody waits for come
/// first, then those that are listed by name. Each reading has a connection of its own, so no slot
/// of the server stays taken. Thread: the control loop's; what is read becomes a Catalogue in one
/// of libuv's threads.
class CatalogueReader final : PgConnection::Owner {
public:
    static constexpr Duration kEvery = std::chrono::seconds(30);
    static constexpr Duration kAgain =
        std::chrono::seconds(2);  // after a failure; then twice that, …
    static constexpr Duration kAgainMax = std::chrono::minutes(2);
    static constexpr Duration kPatience = std::chrono::seconds(10);
    /// What cannot be read for so long, though there is a primary, is not believed any more.
    static constexpr Duration kBelieved = std::chrono::minutes(5);

    class Owner {
    public:
        /// Another catalogue of this database is believed from now on, or none.
        virtual void on_catalogue(const std::string& database) = 0;

    protected:
        ~Owner() = default;
    };

    /// Whoever changes things all the time does not have them read all the time.
    static constexpr Duration kSoon = std::chrono::seconds(1);

    struct Known {
        std::shared_ptr<const route::Catalogue> catalogue{};  // nullptr: none is believed
        Instant read{};                                       // when it was asked for
        std::string why{};        // the last reading failed; empty if it did not
        Instant due{};            // the next one
        Duration pause{};         // before the last one, if it failed
        Instant failing_since{};  // if why is not empty
        bool untold = false;      // True exactly when the owner waits for what is read next.
        bool learned = false;     // True exactly when it is none of those listed by name.
        Instant missed{};         // of one that is learned: when a worker last asked for it
    };

    using ByDatabase = std::map<std::string, Known, std::less<>>;

    CatalogueReader(uv_loop_t& loop, Owner& owner, std::string cluster)
        : loop_(loop), owner_(owner), cluster_(std::move(cluster)), connection_(loop, *this) {}

    ~CatalogueReader();
    CatalogueReader(const CatalogueReader&) = delete;
    CatalogueReader& operator=(const CatalogueReader&) = delete;

    /// As the server calls them.
    struct Databases {
        std::vector<std::string> listed{};     // read from the start
        size_t others_max = 0;                 // how many more may be learned
        std::vector<std::string> elsewhere{};  // and these are none of them
    };

    /// What is known of those that stay, stays.
    void set_databases(Databases databases);

    /// A worker misses the catalogue of this one: it is read from now on, if it may be. If it
    /// cannot be for kBelieved, and nobody missed it meanwhile, it is forgotten.
    void learn(const std::string& database);

    /// How often one was missed that could not be learned because there are too many.
    uint64_t refused() const { return refused_; }

    /// To be called often: begins what is due, and gives up what takes too long.
    /// primary: nullptr if there is none; nothing is read then, and what is known stays.
    void tick(const config::Node* primary, const config::Monitor& monitor);

    /// Something that it tells of has changed: it is read again, kSoon after the last time.
    void read_soon(const std::string& database);

    /// Another node is the primary: what is being read is not its, and all is to be read again.
    void start_over();

    const ByDatabase& known() const { return known_; }

private:
    struct Work;  // outlives the reader, if it has to

    void on_result(PgResult result) override;
    void on_idle() override;
    void on_lost(std::string why) override;

    static void on_built(uv_work_t* request, int status);
    void build(PgResult result);
    void succeed(route::Catalogue catalogue);
    void fail(std::string why);
    ByDatabase::iterator next_due(Instant now);
    void leave(const std::string& database);
    void forget(Known& known);
    void free_unused();
    Known* current();

    uv_loop_t& loop_;
    Owner& owner_;
    std::string cluster_;
    ByDatabase known_;
    std::vector<std::shared_ptr<const route::Catalogue>> forgotten_;  // workers may still have them
    PgConnection connection_;
    std::string database_;  // that is read now; empty: none
    Instant begun_{};
    Work* work_ = nullptr;
    Databases databases_{};
    uint64_t refused_ = 0;
    size_t learned_ = 0;
    bool refusal_told_ = false;
    bool asked_ = false;
    bool read_again_ = false;  // True exactly when something changed while it is read.
    bool outdated_ = false;    // True exactly when what is read now is of a primary of before.
};

}  // namespace pgweir::control
