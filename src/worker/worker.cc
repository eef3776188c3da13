#include "pgweir/worker/worker.h"

#include "pgweir/auth/digest.h"
#include "pgweir/base/log.h"
#include "pgweir/net/socket_stream.h"
#include "pgweir/session/errors.h"
#include "pgweir/wire/backend.h"

#include <algorithm>
#include <span>

#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

namespace pgweir::worker {
namespace {

// A connection moves to a worker that has this many clients fewer: a move costs a wake.
constexpr uint32_t kImbalanceMin = 1;

template <class... Handlers>
struct Overloaded : Handlers... {
    using Handlers::operator()...;
};

template <class... Handlers>
Overloaded(Handlers...) -> Overloaded<Handlers...>;

}  // namespace

session::PoolShare& Process::pool_share(std::string_view database, std::string_view user) {
    const std::lock_guard lock(mutex_);
    auto& slot = pools_[{std::string(database), std::string(user)}];
    if (slot == nullptr) {
        slot = std::make_unique<session::PoolShare>(std::string(database), std::string(user),
                                                    worker_count_);
        share_.pools.fetch_add(1);
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
    loop_.set_housekeeper(*this);
    loop_.set_dns_ttl(engine_.config().timeouts.dns);
    for (const auto& socket : sockets) acceptor_.start(*socket);
}

Worker::~Worker() = default;

void Worker::start() {
    thread_ = std::thread([this] {
        pthread_setname_np(pthread_self(), fmt::format("worker-{}", number_).c_str());
        loop_.refresh_now();
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

session::PoolShare& Worker::pool_share(std::string_view database, std::string_view user) {
    return process_.pool_share(database, user);
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
    load_.store(static_cast<uint32_t>(engine_.client_count()), std::memory_order_relaxed);
    report_if_drained();
}

void Worker::on_accepted(int descriptor) {
    uint32_t best = number_;
    uint32_t lowest = load() - std::min(load(), kImbalanceMin);
    for (uint32_t other = 0; other < process_.worker_count(); ++other) {
        const uint32_t theirs = process_.workers()[other]->load();
        if (other == number_ || theirs >= lowest) continue;
        lowest = theirs;
        best = other;
    }
    if (best == number_) {
        take_client(descriptor);
        return;
    }
    // Counted at once, or all of a burst would go to the same worker.
    process_.workers()[best]->load_.fetch_add(1, std::memory_order_relaxed);
    process_.post(best, Order(Accepted{descriptor}));
}

void Worker::take_client(int descriptor) {
    engine_.accept(net::SocketStream::open(loop_, descriptor));
    load_.store(static_cast<uint32_t>(engine_.client_count()), std::memory_order_relaxed);
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

void Worker::on_tick() {
    engine_.tick();
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
            [&](Accepted& accepted) { take_client(accepted.descriptor); },
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
            [&](KillClient& kill) {
                process_.report(ClientKilled{kill.ticket, engine_.kill_client(kill.id)});
            },
            [&](TakeSnapshot& take) {
                process_.report(SnapshotTaken{number_, take.ticket,
                                              session::take_snapshot(engine_, take.detail)});
            },
            [&](ConsoleReply& reply) {
                engine_.console_reply(reply.client, as_bytes(reply.bytes), reply.close_after);
            },
        },
        order);
}

void Worker::report_if_drained() {
    if (!draining_ || engine_.clients_to_drain() > 0) return;
    draining_ = false;
    process_.report(Drained{number_});
}

}  // namespace pgweir::worker
