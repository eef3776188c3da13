#include "pgweir/control/prober.h"

#include "pgweir/net/loop.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace pgweir::control {
namespace {

constexpr const char* kPlace = "pgweir_place";
constexpr const char* kIdentity = "pgweir_identity";
constexpr uint32_t kQuestions = 2;

PgConnection::Target target_of(const config::Node& node, const config::Monitor& monitor) {
    const int64_t timeout_ms = std::max<int64_t>(1, to_microseconds(monitor.timeout) / 1000);
    return {
        .host = node.host,
        .port = node.port,
        .user = monitor.user,
        .password = monitor.password,
        .database = monitor.database,
        .options = fmt::format("-c search_path=pg_catalog -c statement_timeout={}", timeout_ms)};
}

}  // namespace

Prober::Prober(
    uv_loop_t& loop, Owner& owner, size_t number, config::Node node, config::Monitor monitor)
    : owner_(owner),
      number_(number),
      monitor_(std::move(monitor)),
      target_(target_of(node, monitor_)),
      connection_(loop, *this) {}

void Prober::enter(State state) {
    state_ = state;
    entered_ = net::Loop::read_clock();
}

void Prober::tick() {
    // A pause of our own is not the node's.
    const Instant now = net::Loop::read_clock();
    const Duration pause = now - std::exchange(ticked_, now);
    if (pause > cluster::stall_of(monitor_.timeout)) entered_ = std::min(entered_ + pause, now);
    const Duration spent = now - entered_;
    switch (state_) {
        case State::Resting:
            if (failures_ <= 1 || spent >= monitor_.interval) begin();
            break;
        case State::Ready: ask(); break;
        case State::Opening:
        case State::Preparing:
        case State::Asking:
            if (spent < monitor_.timeout) break;
            fail(fmt::format("no answer within {} ms", to_microseconds(monitor_.timeout) / 1000));
            break;
    }
}

void Prober::begin() {
    prepared_ = 0;
    identified_ = {};
    asks_identity_ = false;
    const State before = std::exchange(state_, State::Opening);
    if (!connection_.open(target_)) {
        state_ = before;
    } else if (state_ == State::Opening) {
        enter(State::Opening);
    }
}

void Prober::on_idle() {
    if (state_ == State::Opening) {
        enter(State::Preparing);
        go_on_preparing();
    } else if (state_ == State::Preparing && prepared_ < kQuestions) {
        go_on_preparing();
    } else {
        enter(State::Ready);
    }
}

void Prober::go_on_preparing() {
    if (prepared_ == 0) {
        connection_.prepare(kPlace, cluster::kPlaceQuestion);
    } else {
        connection_.prepare(kIdentity, cluster::kIdentityQuestion);
    }
}

void Prober::ask() {
    asked_ = net::Loop::read_clock();
    // Never twice in a row: a node that answers slowly would not be asked for its role any more.
    asks_identity_ = !asks_identity_ && asked_ - identified_ >= monitor_.interval;
    asked_number_ = owner_.on_asking();
    enter(State::Asking);
    connection_.execute(asks_identity_ ? kIdentity : kPlace);
}

void Prober::on_result(PgResult result) {
    const ExecStatusType status = PQresultStatus(result.get());
    if (status == PGRES_COMMAND_OK) {
        ++prepared_;
    } else if (status == PGRES_TUPLES_OK) {
        take_row(*result);
    } else {
        fail(first_line(PQresultErrorMessage(result.get())));
    }
}

void Prober::take_row(const PGresult& result) {
    std::vector<std::optional<std::string_view>> cells;
    if (PQntuples(&result) == 1) cells = cells_of(result);
    if (asks_identity_) {
        const auto identity = cluster::read_identity(cells);
        if (!identity) {
            fail("it does not say its system identifier");
            return;
        }
        identified_ = asked_;
        owner_.on_identity(number_, *identity);
        return;
    }
    auto answer = cluster::read_place(cells);
    if (!answer) {
        fail("its answer makes no sense");
        return;
    }
    failures_ = 0;
    answer->asked = asked_;
    answer->number = asked_number_;
    owner_.on_place(number_, *answer);
}

void Prober::on_lost(std::string why) {
    fail(std::move(why));
}

void Prober::fail(std::string why) {
    connection_.close();
    ++failures_;
    enter(State::Resting);
    owner_.on_failure(number_, std::move(why));
}

}  // namespace pgweir::control
