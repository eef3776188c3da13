#pragma once

#include "pgweir/cluster/progress.h"
#include "pgweir/cluster/watch.h"
#include "pgweir/config/model.h"
#include "pgweir/control/catalogue_reader.h"
#include "pgweir/control/prober.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <uv.h>

namespace pgweir::control {

/// Watches the nodes of one cluster: a prober for each, and the pure Watch that judges. What
/// changes is written into the log and told to the owner. Thread: the control loop's.
class ClusterWatcher final : Prober::Owner, CatalogueReader::Owner {
public:
    class Owner {
    public:
        /// The primary, the epoch, or what a node is good for is another one.
        virtual void on_change(const ClusterWatcher& watcher) = 0;

        /// A standby shows more of the primary's log than before.
        virtual void on_progress() = 0;

        /// The catalogue of one of its databases was read, or is not believed any more.
        virtual void on_catalogue(const ClusterWatcher& watcher, const std::string& database) = 0;

    protected:
        ~Owner() = default;
    };

    /// What comes after what other watchers have told.
    struct Before {
        uint32_t epoch = 0;
        uint64_t sample = 0;   // of cluster::Progress
        uint64_t process = 0;  // the same
    };

    ClusterWatcher(uv_loop_t& loop, Owner& owner, config::Cluster cluster, Before before);
    ~ClusterWatcher();
    ClusterWatcher(const ClusterWatcher&) = delete;
    ClusterWatcher& operator=(const ClusterWatcher&) = delete;

    const config::Cluster& cluster() const { return cluster_; }

    const cluster::View& view() const { return watch_.view(); }

    /// How far its nodes are; shared with the workers.
    const std::shared_ptr<cluster::Progress>& progress() const { return progress_; }

    /// Something there has changed that the catalogue of the database tells of.
    void read_catalogue_soon(const std::string& database) { catalogues_.read_soon(database); }

    /// nullptr: there is none now.
    const config::Node* primary() const;

    /// Probes that failed since the start, of each node.
    const std::vector<uint64_t>& failures() const { return failures_; }

    /// Their catalogues are read, if there is a standby to read from.
    void set_databases(CatalogueReader::Databases databases);

    /// A worker misses the catalogue of this one.
    void learn_database(const std::string& database) { catalogues_.learn(database); }

    /// See route::CatalogueSchedule::refused().
    uint64_t databases_refused() const { return catalogues_.schedule().refused(); }

    const route::CatalogueSchedule::ByDatabase& catalogues() const {
        return catalogues_.schedule().known();
    }

    /// nullptr: none is believed.
    std::shared_ptr<const route::Catalogue> catalogue_of(const std::string& database) const {
        return catalogues_.catalogue_of(database);
    }

    /// The same nodes with another monitor or other limits: what is known of them stays.
    void apply(const config::Cluster& cluster);

private:
    uint64_t on_asking() override { return progress_->begin_question(); }

    void on_place(size_t node, const cluster::Answer& answer) override;
    void on_identity(size_t node, const cluster::Identity& identity) override;
    void on_failure(size_t node, std::string why) override;

    void on_catalogue(const std::string& database) override;

    static void on_tick(uv_timer_t* timer);
    void make_probers();
    void judge();
    void publish();
    void log_changes(const cluster::View& before) const;

    uv_loop_t& loop_;
    Owner& owner_;
    config::Cluster cluster_;
    cluster::Watch watch_;
    std::shared_ptr<cluster::Progress> progress_;
    std::vector<uint64_t> failures_;
    std::vector<std::unique_ptr<Prober>> probers_;
    CatalogueReader catalogues_;
    uv_any_handle* timer_ = nullptr;
};

}  // namespace pgweir::control
