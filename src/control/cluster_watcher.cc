#include "pgweir/control/cluster_watcher.h"

#include "pgweir/base/log.h"
#include "pgweir/net/loop.h"

#include <functional>
#include <string>
#include <utility>

#include <fmt/format.h>

namespace pgweir::control {
namespace {

cluster::Limits limits_of(const config::Cluster& cluster) {
    return {.silence = cluster.monitor.timeout, .lag = cluster.routing.max_lag};
}

bool serves(cluster::NodeState state) {
    return state == cluster::NodeState::Primary || state == cluster::NodeState::Standby;
}

void delete_handle(uv_handle_t* handle) {
    delete static_cast<uv_any_handle*>(handle->data);
}

bool same_password(const std::optional<Secret>& one, const std::optional<Secret>& two) {
    if (one.has_value() != two.has_value()) return false;
    return !one || one->reveal() == two->reveal();
}

bool same(const config::Monitor& one, const config::Monitor& two) {
    return one.user == two.user && one.database == two.database && one.interval == two.interval &&
           one.timeout == two.timeout && same_password(one.password, two.password);
}

}  // namespace

ClusterWatcher::ClusterWatcher(uv_loop_t& loop,
                               Owner& owner,
                               config::Cluster cluster,
                               Before before)
    : loop_(loop),
      owner_(owner),
      cluster_(std::move(cluster)),
      watch_(cluster_.nodes.size(), limits_of(cluster_), net::Loop::read_clock(), before.epoch),
      progress_(std::make_shared<cluster::Progress>(
          cluster_.nodes.size(),
          before.sample,
          before.process ^ std::hash<std::string>{}(cluster_.name))),
      failures_(cluster_.nodes.size()),
      catalogues_(loop, *this, cluster_.name),
      timer_(new uv_any_handle{}) {
    make_probers();
    uv_timer_init(&loop, &timer_->timer);
    timer_->handle.data = this;
    uv_timer_start(&timer_->timer, on_tick, 0, Prober::kAskEveryMs);
}

ClusterWatcher::~ClusterWatcher() {
    timer_->handle.data = timer_;
    uv_close(&timer_->handle, delete_handle);
}

void ClusterWatcher::make_probers() {
    probers_.clear();
    for (size_t number = 0; number < cluster_.nodes.size(); ++number) {
        Prober::Owner& self = *this;
        probers_.push_back(std::make_unique<Prober>(loop_, self, number, cluster_.nodes[number],
                                                    cluster_.monitor));
    }
}

void ClusterWatcher::set_databases(CatalogueReader::Databases databases) {
    const bool may_route = cluster_.nodes.size() > 1;
    catalogues_.set_databases(may_route ? std::move(databases) : CatalogueReader::Databases{});
}

const config::Node* ClusterWatcher::primary() const {
    const auto& primary = watch_.view().primary;
    return primary ? &cluster_.nodes[*primary] : nullptr;
}

void ClusterWatcher::apply(const config::Cluster& cluster) {
    const bool same_monitor = same(cluster_.monitor, cluster.monitor);
    cluster_ = cluster;
    watch_.set_limits(limits_of(cluster_));
    if (!same_monitor) make_probers();
}

void ClusterWatcher::on_place(size_t node, const cluster::Answer& answer) {
    watch_.answered(node, answer, net::Loop::read_clock());
}

void ClusterWatcher::on_identity(size_t node, const cluster::Identity& identity) {
    watch_.identified(node, identity);
}

void ClusterWatcher::on_failure(size_t node, std::string why) {
    ++failures_[node];
    watch_.failed(node, std::move(why));
    judge();
}

void ClusterWatcher::on_tick(uv_timer_t* timer) {
    auto& self = *static_cast<ClusterWatcher*>(timer->data);
    for (const auto& prober : self.probers_) prober->tick();
    self.judge();
    self.catalogues_.tick(self.primary(), self.cluster_.monitor);
}

void ClusterWatcher::judge() {
    const cluster::View before = watch_.view();
    const bool changed = watch_.judge(net::Loop::read_clock());
    publish();
    if (!changed) return;
    log_changes(before);
    const cluster::View& now = watch_.view();
    if (now.primary != before.primary || now.epoch != before.epoch) catalogues_.start_over();
    owner_.on_change(*this);
}

void ClusterWatcher::publish() {
    const auto& nodes = watch_.view().nodes;
    bool more = false;
    for (size_t number = 0; number < nodes.size(); ++number) {
        more = more || nodes[number].shown > progress_->shown(number);
        progress_->publish(number, nodes[number].shown);
    }
    if (more) owner_.on_progress();
}

void ClusterWatcher::on_catalogue(const std::string& database) {
    owner_.on_catalogue(*this, database);
}

void ClusterWatcher::log_changes(const cluster::View& before) const {
    const cluster::View& now = watch_.view();
    for (size_t number = 0; number < now.nodes.size(); ++number) {
        const cluster::NodeView& node = now.nodes[number];
        if (node.state == before.nodes[number].state) continue;
        const std::string line =
            fmt::format("cluster {}: node {} is {}{}{}", cluster_.name, cluster_.nodes[number].name,
                        to_text(node.state), node.why.empty() ? "" : ": ", node.why);
        const bool worse = !serves(node.state) && node.state != cluster::NodeState::Returning;
        if (worse) {
            log::warning("{}", line);
        } else {
            log::info("{}", line);
        }
    }
    const bool moved = now.epoch != before.epoch || now.primary != before.primary;
    if (moved && now.primary) {
        log::info("cluster {}: writes go to {}, epoch {}", cluster_.name, primary()->name,
                  now.epoch);
    } else if (moved && before.primary) {
        log::error("cluster {}: no node takes writes; clients wait", cluster_.name);
    }
}

}  // namespace pgweir::control
