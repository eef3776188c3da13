#include "session/statement_pump.h"

#include "pgweir/base/planted.h"
#include "pgweir/wire/writer.h"
#include "session/parts.h"

namespace pgweir::session {
namespace {

bool is_reserved(std::string_view name) {
    return name.substr(0, kStatementPrefix.size()) == kStatementPrefix &&
           !planted(Bug::ReservedPrefixOpen);
}

std::string_view query_text(Bytes query_and_types) {
    const std::string_view all = as_text(query_and_types);
    return all.substr(0, all.find('\0'));
}

constexpr std::string_view kNobodysStatement = "Pgweir_reserved_prefix";

}  // namespace

void StatementPump::expect(Request request, Delivery delivery, StatementChange* change) {
    server_.pipeline.expect({.request = request, .delivery = delivery, .change = change}, server_);
}

void StatementPump::expect_use(Request request, const StatementRef* statement) {
    const uint32_t epoch = statement != nullptr ? (*statement)->epoch : 0;
    server_.pipeline.expect({.request = request, .epoch = epoch}, server_);
}

const StatementRef* StatementPump::find(std::string_view name) const {
    if (client_.statements == nullptr || name.empty()) return nullptr;
    return client_.statements->find(name);
}

bool StatementPump::only_synthesized() const {
    return server_.pipeline.size() == server_.pipeline.synthesized();
}

void StatementPump::send_header(char type, size_t body_bytes) {
    std::array<uint8_t, wire::kHeaderBytes> header{static_cast<uint8_t>(type)};
    store_be32(header.data() + 1, static_cast<uint32_t>(body_bytes + wire::kLengthWordBytes));
    out_.add_copy(header);
}

bool StatementPump::parse_named(const wire::ParseMessage& parse) {
    if (client_.statements == nullptr) client_.statements = std::make_unique<ClientStatements>();
    if (const StatementRef* known = client_.statements->find(parse.statement)) {
        // The name is taken: a second Parse under the server's name makes PostgreSQL say 42P05.
        const StatementRef statement = *known;
        ensure_at_server(statement);
        expect(Request::Parse, Delivery::Forward);
        forward_parse(*statement);
        return true;
    }
    StatementRef statement = engine_.intern(parse.query_and_types);
    const uint64_t held =
        client_.statements->bytes() + ClientStatements::cost(parse.statement, *statement);
    if (held > engine_.config().limits.prepared_per_client) return false;
    client_.statements->put(parse.statement, statement);

    const auto state = server_.statements.use(statement->digest, server_.pipeline.batch());
    const bool may_be_refused =
        server_.status == wire::TransactionStatus::Failed || server_.pipeline.batch_pending();
    StatementChange* change = engine_.make_change({.kind = StatementChange::Kind::ClientAdded,
                                                   .name = std::string(parse.statement),
                                                   .statement = statement,
                                                   .digest = statement->digest});
    // Pending is as good: if that Parse fails, this one is skipped too.
    const bool there =
        state == ServerStatements::State::Present || state == ServerStatements::State::Pending;
    if (there && !may_be_refused) {
        expect(Request::Parse, Delivery::Synthesize, change);
        return true;
    }
    // In a failed transaction PostgreSQL has to refuse it itself, so it is really sent; and also
    // where what was sent before may yet fail the transaction.
    if (state != ServerStatements::State::Absent) inject_close(statement->server_name, nullptr);
    change->sent = true;
    server_.statements.add_pending(statement->digest,
                                   static_cast<uint32_t>(statement->query_and_types.size()),
                                   server_.pipeline.batch());
    expect(Request::Parse, Delivery::Forward, change);
    forward_parse(*statement);
    keep_server_within_limits();
    return true;
}

void StatementPump::forward_parse(const Statement& statement) {
    ++server_.pool.stats.server_parses;
    const std::string& name = statement.server_name;
    send_header('P', name.size() + 1 + statement.query_and_types.size());
    out_.add_copy({as_bytes(name).data(), name.size() + 1});  // with its NUL
    out_.add_copy(as_bytes(statement.query_and_types));
}

sql::Effects StatementPump::remember_unnamed(const wire::ParseMessage& parse) {
    // Many a client parses the same text again and again: what it may do is known then.
    const std::string_view text = as_text(parse.query_and_types);
    if (client_.unnamed_statement != text) {
        client_.unnamed_statement.assign(text);
        client_.unnamed_effects = sql::effects_of(parse.query);
    }
    return client_.unnamed_effects;
}

void StatementPump::remember_unread() {
    client_.unnamed_statement.clear();
    client_.unnamed_effects = kUnreadEffects;
}

void StatementPump::parse_unnamed() {
    client_.unnamed_version = engine_.next_unnamed_version();
    server_.unnamed_version = client_.unnamed_version;
    ++server_.pool.stats.server_parses;
    server_.pipeline.expect({.request = Request::Parse, .unnamed = true}, server_);
}

void StatementPump::forget_unnamed() {
    client_.unnamed_statement.clear();
    client_.unnamed_version = 0;
    server_.unnamed_version = 0;
}

void StatementPump::ensure_unnamed() {
    const bool there =
        client_.unnamed_version != 0 && server_.unnamed_version == client_.unnamed_version;
    if (there) return;
    if (client_.unnamed_statement.empty()) {
        // It holds a stranger's, and this client has none, or one too long to be kept: PostgreSQL
        // shall say so. The Close may be skipped, and then the stranger's is still there.
        server_.unnamed_version = 0;
        inject_close({}, nullptr);
        return;
    }
    server_.unnamed_version = client_.unnamed_version;
    server_.pipeline.expect(
        {.request = Request::Parse, .delivery = Delivery::Swallow, .unnamed = true}, server_);
    send_header('P', 1 + client_.unnamed_statement.size());
    constexpr uint8_t kNoName = 0;
    out_.add_copy({&kNoName, 1});
    out_.add_copy(as_bytes(client_.unnamed_statement));
}

void StatementPump::ensure_at_server(const StatementRef& statement) {
    switch (server_.statements.use(statement->digest, server_.pipeline.batch())) {
        case ServerStatements::State::Present:
        case ServerStatements::State::Pending: return;
        case ServerStatements::State::Doubtful:
            inject_close(statement->server_name, nullptr);
            inject_parse(statement);
            return;
        case ServerStatements::State::Absent:
            inject_parse(statement);
            keep_server_within_limits();
            return;
    }
}

void StatementPump::inject_parse(const StatementRef& statement) {
    StatementChange* change = engine_.make_change({.kind = StatementChange::Kind::Injected,
                                                   .name = {},
                                                   .statement = statement,
                                                   .digest = statement->digest,
                                                   .sent = true});
    server_.statements.add_pending(statement->digest,
                                   static_cast<uint32_t>(statement->query_and_types.size()),
                                   server_.pipeline.batch());
    expect(Request::Parse, planted(Bug::InjectedReplyShown) ? Delivery::Forward : Delivery::Swallow,
           change);
    forward_parse(*statement);
}

void StatementPump::inject_close(std::string_view server_name, StatementChange* change) {
    expect(Request::Close, Delivery::Swallow, change);
    wire::Writer out;
    wire::encode_describe(out, 'C', wire::Target::Statement, server_name);
    out_.add_copy(out.bytes());
}

void StatementPump::keep_server_within_limits() {
    if (server_.pipeline.skipping())
        return;  // a Close would not arrive; the next batch will see to it
    const auto& limits = engine_.config().limits;
    Digest128 oldest{};
    while (server_.statements.over_limit(limits.prepared_per_server,
                                         limits.prepared_per_server_size, oldest)) {
        server_.statements.begin_close(oldest);
        StatementChange* change = engine_.make_change({.kind = StatementChange::Kind::Evicted,
                                                       .name = {},
                                                       .statement = {},
                                                       .digest = oldest,
                                                       .sent = true});
        inject_close(server_statement_name(oldest), change);
    }
}

sql::Effects StatementPump::effects_of(const wire::BindMessage& bind,
                                       const StatementRef* statement) const {
    if (bind.statement.empty()) return client_.unnamed_effects;
    return statement != nullptr ? (*statement)->effects : sql::Effects{};
}

void StatementPump::note_run(sql::Effects effects, std::string_view query_and_types) {
    if (!effects.any()) return;
    note_effects(client_, server_, effects, query_text(as_bytes(query_and_types)));
    client_.hold_at_sync = client_.hold_at_sync || holds_others(effects);
}

bool StatementPump::bind(const wire::BindMessage& bind,
                         const StatementRef* statement,
                         const wire::FrameHeader& header) {
    std::string_view name = bind.statement;
    if (statement != nullptr) {
        ensure_at_server(*statement);
        name = (*statement)->server_name;
        note_run((*statement)->effects, (*statement)->query_and_types);
    } else if (bind.statement.empty()) {
        ensure_unnamed();
        note_run(client_.unnamed_effects, client_.unnamed_statement);
    } else if (is_reserved(bind.statement)) {
        name = kNobodysStatement;
    }
    expect_use(Request::Bind, statement);
    if (name.data() == bind.statement.data()) return false;

    send_header('B', header.body_bytes - bind.statement.size() + name.size());
    out_.add_copy({as_bytes(bind.portal).data(), bind.portal.size() + 1});  // with its NUL
    out_.add_copy(as_bytes(name));
    constexpr uint8_t kEnd = 0;
    out_.add_copy({&kEnd, 1});
    out_.add(bind.rest);
    return true;
}

void StatementPump::begin(const sql::TransactionModes& modes, FirstStatement by) {
    // If it fails, the server skips what stands behind it, be that a batch or a simple query. Its
    // statement is the unnamed one, which pg_prepared_statements does not show.
    server_.unnamed_version = 0;
    expect_of_begin(Request::Parse);
    expect_of_begin(Request::Bind);
    expect_of_begin(Request::Execute);
    out_.add_copy(as_bytes(engine_.begin_messages(modes)));
    if (by == FirstStatement::AsQuery) return;
    // Nobody shall find a portal that is not his own; a simple query ends it in any case.
    constexpr std::array<uint8_t, 7> kCloseUnnamedPortal{'C', 0, 0, 0, 6, 'P', 0};
    expect_of_begin(Request::Close);
    out_.add_copy(kCloseUnnamedPortal);
}

void StatementPump::expect_of_begin(Request request) {
    server_.pipeline.expect({.request = request, .delivery = Delivery::Swallow, .begins = true},
                            server_);
}

void StatementPump::tell_token() {
    constexpr std::string_view kText = "SELECT pg_catalog.set_config('pgweir.token',$1,false)";
    constexpr std::string_view kPortal = "pgweir_token";
    const std::string query_and_types = std::string(kText) + std::string(3, '\0');  // no types
    const StatementRef statement = engine_.intern(as_bytes(query_and_types));
    ensure_at_server(statement);
    const std::string token = token_to_tell(client_, server_);
    wire::Writer out;
    wire::encode_bind(out, kPortal, statement->server_name, token);
    wire::encode_execute(out, kPortal);
    wire::encode_describe(out, 'C', wire::Target::Portal, kPortal);
    expect(Request::Bind, Delivery::Swallow);
    expect(Request::Execute, Delivery::Swallow);
    expect(Request::Close, Delivery::Swallow);
    out_.add_copy(out.bytes());
    note_token_told(engine_, server_, token);
}

void StatementPump::pass_unknown(char type,
                                 wire::Target target,
                                 std::string_view name,
                                 Bytes frame) {
    if (target == wire::Target::Portal || !is_reserved(name)) {
        out_.add(frame);
        return;
    }
    wire::Writer out;
    wire::encode_describe(out, type, target, kNobodysStatement);
    out_.add_copy(out.bytes());
}

bool StatementPump::deallocate(std::string_view name) {
    const StatementRef* known = find(name);
    if (known == nullptr) return false;
    const StatementRef statement = *known;
    ensure_at_server(statement);
    forget_unnamed();
    StatementChange* change = engine_.make_change({.kind = StatementChange::Kind::Deallocated,
                                                   .name = std::string(name),
                                                   .statement = statement,
                                                   .digest = statement->digest,
                                                   .sent = true});
    expect(Request::Query, Delivery::Forward, change);
    wire::Writer out;
    wire::encode_query(out, "DEALLOCATE \"" + statement->server_name + "\"");
    out_.add_copy(out.bytes());
    return true;
}

void StatementPump::describe(const wire::DescribeMessage& describe, Bytes frame) {
    const bool of_statement = describe.target == wire::Target::Statement;
    const StatementRef* statement = of_statement ? find(describe.name) : nullptr;
    if (statement != nullptr) ensure_at_server(*statement);
    if (of_statement && describe.name.empty()) ensure_unnamed();
    expect_use(Request::Describe, statement);
    if (statement == nullptr) {
        pass_unknown('D', describe.target, describe.name, frame);
        return;
    }
    wire::Writer out;
    wire::encode_describe(out, 'D', wire::Target::Statement, (*statement)->server_name);
    out_.add_copy(out.bytes());
}

void StatementPump::close(const wire::DescribeMessage& close, Bytes frame) {
    const bool of_statement = close.target == wire::Target::Statement;
    const StatementRef* statement = of_statement ? find(close.name) : nullptr;
    if (statement == nullptr) {
        if (of_statement && close.name.empty()) forget_unnamed();
        expect(Request::Close, Delivery::Forward);
        pass_unknown('C', close.target, close.name, frame);
        return;
    }
    // The server keeps it for the next client that prepares the same.
    StatementChange* change = engine_.make_change({.kind = StatementChange::Kind::ClientClosed,
                                                   .name = std::string(close.name),
                                                   .statement = *statement,
                                                   .digest = (*statement)->digest});
    client_.statements->erase(close.name);
    expect(Request::Close, Delivery::Synthesize, change);
}

size_t answer_known_parse(Engine& engine, ClientSession& client, Bytes input) {
    wire::FrameHeader header;
    const uint64_t limit = engine.config().limits.statement_size;
    if (wire::read_header(input, static_cast<uint32_t>(limit), header) != wire::Framing::Complete ||
        header.type != 'P' || input.size() < header.total_bytes() + wire::kHeaderBytes) {
        return 0;
    }
    wire::FrameHeader sync;
    const Bytes after = input.subspan(header.total_bytes());
    if (wire::read_header(after, 0, sync) != wire::Framing::Complete || sync.type != 'S') return 0;
    const auto parse = wire::decode_parse(input.subspan(wire::kHeaderBytes, header.body_bytes));
    if (!parse || parse->statement.empty()) return 0;
    // In a transaction that has failed PostgreSQL refuses it.
    if (client.begun.state == Begun::State::Failed) return 0;
    if (client.statements == nullptr) client.statements = std::make_unique<ClientStatements>();
    if (client.statements->find(parse->statement) != nullptr) return 0;
    StatementRef statement = engine.intern(parse->query_and_types);
    const uint64_t held =
        client.statements->bytes() + ClientStatements::cost(parse->statement, *statement);
    if (held > engine.config().limits.prepared_per_client) return 0;
    if (!client.pool->known_statements.contains(statement->digest)) return 0;

    ++client.pool->stats.client_parses;
    client.statements->put(parse->statement, std::move(statement));
    wire::Writer out;
    out.begin('1').end();
    wire::encode_ready(out, status_of(client));
    engine.send(client, out.bytes());
    engine.rest_anew(client);
    return header.total_bytes() + sync.total_bytes();
}

void ServerConn::on_confirmed(const Expected& entry) {
    StatementChange& change = *entry.change;
    const bool prepared = change.kind == StatementChange::Kind::ClientAdded ||
                          change.kind == StatementChange::Kind::Injected;
    if (prepared && change.sent) {
        statements.confirm(change.digest);
        pool.its_home().known_statements.add(change.digest);
    }
    if (change.kind == StatementChange::Kind::Evicted) statements.closed(change.digest);
    if (change.kind == StatementChange::Kind::Deallocated) {
        statements.doubt(change.digest);  // gone, unless the query failed
        if (client != nullptr && client->statements != nullptr) {
            client->statements->erase(change.name);
        }
    }
    engine.drop_change(&change);
}

void ServerConn::on_unnamed_lost(bool by_client) {
    unnamed_version = 0;
    // What pgweir parsed for its client is still what the client has.
    if (!by_client || client == nullptr || retry_due) return;
    // PostgreSQL drops the old one before it looks at the new. Where the Parse was only skipped it
    // keeps the old one, whose text is not known any more: then Bind is told that there is none.
    client->unnamed_statement.clear();
    client->unnamed_version = 0;
}

void ServerConn::on_skipped(const Expected& entry) {
    StatementChange& change = *entry.change;
    switch (change.kind) {
        case StatementChange::Kind::ClientAdded:
            if (change.sent) statements.doubt(change.digest);
            if (planted(Bug::FailedParseKept)) break;
            if (client != nullptr && client->statements != nullptr) {
                client->statements->erase(change.name);
            }
            break;
        case StatementChange::Kind::Injected: statements.doubt(change.digest); break;
        case StatementChange::Kind::ClientClosed:
            if (change.statement && client != nullptr && client->statements != nullptr) {
                client->statements->put(change.name, change.statement);
            }
            break;
        case StatementChange::Kind::Deallocated: statements.doubt(change.digest); break;
        case StatementChange::Kind::Evicted: statements.close_skipped(change.digest); break;
    }
    engine.drop_change(&change);
}

}  // namespace pgweir::session
