#include "pgweir/control/cluster_watcher.h"

#include "pgweir/base/log.h"
#include "pgweir/net/loop.h"

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

}  // namespace

ClusterWatcher::ClusterWatcher(uv_loop_t& loop,
                               Owner& owner,
                               config::Cluster cluster,
                               uint32_t epoch)
    : owner_(owner),
      cluster_(std::move(cluster)),
      watch_(cluster_.nodes.size(), limits_of(cluster_), net::Loop::read_clock(), epoch),
      failures_(cluster_.nodes.size()),
      timer_(new uv_any_handle{}) {
    for (size_t number = 0; number < cluster_.nodes.size(); ++number) {
        Prober::Owner& self = *this;
        probers_.push_back(
            std::make_unique<Prober>(loop, self, number, cluster_.nodes[number], cluster_.monitor));
    }
    uv_timer_init(&loop, &timer_->timer);
    timer_->handle.data = this;
    uv_timer_start(&timer_->timer, on_tick, 0, Prober::kAskEveryMs);
}

ClusterWatcher::~ClusterWatcher() {
    timer_->handle.data = timer_;
    uv_close(&timer_->handle, delete_handle);
}

const config::Node* ClusterWatcher::primary() const {
    const auto& primary = watch_.view().primary;
    return primary ? &cluster_.nodes[*primary] : nullptr;
}

bool ClusterWatcher::watches(const config::Cluster& cluster) const {
    const config::Monitor& mine = cluster_.monitor;
    const config::Monitor& other = cluster.monitor;
    return cluster_.nodes == cluster.nodes && mine.user == other.user &&
           mine.database == other.database && mine.interval == other.interval &&
           mine.timeout == other.timeout && same_password(mine.password, other.password);
}

void ClusterWatcher::set_limits(const config::Cluster& cluster) {
    cluster_.routing = cluster.routing;
    watch_.set_limits(limits_of(cluster_));
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
}

void ClusterWatcher::judge() {
    const cluster::View before = watch_.view();
    if (!watch_.judge(net::Loop::read_clock())) return;
    log_changes(before);
    const cluster::View& now = watch_.view();
    if (now.primary != before.primary || now.epoch != before.epoch) owner_.on_primary(*this);
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
