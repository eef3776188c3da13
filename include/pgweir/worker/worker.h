#pragma once

#include "pgweir/net/listener.h"
#include "pgweir/net/loop.h"
#include "pgweir/session/balance.h"
#include "pgweir/session/engine.h"
#include "pgweir/worker/mailbox.h"
#include "pgweir/worker/messages.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <uv.h>

namespace pgweir::worker {

class Worker;

/// What all workers of the process share: pools' shares by name, and each other.
/// Thread: any. The look-ups take a lock, but only when a worker meets a name for the first time.
class Process {
public:
    explicit Process(uint32_t workers) : worker_count_(workers) {}

    uint32_t worker_count() const { return worker_count_; }

    session::ProcessShare& share() { return share_; }

    session::PoolShare& pool_share(const session::PoolName& name);
    session::GroupShare& database_share(std::string_view name);
    session::GroupShare& user_share(std::string_view name);

    std::vector<std::unique_ptr<Worker>>& workers() { return workers_; }

    void post(uint32_t worker, Order order);

    /// From now on `wake` is called on `loop` when there are reports to take.
    /// Thread: the control loop's, before the workers start.
    void watch_reports(uv_loop_t* loop, void* owner, uv_async_cb wake);

    void report(Report report);

    /// Thread: the control loop's.
    std::vector<Report> take_reports() { return reports_.take(); }

private:
    template <class Map>
    session::GroupShare& find_group(Map& groups, std::string_view name);

    uint32_t worker_count_;
    session::ProcessShare share_;
    Mailbox<Report> reports_;
    uv_async_t reports_wake_{};
    std::mutex mutex_;
    std::map<session::PoolName, std::unique_ptr<session::PoolShare>> pools_;
    std::map<std::string, std::unique_ptr<session::GroupShare>, std::less<>> databases_;
    std::map<std::string, std::unique_ptr<session::GroupShare>, std::less<>> users_;
    std::vector<std::unique_ptr<Worker>> workers_;
};

/// One event loop in a thread of its own, with an engine on it. It decides nothing: it carries what
/// happens to the engine, and what the engine wants to the system.
/// Lifecycle: start(), then a Stop order, then join().
class Worker final : session::Shell,
                     net::Loop::Housekeeper,
                     net::Acceptor::Owner,
                     net::Wake::Owner {
public:
    Worker(uint32_t number,
           Process& process,
           std::unique_ptr<const session::Setup> setup,
           Secret process_secret,
           const std::vector<std::unique_ptr<net::ListeningSocket>>& sockets);
    ~Worker();
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    void start();
    void join();

    /// Thread: any.
    void post(Order order);

    uint32_t clients() const { return clients_.load(std::memory_order_relaxed); }

    /// Units: thousandths of a core that it used lately.
    /// Thread: any.
    uint32_t busy() const { return busy_.load(std::memory_order_relaxed); }

private:
    // session::Shell
    Instant now() const override { return loop_.now(); }

    void fill_random(std::span<uint8_t> out) override;
    Stream& connect(const config::Node& node, StreamEvents& owner) override;
    Stream& adopt(std::unique_ptr<DetachedStream> stream, StreamEvents& owner) override;
    void post(uint32_t worker, session::PeerMessage message) override;
    session::PoolShare& pool_share(const session::PoolName& name) override;
    void catalogue_changed(std::string_view cluster, std::string_view database) override;
    void catalogue_missed(std::string_view cluster, std::string_view database) override;
    session::GroupShare& database_share(std::string_view name) override;
    session::GroupShare& user_share(std::string_view name) override;
    void console(Handle client, session::ConsoleRole role, std::string sql) override;

    void reap_soon() override { loop_.wake_before_wait(); }

    void before_wait() override;
    void on_tick() override;
    void on_woken() override;
    void on_accepted(int descriptor, size_t listener) override;
    void on_exhausted(int spare) override;

    void handle(Order& order);
    void take_client(Accepted accepted);
    uint32_t taker_of_new() const;

    bool spreads_evenly() const { return engine_.config().limits.worker_load == 0; }

    void report_if_drained();
    void measure();
    void balance_clients();
    void hand_out(Instant active_since);

    uint32_t number_;
    Process& process_;
    net::Loop loop_;
    Mailbox<Order> mailbox_;
    net::Wake wake_{loop_, *this};
    net::Acceptor acceptor_;
    // What the engine looks at and others own as well; it outlives the engine.
    std::map<std::string, std::shared_ptr<const cluster::Progress>> progresses_;
    std::map<std::pair<std::string, std::string>, std::shared_ptr<const route::Catalogue>>
        catalogues_;  // by cluster and database
    session::Engine engine_;
    std::atomic<uint32_t> clients_{0};
    session::BusyAverage average_;
    std::atomic<uint32_t> busy_{0};
    std::vector<config::ListenAddress> listeners_;  // as at the start: they do not change
    std::vector<uint32_t> all_busy_;                // of every worker, as it was read last
    Duration used_{};                               // of a core, by this thread, at the last tick
    Instant measured_{};
    uint32_t settling_ = 0;  // ticks until what was moved shows in the figures
    uint32_t owed_ = 0;      // clients that a handout is short of
    uint32_t owed_to_ = 0;
    std::array<uint8_t, 1024> random_{};  // asked for in advance, and wiped as it is handed out
    size_t random_left_ = 0;
    bool accepts_ = true;  // True exactly when it is to accept connections.
    bool draining_ = false;
    bool exhausted_ = false;  // True exactly when the log has been told that descriptors ran out.
    std::thread thread_;
};

}  // namespace pgweir::worker
