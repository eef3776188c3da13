#include "pgweir/config/effective.h"

#include <doctest/doctest.h>

namespace pgweir::config {
namespace {

using std::chrono_literals::operator""s;

struct Rig {
    Config config;

    Rig() {
        config.databases["mastodon"].name = "mastodon";
        config.databases["*"].name.assign(1, '*');
        config.users["sidekiq"].name = "sidekiq";
    }

    PoolSettings& of_database() { return config.databases["mastodon"].pool; }

    PoolSettings& of_user() { return config.users["sidekiq"].pool; }

    EffectivePool pool(std::string_view user) const {
        return effective_pool(config, *find_database(config, "mastodon"), user);
    }
};

TEST_CASE("effective: a listed database serves its name, and the star every other") {
    Rig rig;
    CHECK(find_database(rig.config, "mastodon")->name == "mastodon");
    CHECK(find_database(rig.config, "misskey")->name == "*");
}

TEST_CASE("effective: without a star an unlisted name is served by nobody") {
    Rig rig;
    rig.config.databases.erase("*");
    CHECK(find_database(rig.config, "misskey") == nullptr);
}

TEST_CASE("effective: the databases of a cluster are named as its servers call them") {
    Rig rig;
    rig.config.databases["mastodon"].cluster = "main";
    rig.config.databases["mastodon"].dbname = "mastodon_production";
    rig.config.databases["*"].cluster = "main";
    rig.config.databases["matomo"].cluster = "main";
    rig.config.databases["elsewhere"].cluster = "other";
    CHECK(listed_databases(rig.config, "main") ==
          std::vector<std::string>{"mastodon_production", "matomo"});
}

TEST_CASE("effective: what nobody sets comes from the process") {
    Rig rig;
    rig.config.pool = PoolDefaults{.pool_mode = PoolMode::Session,
                                   .pool_size = 7,
                                   .min_size = 2,
                                   .reserve_size = 3,
                                   .reserve_after = 4s,
                                   .pinned_max = 5,
                                   .pinned_full = PinnedFull::Error,
                                   .lazy_begin = true};
    rig.config.timeouts.query_wait = 9s;
    CHECK(rig.pool("web") == EffectivePool{.mode = PoolMode::Session,
                                           .size = 7,
                                           .min_size = 2,
                                           .reserve_size = 3,
                                           .reserve_after = 4s,
                                           .query_wait = 9s,
                                           .pinned_max = 5,
                                           .pinned_full = PinnedFull::Error,
                                           .lazy_begin = true});
}

TEST_CASE("effective: reads are the user's, else the database's, else the cluster's") {
    Rig rig;
    CHECK(rig.pool("sidekiq").reads == Reads::Primary);
    rig.config.clusters["main"].routing.reads = Reads::Standby;
    rig.config.databases["mastodon"].cluster = "main";
    CHECK(rig.pool("sidekiq").reads == Reads::Standby);
    rig.config.databases["mastodon"].reads = Reads::Any;
    CHECK(rig.pool("sidekiq").reads == Reads::Any);
    rig.config.users["sidekiq"].reads = Reads::Primary;
    CHECK(rig.pool("sidekiq").reads == Reads::Primary);
    CHECK(rig.pool("web").reads == Reads::Any);
}

TEST_CASE("effective: the database wins over the process, and the user over the database") {
    Rig rig;
    rig.of_database() = PoolSettings{.pool_mode = PoolMode::Session,
                                     .pool_size = 25,
                                     .min_size = 1,
                                     .reserve_size = 5,
                                     .reserve_after = 1s,
                                     .pinned_max = 3,
                                     .pinned_full = PinnedFull::Error,
                                     .lazy_begin = true,
                                     .query_wait_timeout = 30s,
                                     .max_servers = {},
                                     .max_clients = {}};
    rig.of_user().pool_mode = PoolMode::Statement;
    rig.of_user().pool_size = 10;
    rig.of_user().reserve_size = 0;
    rig.of_user().query_wait_timeout = 60s;

    const EffectivePool web = rig.pool("web");
    CHECK(web.mode == PoolMode::Session);
    CHECK(web.size == 25);
    CHECK(web.reserve_size == 5);
    CHECK(web.query_wait == 30s);
    CHECK(web.pinned_max == 3);
    CHECK(web.pinned_full == PinnedFull::Error);
    CHECK(web.lazy_begin);
    rig.of_user().lazy_begin = false;
    CHECK_FALSE(rig.pool("sidekiq").lazy_begin);

    const EffectivePool sidekiq = rig.pool("sidekiq");
    CHECK(sidekiq.mode == PoolMode::Statement);
    CHECK(sidekiq.size == 10);
    CHECK(sidekiq.reserve_size == 0);
    CHECK(sidekiq.query_wait == 60s);
    CHECK(sidekiq.reserve_after == 1s);
    CHECK(sidekiq.min_size == 1);
}

TEST_CASE("effective: unless told, sessions may keep all servers of a pool but one") {
    Rig rig;
    for (const auto& [size, most] : {
             std::pair{20u, 19u},
             {2u,  1u },
             {1u,  1u }
    }) {
        rig.of_database().pool_size = size;
        CHECK(rig.pool("web").pinned_max == most);
    }
}

TEST_CASE("effective: a user's smaller pool limits the database's minimum") {
    Rig rig;
    rig.of_database().min_size = 15;
    rig.of_user().pool_size = 10;
    CHECK(rig.pool("sidekiq").min_size == 10);
    CHECK(rig.pool("web").min_size == 15);
}

}  // namespace
}  // namespace pgweir::config
