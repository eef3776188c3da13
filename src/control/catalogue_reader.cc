#include "pgweir/control/catalogue_reader.h"

#include "pgweir/base/log.h"
#include "pgweir/net/loop.h"
#include "pgweir/route/catalogue_question.h"

#include <algorithm>
#include <optional>
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

void CatalogueReader::set_databases(const std::vector<std::string>& names) {
    std::erase_if(known_, [&](const auto& each) {
        return std::find(names.begin(), names.end(), each.first) == names.end();
    });
    for (const std::string& name : names) known_.try_emplace(name);
}

void CatalogueReader::tick(const config::Node* primary, const config::Monitor& monitor) {
    const Instant now = net::Loop::read_clock();
    if (!database_.empty()) {
        // The work in libuv's thread has an end; only the server may have none.
        if (work_ == nullptr && now - begun_ >= kPatience) {
            end(fmt::format("no answer within {} ms", to_ms(kPatience)));
        }
        return;
    }
    if (primary == nullptr) return;
    const auto next = std::min_element(
        known_.begin(), known_.end(),
        [](const auto& one, const auto& two) { return one.second.due < two.second.due; });
    if (next == known_.end() || now < next->second.due) return;
    database_ = next->first;
    begun_ = now;
    asked_ = false;
    const bool begun = connection_.open(
        {.host = primary->host,
         .port = primary->port,
         .user = monitor.user,
         .password = monitor.password,
         .database = database_,
         .options = fmt::format("-c search_path=pg_catalog -c statement_timeout={} -c "
                                "default_transaction_read_only=on",
                                to_ms(kPatience))});
    if (!begun) database_.clear();
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
        end(first_line(PQresultErrorMessage(result.get())));
    }
}

void CatalogueReader::on_lost(std::string why) {
    end(std::move(why));
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
        end(uv_strerror(status));
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
        self->end(
            fmt::format("its rows make no sense, or are more than {}", route::kCatalogueRowsMax));
        return;
    }
    if (Known* known = self->current()) {
        const bool first = known->catalogue == nullptr;
        known->catalogue = std::make_unique<const route::Catalogue>(std::move(*work->made));
        known->read = self->begun_;
        if (first) {
            log::info("cluster {}: the catalogue of {} is known, {} facts", self->cluster_,
                      self->database_, known->catalogue->size());
        }
    }
    self->end("");
}

CatalogueReader::Known* CatalogueReader::current() {
    const auto found = known_.find(database_);
    return found == known_.end() ? nullptr : &found->second;  // it was taken out meanwhile
}

void CatalogueReader::end(std::string why) {
    connection_.close();
    const Instant now = net::Loop::read_clock();
    if (Known* known = current()) {
        known->due = now + (why.empty() ? kEvery : kAgain);
        if (why.empty()) {
            known->failing_since = {};
        } else if (known->why.empty()) {
            known->failing_since = now;
        }
        if (!why.empty() && now - known->failing_since >= kBelieved) known->catalogue.reset();
        if (why != known->why && !why.empty()) {
            log::warning(
                "cluster {}: the catalogue of {} cannot be read, its reads stay on the primary{}: "
                "{}",
                cluster_, database_,
                known->catalogue == nullptr ? "" : " if this lasts for minutes", why);
        }
        known->why = std::move(why);
    }
    database_.clear();
}

}  // namespace pgweir::control
