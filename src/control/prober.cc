#include "pgweir/control/prober.h"

#include "pgweir/net/loop.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <netdb.h>

namespace pgweir::control {
namespace {

constexpr const char* kPlace = "pgweir_place";
constexpr const char* kIdentity = "pgweir_identity";
constexpr uint32_t kQuestions = 2;

/// libpq's messages have several lines.
std::string first_line(std::string_view text) {
    return std::string(text.substr(0, text.find('\n')));
}

bool is_socket_folder(const std::string& host) {
    return host.starts_with('/');
}

void ignore_notice(void*, const PGresult*) {}

void delete_handle(uv_handle_t* handle) {
    delete static_cast<uv_any_handle*>(handle->data);
}

}  // namespace

/// libuv keeps the request until its thread is done: a prober that ends before leaves it alone.
struct Prober::Lookup {
    uv_any_req request{};
    Prober* prober = nullptr;
};

Prober::Prober(
    uv_loop_t& loop, Owner& owner, size_t number, config::Node node, config::Monitor monitor)
    : loop_(loop),
      owner_(owner),
      number_(number),
      node_(std::move(node)),
      monitor_(std::move(monitor)) {}

Prober::~Prober() {
    unwatch();
    if (lookup_ == nullptr) return;
    lookup_->prober = nullptr;
    uv_cancel(&lookup_->request.req);
}

void Prober::enter(State state) {
    state_ = state;
    entered_ = net::Loop::read_clock();
}

void Prober::tick() {
    // A pause of our own is not the node's.
    const Instant now = net::Loop::read_clock();
    constexpr Duration kStall = std::chrono::milliseconds(250);
    const Duration pause = now - std::exchange(ticked_, now);
    if (pause > kStall) entered_ = std::min(entered_ + pause, now);
    const Duration spent = now - entered_;
    switch (state_) {
        case State::Resting:
            if (failures_ <= 1 || spent >= monitor_.interval) begin();
            break;
        case State::Ready: ask(); break;
        case State::Resolving:
        case State::Connecting:
        case State::Preparing:
        case State::Asking:
            if (spent < monitor_.timeout) break;
            fail(fmt::format("no answer within {} ms", to_microseconds(monitor_.timeout) / 1000));
            break;
    }
}

void Prober::begin() {
    if (is_socket_folder(node_.host)) {
        connect("");
        return;
    }
    if (lookup_ != nullptr) return;  // the last one was given up, and its thread still hangs
    enter(State::Resolving);
    lookup_ = new Lookup{.prober = this};
    lookup_->request.req.data = lookup_;
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    const int status = uv_getaddrinfo(&loop_, &lookup_->request.getaddrinfo, on_resolved,
                                      node_.host.c_str(), nullptr, &hints);
    if (status == 0) return;
    delete std::exchange(lookup_, nullptr);
    fail(uv_strerror(status));
}

void Prober::on_resolved(uv_getaddrinfo_t* request, int status, addrinfo* found) {
    const std::unique_ptr<Lookup> lookup(static_cast<Lookup*>(request->data));
    const std::unique_ptr<addrinfo, decltype(&uv_freeaddrinfo)> addresses(found, &uv_freeaddrinfo);
    Prober* prober = lookup->prober;
    if (prober == nullptr) return;
    prober->lookup_ = nullptr;
    if (prober->state_ != State::Resolving) return;  // it was given up
    if (status != 0) {
        prober->fail(fmt::format("cannot look up {}: {}", prober->node_.host, uv_strerror(status)));
        return;
    }
    // libpq tries one after the other.
    std::string all;
    for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
        std::array<char, NI_MAXHOST> text{};
        const int failed = getnameinfo(each->ai_addr, each->ai_addrlen, text.data(), text.size(),
                                       nullptr, 0, NI_NUMERICHOST);
        if (failed == 0) all += (all.empty() ? "" : ",") + std::string(text.data());
    }
    if (all.empty()) {
        prober->fail(fmt::format("{} has no address", prober->node_.host));
        return;
    }
    prober->connect(all);
}

void Prober::connect(const std::string& addresses) {
    enter(State::Connecting);
    // One host for each address, or libpq counts them as not matching.
    std::string hosts = node_.host;
    for (const char letter : addresses) {
        if (letter == ',') hosts += "," + node_.host;
    }
    const std::string port = std::to_string(node_.port);
    const std::string password =
        monitor_.password ? std::string(monitor_.password->reveal()) : std::string();
    const std::string options =
        fmt::format("-c search_path=pg_catalog -c statement_timeout={}",
                    std::max<int64_t>(1, to_microseconds(monitor_.timeout) / 1000));
    constexpr size_t kParameters = 10;  // and the end
    const std::array<const char*, kParameters> keywords{
        "host",   "hostaddr",         "port",    "user",       "password",
        "dbname", "application_name", "options", "gssencmode", nullptr};
    const std::array<const char*, kParameters> values{hosts.c_str(),    addresses.c_str(),
                                                      port.c_str(),     monitor_.user.c_str(),
                                                      password.c_str(), monitor_.database.c_str(),
                                                      "pgweir_monitor", options.c_str(),
                                                      "disable",        nullptr};
    connection_.reset(PQconnectStartParams(keywords.data(), values.data(), 0));
    if (connection_ != nullptr) PQsetNoticeReceiver(connection_.get(), ignore_notice, nullptr);
    if (connection_ == nullptr) {
        fail("out of memory");
    } else if (PQstatus(connection_.get()) == CONNECTION_BAD) {
        fail(first_line(PQerrorMessage(connection_.get())));
    } else {
        watch(UV_WRITABLE);
    }
}

