#include "sim/world.h"

#include <algorithm>
#include <cstdio>

#include <fmt/format.h>

namespace pgweir::sim {
namespace {

// A healed world has to answer everybody within this much simulated time.
constexpr Duration kHealTime = std::chrono::seconds(60);

// Between two ticks nothing goes on for ever.
constexpr uint32_t kEventsMax = 200000;

/// Sends one cancel request and hears nothing back.
class CancelSender final : public FarEnd {
public:
    void on_far_bytes(Bytes) override {}

    void on_far_closed() override {}
};

CancelSender cancel_sender;

}  // namespace

/// What one engine sees of the world.
class World::EngineShell final : public session::Shell {
public:
    EngineShell(World& world, uint32_t number) : world_(world), number_(number) {}

    Instant now() const override { return world_.clock_.time(); }

    void fill_random(std::span<uint8_t> out) override {
        for (uint8_t& byte : out) byte = static_cast<uint8_t>(world_.prng_.next());
    }

    Stream& connect(const config::Node& node, StreamEvents& owner) override {
        const bool cancel = dynamic_cast<session::CancelConn*>(&owner) != nullptr;
        FakeStream& stream = world_.network_.open(cancel ? Link::Kind::Cancel : Link::Kind::Server,
                                                  number_, nullptr, &owner);
        stream.link().epoch = world_.epochs_[number_];
        stream.link().node = node.name;
        return stream;
    }

    Stream& adopt(std::unique_ptr<DetachedStream> stream, StreamEvents& owner) override {
        return world_.network_.adopt(std::move(stream), number_, owner);
    }

    void post(uint32_t worker, session::PeerMessage message) override {
        if (worker < world_.engines_.size()) world_.post(number_, worker, Mail(std::move(message)));
    }

    session::PoolShare& pool_share(const session::PoolName& name) override {
        return world_.pool_share(name);
    }

    void catalogue_changed(std::string_view, std::string_view) override {}

    void catalogue_missed(std::string_view, std::string_view) override {}

    session::GroupShare& database_share(std::string_view name) override {
        return group(world_.databases_, name);
    }

    session::GroupShare& user_share(std::string_view name) override {
        return group(world_.users_, name);
    }

    void console(Handle client, session::ConsoleRole, std::string) override {
        world_.post(static_cast<uint32_t>(world_.engines_.size()), number_,
                    Mail(ConsoleAnswer{client}));
    }

    void reap_soon() override { reap_wanted = true; }

    bool reap_wanted = false;

private:
    template <class Groups>
    static session::GroupShare& group(Groups& groups, std::string_view name) {
        auto& slot = groups[std::string(name)];
        if (slot == nullptr) {
            slot = std::make_unique<session::GroupShare>();
            slot->name = name;
        }
        return *slot;
    }

