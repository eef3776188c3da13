#pragma once

#include "pgweir/auth/digest.h"
#include "pgweir/base/bytes.h"
#include "pgweir/base/intrusive_list.h"
#include "pgweir/sql/effects.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

/// Prepared statements that move with their client. A statement is its text and parameter types;
/// its name at a server is made from their digest, so every worker and every client that prepares
/// the same finds it again, and nobody has to share a table.
///
/// When a table has changed, whoever was told what the rows of a statement look like has to learn
/// of it: PostgreSQL says so to each session that prepared it before (0A000). So those keep the old
/// one, and what is prepared from then on belongs to the next epoch and has another name.
/// Thread: one worker's.
namespace pgweir::session {

using auth::Digest128;
using auth::DigestHash;

struct TextHash {
    using is_transparent = void;

    size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};

/// Names at servers begin with it, and no client's own name may pass that does.
inline constexpr std::string_view kStatementPrefix = "pgweir_";

class StatementCache;

struct Statement {
    Digest128 digest{};
    sql::Effects effects;  // of its text
    uint32_t epoch = 0;
    std::string query_and_types;
    std::string server_name;  // kStatementPrefix and the digest in hexadecimal
    uint32_t references = 0;
    StatementCache* cache = nullptr;
};

class StatementRef {
public:
    StatementRef() = default;

    explicit StatementRef(Statement* statement) : statement_(statement) { retain(); }

    StatementRef(const StatementRef& other) : statement_(other.statement_) { retain(); }

    StatementRef(StatementRef&& other) noexcept
        : statement_(std::exchange(other.statement_, nullptr)) {}

    StatementRef& operator=(StatementRef other) noexcept {
        std::swap(statement_, other.statement_);
        return *this;
    }

    ~StatementRef() { release(); }

    explicit operator bool() const { return statement_ != nullptr; }

    const Statement& operator*() const { return *statement_; }

    const Statement* operator->() const { return statement_; }

private:
    void retain() {
        if (statement_ != nullptr) ++statement_->references;
    }

    void release();

    Statement* statement_ = nullptr;
};

/// All statements that clients of this worker hold, each text once.
class StatementCache {
public:
    /// `epoch`: ProcessShare's, so that all workers mean the same.
    StatementRef intern(Bytes query_and_types, uint32_t epoch = 0);

    size_t size() const { return statements_.size(); }

    size_t text_bytes() const { return text_bytes_; }

private:
    friend class StatementRef;
    void forget(Statement& statement);

    std::unordered_map<Digest128, std::unique_ptr<Statement>, DigestHash> statements_;
    size_t text_bytes_ = 0;
};

/// The names that one client has prepared.
class ClientStatements {
public:
    /// nullptr: not prepared by this client.
    const StatementRef* find(std::string_view name) const;
    void put(std::string_view name, StatementRef statement);
    void erase(std::string_view name);
    void clear();

    size_t size() const { return names_.size(); }

    /// Units: bytes, as limits.prepared_per_client counts them.
    static size_t cost(std::string_view name, const Statement& statement);

    size_t bytes() const { return bytes_; }

    /// `visit`(name, statement), in no order.
    template <class Visitor>
    void for_each(Visitor&& visit) const {
        for (const auto& [name, statement] : names_) visit(name, *statement);
    }

private:
    std::unordered_map<std::string, StatementRef, TextHash, std::equal_to<>> names_;
    size_t bytes_ = 0;
};

/// One entry on its way to another worker.
struct CarriedStatement {
    Digest128 digest{};
    uint32_t text_bytes = 0;
    bool confirmed = false;  // otherwise nobody knows whether the server has it
};

/// The statements that one server has, the least recently used first to go.
class ServerStatements {
public:
    enum class State : uint8_t {
        Absent,
        Present,
        Pending,   // its Parse is under way in the batch that is open
        Doubtful,  // its Parse was sent in an earlier batch that may have been skipped
    };

    ServerStatements() = default;
    ServerStatements(const ServerStatements&) = delete;
    ServerStatements& operator=(const ServerStatements&) = delete;

    /// Looks a statement up and marks it as used.
    State use(const Digest128& digest, uint32_t batch);
    void add_pending(const Digest128& digest, uint32_t text_bytes, uint32_t batch);
    void confirm(const Digest128& digest);

    /// pgweir closes it; until that is confirmed nobody knows whether the server has it.
    void begin_close(const Digest128& digest);
    void closed(const Digest128& digest);
    void close_skipped(const Digest128& digest);

    /// A Parse or Close of it was skipped: whether the server has it is not known any more.
    void doubt(const Digest128& digest);
    void erase(const Digest128& digest);
    void clear();

    /// The statement to close so that the limits hold again; false when they do.
    bool over_limit(uint32_t count_max, uint64_t bytes_max, Digest128& oldest);

    size_t size() const { return by_use_.size(); }

    template <class Visitor>
    void for_each_oldest_first(Visitor&& visit) {
        by_use_.for_each([&](Entry& entry) {
            visit(CarriedStatement{entry.digest, entry.text_bytes, entry.confirmed});
        });
    }

private:
    struct Entry : ListHook {
        Digest128 digest{};
        uint32_t text_bytes = 0;
        uint32_t batch = 0;
        bool confirmed = false;
        bool closing = false;  // True exactly when it is not in by_use_: a Close is under way.
        uint32_t closes = 0;   // of pgweir's own that are not answered
    };

    void leave(Entry& entry);
    void enter(Entry& entry);

    std::unordered_map<Digest128, Entry, DigestHash> entries_;
    IntrusiveList<Entry> by_use_;
    uint64_t text_bytes_ = 0;
};

std::string server_statement_name(const Digest128& digest);

/// What a request in the ledger changes once the server confirms it.
struct StatementChange {
    enum class Kind : uint8_t {
        ClientAdded,   // the client prepared a name; here or already at the server
        ClientClosed,  // the client closed a name
        Injected,      // pgweir prepared it on this server for a client that has it
        Evicted,       // pgweir closed it on this server
        Deallocated,   // the client's DEALLOCATE closed it on this server
    };

    Kind kind;
    std::string name;  // the client's, where it has to do with it
    StatementRef statement;
    Digest128 digest{};
    bool sent = false;  // True exactly when a Parse or Close went to the server for it.
};

}  // namespace pgweir::session
