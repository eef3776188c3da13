#pragma once

#include "pgweir/base/clock.h"
#include "pgweir/config/model.h"
#include "pgweir/control/pg_connection.h"
#include "pgweir/route/catalogue.h"
#include "pgweir/route/catalogue_schedule.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <uv.h>

namespace pgweir::control {

/// Reads the catalogues of a cluster's databases from its primary in the background, as
/// route::CatalogueSchedule has it. Each reading has a connection of its own, so no slot of the
/// server stays taken.
/// Thread: the control loop's; what is read becomes a Catalogue in one of libuv's threads.
class CatalogueReader final : PgConnection::Owner {
public:
    static constexpr Duration kPatience = std::chrono::seconds(10);
    using Databases = route::CatalogueSchedule::Databases;

    class Owner {
    public:
        /// Another catalogue of this database is believed from now on, or none.
        virtual void on_catalogue(const std::string& database) = 0;

    protected:
        ~Owner() = default;
    };

    CatalogueReader(uv_loop_t& loop, Owner& owner, std::string cluster)
        : loop_(loop), owner_(owner), cluster_(std::move(cluster)), connection_(loop, *this) {}

    ~CatalogueReader();
    CatalogueReader(const CatalogueReader&) = delete;
    CatalogueReader& operator=(const CatalogueReader&) = delete;

    void set_databases(Databases databases);

    /// A worker misses the catalogue of this one.
    void learn(const std::string& database);

    /// To be called often: begins what is due, and gives up what takes too long.
    /// primary: nullptr if there is none; nothing is read then, and what is known stays.
    void tick(const config::Node* primary, const config::Monitor& monitor);

    void read_soon(const std::string& database);

    void start_over() { schedule_.start_over(); }

    const route::CatalogueSchedule& schedule() const { return schedule_; }

    /// nullptr: none is believed.
    std::shared_ptr<const route::Catalogue> catalogue_of(const std::string& database) const;

private:
    struct Work;  // outlives the reader, if it has to

    void on_result(PgResult result) override;
    void on_idle() override;
    void on_lost(std::string why) override;

    static void on_built(uv_work_t* request, int status);
    void build(PgResult result);
    void succeed(route::Catalogue catalogue);
    void fail(std::string why);
    void forget(const std::string& database);
    void free_unused();

    uv_loop_t& loop_;
    Owner& owner_;
    std::string cluster_;
    route::CatalogueSchedule schedule_;
    std::map<std::string, std::shared_ptr<const route::Catalogue>> believed_;
    std::vector<std::shared_ptr<const route::Catalogue>> forgotten_;  // workers may still have them
    PgConnection connection_;
    Work* work_ = nullptr;
    bool asked_ = false;
};

}  // namespace pgweir::control
