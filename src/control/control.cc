#include "pgweir/control/control.h"

#include "pgweir/auth/digest.h"
#include "pgweir/base/error_catalogue.h"
#include "pgweir/base/log.h"
#include "pgweir/config/effective.h"
#include "pgweir/session/errors.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstring>
#include <thread>

#include <fmt/format.h>

namespace pgweir::control {
namespace {

// PgBouncer's stats_period.
constexpr uint64_t kPeriodMs = 60000;

// How often PAUSE looks whether all servers are gone.
constexpr uint64_t kPauseLookMs = 50;

// A page that takes longer is given up; a worker is stuck then.
constexpr auto kPagePatience = std::chrono::seconds(3);

int64_t wall_clock_us() {
    uv_timeval64_t now{};
    uv_gettimeofday(&now);
    return now.tv_sec * 1000000 + now.tv_usec;
}

uint32_t worker_count(const config::Config& config) {
    if (config.workers > 0) return config.workers;
    return std::max(1u, std::thread::hardware_concurrency());
}

/// Of which databases of a cluster the catalogues are read.
CatalogueReader::Databases databases_of(const config::Config& config, std::string_view cluster) {
    CatalogueReader::Databases its;
    const auto others = config.databases.find("*");
    const bool serves = others != config.databases.end() && others->second.cluster == cluster;
    its.listed = config::listed_databases(config, cluster);
    if (!serves) return its;
    its.others_max = config.limits.catalogues;
    if (others->second.dbname) return its;
    for (const auto& [name, database] : config.databases) {
        // Whoever asks for this name does not come to the others.
        if (name != "*") its.elsewhere.push_back(name);
    }
    return its;
}

/// What may be read at a node in this state.
session::Reading reading_at(cluster::NodeState state) {
    using enum cluster::NodeState;
    switch (state) {
        case Standby: return session::Reading::Takes;
        case Unknown:
        case Primary:
        case Lagging:
        case Returning: return session::Reading::Drains;
        case Stale:
        case Foreign:
        case Unreachable: return session::Reading::Lost;
    }
    return session::Reading::Lost;
}

}  // namespace

Control::Control(std::unique_ptr<session::Setup> setup) : setup_(std::move(setup)) {
    std::array<uint8_t, 32> secret{};
    auth::fill_random(secret);
    process_secret_ = as_text(secret);
    std::array<uint8_t, sizeof process_number_> number{};
    auth::fill_random(number);
    std::memcpy(&process_number_, number.data(), number.size());
    uv_loop_init(&loop_);
}

Control::~Control() {
    close_pages();
    http_.reset();
    watchers_.clear();
    uv_walk(
        &loop_,
        [](uv_handle_t* handle, void*) {
            if (uv_is_closing(handle) == 0) uv_close(handle, nullptr);
        },
        nullptr);
    uv_run(&loop_, UV_RUN_DEFAULT);
    process_.reset();
    uv_loop_close(&loop_);
}

Result<void> Control::start() {
    const config::Config& config = setup_->config;
    for (const auto& address : config.listen) {
        auto socket = address.unix_folder.empty()
                          ? net::ListeningSocket::tcp(address.host, address.port)
                          : net::ListeningSocket::unix_socket(address.unix_folder, address.port);
        if (!socket) return fail(std::move(socket.error()));
        log::info("listening on {}", (*socket)->name());
        sockets_.push_back(std::move(*socket));
    }
    const uint32_t workers = worker_count(config);
    process_ = std::make_unique<worker::Process>(workers);
    process_->watch_reports(&loop_, this, on_report);
    uv_async_init(&loop_, &page_wake_, on_page_wanted);
    page_wake_.data = this;
    for (auto* timer : {&period_timer_, &shutdown_timer_, &pause_timer_}) {
        uv_timer_init(&loop_, timer);
        timer->data = this;
    }
    uv_timer_start(&period_timer_, on_period, kPeriodMs, kPeriodMs);
    started_ = period_began_ = net::Loop::read_clock();
    if (config.http.port != 0) {
        auto http = admin::HttpServer::start(config.http.host, config.http.port, *this);
        if (!http) return fail(std::move(http.error()));
        http_ = std::move(*http);
        log::info("serving http on {}:{}", config.http.host, config.http.port);
    }
    for (const int number : {SIGHUP, SIGTERM, SIGINT, SIGUSR1, SIGUSR2}) watch_signal(number);
    for (uint32_t i = 0; i < workers; ++i) {
        process_->workers().push_back(std::make_unique<worker::Worker>(
            i, *process_, copy(*setup_), Secret(process_secret_), sockets_));
    }
    watch_clusters();  // its orders come first
    for (auto& worker : process_->workers()) worker->start();
    lifecycle_ = Lifecycle::Serving;
    log::info("pgweir {} serves with {} workers", PGWEIR_VERSION, workers);
    return {};
}

int Control::run() {
    uv_run(&loop_, UV_RUN_DEFAULT);
    lifecycle_ = Lifecycle::Stopped;
    for (auto& worker : process_->workers()) worker->join();
    log::info("pgweir has stopped");
    return 0;
}

void Control::watch_signal(int number) {
    auto signal = std::make_unique<uv_signal_t>();
    uv_signal_init(&loop_, signal.get());
    signal->data = this;
    uv_signal_start(signal.get(), on_signal, number);
    signals_.push_back(std::move(signal));
}

template <class MakeOrder>
void Control::order_all(MakeOrder make) {
    for (uint32_t i = 0; i < process_->worker_count(); ++i)
        process_->post(i, worker::Order(make()));
}

void Control::on_signal(uv_signal_t* signal, int number) {
    auto& self = *static_cast<Control*>(signal->data);
    switch (number) {
        case SIGHUP: self.reload(); break;
        case SIGTERM:
            if (self.lifecycle_ == Lifecycle::Draining) {
                self.stop_now();
            } else {
                self.drain("SIGTERM");
            }
            break;
        case SIGINT: self.stop_now(); break;
        case SIGUSR1: self.order({.verb = admin::Verb::Pause}, {UINT32_MAX, {}}); break;
        case SIGUSR2: self.order({.verb = admin::Verb::Resume}, {UINT32_MAX, {}}); break;
    }
}

std::vector<std::string> Control::reload() {
    auto [setup, problems, warnings] = read_setup(setup_->config.path);
    if (setup == nullptr) {
        for (const auto& problem : problems) log::error("{}", problem);
        log::error("reload: nothing was changed, because the configuration has {} problems",
                   problems.size());
        return problems;
    }
    const config::Config& before = setup_->config;
    const config::Config& after = setup->config;
    if (!(before.listen == after.listen) || !(before.http == after.http) ||
        before.workers != after.workers) {
        log::warning("reload: listen, http and workers change at the next start only");
    }
    for (const auto& warning : warnings) log::warning("{}", warning);
    setup_ = std::move(setup);
    log::set_level(to_log(setup_->config.log.level));
    order_all([this] { return worker::Reload{copy(*setup_)}; });
    watch_clusters();
    log::info("reload: {} is in force", setup_->config.path);
    return {};
}

/// A watcher for each cluster with a monitor. One that watches the same nodes goes on and knows
/// what it knew; what another one knew is forgotten.
void Control::watch_clusters() {
    std::vector<std::unique_ptr<ClusterWatcher>> before = std::exchange(watchers_, {});
    for (const auto& [name, cluster] : setup_->config.clusters) {
        if (cluster.monitor.user.empty()) continue;
        const auto old = std::find_if(before.begin(), before.end(), [&](const auto& watcher) {
            return watcher != nullptr && watcher->cluster().name == name;
        });
        if (old != before.end() && (*old)->cluster().nodes == cluster.nodes) {
            (*old)->apply(cluster);
            watchers_.push_back(std::move(*old));
            continue;
        }
        if (old != before.end()) {
            last_sample_ = std::max(last_sample_, (*old)->progress()->next_sample());
            forget_catalogues(**old);
            old->reset();
            ++last_epoch_;  // where it was before, nothing goes any more
        }
        ClusterWatcher::Owner& self = *this;
        watchers_.push_back(std::make_unique<ClusterWatcher>(
            loop_, self, cluster,
            ClusterWatcher::Before{last_epoch_, last_sample_, process_number_}));
        on_change(*watchers_.back());
    }
    for (const auto& watcher : watchers_) {
        watcher->set_databases(databases_of(setup_->config, watcher->cluster().name));
    }
    for (const auto& watcher : before) {
        if (watcher == nullptr) continue;
        last_sample_ = std::max(last_sample_, watcher->progress()->next_sample());
        const std::string& name = watcher->cluster().name;
        order_all([&] { return worker::ForgetCluster{name}; });
        forget_catalogues(*watcher);
    }
    note_primaries();
}

void Control::on_change(const ClusterWatcher& watcher) {
    last_epoch_ = std::max(last_epoch_, watcher.view().epoch);
    order_all([&] {
        const config::Cluster& cluster = watcher.cluster();
        const config::Node* primary = watcher.primary();
        session::Topology topology{
            .primary = primary == nullptr ? std::nullopt : std::optional(*primary),
            .epoch = watcher.view().epoch,
            .progress = watcher.progress().get()};
        for (size_t number = 0; number < cluster.nodes.size(); ++number) {
            topology.nodes.push_back({cluster.nodes[number].name,
                                      reading_at(watcher.view().nodes[number].state),
                                      watcher.view().nodes[number].since});
        }
        return worker::FollowCluster{cluster.name, std::move(topology), watcher.progress()};
    });
    note_primaries();
}

void Control::on_progress() {
    // Whoever begins to wait from now on looks for itself first, and again with the next one.
    if (process_->share().clients_behind.load(std::memory_order_relaxed) == 0) return;
    order_all([] { return worker::ProgressMade{}; });
}

void Control::on_catalogue(const ClusterWatcher& watcher, const std::string& database) {
    order_all([&] {
        return worker::UseCatalogue{watcher.cluster().name, database,
                                    watcher.catalogue_of(database)};
    });
}

void Control::forget_catalogues(const ClusterWatcher& watcher) {
    for (const auto& [database, known] : watcher.catalogues()) {
        order_all([&] { return worker::UseCatalogue{watcher.cluster().name, database, nullptr}; });
    }
}

void Control::note_primaries() {
    without_primary_ = std::any_of(watchers_.begin(), watchers_.end(),
                                   [](const auto& each) { return each->primary() == nullptr; });
}

void Control::drain(const char* why) {
    if (lifecycle_ != Lifecycle::Serving) return;
    lifecycle_ = Lifecycle::Draining;
    log::info("{}: new logins are refused, clients go at the end of their transactions", why);
    order_all([] { return worker::Drain{}; });
    const auto patience = to_microseconds(setup_->config.timeouts.shutdown) / 1000;
    uv_timer_start(&shutdown_timer_, on_deadline, static_cast<uint64_t>(patience), 0);
}

void Control::on_deadline(uv_timer_t* timer) {
    log::warning("timeouts.shutdown is over: the clients that are left are cut off");
    static_cast<Control*>(timer->data)->stop_now();
}

void Control::stop_now() {
    lifecycle_ = Lifecycle::Draining;
    order_all([] { return worker::Stop{}; });
    uv_stop(&loop_);
}

void Control::on_report(uv_async_t* async) {
    auto& self = *static_cast<Control*>(async->data);
    for (auto& report : self.process_->take_reports()) self.handle(report);
}

void Control::handle(worker::Report& report) {
    if (auto* asked = std::get_if<worker::ConsoleAsked>(&report)) {
        execute(*asked);
    } else if (auto* taken = std::get_if<worker::SnapshotTaken>(&report)) {
        const auto it = gatherings_.find(taken->ticket);
        if (it == gatherings_.end()) return;
        it->second.snapshots.push_back(std::move(taken->snapshot));
        if (it->second.snapshots.size() < process_->worker_count()) return;
        Gathering gathering = std::move(it->second);
        gatherings_.erase(it);
        gathered(gathering);
    } else if (const auto* killed = std::get_if<worker::ClientKilled>(&report)) {
        client_killed(*killed);
    } else if (const auto* changed = std::get_if<worker::CatalogueChanged>(&report)) {
        for (const auto& watcher : watchers_) {
            if (watcher->cluster().name != changed->cluster) continue;
            watcher->read_catalogue_soon(changed->database);
        }
    } else if (const auto* missed = std::get_if<worker::CatalogueMissed>(&report)) {
        for (const auto& watcher : watchers_) {
            if (watcher->cluster().name == missed->cluster)
                watcher->learn_database(missed->database);
        }
    } else if (std::get_if<worker::Drained>(&report) != nullptr) {
        if (++drained_workers_ == process_->worker_count()) stop_now();
    }
}

void Control::gather(Gathering gathering) {
    const uint64_t ticket = next_ticket_++;
    const session::Detail detail = admin::detail_for(gathering.topic);
    gatherings_.emplace(ticket, std::move(gathering));
    order_all([&] { return worker::TakeSnapshot{ticket, detail}; });
}

void Control::gathered(Gathering& gathering) {
    switch (gathering.purpose) {
        case Gathering::Purpose::Show: {
            const admin::Picture shown = picture(std::move(gathering.snapshots));
            answer(gathering.console, admin::encode_answer(admin::show(gathering.topic, shown)));
            break;
        }
        case Gathering::Purpose::Page: page_gathered(gathering); break;
        case Gathering::Purpose::Period: {
            const Instant now = net::Loop::read_clock();
            period_.before = std::move(period_.after);
            period_.after = admin::sum_by_database(gathering.snapshots);
            period_.seconds = static_cast<double>(to_microseconds(now - period_began_)) / 1e6;
            period_began_ = now;
            break;
        }
        case Gathering::Purpose::Pause: pause_progress(gathering); break;
    }
}

std::vector<admin::ClusterPicture> Control::cluster_pictures() const {
    std::vector<admin::ClusterPicture> pictures;
    for (const auto& watcher : watchers_) {
        const config::Cluster& cluster = watcher->cluster();
        pictures.push_back({cluster.name,
                            cluster.nodes,
                            watcher->view(),
                            watcher->failures(),
                            {},
                            watcher->databases_refused()});
        for (const auto& [database, known] : watcher->catalogues()) {
            pictures.back().catalogues.push_back(
                {database, watcher->catalogue_of(database).get(), known.read, known.why});
        }
    }
    return pictures;
}

admin::Picture Control::picture(std::vector<session::EngineSnapshot> snapshots) const {
    return {setup_->config,     std::move(snapshots),   period_, wall_clock_us(), stop_orders_,
            cluster_pictures(), net::Loop::read_clock()};
}

void Control::on_period(uv_timer_t* timer) {
    Gathering gathering{};
    gathering.purpose = Gathering::Purpose::Period;
    static_cast<Control*>(timer->data)->gather(std::move(gathering));
}

void Control::page_gathered(Gathering& gathering) {
    const PageWanted& wanted = gathering.wanted;
    const std::lock_guard lock(pages_mutex_);
    // Whoever asked may have lost patience; then the promise is gone, and from the list too.
    const size_t erased = std::erase_if(
        pages_wanted_, [&](const PageWanted& listed) { return listed.number == wanted.number; });
    if (erased == 0) return;
    if (wanted.page == Page::Metrics) {
        wanted.text->set_value(
            admin::metrics_text(gathering.snapshots, cluster_pictures(), net::Loop::read_clock()));
        return;
    }
    const admin::Picture shown = picture(std::move(gathering.snapshots));
    const int64_t uptime_us = to_microseconds(net::Loop::read_clock() - started_);
    wanted.text->set_value(admin::status_page(shown, {uptime_us, not_ready()}));
}

std::string Control::metrics() {
    return ask_for(Page::Metrics);
}

std::string Control::status() {
    return ask_for(Page::Status);
}

std::string Control::ask_for(Page page) {
    std::promise<std::string> promise;
    auto future = promise.get_future();
    {
        const std::lock_guard lock(pages_mutex_);
        if (pages_closed_) return "";
        pages_wanted_.push_back({page, &promise, ++last_page_});
    }
    uv_async_send(&page_wake_);
    future.wait_for(kPagePatience);
    const std::lock_guard lock(pages_mutex_);  // who sets the promise is through with it then
    std::erase_if(pages_wanted_, [&](const PageWanted& listed) { return listed.text == &promise; });
    return future.wait_for(std::chrono::seconds(0)) == std::future_status::ready ? future.get()
                                                                                 : "";
}

void Control::close_pages() {
    const std::lock_guard lock(pages_mutex_);
    pages_closed_ = true;
    for (const PageWanted& wanted : std::exchange(pages_wanted_, {})) wanted.text->set_value("");
}

void Control::on_page_wanted(uv_async_t* async) {
    auto& self = *static_cast<Control*>(async->data);
    std::vector<PageWanted> wanted;
    {
        const std::lock_guard lock(self.pages_mutex_);
        wanted = self.pages_wanted_;
    }
    for (const PageWanted& page : wanted) {
        const bool under_way = std::any_of(
            self.gatherings_.begin(), self.gatherings_.end(),
            [&](const auto& entry) { return entry.second.wanted.number == page.number; });
        if (under_way) continue;
        Gathering gathering{};
        gathering.purpose = Gathering::Purpose::Page;
        gathering.wanted = page;
        self.gather(std::move(gathering));
    }
}

std::string Control::not_ready() {
    switch (lifecycle_.load()) {
        case Lifecycle::Starting: return "starting";
        case Lifecycle::Draining: return "draining";
        case Lifecycle::Stopped: return "stopped";
        case Lifecycle::Serving: break;
    }
    if (killed_) return "killed";
    if (paused_) return "paused";
    return without_primary_ ? "a cluster has no primary, see SHOW NODES" : "";
}

void Control::execute(const worker::ConsoleAsked& asked) {
    const Console console{asked.worker, asked.client};
    auto command = admin::parse_command(asked.sql);
    if (!command) {
        refuse(console, command.error());
        return;
    }
    if (asked.role != session::ConsoleRole::Admin && !admin::is_harmless(*command)) {
        refuse(console, make_error(ErrorId::AdminNeeded, {}, "Viewers may use SHOW."));
        return;
    }
    order(*command, console);
}

void Control::order(const admin::Command& command, const Console& console) {
    if (refuse_unknown_database(command, console)) return;
    const std::string& database = command.argument;
    switch (command.verb) {
        case admin::Verb::Show: order_show(command, console); return;
        case admin::Verb::Set: answer(console, admin::encode_done("SET")); return;
        case admin::Verb::ExplainRoute:
            answer(console, admin::encode_answer(
                                admin::explain_route(command.argument, picture({})), "EXPLAIN"));
            return;
        case admin::Verb::Reload: order_reload(console); return;
        case admin::Verb::Pause: order_pause(database, console); return;
        case admin::Verb::Resume: order_resume(database, console); return;
        case admin::Verb::Reconnect:
            log::info("RECONNECT: servers are replaced as they come free");
            order_all([&] { return worker::Reconnect{database}; });
            answer(console, admin::encode_done("RECONNECT"));
            return;
        case admin::Verb::Kill:
            log::info("KILL: clients and servers are cut off");
            stop_orders_.kill(database);
            if (database.empty()) killed_ = true;
            order_all([&] { return worker::Kill{database}; });
            answer(console, admin::encode_done("KILL"));
            return;
        case admin::Verb::KillClient: order_kill_client(database, console); return;
        case admin::Verb::Shutdown:
            answer(console, admin::encode_done("SHUTDOWN"), true);
            if (database.empty()) {
                stop_now();
            } else {
                drain("SHUTDOWN");
            }
            return;
    }
}

bool Control::refuse_unknown_database(const admin::Command& command, const Console& console) {
    const bool takes_database =
        command.verb == admin::Verb::Pause || command.verb == admin::Verb::Resume ||
        command.verb == admin::Verb::Reconnect || command.verb == admin::Verb::Kill;
    if (!takes_database || command.argument.empty()) return false;
    if (config::find_database(setup_->config, command.argument) != nullptr) return false;
    refuse(console, make_error(ErrorId::NoSuchDatabase, {command.argument}));
    return true;
}

void Control::order_show(const admin::Command& command, const Console& console) {
    if (command.topic == admin::Topic::Help) {
        answer(console, admin::encode_help());
        return;
    }
    Gathering gathering{};
    gathering.purpose = Gathering::Purpose::Show;
    gathering.console = console;
    gathering.topic = command.topic;
    gather(std::move(gathering));
}

void Control::order_reload(const Console& console) {
    const auto problems = reload();
    if (problems.empty()) {
        answer(console, admin::encode_done("RELOAD"));
        return;
    }
    refuse(console, make_error(ErrorId::ReloadFailed, {}, problems.front()));
}

void Control::order_pause(const std::string& database, const Console& console) {
    if (database.empty() && paused_.exchange(true)) {
        refuse(console, make_error(ErrorId::AlreadyPaused));
        return;
    }
    if (!database.empty()) stop_orders_.pause(database);
    log::info("PAUSE: nobody gets a server until RESUME");
    order_all([&] { return worker::Pause{database}; });
    Gathering gathering{};
    gathering.purpose = Gathering::Purpose::Pause;
    gathering.console = console;
    gathering.database = database;
    gather(std::move(gathering));
}

void Control::order_resume(const std::string& database, const Console& console) {
    const bool was_stopped = stop_orders_.resume(database);
    const bool was_paused = database.empty() && paused_.exchange(false);
    if (!was_stopped && !was_paused) {
        refuse(console, database.empty() ? make_error(ErrorId::NotPaused)
                                         : make_error(ErrorId::DatabaseNotPaused, {database}));
        return;
    }
    if (database.empty()) killed_ = false;
    log::info("RESUME");
    order_all([&] { return worker::Resume{database}; });
    answer(console, admin::encode_done("RESUME"));
}

void Control::order_kill_client(const std::string& text, const Console& console) {
    uint64_t id = 0;
    const auto* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, id);
    if (parsed.ec != std::errc() || parsed.ptr != end) {
        refuse(console, make_error(ErrorId::ClientPointer));
        return;
    }
    const uint64_t ticket = next_ticket_++;
    killings_.emplace(ticket, Killing{.console = console, .id = id});
    order_all([&] { return worker::KillClient{ticket, id}; });
}

