#pragma once

#include "pgweir/base/secret.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <libpq-fe.h>
#include <uv.h>

namespace pgweir::control {

using PgResult = std::unique_ptr<PGresult, decltype(&PQclear)>;

/// Row after row; nullopt is NULL. Lifetime: views into the result.
std::vector<std::optional<std::string_view>> cells_of(const PGresult& result);

/// libpq's messages have several lines.
std::string first_line(std::string_view message);

/// One connection of pgweir's own to PostgreSQL. Nothing here blocks: names are looked up in
/// libuv's threads, and libpq is used without waiting. It knows no time; who owns it closes what
/// takes too long.
/// Thread: the control loop's.
/// See: libpq-async.html, libpq-connect.html (PQconnectStartParams)
class PgConnection {
public:
    struct Target {
        std::string host;  // a name, an address, or the folder of a socket
        uint16_t port = 0;
        std::string user;
        std::optional<Secret> password;
        std::string database;
        std::string options;  // "-c name=value …"
    };

    /// None of them may destroy or open the connection; closing it is fine.
    class Owner {
    public:
        virtual void on_result(PgResult result) = 0;
        /// It is logged in, or what was sent last is answered wholly: something else may be sent.
        virtual void on_idle() = 0;
        /// It is closed already. `why` in one line.
        virtual void on_lost(std::string why) = 0;

    protected:
        ~Owner() = default;
    };

    PgConnection(uv_loop_t& loop, Owner& owner) : loop_(loop), owner_(owner) {}

    ~PgConnection();
    PgConnection(const PgConnection&) = delete;
    PgConnection& operator=(const PgConnection&) = delete;

    /// False: the look-up of the time before still hangs, and nothing was begun.
    bool open(const Target& target);
    void close();

    // Only after on_idle(), one at a time.
    void prepare(const char* name, const char* sql);
    void execute(const char* name);  // what was prepared, without parameters
    void query(const char* sql);

private:
    struct Lookup;  // outlives the connection, if it has to

    static void on_resolved(uv_getaddrinfo_t* request, int status, addrinfo* found);
    static void on_ready(uv_poll_t* poll, int status, int events);
    void connect(const std::string& found);
    void go_on_connecting();
    void go_on();
    void sent(int successfully);
    void lose(std::string why);
    void lose_with_message();
    void watch(int events);
    void unwatch();

    uv_loop_t& loop_;
    Owner& owner_;
    Target target_{};
    Lookup* lookup_ = nullptr;
    std::vector<std::string> silent_;  // addresses of the host: tried since its last login, in vain
    std::string late_;        // what a look-up that was given up has found, for the next open()
    bool resolving_ = false;  // True exactly when the look-up's answer is wanted.
    bool logged_in_ = false;
    std::unique_ptr<PGconn, decltype(&PQfinish)> connection_{nullptr, &PQfinish};
    uv_any_handle* poll_ = nullptr;
};

}  // namespace pgweir::control
