#pragma once

#include "pgweir/base/error.h"

#include <cstdint>
#include <memory>
#include <string>

/// The status page, metrics and health over HTTP, read-only, in threads of their own.
namespace pgweir::admin {

/// Where the pages get their contents.
class HttpSource {
public:
    /// Text for /metrics; empty when the workers did not answer in time.
    /// Thread: any.
    virtual std::string metrics() = 0;

    /// HTML for /; empty when the workers did not answer in time.
    /// Thread: any.
    virtual std::string status() = 0;

    /// Empty when pgweir can serve, else why not.
    /// Thread: any.
    virtual std::string not_ready() = 0;

protected:
    ~HttpSource() = default;
};

class HttpServer {
public:
    /// Errors: F0000 when the port cannot be had.
    static Result<std::unique_ptr<HttpServer>> start(const std::string& host,
                                                     uint16_t port,
                                                     HttpSource& source);
    ~HttpServer();
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;

private:
    struct Civetweb;
    explicit HttpServer(std::unique_ptr<Civetweb> civetweb);

    std::unique_ptr<Civetweb> civetweb_;
};

}  // namespace pgweir::admin
