#include "pgweir/control/pg_connection.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <netdb.h>

namespace pgweir::control {
namespace {

bool is_socket_folder(const std::string& host) {
    return host.starts_with('/');
}

/// A name has to be looked up, in a thread that others may keep busy for long.
bool is_address(const std::string& host) {
    std::array<uint8_t, 16> binary{};
    return uv_inet_pton(AF_INET, host.c_str(), binary.data()) == 0 ||
           uv_inet_pton(AF_INET6, host.c_str(), binary.data()) == 0;
}

void ignore_notice(void*, const PGresult*) {}

void delete_handle(uv_handle_t* handle) {
    delete static_cast<uv_any_handle*>(handle->data);
}

/// With commas between them, as libpq takes them.
std::string listed(const addrinfo* found) {
    std::string all;
    for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
        std::array<char, NI_MAXHOST> text{};
        const int failed = getnameinfo(each->ai_addr, each->ai_addrlen, text.data(), text.size(),
                                       nullptr, 0, NI_NUMERICHOST);
        if (failed == 0) all += (all.empty() ? "" : ",") + std::string(text.data());
    }
    return all;
}

std::vector<std::string> split(const std::string& list) {
    std::vector<std::string> parts;
    size_t begin = 0;
    for (size_t comma = list.find(','); comma != std::string::npos; comma = list.find(',', begin)) {
        parts.push_back(list.substr(begin, comma - begin));
        begin = comma + 1;
    }
    parts.push_back(list.substr(begin));
    return parts;
}

bool holds(const std::vector<std::string>& list, const std::string& address) {
    return std::find(list.begin(), list.end(), address) != list.end();
}

}  // namespace

std::vector<std::optional<std::string_view>> cells_of(const PGresult& result) {
    std::vector<std::optional<std::string_view>> cells;
    const int rows = PQntuples(&result);
    const int columns = PQnfields(&result);
    cells.reserve(static_cast<size_t>(rows) * static_cast<size_t>(columns));
    for (int row = 0; row < rows; ++row) {
        for (int column = 0; column < columns; ++column) {
            cells.emplace_back();
            if (PQgetisnull(&result, row, column) != 0) continue;
            const auto bytes = static_cast<size_t>(PQgetlength(&result, row, column));
            cells.back() = std::string_view(PQgetvalue(&result, row, column), bytes);
        }
    }
    return cells;
}

std::string first_line(std::string_view message) {
    return std::string(message.substr(0, message.find('\n')));
}

/// libuv keeps the request until its thread is done: a connection that ends before leaves it alone.
struct PgConnection::Lookup {
    uv_any_req request{};
    PgConnection* connection = nullptr;
    std::string host{};
};

PgConnection::~PgConnection() {
    close();
    if (lookup_ == nullptr) return;
    lookup_->connection = nullptr;
    uv_cancel(&lookup_->request.req);
}

void PgConnection::close() {
    // libpq would wait for its first address for as long as it is let.
    if (connection_ != nullptr && !logged_in_ && PQstatus(connection_.get()) != CONNECTION_BAD) {
        silent_.emplace_back(PQhostaddr(connection_.get()));
    }
    unwatch();
    resolving_ = false;
    logged_in_ = false;
    connection_.reset();
}

bool PgConnection::open(const Target& target) {
    close();
    if (lookup_ != nullptr) return false;
    if (target_.host != target.host) silent_.clear();
    target_ = target;
    if (is_socket_folder(target_.host)) {
        connect("");
        return true;
    }
    const std::string late = std::exchange(late_, {});
    if (is_address(target_.host) || !late.empty()) {
        connect(late.empty() ? target_.host : late);
        return true;
    }
    resolving_ = true;
    lookup_ = new Lookup{.connection = this, .host = target_.host};
    lookup_->request.req.data = lookup_;
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    const int status = uv_getaddrinfo(&loop_, &lookup_->request.getaddrinfo, on_resolved,
                                      target_.host.c_str(), nullptr, &hints);
    if (status == 0) return true;
    delete std::exchange(lookup_, nullptr);
    lose(uv_strerror(status));
    return true;
}

void PgConnection::on_resolved(uv_getaddrinfo_t* request, int status, addrinfo* found) {
    const std::unique_ptr<Lookup> lookup(static_cast<Lookup*>(request->data));
    const std::unique_ptr<addrinfo, decltype(&uv_freeaddrinfo)> addresses(found, &uv_freeaddrinfo);
    PgConnection* self = lookup->connection;
    if (self == nullptr) return;
    self->lookup_ = nullptr;
    const bool given_up = !std::exchange(self->resolving_, false);
    if (given_up && status == 0 && lookup->host == self->target_.host) self->late_ = listed(found);
    if (given_up) return;
    if (status != 0) {
        self->lose(fmt::format("cannot look up {}: {}", self->target_.host, uv_strerror(status)));
        return;
    }
    const std::string all = listed(found);
    if (all.empty()) {
        self->lose(fmt::format("{} has no address", self->target_.host));
    } else {
        self->connect(all);
    }
}

