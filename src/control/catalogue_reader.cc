#include "pgweir/control/catalogue_reader.h"

#include "pgweir/base/log.h"
#include "pgweir/net/loop.h"
#include "pgweir/route/catalogue_question.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <tuple>
#include <utility>

#include <fmt/format.h>

namespace pgweir::control {
namespace {

int64_t to_ms(Duration time) {
    return to_microseconds(time) / 1000;
}

}  // namespace

/// Thread: one of libuv's has it between begin and end, and nobody else looks into it.
struct CatalogueReader::Work {
    uv_work_t request{};
    CatalogueReader* reader = nullptr;
    PgResult result{nullptr, &PQclear};
    std::optional<route::Catalogue> made{};
};

CatalogueReader::~CatalogueReader() {
    if (work_ != nullptr) work_->reader = nullptr;
}

void CatalogueReader::set_databases(Databases databases) {
    for (const std::string& gone : schedule_.set_databases(std::move(databases))) {
        forget(gone);
        owner_.on_catalogue(gone);
    }
}

void CatalogueReader::learn(const std::string& database) {
    using Learning = route::CatalogueSchedule::Learning;
    if (schedule_.learn(database, net::Loop::read_clock()) != Learning::FirstRefused) return;
    log::warning(
        "cluster {}: limits.catalogues is reached, and the reads of database {} stay on the "
        "primary; so do those of others that are used from now on and not listed by name",
        cluster_, database);
}

void CatalogueReader::read_soon(const std::string& database) {
    schedule_.read_soon(database, net::Loop::read_clock());
}

std::shared_ptr<const route::Catalogue> CatalogueReader::catalogue_of(
    const std::string& database) const {
    const auto found = believed_.find(database);
    return found == believed_.end() ? nullptr : found->second;
}

void CatalogueReader::tick(const config::Node* primary, const config::Monitor& monitor) {
    const Instant now = net::Loop::read_clock();
    free_unused();
    if (!schedule_.reading().empty()) {
        // The work in libuv's thread has an end; only the server may have none.
        if (work_ == nullptr && now - schedule_.begun() >= kPatience) {
            fail(fmt::format("no answer within {} ms", to_ms(kPatience)));
        }
        return;
    }
    if (primary == nullptr || !schedule_.begin(now)) return;
    asked_ = false;
    const bool begun =
        connection_.open({.host = primary->host,
                          .port = primary->port,
                          .user = monitor.user,
                          .password = monitor.password,
                          .database = schedule_.reading(),
                          .options = fmt::format(
                              "-c search_path=pg_catalog -c statement_timeout={} -c "
                              "default_transaction_read_only=on -c client_encoding=UTF8 -c jit=off",
                              to_ms(kPatience))});
    if (!begun) fail("the look-up of its host still hangs");
}

void CatalogueReader::on_idle() {
    if (std::exchange(asked_, true)) return;
    connection_.query(route::kCatalogueQuestion);
}

void CatalogueReader::on_result(PgResult result) {
    if (PQresultStatus(result.get()) == PGRES_TUPLES_OK) {
        connection_.close();
        build(std::move(result));
    } else {
        fail(first_line(PQresultErrorMessage(result.get())));
    }
}

void CatalogueReader::on_lost(std::string why) {
    fail(std::move(why));
}

/// A large catalogue takes longer than the control loop may be away.
void CatalogueReader::build(PgResult result) {
    auto work = std::make_unique<Work>();
    work->reader = this;
    work->result = std::move(result);
    work->request.data = work.get();
    const int status = uv_queue_work(
        &loop_, &work->request,
        [](uv_work_t* request) {
            Work& self = *static_cast<Work*>(request->data);
            const auto rows = static_cast<size_t>(PQntuples(self.result.get()));
            self.made = route::Catalogue::from_rows(rows, cells_of(*self.result));
            self.result.reset();
        },
        on_built);
    if (status != 0) {
        fail(uv_strerror(status));
        return;
    }
    work_ = work.release();
}

void CatalogueReader::on_built(uv_work_t* request, int) {
    const std::unique_ptr<Work> work(static_cast<Work*>(request->data));
    CatalogueReader* self = work->reader;
    if (self == nullptr) return;
    self->work_ = nullptr;
    if (!work->made) {
        self->fail(
            fmt::format("its rows make no sense, or are more than {}", route::kCatalogueRowsMax));
    } else {
        self->succeed(std::move(*work->made));
    }
}

void CatalogueReader::succeed(route::Catalogue catalogue) {
    const auto outcome = schedule_.succeeded(catalogue.digest(), net::Loop::read_clock());
    if (outcome.is_news) {
        log::info("cluster {}: the catalogue of {} is known, {} facts", cluster_, outcome.database,
                  catalogue.size());
    }
    auto read = std::make_shared<const route::Catalogue>(std::move(catalogue));
    if (outcome.believed) {
        // Workers keep the one that they have if it tells the same.
        auto& before = believed_[outcome.database];
        if (before == nullptr || before->digest() != read->digest()) std::swap(before, read);
    }
    if (read != nullptr) forgotten_.push_back(std::move(read));
    if (outcome.told) owner_.on_catalogue(outcome.database);
}

void CatalogueReader::forget(const std::string& database) {
    const auto found = believed_.find(database);
    if (found == believed_.end()) return;
    forgotten_.push_back(std::move(found->second));
    believed_.erase(found);
}

/// Freeing a large one takes as long as making it: not here, and not in a worker.
void CatalogueReader::free_unused() {
    const auto unused = std::find_if(forgotten_.begin(), forgotten_.end(),
                                     [](const auto& each) { return each.use_count() == 1; });
    if (unused == forgotten_.end()) return;

    struct Freeing {
        uv_work_t request{};
        std::shared_ptr<const route::Catalogue> catalogue{};
    };

    auto freeing = std::make_unique<Freeing>();
    freeing->catalogue = std::move(*unused);
    forgotten_.erase(unused);
    freeing->request.data = freeing.get();
    const int status = uv_queue_work(
        &loop_, &freeing->request,
        [](uv_work_t* request) { static_cast<Freeing*>(request->data)->catalogue.reset(); },
        [](uv_work_t* request, int) { delete static_cast<Freeing*>(request->data); });
    if (status == 0) freeing.release();
}

void CatalogueReader::fail(std::string why) {
    connection_.close();
    if (why.empty()) why = "PostgreSQL does not say why";
    const auto outcome = schedule_.failed(why, net::Loop::read_clock());
    if (outcome.is_news) {
        log::warning("cluster {}: the catalogue of {} cannot be read, {}: {}", cluster_,
                     outcome.database,
                     outcome.has_another ? "and is believed for some minutes more"
                                         : "its reads stay on the primary",
                     why);
    }
    if (outcome.forgotten) {
        log::info("cluster {}: the catalogue of {} is not tried again until it is used", cluster_,
                  outcome.database);
    }
    if (outcome.dropped) forget(outcome.database);
    if (outcome.told) owner_.on_catalogue(outcome.database);
}

}  // namespace pgweir::control
