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

bool holds(const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

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
    databases_ = std::move(databases);
    refusal_told_ = false;
    learned_ = 0;
    std::vector<std::string> gone;
    for (auto& [database, known] : known_) {
        const bool was_listed = !known.learned;
        known.learned = !holds(databases_.listed, database);
        if (!known.learned) continue;
        ++learned_;
        const bool stays = !was_listed && learned_ <= databases_.others_max &&
                           !holds(databases_.elsewhere, database);
        if (!stays) gone.push_back(database);
    }
    for (const std::string& database : gone) leave(database);
    for (const std::string& name : databases_.listed) known_.try_emplace(name);
}

void CatalogueReader::learn(const std::string& database) {
    const Instant now = net::Loop::read_clock();
    const auto found = known_.find(database);
    if (found != known_.end()) {
        found->second.missed = now;
        return;
    }
    if (databases_.others_max == 0 || holds(databases_.elsewhere, database)) return;
    if (learned_ >= databases_.others_max) {
        ++refused_;
        if (!std::exchange(refusal_told_, true)) {
            log::warning(
                "cluster {}: limits.catalogues is reached, and the reads of database {} stay on "
                "the primary; so do those of others that are used from now on and not listed by "
                "name",
                cluster_, database);
        }
        return;
    }
    ++learned_;
    Known& known = known_[database];
    known.learned = true;
    known.missed = now;
}

void CatalogueReader::leave(const std::string& database) {
    const auto found = known_.find(database);
    if (found->second.learned) --learned_;
    forget(found->second);
    known_.erase(found);
    owner_.on_catalogue(database);
}

void CatalogueReader::tick(const config::Node* primary, const config::Monitor& monitor) {
    const Instant now = net::Loop::read_clock();
    free_unused();
    if (!database_.empty()) {
        // The work in libuv's thread has an end; only the server may have none.
        if (work_ == nullptr && now - begun_ >= kPatience) {
            fail(fmt::format("no answer within {} ms", to_ms(kPatience)));
        }
        return;
    }
    if (primary == nullptr) return;
    const auto next = next_due(now);
    if (next == known_.end()) return;
    database_ = next->first;
    begun_ = now;
    asked_ = false;
    outdated_ = false;
    read_again_ = false;
    const bool begun =
        connection_.open({.host = primary->host,
                          .port = primary->port,
                          .user = monitor.user,
                          .password = monitor.password,
                          .database = database_,
                          .options = fmt::format(
                              "-c search_path=pg_catalog -c statement_timeout={} -c "
                              "default_transaction_read_only=on -c client_encoding=UTF8 -c jit=off",
                              to_ms(kPatience))});
    if (!begun) fail("the look-up of its host still hangs");
}

/// end(): none is.
CatalogueReader::ByDatabase::iterator CatalogueReader::next_due(Instant now) {
    const auto rank = [](const Known& known) {
        return std::tuple(!known.untold, known.learned, known.due);
    };
    auto next = known_.end();
    for (auto each = known_.begin(); each != known_.end(); ++each) {
        const bool due = each->second.due <= now;
        const bool first = next == known_.end() || rank(each->second) < rank(next->second);
        if (due && first) next = each;
    }
    return next;
}

void CatalogueReader::start_over() {
    outdated_ = true;
    for (auto& [database, known] : known_) known.due = {};
}

void CatalogueReader::read_soon(const std::string& database) {
    const auto known = known_.find(database);
    if (known == known_.end()) return;
    // What is read now may have been read before the change.
    const bool under_way = database_ == database;
    if (known->second.catalogue == nullptr && !under_way) return;  // it is due anyway
    const Instant last = under_way ? begun_ : known->second.read;
    known->second.due = std::min(known->second.due, last + kSoon);
    known->second.untold = true;
    if (under_way) read_again_ = true;
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
    Known* known = current();
    if (known != nullptr && !outdated_) {
        if (known->catalogue == nullptr || !known->why.empty()) {
            log::info("cluster {}: the catalogue of {} is known, {} facts", cluster_, database_,
                      catalogue.size());
        }
        const bool same =
            known->catalogue != nullptr && known->catalogue->digest() == catalogue.digest();
        auto read = std::make_shared<const route::Catalogue>(std::move(catalogue));
        std::swap(read, same ? read : known->catalogue);
        if (read != nullptr) forgotten_.push_back(std::move(read));
        known->read = begun_;
        known->due = net::Loop::read_clock() + (read_again_ ? kSoon : kEvery);
        known->pause = {};
        known->why.clear();
        known->untold = known->untold || !same;
        // One that was begun before the last change is not the answer to it.
        if (known->untold && !read_again_) {
            known->untold = false;
            owner_.on_catalogue(database_);
        }
    }
    database_.clear();
}

void CatalogueReader::forget(Known& known) {
    if (known.catalogue != nullptr) forgotten_.push_back(std::move(known.catalogue));
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

CatalogueReader::Known* CatalogueReader::current() {
    const auto found = known_.find(database_);
    return found == known_.end() ? nullptr : &found->second;  // it was taken out meanwhile
}

void CatalogueReader::fail(std::string why) {
    connection_.close();
    if (why.empty()) why = "PostgreSQL does not say why";
    if (Known* known = current()) {
        const Instant now = net::Loop::read_clock();
        known->pause = std::clamp(known->pause * 2, kAgain, kAgainMax);
        known->due = now + known->pause;
        if (known->why.empty()) known->failing_since = now;
        const bool old = known->catalogue != nullptr;
        const bool drop = old && now - known->failing_since >= kBelieved;
        if (why != known->why || drop) {
            log::warning("cluster {}: the catalogue of {} cannot be read, {}: {}", cluster_,
                         database_,
                         old && !drop ? "and is believed for some minutes more"
                                      : "its reads stay on the primary",
                         why);
        }
        known->why = std::move(why);
        const bool missed = now - known->missed < kBelieved;
        if (known->learned && !missed && now - known->failing_since >= kBelieved) {
            log::info("cluster {}: the catalogue of {} is not tried again until it is used",
                      cluster_, database_);
            leave(database_);
        } else if (drop) {
            forget(*known);
            owner_.on_catalogue(database_);
        }
    }
    database_.clear();
}

}  // namespace pgweir::control