    World& world_;
    uint32_t number_;
};

World::World(uint64_t seed, bool trace, Families families)
    : prng_(seed),
      violations_(trace),
      scenario_(draw_scenario(prng_, families)),
      network_(prng_, violations_, *this),
      postgres_(prng_, network_, violations_, *this),
      checker_(violations_) {
    configs_.push_back(scenario_.config);
    network_.drained_below = 64 + prng_.below(192);
    mail_.resize(size_t{scenario_.engines + 1} * (scenario_.engines + 1));
    for (uint32_t i = 0; i < scenario_.engines; ++i) {
        shells_.push_back(std::make_unique<EngineShell>(*this, i));
        engines_.push_back(std::make_unique<session::Engine>(i, *shells_.back(), process_, setup(0),
                                                             Secret("a secret of the process")));
    }
    epochs_.assign(scenario_.engines, 0);
    if (families.has(Family::Standbys)) {
        postgres_.standbys = &standbys_;
        for (auto& engine : engines_) {
            for (uint32_t i = 0; i < scenario_.databases; ++i) {
                engine->use_catalogue("main", fmt::format("db{}", i), standbys_.catalogue());
            }
        }
    }
    if (families.has(Family::Primaries) || families.has(Family::Standbys)) order_primary();
    for (uint32_t i = 0; i < scenario_.clients; ++i) {
        clients_.push_back(std::make_unique<FakeClient>(i, prng_, violations_, scenario_.mishaps));
        clients_.back()->requests_left = 1 + static_cast<uint32_t>(prng_.below(8));
        clients_.back()->may_discard = scenario_.discards;
        clients_.back()->families = scenario_.families;
        if (families.has(Family::RecklessClients)) clients_.back()->spied_on = &postgres_;
    }
    for (uint32_t i = 0; i < scenario_.reckless; ++i) {
        reckless_.push_back(std::make_unique<RecklessClient>(i, prng_, violations_));
        reckless_.back()->acts_left = 1 + static_cast<uint32_t>(prng_.below(12));
    }
    for (uint32_t i = 0; i < scenario_.walsenders; ++i) {
        walsenders_.push_back(std::make_unique<WalsenderClient>(i, prng_, violations_));
    }
    postgres_.sleepers_wake = !scenario_.sleepers_stay;
}

World::~World() = default;

std::unique_ptr<const session::Setup> World::setup(uint32_t generation) const {
    return std::make_unique<const session::Setup>(session::Setup{configs_[generation], {}});
}

void World::trace(std::string_view what) {
    if (!violations_.tracing()) return;
    const auto since = to_microseconds(clock_.time().time_since_epoch()) / 1000 - 3600000;
    fmt::print("{:7} ms  {}\n", since, what);
}

void World::post(uint32_t from, uint32_t to, Mail mail) {
    mail_[size_t{from} * (engines_.size() + 1) + to].push_back(std::move(mail));
    ++mail_count_;
}

session::PoolShare& World::pool_share(const session::PoolName& name) {
    auto& slot = pools_[name];
    if (slot == nullptr) {
        slot = std::make_unique<session::PoolShare>(name, static_cast<uint32_t>(scenario_.engines));
    }
    return *slot;
}

namespace {

/// Whether what is about to be read has a message of an answer in front of any error: with it, that
/// answer has begun.
bool begins_answer(const session::ServerConn& server, const Link& link) {
    if (link.reset) return false;
    const std::string bytes = std::string(as_text(server.inbox.view())) + link.to_engine;
    constexpr size_t kHeader = 5;
    for (size_t at = server.passing; at + kHeader <= bytes.size();) {
        const char type = bytes[at];
        if (type == 'E') return false;
        if (std::string_view("123tTnS").find(type) == std::string_view::npos) return true;
        at += 1 + load_be32(as_bytes(bytes).data() + at + 1);
    }
    return false;
}

}  // namespace

void World::on_fault_met(FakeStream& stream) {
    auto* server = dynamic_cast<session::ServerConn*>(stream.owner());
    if (server == nullptr || server->client == nullptr || server->client->stream == nullptr) return;
    // Whoever reads at a standby, and was told nothing, need not know that it went.
    const bool asks_elsewhere = server->errand == session::Errand::Read &&
                                !server->request.empty() && !begins_answer(*server, stream.link());
    if (asks_elsewhere && !stream.link().far_lied && !stream.link().far_babbled) return;
    Link& link = static_cast<FakeStream*>(server->client->stream)->link();
    if (auto* replica = dynamic_cast<WalsenderClient*>(link.far)) replica->excuse();
    auto* client = dynamic_cast<FakeClient*>(link.far);
    if (client == nullptr) return;
    client->excuse();
    const Link& faulted = stream.link();
    if (faulted.far_lied || faulted.far_babbled) client->deceive(faulted.far_lied);
}

void World::on_send_to_server(FakeStream& stream) {
    auto* server = dynamic_cast<session::ServerConn*>(stream.owner());
    if (server == nullptr) return;
    using enum session::ServerState;
    if (server->state == Authenticating || server->state == Closing || server->state == Closed)
        return;
    Link& link = stream.link();
    // One of a newer epoch may come from an engine that has heard of it before.
    const bool reads = server->pool.of_standby();
    if (server->client != nullptr && !reads && link.epoch < epochs_[link.engine]) {
        violations_.add(
            fmt::format("client session {} is heard by the primary of epoch {}, it is {}",
                        server->client->id, link.epoch, epochs_[link.engine]));
    }
    const uint64_t tenant = server->client != nullptr ? server->client->id : 0;
    const uint64_t tenant_before = std::exchange(link.tenant, tenant);
    if (tenant_before == tenant || link.faulted || link.far == nullptr) return;
    const auto& backend = static_cast<const Backend&>(*link.far);
    if (backend.walsender) {
        if (tenant_before != 0) {
            violations_.add(fmt::format("walsender {} is given to another client", backend.pid));
        }
        return;
    }
    if (!backend.clean(as_text(server->inbox.view()))) {
        violations_.add(fmt::format(
            "backend {} is used for client session {} before it is clean (server state {})",
            backend.pid, tenant, session::to_text(server->state)));
    } else if (tenant != 0 && backend.session->keeps_state()) {
        violations_.add(fmt::format("backend {} has state of another client", backend.pid));
    } else if (tenant != 0 && backend.session->listens()) {
        violations_.add(fmt::format("backend {} still listens for another client", backend.pid));
    }
}

void World::on_detach(FakeStream& stream) {
    Link& link = stream.link();
    if (link.kind == Link::Kind::Client || link.faulted || link.far == nullptr) return;
    const auto& backend = static_cast<const Backend&>(*link.far);
    if (!backend.clean())
        violations_.add(fmt::format("backend {} is lent before it is clean", backend.pid));
}

void World::on_cancel_hit(const std::string& token) {
    uint32_t number = 0;
    trace(fmt::format("a cancel hits {}", token));
    if (token.empty() || token[0] != 'c') return;  // a reckless client's
    for (size_t i = 1; i < token.size() && token[i] >= '0' && token[i] <= '9'; ++i) {
        number = number * 10 + static_cast<uint32_t>(token[i] - '0');
    }
    if (number < clients_.size()) clients_[number]->on_cancel_hit();
}

void World::on_notified(const std::string& database,
                        const std::string& channel,
                        const std::string& payload) {
    for (const auto& client : clients_) client->on_notified(database, channel, payload);
}

// --- what happens of itself ---

void World::after(uint32_t engine) {
    EngineShell& shell = *shells_[engine];
    // A loop may hear of several things before it comes to reaping.
    while (shell.reap_wanted && (network_.fast || prng_.chance(60))) {
        shell.reap_wanted = false;
        engines_[engine]->reap();
    }
    checker_.check_engine(*engines_[engine]);
}

void World::handle(uint32_t engine, Mail& mail) {
    session::Engine& its = *engines_[engine];
    if (auto* message = std::get_if<session::PeerMessage>(&mail)) {
        trace(fmt::format("engine {} gets peer message {}", engine, message->index()));
        its.receive(std::move(*message));
    } else if (auto* answer = std::get_if<ConsoleAnswer>(&mail)) {
        std::string out;
        append_frame(out, {'C', std::string("SHOW\0", 5)});
        append_frame(out, {'Z', "I"});
        its.console_reply(answer->client, as_bytes(out), false);
    } else if (auto* order = std::get_if<AdminOrder>(&mail)) {
        trace(fmt::format("engine {} gets order {} {}", engine, static_cast<int>(order->kind),
                          order->database));
        // Between two configurations a pool may have grown by the one before.
        if (order->kind == AdminOrder::Kind::Reload) check_all();
        switch (order->kind) {
            case AdminOrder::Kind::Pause: its.pause(order->database); break;
            case AdminOrder::Kind::Resume: its.resume(order->database); break;
            case AdminOrder::Kind::Reconnect: its.reconnect(order->database); break;
            case AdminOrder::Kind::Kill: its.kill(order->database); break;
            case AdminOrder::Kind::KillClient: its.kill_client(order->client); break;
            case AdminOrder::Kind::Reload: its.reload(setup(order->generation)); break;
            case AdminOrder::Kind::Primary:
                epochs_[engine] = order->primary.epoch;
                its.follow_cluster("main", order->primary);
                break;
            case AdminOrder::Kind::Progress: its.progress_made(); break;
            case AdminOrder::Kind::Drain:
                trace(fmt::format("engine {} drains", engine));
                its.drain();
                break;
        }
        if (order->kind == AdminOrder::Kind::Reload) check_all();
    }
    after(engine);
}

bool World::deliver_mail() {
    if (mail_count_ == 0) return false;
    const size_t start = prng_.below(mail_.size());
    for (size_t i = 0; i < mail_.size(); ++i) {
        auto& box = mail_[(start + i) % mail_.size()];
        if (box.empty()) continue;
        Mail mail = std::move(box.front());
        box.pop_front();
        --mail_count_;
        handle(static_cast<uint32_t>((start + i) % mail_.size() % (engines_.size() + 1)), mail);
        return true;
    }
    return false;
}

bool World::event() {
    const auto network = [this] {
        const int told = network_.deliver_one();
        if (told >= 0) after(static_cast<uint32_t>(told));
        return told != FakeNetwork::kNothing;
    };
    switch (prng_.below(8)) {
        case 0:
            if (deliver_mail()) return true;
            break;
        case 1:
            if (postgres_.answer_connects()) return true;
            break;
        case 2:
        case 3:
            if (postgres_.work_once()) return true;
            break;
    }
    return network() || postgres_.work_once() || deliver_mail() || postgres_.answer_connects();
}

void World::advance(Duration step) {
    // In pieces, so that ticks come at their own time.
    while (step > Duration::zero() && !violations_.any()) {
        const Duration piece = std::min(step, clock_.to_next_tick());
        clock_.advance(piece);
        step -= piece;
        if (!clock_.take_tick()) continue;
        for (uint32_t i = 0; i < engines_.size(); ++i) {
            engines_[i]->tick();
            after(i);
        }
        if (scenario_.families.has(Family::SharedLimits)) {
            checker_.check_shared_limits(engines_, pools_);
        }
    }
}

void World::check_all() {
    std::map<const session::PoolShare*, uint32_t> travelling;
    for (const auto& box : mail_) {
        for (const Mail& mail : box) {
            const auto* message = std::get_if<session::PeerMessage>(&mail);
            const auto* lent =
                message == nullptr ? nullptr : std::get_if<session::LentServer>(message);
            if (lent != nullptr) ++travelling[lent->pool];
            const auto* moved =
                message == nullptr ? nullptr : std::get_if<session::MovedClient>(message);
            if (moved != nullptr && moved->client->server != nullptr) ++travelling[moved->pool];
        }
    }
    checker_.check_permits(engines_, pools_, travelling);
    // Orders outdate servers while they travel: then the law holds once all is quiet.
    const bool orders = scenario_.administration || scenario_.reload_at_step != UINT32_MAX ||
                        scenario_.families.has(Family::Primaries);
    if (mail_count_ == 0 && (network_.fast || !orders)) {
        checker_.check_law(engines_, pools_);
    }
    // What one side was sent while the other did not read stays bounded.
    for (const auto& link : network_.links()) {
        if (link->kind != Link::Kind::Client || link->engine_closed) continue;
        constexpr size_t kSlack = FakeNetwork::kReadMax + 4096;
        size_t allowed = 0;
        for (const auto& config : configs_) {
            const bool hears = scenario_.families.has(Family::Notifications);
            const size_t unasked = hears ? config.limits.notifications : 0;
            allowed = std::max<size_t>(allowed, config.limits.output_buffer + unasked + kSlack);
        }
        if (link->backlog() > allowed) {
            violations_.add(
                fmt::format("{} bytes wait for a client that does not read", link->backlog()));
        }
    }
}

// --- what is done to it ---

void World::connect_client(FakeClient& client) {
    const auto engine = static_cast<uint32_t>(prng_.below(engines_.size()));
    FakeStream& stream = network_.open(Link::Kind::Client, engine, &client, nullptr);
    const std::string database = fmt::format("db{}", prng_.below(scenario_.databases));
    const std::string user = fmt::format("user{}", prng_.below(scenario_.users));
    trace(fmt::format("client {} connects to engine {} for {}/{}", client.number(), engine,
                      database, user));
    client.start(stream.link(), database, user);
    engines_[engine]->accept(stream);
    after(engine);
}

void World::send_cancel(FakeClient& client) {
    if (!client.wants_cancel()) return;
    trace(fmt::format("client {} wants its query cancelled", client.number()));
    const auto engine = static_cast<uint32_t>(prng_.below(engines_.size()));
    FakeStream& stream = network_.open(Link::Kind::Client, engine, &cancel_sender, nullptr);
    stream.link().send_to_engine(client.cancel_packet());
    engines_[engine]->accept(stream);
    after(engine);
}

void World::stimulate_client() {
    FakeClient& client = *clients_[prng_.below(clients_.size())];
    if (client.state() == FakeClient::State::Absent) {
        connect_client(client);
        return;
    }
    if (scenario_.cancels && prng_.chance(20)) {
        send_cancel(client);
    } else if (scenario_.vanishing && prng_.chance(2)) {
        trace(fmt::format("client {} vanishes", client.number()));
        client.vanish(network_);
    } else if (scenario_.slow_readers && prng_.chance(15)) {
        client.set_reading(prng_.chance(50));
    } else {
        client.act();
    }
}

template <class Client>
void World::stimulate_one_of(const std::vector<std::unique_ptr<Client>>& clients) {
    if (clients.empty() || !prng_.chance(30)) return;
    Client& client = *clients[prng_.below(clients.size())];
    if (client.state() != Client::State::Absent) {
        client.act();
        return;
    }
    const auto engine = static_cast<uint32_t>(prng_.below(engines_.size()));
    FakeStream& stream = network_.open(Link::Kind::Client, engine, &client, nullptr);
    client.start(stream.link(), fmt::format("db{}", prng_.below(scenario_.databases)),
                 fmt::format("user{}", prng_.below(scenario_.users)));
    engines_[engine]->accept(stream);
    after(engine);
}

void World::let_lie(Backend& backend) {
    if (backend.left || backend.session == nullptr) return;
    Link& link = *backend.link;
    const auto* server = link.stream == nullptr || link.stream->gone()
                             ? nullptr
                             : dynamic_cast<session::ServerConn*>(link.stream->owner());
    // A lie that fits is told to one client; pgweir's own queries would pass it on to all.
    const bool plausibly = prng_.chance(40) && server != nullptr && !link.faulted &&
                           server->state == session::ServerState::Active &&
                           server->client != nullptr && link.to_engine.empty();
    trace(fmt::format("backend {} says what nobody asked for", backend.pid));
    const uint32_t engine = link.engine;
    postgres_.lie(backend, plausibly);
    if (plausibly && network_.deliver_to_engine(link)) after(engine);
}

void World::stimulate_faults() {
    auto& links = network_.links();
    if (scenario_.slow_network && !links.empty()) {
        Link& link = *links[prng_.below(links.size())];
        link.stalled = !link.stalled && prng_.chance(30);
    }
    if (scenario_.network_faults && !links.empty() && prng_.chance(2)) {
        Link& link = *links[prng_.below(links.size())];
        if (link.kind != Link::Kind::Client && !link.engine_closed) {
            trace(fmt::format("link {} breaks", link.number));
            network_.cut(link, prng_.chance(30));
        }
    }
    if (scenario_.families.has(Family::StalePlans) && prng_.chance(20)) {
        trace("tables change");
        scenario_.mishaps.tables_change = true;
        postgres_.change_tables();
    }
    auto& backends = postgres_.backends();
    if (scenario_.families.has(Family::RecklessServers) && !backends.empty() && prng_.chance(5)) {
        let_lie(*backends[prng_.below(backends.size())]);
    }
    if (!scenario_.server_faults) return;
    if (!backends.empty() && prng_.chance(2)) {
        Backend& backend = *backends[prng_.below(backends.size())];
        trace(fmt::format("backend {} is killed", backend.pid));
        if (!backend.left) postgres_.kill(backend, prng_.chance(60));
    }
    if (prng_.chance(3)) postgres_.up = !postgres_.up;
    if (prng_.chance(3)) postgres_.starting = !postgres_.starting;
    if (scenario_.hangs && prng_.chance(3)) postgres_.hanging = !postgres_.hanging;
}

void World::order(AdminOrder order) {
    for (uint32_t i = 0; i < engines_.size(); ++i) {
        post(static_cast<uint32_t>(engines_.size()), i, Mail(order));
    }
}

void World::stimulate_administration() {
    if (!scenario_.administration || !prng_.chance(6)) return;
    using enum AdminOrder::Kind;
    const std::string database =
        prng_.chance(40) ? "" : fmt::format("db{}", prng_.below(scenario_.databases));
    switch (prng_.below(scenario_.killing ? 9 : 7)) {
        case 0: order({Pause, database}); break;
        case 1:
        case 2:
        case 3: order({Resume, database}); break;
        case 4: order({Reconnect, database}); break;
        case 5:
        case 6: order_reload(); break;
        case 7: order({Kill, database}); break;
        case 8: order({KillClient, "", prng_.below(40)}); break;
    }
}

void World::stimulate_moves() {
    if (engines_.size() < 2 || !prng_.chance(15)) return;
    const auto from = static_cast<uint32_t>(prng_.below(engines_.size()));
    const auto further = 1 + static_cast<uint32_t>(prng_.below(engines_.size() - 1));
    const auto to = static_cast<uint32_t>((from + further) % engines_.size());
    if (engines_[from]->admission() == session::Admission::Draining) return;
    const auto count = static_cast<uint32_t>(1 + prng_.below(8));
    const uint32_t moved = engines_[from]->give_clients(to, count, Instant{});
    trace(fmt::format("engine {} gives {} clients to {}", from, moved, to));
    after(from);
}

void World::stimulate_primaries() {
    if (!prng_.chance(5)) return;
    if (prng_.chance(40)) {
        primary_is_away_ = !primary_is_away_;
    } else {
        if (prng_.chance(70)) change_primary();
        ++epoch_;
    }
    order_primary();
}

void World::change_primary() {
    const std::string before = std::exchange(primary_, primary_ == "pg1" ? "pg2" : "pg1");
    if (!scenario_.families.has(Family::Standbys)) return;
    trace(fmt::format("{} is promoted, {} was the primary", primary_, before));
    standbys_.promote(primary_);
    postgres_.kill_all_at(before);
}

void World::order_primary() {
    session::Topology primary;
    if (scenario_.families.has(Family::Standbys)) primary = standbys_.topology();
    primary.epoch = epoch_;
    if (!primary_is_away_) primary.primary = config::Node{.name = primary_, .host = primary_};
    order({.kind = AdminOrder::Kind::Primary, .database = "", .primary = primary});
}

void World::stimulate_standbys() {
    for (uint64_t left = prng_.below(8); left > 0; --left) {
        switch (standbys_.step(prng_)) {
            case Standbys::Change::None: break;
            case Standbys::Change::Progress:
                if (process_.clients_behind.load() > 0) order({AdminOrder::Kind::Progress, ""});
                break;
            case Standbys::Change::Topology: order_primary(); break;
        }
    }
    postgres_.kill_lost();
}

void World::order_reload() {
    configs_.push_back(redrawn(configs_.back(), prng_));
    order({AdminOrder::Kind::Reload, "", 0, static_cast<uint32_t>(configs_.size() - 1)});
}

void World::stimulate_lifecycle(uint32_t step) {
    if (step == scenario_.reload_at_step) order_reload();
    if (step != scenario_.drain_at_step) return;
    scenario_.mishaps.draining = true;
    order({AdminOrder::Kind::Drain, ""});
}

void World::step(uint32_t number) {
    stimulate_lifecycle(number);
    stimulate_client();
    stimulate_one_of(reckless_);
    stimulate_one_of(walsenders_);
    stimulate_faults();
    stimulate_administration();
    if (scenario_.families.has(Family::Moves)) stimulate_moves();
    if (scenario_.families.has(Family::Standbys)) stimulate_standbys();
    if (scenario_.families.has(Family::Primaries)) stimulate_primaries();
    for (uint64_t left = prng_.below(2 * scenario_.events_per_step); left > 0; --left) {
        if (violations_.any() || !event()) break;
    }
    const uint64_t pace = prng_.below(100);
    advance(pace < 60   ? Duration::zero()
            : pace < 95 ? std::chrono::milliseconds(prng_.below(40))
                        : std::chrono::milliseconds(prng_.below(700)));
    check_all();
    network_.sweep();
}

// --- the end ---

bool World::all_left() const {
    const bool reckless_left = std::all_of(
        reckless_.begin(), reckless_.end(),
        [](const auto& client) { return client->state() != RecklessClient::State::Connected; });
    const bool walsenders_left =
        std::all_of(walsenders_.begin(), walsenders_.end(), [](const auto& client) {
            return client->state() == WalsenderClient::State::Gone ||
                   client->state() == WalsenderClient::State::Absent;
        });
    return reckless_left && walsenders_left &&
           std::all_of(clients_.begin(), clients_.end(), [](const auto& client) {
               return client->state() == FakeClient::State::Gone ||
                      client->state() == FakeClient::State::Absent;
           });
}

std::string World::who_is_left() {
    std::string text;
    for (const auto& client : clients_) {
        if (client->state() == FakeClient::State::Gone ||
            client->state() == FakeClient::State::Absent)
            continue;
        text += " " + client->describe() + ";";
    }
    for (const auto& client : reckless_) {
        if (client->state() == RecklessClient::State::Connected) text += client->describe() + ";";
    }
    for (const auto& client : walsenders_) {
        const auto state = client->state();
        const bool left =
            state == WalsenderClient::State::Gone || state == WalsenderClient::State::Absent;
        if (!left) text += " " + client->describe() + ";";
    }
    for (const auto& [key, share] : pools_) {
        text += fmt::format(" {}/{}: {} permits,", key.database, key.user, share->open.load());
        for (const auto& engine : engines_) {
            session::Pool* pool = engine->find_pool(*share);
            if (pool == nullptr) continue;
            text += fmt::format(" [{} waiting, {} attached, servers", pool->waiting.size(),
                                pool->attached);
            for (auto& list : pool->servers) text += fmt::format(" {}", list.size());
            text += "]";
        }
    }
    return text;
}

void World::heal() {
    trace("all heals");
    network_.fast = true;
    postgres_.up = true;
    postgres_.starting = false;
    postgres_.hanging = false;
    postgres_.sleepers_wake = true;
    for (const auto& link : network_.links()) {
        link->stalled = false;
        link->capacity = 1 << 20;
    }
    for (const auto& client : clients_) client->set_reading(true);
    if (scenario_.administration) {
        order({AdminOrder::Kind::Resume, ""});
        for (uint32_t i = 0; i < scenario_.databases; ++i) {
            order({AdminOrder::Kind::Resume, fmt::format("db{}", i)});
        }
    }
    const bool changes = scenario_.families.has(Family::Standbys);
    if (changes) standbys_.heal();
    if (std::exchange(primary_is_away_, false) || changes) order_primary();
    const Instant deadline = clock_.time() + kHealTime;
    while (!violations_.any()) {
        bool busy = false;
        for (uint32_t left = kEventsMax; event() && !violations_.any();) {
            if (--left == 0) violations_.add("engines and network never come to rest");
        }
        check_all();
        network_.sweep();
        wind_up(busy);
        if (busy) continue;
        if (all_left() && mail_count_ == 0) break;
        if (clock_.time() > deadline) {
            violations_.add("not answered in a healed world:" + who_is_left());
            return;
        }
        advance(clock_.to_next_tick());
    }
}

void World::wind_up(bool& busy) {
    for (const auto& client : clients_) busy = client->wind_up(network_) || busy;
    for (const auto& client : reckless_) client->wind_up();
    for (const auto& client : walsenders_) client->wind_up(scenario_.mishaps.draining);
}

/// Who has talked nonsense, and was heard, is not kept.
void World::check_liars() {
    for (const auto& backend : postgres_.backends()) {
        const Link& link = *backend->link;
        const bool kept = !link.engine_closed && !link.engine_finished && !link.reset;
        if (link.far_babbled && kept && link.to_engine.empty()) {
            violations_.add(fmt::format("backend {} is kept after its nonsense", backend->pid));
        }
    }
}

void World::tear_down() {
    check_liars();
    trace("all engines close");
    for (uint32_t i = 0; i < engines_.size(); ++i) {
        engines_[i]->close_everything();
        after(i);
    }
    for (uint32_t left = kEventsMax; left > 0 && event(); --left) {
    }
    checker_.check_end(engines_, pools_, process_);
    for (const auto& link : network_.links()) {
        if (!link->engine_closed) violations_.add("a stream is left open");
    }
}

void World::run() {
    for (uint32_t i = 0; i < scenario_.steps && !violations_.any(); ++i) step(i);
    if (!violations_.any()) heal();
    if (!violations_.any()) tear_down();
    if (violations_.any()) trace(who_is_left());
}

}  // namespace pgweir::sim
