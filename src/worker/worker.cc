#include "pgweir/worker/worker.h"

#include "pgweir/auth/digest.h"
#include "pgweir/base/log.h"
#include "pgweir/net/socket_stream.h"
#include "pgweir/session/errors.h"
#include "pgweir/wire/backend.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <span>

#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

namespace pgweir::worker {
namespace {

// Where clients are spread evenly: a connection goes to a worker that has this many clients fewer.
constexpr uint32_t kImbalanceMin = 1;

// Who asked for something within this time is a part of the load.
constexpr Duration kActiveTime = std::chrono::seconds(1);

// Ticks after which a handout shows in the averages of both workers.
constexpr uint32_t kSettleTicks = 5;

Duration used_by_this_thread() {
    timespec used{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return std::chrono::duration_cast<Duration>(std::chrono::seconds(used.tv_sec) +
                                                std::chrono::nanoseconds(used.tv_nsec));
}

/// Units: thousandths of a core.
uint32_t full_at(const config::Config& config) {
    constexpr uint32_t kPercent = 10;
    return config.limits.worker_load * kPercent;
}

template <class... Handlers>
struct Overloaded : Handlers... {
    using Handlers::operator()...;
};

template <class... Handlers>
Overloaded(Handlers...) -> Overloaded<Handlers...>;

}  // namespace

session::PoolShare& Process::pool_share(const session::PoolName& name) {
    const std::lock_guard lock(mutex_);
    auto& slot = pools_[name];
    if (slot == nullptr) {
        slot = std::make_unique<session::PoolShare>(name, worker_count_);
        if (name.node.empty()) share_.pools.fetch_add(1);
    }
    return *slot;
}

template <class Map>
session::GroupShare& Process::find_group(Map& groups, std::string_view name) {
    const std::lock_guard lock(mutex_);
    auto& slot = groups[std::string(name)];
    if (slot == nullptr) {
        slot = std::make_unique<session::GroupShare>();
        slot->name = name;
    }
    return *slot;
}

session::GroupShare& Process::database_share(std::string_view name) {
    return find_group(databases_, name);
}

session::GroupShare& Process::user_share(std::string_view name) {
    return find_group(users_, name);
}

void Process::post(uint32_t worker, Order order) {
    if (worker < workers_.size()) workers_[worker]->post(std::move(order));
}

void Process::watch_reports(uv_loop_t* loop, void* owner, uv_async_cb wake) {
    uv_async_init(loop, &reports_wake_, wake);
    reports_wake_.data = owner;
}

void Process::report(Report report) {
    if (reports_.put(std::move(report))) uv_async_send(&reports_wake_);
}

Worker::Worker(uint32_t number,
               Process& process,
               std::unique_ptr<const session::Setup> setup,
               Secret process_secret,
               const std::vector<std::unique_ptr<net::ListeningSocket>>& sockets)
    : number_(number),
      process_(process),
      acceptor_(loop_, *this),
      engine_(number, *this, process.share(), std::move(setup), std::move(process_secret)) {
    listeners_ = engine_.config().listen;
    all_busy_.resize(process.worker_count());
    loop_.set_housekeeper(*this);
    loop_.set_dns_ttl(engine_.config().timeouts.dns);
    accepts_ = number_ == 0 || spreads_evenly();
    acceptor_.set_active(accepts_);
    for (const auto& socket : sockets) acceptor_.start(*socket);
}

Worker::~Worker() = default;

void Worker::start() {
    thread_ = std::thread([this] {
        pthread_setname_np(pthread_self(), fmt::format("worker-{}", number_).c_str());
        loop_.refresh_now();
        measured_ = loop_.now();
        loop_.run();
        loop_.refresh_now();
        acceptor_.stop();
        engine_.close_everything();
        engine_.reap();
    });
}

void Worker::join() {
    if (thread_.joinable()) thread_.join();
}

void Worker::fill_random(std::span<uint8_t> out) {
    PGW_CHECK(out.size() <= random_.size());
    if (random_left_ < out.size()) {
        auth::fill_random(random_);
        random_left_ = random_.size();
    }
    const auto taken = std::span(random_).subspan(random_left_ - out.size(), out.size());
    std::copy(taken.begin(), taken.end(), out.begin());
    std::fill(taken.begin(), taken.end(), uint8_t{0});
    random_left_ -= out.size();
}

Stream& Worker::connect(const config::Node& node, StreamEvents& owner) {
    return net::SocketStream::connect(loop_, node.host, node.port, owner);
}

Stream& Worker::adopt(std::unique_ptr<DetachedStream> stream, StreamEvents& owner) {
    return net::SocketStream::adopt(loop_, std::move(stream), owner);
}

void Worker::post(uint32_t worker, session::PeerMessage message) {
    process_.post(worker, Order(std::move(message)));
}

session::PoolShare& Worker::pool_share(const session::PoolName& name) {
    return process_.pool_share(name);
}

void Worker::catalogue_changed(std::string_view cluster, std::string_view database) {
    process_.report(CatalogueChanged{std::string(cluster), std::string(database)});
}

void Worker::catalogue_missed(std::string_view cluster, std::string_view database) {
    process_.report(CatalogueMissed{std::string(cluster), std::string(database)});
}

session::GroupShare& Worker::database_share(std::string_view name) {
    return process_.database_share(name);
}

session::GroupShare& Worker::user_share(std::string_view name) {
    return process_.user_share(name);
}

void Worker::console(Handle client, session::ConsoleRole role, std::string sql) {
    process_.report(ConsoleAsked{number_, client, role, std::move(sql)});
}

void Worker::before_wait() {
    engine_.reap();
    clients_.store(static_cast<uint32_t>(engine_.client_count()), std::memory_order_relaxed);
    report_if_drained();
}

uint32_t Worker::taker_of_new() const {
    if (!spreads_evenly()) {
        return session::worker_for_new(all_busy_, full_at(engine_.config()));
    }
    uint32_t best = number_;
    uint32_t lowest = clients() - std::min(clients(), kImbalanceMin);
    for (uint32_t other = 0; other < process_.worker_count(); ++other) {
        const uint32_t theirs = process_.workers()[other]->clients();
        if (other == number_ || theirs >= lowest) continue;
        lowest = theirs;
        best = other;
    }
    return best;
}

void Worker::on_accepted(int descriptor, size_t listener) {
    const uint32_t taker = taker_of_new();
    if (taker == number_) {
        take_client({descriptor, listener});
        return;
    }
    // Counted at once, or all of a burst would go to the same worker.
    process_.workers()[taker]->clients_.fetch_add(1, std::memory_order_relaxed);
    process_.post(taker, Order(Accepted{descriptor, listener}));
}

void Worker::take_client(Accepted accepted) {
    engine_.accept(net::SocketStream::open(loop_, accepted.descriptor),
                   listeners_[accepted.listener].reads);
    clients_.store(static_cast<uint32_t>(engine_.client_count()), std::memory_order_relaxed);
}

void Worker::on_exhausted(int spare) {
    if (!std::exchange(exhausted_, true)) {
        log::error(
            "no file descriptor is left: new clients are refused; raise the limit on open files");
    }
    if (spare < 0) return;
    wire::Writer out;
    Error error = session::too_many_clients(engine_.config().limits.clients);
    error.detail = "pgweir has no file descriptor left.";
    wire::encode_error(out, error);
    const Bytes bytes = out.bytes();
    [[maybe_unused]] const auto sent = ::send(spare, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    ::shutdown(spare, SHUT_WR);
    ::close(spare);
}

void Worker::measure() {
    constexpr int64_t kThousand = 1000;
    const Duration used = used_by_this_thread();
    const Duration passed = loop_.now() - measured_;
    if (passed > Duration::zero()) {
        const int64_t share = (used - used_).count() * kThousand / passed.count();
        average_.add(static_cast<uint32_t>(std::clamp<int64_t>(share, 0, kThousand)));
        busy_.store(average_.value(), std::memory_order_relaxed);
    }
    used_ = used;
    measured_ = loop_.now();
    for (uint32_t each = 0; each < all_busy_.size(); ++each) {
        all_busy_[each] = process_.workers()[each]->busy();
    }
}

void Worker::balance_clients() {
    const uint32_t full = full_at(engine_.config());
    accepts_ = spreads_evenly() || session::should_accept(number_, accepts_, all_busy_, full);
    acceptor_.set_active(accepts_);
    if (spreads_evenly()) return;
    if (draining_ || engine_.admission() == session::Admission::Draining) return;
    const Instant active_since = loop_.now() - kActiveTime;
    if (owed_ > 0) {
        hand_out(active_since);
    } else if (settling_ > 0) {
        --settling_;
    } else if (const auto handout = session::balance(number_, all_busy_, full)) {
        constexpr uint64_t kThousand = 1000;
        const uint64_t active = engine_.active_clients(active_since);
        owed_ = static_cast<uint32_t>(active * handout->thousandths / kThousand);
        owed_to_ = handout->to;
        if (owed_ > 0 && all_busy_[number_] >= full) {
            log::info("worker {} uses {} % of a core: up to {} of its clients go to worker {}",
                      number_, all_busy_[number_] / 10, owed_, owed_to_);
        }
        hand_out(active_since);
    }
}

/// As many as may go now; the others at the next ticks.
void Worker::hand_out(Instant active_since) {
    if (owed_ == 0) return;
    const uint32_t moved = engine_.give_clients(owed_to_, owed_, active_since);
    owed_ = moved == 0 ? 0 : owed_ - moved;
    settling_ = kSettleTicks;
}

void Worker::on_tick() {
    engine_.tick();
    engine_.stats().addresses_passed_over = loop_.addresses_passed_over();
    measure();
    if (all_busy_.size() > 1) balance_clients();
    // A client that is on its way when all are told to leave comes late, and wakes nobody.
    if (draining_) loop_.wake_before_wait();
    acceptor_.retry();
    exhausted_ = false;
}

void Worker::post(Order order) {
    if (mailbox_.put(std::move(order))) wake_.call();
}

void Worker::on_woken() {
    for (Order& order : mailbox_.take()) handle(order);
}

void Worker::handle(Order& order) {
    std::visit(
        Overloaded{
            [&](session::PeerMessage& message) { engine_.receive(std::move(message)); },
            [&](Accepted& accepted) { take_client(accepted); },
            [&](Reload& reload) {
                engine_.reload(std::move(reload.setup));
                loop_.set_dns_ttl(engine_.config().timeouts.dns);
            },
            [&](Drain&) {
                draining_ = true;  // who comes now is told so: the ports stay open until the end
                engine_.drain();
                loop_.wake_before_wait();
            },
            [&](Stop&) { loop_.stop(); },
            [&](Pause& pause) { engine_.pause(pause.database); },
            [&](Resume& resume) { engine_.resume(resume.database); },
            [&](Reconnect& reconnect) { engine_.reconnect(reconnect.database); },
            [&](Kill& kill) { engine_.kill(kill.database); },
            [&](FollowCluster& follow) {
                loop_.forget_names();
                engine_.follow_cluster(follow.cluster, std::move(follow.topology));
                progresses_[follow.cluster] = std::move(follow.progress);
            },
            [&](ForgetCluster& forget) {
                engine_.forget_cluster(forget.cluster);
                progresses_.erase(forget.cluster);
            },
            [&](ProgressMade&) { engine_.progress_made(); },
            [&](UseCatalogue& use) {
                engine_.use_catalogue(use.cluster, use.database, use.catalogue.get());
                catalogues_[{use.cluster, use.database}] = std::move(use.catalogue);
            },
            [&](KillClient& kill) {
                process_.report(ClientKilled{kill.ticket, engine_.kill_client(kill.id)});
            },
            [&](TakeSnapshot& take) {
                auto snapshot = session::take_snapshot(engine_, take.detail);
                snapshot.busy = busy();
                process_.report(SnapshotTaken{number_, take.ticket, std::move(snapshot)});
            },
            [&](ConsoleReply& reply) {
                engine_.console_reply(reply.client, as_bytes(reply.bytes), reply.close_after);
            },
        },
        order);
}

void Worker::report_if_drained() {
    if (!draining_ || engine_.clients_to_drain() > 0) return;
    if (process_.share().clients_under_way.load() > 0) return;
    draining_ = false;
    process_.report(Drained{number_});
}

}  // namespace pgweir::worker