void Prober::go_on_connecting() {
    unwatch();  // libpq may close this socket and open another one
    switch (PQconnectPoll(connection_.get())) {
        case PGRES_POLLING_READING: watch(UV_READABLE); break;
        case PGRES_POLLING_WRITING: watch(UV_WRITABLE); break;
        case PGRES_POLLING_OK:
            PQsetnonblocking(connection_.get(), 1);
            prepared_ = 0;
            identified_ = {};
            asks_identity_ = false;
            enter(State::Preparing);
            prepare();
            break;
        case PGRES_POLLING_ACTIVE:
        case PGRES_POLLING_FAILED: fail(first_line(PQerrorMessage(connection_.get()))); break;
    }
}

void Prober::prepare() {
    const bool first = prepared_ == 0;
    const int sent =
        PQsendPrepare(connection_.get(), first ? kPlace : kIdentity,
                      first ? cluster::kPlaceQuestion : cluster::kIdentityQuestion, 0, nullptr);
    if (sent == 0) {
        fail(first_line(PQerrorMessage(connection_.get())));
        return;
    }
    watch(UV_READABLE | UV_WRITABLE);
}

void Prober::ask() {
    asked_ = net::Loop::read_clock();
    // Never twice in a row: a node that answers slowly would not be asked for its role any more.
    asks_identity_ = !asks_identity_ && asked_ - identified_ >= monitor_.interval;
    enter(State::Asking);
    const int sent = PQsendQueryPrepared(connection_.get(), asks_identity_ ? kIdentity : kPlace, 0,
                                         nullptr, nullptr, nullptr, 0);
    if (sent == 0) {
        fail(first_line(PQerrorMessage(connection_.get())));
        return;
    }
    watch(UV_READABLE | UV_WRITABLE);
}

void Prober::on_ready(uv_poll_t* poll, int, int) {
    // What is the matter with the socket, libpq finds out and says better.
    auto& self = *static_cast<Prober*>(poll->data);
    if (self.state_ == State::Connecting) {
        self.go_on_connecting();
    } else {
        self.go_on();
    }
}

void Prober::go_on() {
    PGconn* connection = connection_.get();
    const int unsent = PQflush(connection);
    if (unsent < 0 || PQconsumeInput(connection) == 0) {
        fail(first_line(PQerrorMessage(connection)));
        return;
    }
    watch(unsent > 0 ? UV_READABLE | UV_WRITABLE : UV_READABLE);
    while (state_ != State::Resting && PQisBusy(connection) == 0) {
        const std::unique_ptr<PGresult, decltype(&PQclear)> result(PQgetResult(connection),
                                                                   &PQclear);
        if (result == nullptr) break;
        take(*result);
    }
    if (state_ == State::Resting) return;
    const std::unique_ptr<PGnotify, decltype(&PQfreemem)> unasked(PQnotifies(connection),
                                                                  &PQfreemem);
    if (unasked != nullptr) {
        fail("it says what nobody asked for");
    } else if (PQstatus(connection) == CONNECTION_BAD) {
        fail(first_line(PQerrorMessage(connection)));
    } else if (PQtransactionStatus(connection) == PQTRANS_IDLE) {
        if (state_ == State::Preparing && prepared_ < kQuestions) {
            prepare();
        } else if (state_ != State::Ready) {
            enter(State::Ready);
        }
    }
}

void Prober::take(const PGresult& result) {
    const ExecStatusType status = PQresultStatus(&result);
    if (status == PGRES_COMMAND_OK) {
        ++prepared_;
    } else if (status == PGRES_TUPLES_OK) {
        take_row(result);
    } else {
        fail(first_line(PQresultErrorMessage(&result)));
    }
}

void Prober::take_row(const PGresult& result) {
    std::vector<std::optional<std::string_view>> cells;
    if (PQntuples(&result) == 1) {
        for (int column = 0; column < PQnfields(&result); ++column) {
            const bool null = PQgetisnull(&result, 0, column) != 0;
            cells.emplace_back();
            if (!null) cells.back() = PQgetvalue(&result, 0, column);
        }
    }
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
    owner_.on_place(number_, *answer);
}

void Prober::fail(std::string why) {
    unwatch();
    connection_.reset();
    ++failures_;
    enter(State::Resting);
    owner_.on_failure(number_, std::move(why));
}

void Prober::watch(int events) {
    if (poll_ == nullptr) {
        auto poll = std::make_unique<uv_any_handle>();
        const int status = uv_poll_init(&loop_, &poll->poll, PQsocket(connection_.get()));
        if (status != 0) {
            fail(uv_strerror(status));
            return;
        }
        poll_ = poll.release();
        poll_->handle.data = this;
    }
    uv_poll_start(&poll_->poll, events, on_ready);
}

void Prober::unwatch() {
    if (poll_ == nullptr) return;
    uv_any_handle* closing = std::exchange(poll_, nullptr);
    uv_poll_stop(&closing->poll);
    closing->handle.data = closing;
    uv_close(&closing->handle, delete_handle);
}

}  // namespace pgweir::control
