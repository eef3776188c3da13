#pragma once

#include "pgweir/session/engine.h"
#include "sim/checker.h"
#include "sim/fake_client.h"
#include "sim/fake_clock.h"
#include "sim/fake_network.h"
#include "sim/fake_postgres.h"
#include "sim/reckless_client.h"
#include "sim/scenario.h"
#include "sim/walsender_client.h"

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

/// One seed's world: engines, clients, PostgreSQL, the wires between them, and the order of events.
namespace pgweir::sim {

/// What an administrator orders; every engine gets it, each at its own time.
struct AdminOrder {
    enum class Kind : uint8_t {
        Pause,
        Resume,
        Reconnect,
        Kill,
        KillClient,
        Reload,
        Drain,
        Primary,
        Progress
    };
    Kind kind = Kind::Pause;
    std::string database;
    uint64_t client = 0;
    uint32_t generation = 0;  // of the configuration
    session::Topology primary{};
};

/// The answer that the control loop gives to a console statement.
struct ConsoleAnswer {
    Handle client;
};

using Mail = std::variant<session::PeerMessage, AdminOrder, ConsoleAnswer>;

class World final : LinkEvents, ServerEvents {
public:
    World(uint64_t seed, bool trace, Families families);
    ~World();
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    /// Plays the seed to its end, or to the first violation.
    void run();

    const Violations& violations() const { return violations_; }

private:
    class EngineShell;

    // Where engines meet; see session::Shell.
    void post(uint32_t from, uint32_t to, Mail mail);
    session::PoolShare& pool_share(const session::PoolName& name);

    void on_fault_met(FakeStream& stream) override;
    void on_send_to_server(FakeStream& stream) override;
    void on_detach(FakeStream& stream) override;
    void on_cancel_hit(const std::string& token) override;
    void on_notified(const std::string& database,
                     const std::string& channel,
                     const std::string& payload) override;

    void step(uint32_t number);
    void stimulate_client();
    void stimulate_faults();
    void let_lie(Backend& backend);
    void stimulate_administration();
    void stimulate_lifecycle(uint32_t step);
    void stimulate_moves();
    void stimulate_primaries();
    void stimulate_standbys();
    void order_primary();
    void change_primary();
    void order_reload();
    /// One of these clients connects, or goes on.
    template <class Client>
    void stimulate_one_of(const std::vector<std::unique_ptr<Client>>& clients);
    void connect_client(FakeClient& client);
    void send_cancel(FakeClient& client);
    void order(AdminOrder order);
    void advance(Duration step);

    bool event();
    bool deliver_mail();
    void handle(uint32_t engine, Mail& mail);
    void after(uint32_t engine);
    void check_all();

    void heal();
    bool all_left() const;
    void wind_up(bool& busy);
    void check_liars();
    std::string who_is_left();
    void tear_down();
    void trace(std::string_view what);
    std::unique_ptr<const session::Setup> setup(uint32_t generation) const;

    Prng prng_;
    Violations violations_;
    Scenario scenario_;
    FakeClock clock_;
    FakeNetwork network_;
    FakePostgres postgres_;
    session::ProcessShare process_;
    std::map<session::PoolName, std::unique_ptr<session::PoolShare>> pools_;
    std::map<std::string, std::unique_ptr<session::GroupShare>, std::less<>> databases_;
    std::map<std::string, std::unique_ptr<session::GroupShare>, std::less<>> users_;
    std::vector<config::Config> configs_;
    std::vector<std::unique_ptr<EngineShell>> shells_;
    std::vector<std::unique_ptr<session::Engine>> engines_;
    std::vector<std::unique_ptr<FakeClient>> clients_;
    std::vector<std::unique_ptr<RecklessClient>> reckless_;
    std::vector<std::unique_ptr<WalsenderClient>> walsenders_;
    std::vector<std::deque<Mail>> mail_;  // [from * (engines + 1) + to]; the last is control's
    size_t mail_count_ = 0;
    std::string primary_ = "pg1";
    bool primary_is_away_ = false;
    uint32_t epoch_ = 1;
    Standbys standbys_;
    std::vector<uint32_t> epochs_;  // that each engine has been told of
    Checker checker_;
};

}  // namespace pgweir::sim