/// libpq tries one address after the other.
void PgConnection::connect(const std::string& found) {
    std::vector<std::string> list = split(found);
    std::erase_if(silent_, [&](const auto& each) { return !holds(list, each); });
    const auto others = std::stable_partition(
        list.begin(), list.end(), [&](const auto& each) { return !holds(silent_, each); });
    if (others == list.begin()) silent_.clear();  // none of them is better than the others
    // One host for each address, or libpq counts them as not matching.
    const std::string hosts =
        fmt::format("{}", fmt::join(std::vector<std::string>(list.size(), target_.host), ","));
    const std::string addresses = fmt::format("{}", fmt::join(list, ","));
    const std::string port = std::to_string(target_.port);
    const std::string password =
        target_.password ? std::string(target_.password->reveal()) : std::string();
    constexpr size_t kParameters = 10;  // and the end
    const std::array<const char*, kParameters> keywords{
        "host",   "hostaddr",         "port",    "user",       "password",
        "dbname", "application_name", "options", "gssencmode", nullptr};
    const std::array<const char*, kParameters> values{hosts.c_str(),    addresses.c_str(),
                                                      port.c_str(),     target_.user.c_str(),
                                                      password.c_str(), target_.database.c_str(),
                                                      "pgweir_monitor", target_.options.c_str(),
                                                      "disable",        nullptr};
    connection_.reset(PQconnectStartParams(keywords.data(), values.data(), 0));
    if (connection_ == nullptr) {
        lose("out of memory");
        return;
    }
    PQsetNoticeReceiver(connection_.get(), ignore_notice, nullptr);
    if (PQstatus(connection_.get()) == CONNECTION_BAD) {
        lose_with_message();
    } else {
        watch(UV_WRITABLE);
    }
}

void PgConnection::go_on_connecting() {
    unwatch();  // libpq may close this socket and open another one
    switch (PQconnectPoll(connection_.get())) {
        case PGRES_POLLING_READING: watch(UV_READABLE); break;
        case PGRES_POLLING_WRITING: watch(UV_WRITABLE); break;
        case PGRES_POLLING_OK:
            PQsetnonblocking(connection_.get(), 1);
            logged_in_ = true;
            silent_.clear();
            watch(UV_READABLE);
            if (connection_ != nullptr) owner_.on_idle();
            break;
        case PGRES_POLLING_ACTIVE:
        case PGRES_POLLING_FAILED: lose_with_message(); break;
    }
}

void PgConnection::prepare(const char* name, const char* sql) {
    sent(PQsendPrepare(connection_.get(), name, sql, 0, nullptr));
}

void PgConnection::execute(const char* name) {
    sent(PQsendQueryPrepared(connection_.get(), name, 0, nullptr, nullptr, nullptr, 0));
}

void PgConnection::query(const char* sql) {
    sent(PQsendQuery(connection_.get(), sql));
}

void PgConnection::sent(int successfully) {
    if (successfully == 0) {
        lose_with_message();
    } else {
        watch(UV_READABLE | UV_WRITABLE);
    }
}

void PgConnection::on_ready(uv_poll_t* poll, int, int) {
    // What is the matter with the socket, libpq finds out and says better.
    auto& self = *static_cast<PgConnection*>(poll->data);
    if (self.logged_in_) {
        self.go_on();
    } else {
        self.go_on_connecting();
    }
}

void PgConnection::go_on() {
    const int unsent = PQflush(connection_.get());
    if (unsent < 0 || PQconsumeInput(connection_.get()) == 0) {
        lose_with_message();
        return;
    }
    const bool was_busy = PQtransactionStatus(connection_.get()) != PQTRANS_IDLE;
    watch(unsent > 0 ? UV_READABLE | UV_WRITABLE : UV_READABLE);
    while (connection_ != nullptr && PQisBusy(connection_.get()) == 0) {
        PgResult result(PQgetResult(connection_.get()), &PQclear);
        if (result == nullptr) break;
        owner_.on_result(std::move(result));
    }
    if (connection_ == nullptr) return;
    const std::unique_ptr<PGnotify, decltype(&PQfreemem)> unasked(PQnotifies(connection_.get()),
                                                                  &PQfreemem);
    if (unasked != nullptr) {
        lose("it says what nobody asked for");
    } else if (PQstatus(connection_.get()) == CONNECTION_BAD) {
        lose_with_message();
    } else if (was_busy && PQtransactionStatus(connection_.get()) == PQTRANS_IDLE) {
        owner_.on_idle();
    }
}

void PgConnection::lose_with_message() {
    lose(first_line(PQerrorMessage(connection_.get())));
}

void PgConnection::lose(std::string why) {
    close();
    owner_.on_lost(std::move(why));
}

void PgConnection::watch(int events) {
    if (poll_ == nullptr) {
        auto poll = std::make_unique<uv_any_handle>();
        const int status = uv_poll_init(&loop_, &poll->poll, PQsocket(connection_.get()));
        if (status != 0) {
            lose(uv_strerror(status));
            return;
        }
        poll_ = poll.release();
        poll_->handle.data = this;
    }
    uv_poll_start(&poll_->poll, events, on_ready);
}

void PgConnection::unwatch() {
    if (poll_ == nullptr) return;
    uv_any_handle* closing = std::exchange(poll_, nullptr);
    uv_poll_stop(&closing->poll);
    closing->handle.data = closing;
    uv_close(&closing->handle, delete_handle);
}

}  // namespace pgweir::control
