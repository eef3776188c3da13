#pragma once

#include "pgweir/cluster/progress.h"
#include "rig.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

/// A cluster of a primary and two standbys, for the tests of what is routed.
namespace pgweir::session {

inline const Pairs kPrimarySays{
    {"standard_conforming_strings",   "on" },
    {"default_transaction_read_only", "off"},
    {"in_hot_standby",                "off"}
};
inline const Pairs kStandbySays{
    {"standard_conforming_strings",   "on"},
    {"default_transaction_read_only", "on"},
    {"in_hot_standby",                "on"}
};
inline const std::string kRead = query("SELECT v FROM t");
inline const std::string kWrite = query("DELETE FROM t");
inline const std::string kRow = message('T', be16(0)) + message('D', be16(0));

inline std::unique_ptr<const route::Catalogue> known_table() {
    // As the fields of route::kCatalogueQuestion.
    const std::vector<std::optional<std::string_view>> cells{"relation", "1",  "public",
                                                             "t",        "rp", "0"};
    auto made = route::Catalogue::from_rows(1, cells);
    REQUIRE(made.has_value());
    return std::make_unique<const route::Catalogue>(std::move(*made));
}

/// A primary and two standbys, of which the second takes no reads at first; a client is logged in.
struct Scene : Rig {
    Scene()
        : Rig([](Rig& rig) {
              auto& cluster = rig.config.clusters["main"];
              cluster.nodes = {
                  {"pg1", "10.0.0.9" },
                  {"pg2", "10.0.0.10"},
                  {"pg3", "10.0.0.11"}
              };
              cluster.routing.reads = config::Reads::Standby;
              rig.config.pool.pool_size = 1;
          }) {
        engine().use_catalogue("main", "app", catalogue.get());
        tell(Reading::Takes, Reading::Drains);
        progress->begin_question();
        client = &begin_login();
        primary = &open(0, kPrimarySays);
        REQUIRE(types(primary->take()) == "Q");
        say(*primary, message('I') + ready());
        client->take();
    }

    void tell(Reading second, Reading third, uint32_t epoch = 1) {
        Topology topology{.primary = config.clusters["main"].nodes[0], .epoch = epoch};
        topology.nodes = {
            {"pg1", Reading::Drains},
            {"pg2", second         },
            {"pg3", third          }
        };
        topology.progress = progress.get();
        engine().follow_cluster("main", std::move(topology));
        turn();
    }

    FakeStream& open_standby() { return open(0, kStandbySays); }

    std::string last_node() { return shell().nodes.back().name; }

    std::unique_ptr<cluster::Progress> progress = std::make_unique<cluster::Progress>(3);
    std::unique_ptr<const route::Catalogue> catalogue = known_table();
    FakeStream* client = nullptr;
    FakeStream* primary = nullptr;
};

struct ReadingScene : Scene {
    ReadingScene() {
        say(*client, kRead);
        standby = &open_standby();
        REQUIRE(standby->take() == kRead);
    }

    FakeStream* standby = nullptr;
};

}  // namespace pgweir::session
