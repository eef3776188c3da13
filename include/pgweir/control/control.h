#pragma once

#include "pgweir/admin/command.h"
#include "pgweir/admin/http.h"
#include "pgweir/admin/status_page.h"
#include "pgweir/admin/tables.h"
#include "pgweir/control/cluster_watcher.h"
#include "pgweir/control/setup.h"
#include "pgweir/net/listener.h"
#include "pgweir/worker/worker.h"

#include <atomic>
#include <cstdint>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <uv.h>

namespace pgweir::control {

/// The life of the process.
enum class Lifecycle : uint8_t { Starting, Serving, Draining, Stopped };

/// The loop of the main thread: signals, the console's commands, reload, drain, statistics. It
/// gives orders to the workers and collects their reports; it shares nothing with them. Lifecycle:
/// start(), run() until the process shall end. Thread: the main one; metrics(), status() and
/// not_ready() any.
class Control final : admin::HttpSource, ClusterWatcher::Owner {
public:
    explicit Control(std::unique_ptr<session::Setup> setup);
    ~Control();
    Control(const Control&) = delete;
    Control& operator=(const Control&) = delete;

    /// Errors: F0000 when a port cannot be had.
    Result<void> start();

    /// Returns the exit code.
    int run();

private:
    struct Console {  // whom to answer
        uint32_t worker = 0;
        Handle client;
    };

    enum class Page : uint8_t { Metrics, Status };

    /// A thread of the HTTP server waits for it, until it loses patience.
    struct PageWanted {
        Page page = Page::Metrics;
        std::promise<std::string>* text = nullptr;
        uint64_t number = 0;  // never that of another, as an address may be
    };

    /// Waits for a snapshot of every worker.
    struct Gathering {
        enum class Purpose : uint8_t { Show, Page, Period, Pause };

        Purpose purpose;
        Console console;
        admin::Topic topic = admin::Topic::None;
        std::string database;  // of PAUSE
        PageWanted wanted;
        std::vector<session::EngineSnapshot> snapshots;
    };

    /// KILL_CLIENT, until every worker has said whether the client was its own.
    struct Killing {
        Console console;
        uint64_t id = 0;
        uint32_t answers = 0;
        bool found = false;
        bool asked_again = false;
    };

    std::string metrics() override;
    std::string status() override;
    std::string not_ready() override;
    void on_change(const ClusterWatcher& watcher) override;
    void on_progress() override;
    void on_catalogue(const ClusterWatcher& watcher, const std::string& database) override;

    static void on_signal(uv_signal_t* signal, int number);
    static void on_report(uv_async_t* async);
    static void on_period(uv_timer_t* timer);
    static void on_page_wanted(uv_async_t* async);
    static void on_deadline(uv_timer_t* timer);

    template <class MakeOrder>
    void order_all(MakeOrder make);

    void gather(Gathering gathering);
    void gathered(Gathering& gathering);
    void page_gathered(Gathering& gathering);
    void close_pages();
    std::string ask_for(Page page);
    void handle(worker::Report& report);
    void execute(const worker::ConsoleAsked& asked);
    void order(const admin::Command& command, const Console& console);
    void order_show(const admin::Command& command, const Console& console);
    void order_reload(const Console& console);
    void order_pause(const std::string& database, const Console& console);
    void order_resume(const std::string& database, const Console& console);
    void order_kill_client(const std::string& text, const Console& console);
    void refuse(const Console& console, const Error& error);
    void answer(const Console& console, std::string bytes, bool close_after = false);
    bool refuse_unknown_database(const admin::Command& command, const Console& console);
    void client_killed(const worker::ClientKilled& report);
    void pause_progress(Gathering& gathering);
    std::vector<std::string> reload();
    void watch_clusters();
    void note_primaries();
    void forget_catalogues(const ClusterWatcher& watcher);
    std::vector<admin::ClusterPicture> cluster_pictures() const;
    admin::Picture picture(std::vector<session::EngineSnapshot> snapshots) const;
    void drain(const char* why);
    void stop_now();
    void watch_signal(int number);

    std::unique_ptr<session::Setup> setup_;
    std::string process_secret_;
    std::atomic<Lifecycle> lifecycle_{Lifecycle::Starting};
    std::atomic<bool> paused_{false};
    std::atomic<bool> killed_{false};           // KILL of all
    std::atomic<bool> without_primary_{false};  // True exactly when some cluster has none.
    uv_loop_t loop_{};
    uv_timer_t period_timer_{};
    uv_timer_t shutdown_timer_{};
    uv_timer_t pause_timer_{};
    uv_async_t page_wake_{};
    std::vector<std::unique_ptr<uv_signal_t>> signals_;
    std::vector<std::unique_ptr<net::ListeningSocket>> sockets_;
    std::unique_ptr<worker::Process> process_;
    std::unique_ptr<admin::HttpServer> http_;
    std::vector<std::unique_ptr<ClusterWatcher>> watchers_;  // of clusters with a monitor

    std::map<uint64_t, Gathering> gatherings_;
    std::vector<Gathering> pausing_;  // PAUSE that is not through yet
    std::map<uint64_t, Killing> killings_;
    session::StopOrders stop_orders_;  // as every worker has them
    uint64_t next_ticket_ = 1;
    uint32_t last_epoch_ = 0;      // of any cluster: a later watcher's are later
    uint64_t last_sample_ = 0;     // that was told of clusters which are not watched any more
    uint64_t process_number_ = 0;  // by chance: tokens of another process are told by it
    uint32_t drained_workers_ = 0;
    admin::Period period_;
    Instant period_began_;
    Instant started_;

    std::mutex pages_mutex_;
    std::vector<PageWanted> pages_wanted_;
    uint64_t last_page_ = 0;     // under pages_mutex_, as they are
    bool pages_closed_ = false;  // True exactly when nobody will answer any more.
};

}  // namespace pgweir::control