void Control::client_killed(const worker::ClientKilled& report) {
    const auto it = killings_.find(report.ticket);
    if (it == killings_.end()) return;
    Killing& killing = it->second;
    killing.found = killing.found || report.found;
    if (++killing.answers < process_->worker_count()) return;
    if (!killing.found && !std::exchange(killing.asked_again, true)) {
        // It may have changed workers meanwhile: by now it is where it went.
        killing.answers = 0;
        order_all([&] { return worker::KillClient{report.ticket, killing.id}; });
        return;
    }
    if (killing.found) {
        answer(killing.console, admin::encode_done("KILL_CLIENT"));
    } else {
        refuse(killing.console, make_error(ErrorId::ClientNotFound));
    }
    killings_.erase(it);
}

void Control::pause_progress(Gathering& gathering) {
    uint32_t left = 0;
    for (const auto& snapshot : gathering.snapshots) {
        for (const auto& pool : snapshot.pools) {
            if (!gathering.database.empty() && pool.database != gathering.database) continue;
            left += pool.permits;  // of all workers, and of those on the way between them
        }
    }
    for (const auto& snapshot : gathering.snapshots) {
        for (const auto& listener : snapshot.listeners) {
            const bool named =
                gathering.database.empty() || listener.database == gathering.database;
            left += named && listener.state != "closed";
        }
    }
    const bool over = gathering.database.empty()  // RESUME came first
                          ? !paused_
                          : stop_orders_.state_of(gathering.database) == session::PoolState::Open;
    if (left == 0 || over) {
        answer(gathering.console, admin::encode_done("PAUSE"));
        return;
    }
    gathering.snapshots.clear();
    pausing_.push_back(std::move(gathering));
    uv_timer_start(
        &pause_timer_,
        [](uv_timer_t* timer) {
            auto& self = *static_cast<Control*>(timer->data);
            for (auto& waiting : std::exchange(self.pausing_, {})) self.gather(std::move(waiting));
        },
        kPauseLookMs, 0);
}

void Control::refuse(const Console& console, const Error& error) {
    answer(console, admin::encode_failure(error));
}

void Control::answer(const Console& console, std::string bytes, bool close_after) {
    process_->post(console.worker, worker::Order(worker::ConsoleReply{
                                       console.client, std::move(bytes), close_after}));
}

}  // namespace pgweir::control
