#include "pgweir/admin/http.h"

#include "pgweir/base/log.h"

#include <array>
#include <chrono>
#include <future>
#include <string_view>

#include <civetweb.h>
#include <fmt/format.h>

namespace pgweir::admin {
namespace {

constexpr auto kKnockPause = std::chrono::milliseconds(10);

int respond(mg_connection* connection,
            int status,
            std::string_view reason,
            std::string_view type,
            std::string_view body) {
    const std::string head = fmt::format(
        "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n"
        "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
        "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; "
        "frame-ancestors 'none'\r\n\r\n",
        status, reason, type, body.size());
    mg_write(connection, head.data(), head.size());
    mg_write(connection, body.data(), body.size());
    return status;
}

int no_answer(mg_connection* connection) {
    return respond(connection, 503, "Service Unavailable", "text/plain", "no answer in time\n");
}

int serve_metrics(mg_connection* connection, void* data) {
    const std::string text = static_cast<HttpSource*>(data)->metrics();
    if (text.empty()) return no_answer(connection);
    return respond(connection, 200, "OK", "text/plain; version=0.0.4; charset=utf-8", text);
}

int serve_health(mg_connection* connection, void*) {
    return respond(connection, 200, "OK", "text/plain", "alive\n");
}

int serve_readiness(mg_connection* connection, void* data) {
    const std::string reason = static_cast<HttpSource*>(data)->not_ready();
    if (reason.empty()) return respond(connection, 200, "OK", "text/plain", "ready\n");
    return respond(connection, 503, "Service Unavailable", "text/plain", reason + "\n");
}

/// Civetweb asks the handler of "/" for every path that has none of its own.
int serve_status(mg_connection* connection, void* data) {
    const mg_request_info* request = mg_get_request_info(connection);
    if (request->local_uri != nullptr && std::string_view(request->local_uri) == "/") {
        const std::string page = static_cast<HttpSource*>(data)->status();
        if (page.empty()) return no_answer(connection);
        return respond(connection, 200, "OK", "text/html; charset=utf-8", page);
    }
    return respond(connection, 404, "Not Found", "text/plain",
                   "pgweir serves /, /metrics, /healthz and /readyz\n");
}

int log_message(const mg_connection*, const char* message) {
    log::warning("http: {}", message);
    return 1;
}

}  // namespace

struct HttpServer::Civetweb {
    mg_context* context = nullptr;
    std::string host;
    uint16_t port = 0;
};

HttpServer::HttpServer(std::unique_ptr<Civetweb> civetweb) : civetweb_(std::move(civetweb)) {}

Result<std::unique_ptr<HttpServer>> HttpServer::start(const std::string& host,
                                                      uint16_t port,
                                                      HttpSource& source) {
    const std::string address = fmt::format("{}:{}", host, port);
    const std::array<const char*, 9> options{"listening_ports",
                                             address.c_str(),
                                             "num_threads",
                                             "2",
                                             "request_timeout_ms",
                                             "5000",
                                             "enable_keep_alive",
                                             "no",
                                             nullptr};
    mg_callbacks callbacks{};
    callbacks.log_message = log_message;
    auto civetweb = std::make_unique<Civetweb>();
    civetweb->host = host;
    civetweb->port = port;
    civetweb->context = mg_start(&callbacks, nullptr, const_cast<const char**>(options.data()));
    if (civetweb->context == nullptr) {
        return fail(
            Error{.sqlstate = sqlstate::kConfigFileError,
                  .severity = Severity::Fatal,
                  .message = fmt::format("cannot listen on {} for HTTP", address),
                  .detail = {},
                  .hint = "Is another process there already? It takes IPv4 addresses and names. "
                          "http.port: 0 turns it off."});
    }
    mg_set_request_handler(civetweb->context, "/", serve_status, &source);
    mg_set_request_handler(civetweb->context, "/healthz", serve_health, nullptr);
    mg_set_request_handler(civetweb->context, "/metrics", serve_metrics, &source);
    mg_set_request_handler(civetweb->context, "/readyz", serve_readiness, &source);
    return std::unique_ptr<HttpServer>(new HttpServer(std::move(civetweb)));
}

HttpServer::~HttpServer() {
    if (civetweb_->context == nullptr) return;
    const auto stopping = std::async(std::launch::async, [this] { mg_stop(civetweb_->context); });
    // Civetweb looks every two seconds whether it shall stop, or when somebody connects. Once is
    // not enough: that may come before mg_stop() has said what it shall see. A peer that is
    // connected and sends nothing can still keep a thread of it for those two seconds.
    do {
        std::array<char, 128> problem{};
        mg_connection* knock = mg_connect_client(civetweb_->host.c_str(), civetweb_->port, 0,
                                                 problem.data(), problem.size());
        if (knock != nullptr) mg_close_connection(knock);
    } while (stopping.wait_for(kKnockPause) != std::future_status::ready);
}

}  // namespace pgweir::admin
