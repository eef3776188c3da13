#pragma once

#include "pgweir/session/engine.h"
#include "pgweir/session/gather.h"
#include "pgweir/wire/frame.h"
#include "pgweir/wire/frontend.h"

/// Messages that name a prepared statement, on their way from a client to its server: names are
/// exchanged for the server's, and what the server lacks is prepared first. Statements that the
/// client never prepared pass untouched, so that PostgreSQL itself says 26000 in the right place.
/// See: protocol-flow.html#PROTOCOL-FLOW-EXT-QUERY
namespace pgweir::session {

/// What a text may do that is too long to be looked into.
inline constexpr sql::Effects kUnreadEffects =
    sql::Effect::MayChangeSession | sql::Effect::MayHideSettings |
    sql::Effect::MayForgetStatements | sql::Effect::MayFree;

/// True exactly when what is sent behind it has to wait until it is known what it left: names that
/// it forgets, and settings that the client has to get back first.
constexpr bool holds_others(sql::Effects effects) {
    return effects.has(sql::Effect::MayForgetStatements) || effects.has(sql::Effect::MayReset);
}

enum class FirstStatement : uint8_t { AsQuery, InBatch };

class StatementPump {
public:
    /// Units: bytes. A longer unnamed statement is not remembered beyond its transaction.
    static constexpr size_t kUnnamedKeptMax = 16384;

    StatementPump(Engine& engine, ClientSession& client, ServerConn& server, Gather& out)
        : engine_(engine), client_(client), server_(server), out_(out) {}

    /// False: the client holds too much already, nothing was sent.
    bool parse_named(const wire::ParseMessage& parse);

    /// From now on it is the client's unnamed statement. Returns what it may do to the session.
    sql::Effects remember_unnamed(const wire::ParseMessage& parse);

    /// One that is too long to be remembered.
    void remember_unread();

    /// Notes the Parse of what was remembered last, which passes as it is.
    void parse_unnamed();

    /// A simple query, as PostgreSQL has it, ends the unnamed statement.
    void forget_unnamed();

    /// What the client prepared under this name, or nullptr.
    const StatementRef* find(std::string_view name) const;

    /// What may happen to the session when it runs. `statement`: what find() says of its name.
    sql::Effects effects_of(const wire::BindMessage& bind, const StatementRef* statement) const;

    /// True: header and names are out, the values of the message are in `out` too as far as
    /// they have arrived. False: the message passes as it is. `statement` as above.
    bool bind(const wire::BindMessage& bind,
              const StatementRef* statement,
              const wire::FrameHeader& header);

    /// A query that forgets a statement of this name, where the client has one. False: it has none,
    /// nothing was sent.
    bool deallocate(std::string_view name);

    /// Sends the BEGIN that was answered before, in front of the first statement behind it.
    void begin(const sql::TransactionModes& modes, FirstStatement by);

    /// Puts the client's token into its server, in front of a Bind of SHOW pgweir.token.
    void tell_token();

    void describe(const wire::DescribeMessage& describe, Bytes frame);
    void close(const wire::DescribeMessage& close, Bytes frame);

    /// True exactly when nothing in the ledger will be answered by the server.
    bool only_synthesized() const;

private:
    void note_run(sql::Effects effects, std::string_view query_and_types);
    void expect(Request request, Delivery delivery, StatementChange* change = nullptr);
    void expect_of_begin(Request request);
    void expect_use(Request request, const StatementRef* statement);
    void ensure_at_server(const StatementRef& statement);
    void ensure_unnamed();
    void inject_parse(const StatementRef& statement);
    void inject_close(std::string_view server_name, StatementChange* change);
    void forward_parse(const Statement& statement);
    void keep_server_within_limits();
    void send_header(char type, size_t body_bytes);
    void pass_unknown(char type, wire::Target target, std::string_view name, Bytes frame);

    Engine& engine_;
    ClientSession& client_;
    ServerConn& server_;
    Gather& out_;
};

}  // namespace pgweir::session
