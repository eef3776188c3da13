#include "pgweir/base/planted.h"
#include "pgweir/session/errors.h"
#include "pgweir/sql/hints.h"
#include "pgweir/sql/transactions.h"
#include "pgweir/wire/backend.h"
#include "pgweir/wire/frame.h"
#include "pgweir/wire/frontend.h"
#include "session/parts.h"

#include <algorithm>

/// Transactions that begin with their first statement (lazy_begin): BEGIN is answered here, and
/// stands in front of that statement when it goes to a server. One that ends before it touched a
/// server is answered here as a whole; so is one that failed before.
/// See docs/adr/0020.
namespace pgweir::session {
namespace {

using sql::TransactionCommand;
using sql::TransactionVerb;

/// A request that is one statement without values and nothing else: a simple query, or Parse and
/// Bind or Bind, perhaps Describe, Execute and Sync.
struct Alone {
    std::string_view text{};
    Bytes parsed{};  // what its Parse holds, if it has one
    bool extended = false;
    bool described = false;
    size_t bytes = 0;
};

/// Reads one message after the other; false: it has not come as a whole.
class Messages {
public:
    explicit Messages(Bytes input) : input_(input) {}

    bool next() {
        const Bytes rest = input_.subspan(bytes_);
        const auto framing = wire::read_header(rest, wire::kMessageBytesMax, header_);
        if (framing != wire::Framing::Complete || rest.size() < header_.total_bytes()) return false;
        bytes_ += header_.total_bytes();
        body_ = rest.subspan(wire::kHeaderBytes, header_.body_bytes);
        return true;
    }

    char type() const { return header_.type; }

    Bytes body() const { return body_; }

    size_t bytes() const { return bytes_; }

private:
    Bytes input_;
    Bytes body_{};
    wire::FrameHeader header_{};
    size_t bytes_ = 0;
};

/// Formats of values, values, formats of results: of the first two there are none.
bool binds_nothing(Bytes rest) {
    constexpr size_t kCounts = 4;
    constexpr size_t kFormat = 2;
    if (rest.size() < kCounts + kFormat) return false;
    const auto is_zero = [](uint8_t byte) { return byte == 0; };
    const size_t formats = load_be16(rest.data() + kCounts);
    return std::all_of(rest.begin(), rest.begin() + kCounts, is_zero) &&
           rest.size() == kCounts + kFormat + formats * kFormat;
}

// Behind the text of a statement: its NUL, and a count of types that is none.
constexpr size_t kNoTypes = 3;

/// The text of a statement without parameters; empty: it has some.
std::string_view text_alone(std::string_view query_and_types) {
    const std::string_view text = query_and_types.substr(0, query_and_types.find('\0'));
    return query_and_types.size() == text.size() + kNoTypes ? text : std::string_view();
}

/// The text of an unnamed Parse, or of the statement that a Bind names; empty: of another message,
/// or nobody knows it here.
std::string_view text_of(const ClientSession& client, char type, Bytes body) {
    std::string_view text;
    if (type == 'P') {
        const auto parse = wire::decode_parse(body);
        if (parse && parse->statement.empty()) text = as_text(parse->query_and_types);
    } else if (type == 'B') {
        const auto bind = wire::decode_bind(body);
        if (!bind || !bind->portal.empty() || !binds_nothing(bind->rest)) return {};
        const StatementRef* named = client.statements != nullptr && !bind->statement.empty()
                                        ? client.statements->find(bind->statement)
                                        : nullptr;
        if (named != nullptr) text = (*named)->query_and_types;
        if (bind->statement.empty()) text = client.unnamed_statement;
    }
    return text_alone(text);
}

bool is_of_unnamed_portal(char type, Bytes body) {
    constexpr size_t kNameAndCount = 5;
    if (type == 'E') return body.size() == kNameAndCount && body[0] == 0;
    const auto message = wire::decode_describe(body);
    return message && message->target == wire::Target::Portal && message->name.empty();
}

std::optional<Alone> read_alone(const ClientSession& client, Bytes input) {
    Messages messages(input);
    if (!messages.next()) return std::nullopt;
    Alone alone;
    if (messages.type() == 'Q') {
        const auto text = wire::decode_text(messages.body());
        if (!text) return std::nullopt;
        alone.text = *text;
        alone.bytes = messages.bytes();
        return alone;
    }
    alone.extended = true;
    alone.text = text_of(client, messages.type(), messages.body());
    // What most texts are is known by now.
    if (sql::transaction_command(alone.text).verb == TransactionVerb::None) return std::nullopt;
    if (messages.type() == 'P') {
        alone.parsed = messages.body().subspan(1);  // behind its empty name
        if (!messages.next() || messages.type() != 'B') return std::nullopt;
        const auto bind = wire::decode_bind(messages.body());
        const bool fits =
            bind && bind->statement.empty() && bind->portal.empty() && binds_nothing(bind->rest);
        if (!fits) return std::nullopt;
    }
    if (!messages.next()) return std::nullopt;
    if (messages.type() == 'D') {
        alone.described = is_of_unnamed_portal('D', messages.body());
        if (!alone.described || !messages.next()) return std::nullopt;
    }
    const bool runs = messages.type() == 'E' && is_of_unnamed_portal('E', messages.body());
    const bool ends = runs && messages.next() && messages.type() == 'S';
    if (!ends || !messages.body().empty()) return std::nullopt;
    alone.bytes = messages.bytes();
    return alone;
}

/// What PostgreSQL calls it when it is done.
std::string_view tag_of(TransactionVerb verb) {
    switch (verb) {
        case TransactionVerb::Begin: return "BEGIN";
        case TransactionVerb::Start: return "START TRANSACTION";
        case TransactionVerb::SetTransaction: return "SET";
        case TransactionVerb::Commit: return "COMMIT";
        case TransactionVerb::Rollback:
        case TransactionVerb::Prepare:
        case TransactionVerb::None: break;
    }
    return "ROLLBACK";
}

/// A simple query ends the unnamed statement, and a Parse makes another one.
void note_unnamed(Engine& engine, ClientSession& client, Bytes query_and_types) {
    client.unnamed_statement.assign(as_text(query_and_types));
    const std::string_view query = as_text(query_and_types);
    client.unnamed_effects = sql::effects_of(query.substr(0, query.find('\0')));
    client.unnamed_version = query_and_types.empty() ? 0 : engine.next_unnamed_version();
}

void answer(Engine& engine, ClientSession& client, const Alone& alone, std::string_view tag) {
    wire::Writer out;
    if (!alone.parsed.empty()) out.begin('1').end();
    if (alone.extended) out.begin('2').end();
    if (alone.described) out.begin('n').end();
    wire::encode_command_complete(out, tag);
    wire::encode_ready(out, status_of(client));
    if (!alone.extended || !alone.parsed.empty()) note_unnamed(engine, client, alone.parsed);
    ++client.pool->stats.queries;
    engine.send(client, out.bytes());
}

/// Nothing that its session, or whoever decides where it goes, has to say about it.
bool may_wait(const ClientSession& client, std::string_view text) {
    const Pool& pool = *client.pool;
    const bool pooled = pool.limits.lazy_begin && pool.limits.mode == config::PoolMode::Transaction;
    // Notifications are told between transactions only.
    if (!pooled || client.subscription != nullptr) return false;
    if (pool.routes == nullptr) return true;
    const bool asked =
        client.settings.wish() != sql::Wish::Auto || sql::hint_of(text).wish != sql::Wish::Auto;
    return !asked && !pool.routes->decisions->has_rules();
}

/// COMMIT or ROLLBACK of a transaction that no server knows of.
void end(ClientSession& client, bool chains) {
    if (!client.begun.counted) {
        ++client.pool->stats.transactions;
        ++client.pool->stats.transactions_untouched;
    }
    // PostgreSQL too forgets the modes of one that has failed.
    const bool failed = client.begun.state == Begun::State::Failed;
    const sql::TransactionModes modes = failed ? sql::TransactionModes{} : client.begun.modes;
    client.begun = {};
    if (chains) client.begun = {.state = Begun::State::Deferred, .modes = modes};
}

/// The tag of what was done here; empty: a server has to do it.
std::string_view carry_out(Engine& engine, ClientSession& client, const Alone& alone) {
    const TransactionCommand command = sql::transaction_command(alone.text);
    const bool failed = client.begun.state == Begun::State::Failed;
    switch (command.verb) {
        case TransactionVerb::Begin:
        case TransactionVerb::Start:
            // A second one gets PostgreSQL's warning.
            if (client.begun.any() || !may_wait(client, alone.text)) return {};
            client.begun = {.state = Begun::State::Deferred, .modes = command.modes};
            ++client.pool->stats.begins_deferred;
            break;
        case TransactionVerb::SetTransaction:
            if (client.begun.state != Begun::State::Deferred) return {};
            client.begun.modes.override_with(command.modes);
            break;
        case TransactionVerb::Commit:
        case TransactionVerb::Rollback:
            if (!client.begun.any()) return {};
            end(client, command.chains);
            break;
        case TransactionVerb::Prepare:
            if (!failed) return {};
            end(client, false);
            break;
        case TransactionVerb::None: return {};
    }
    client.query_started = engine.now();
    engine.rest_anew(client);
    return tag_of(failed ? TransactionVerb::Rollback : command.verb);
}

}  // namespace

wire::TransactionStatus status_of(const ClientSession& client) {
    switch (client.begun.state) {
        case Begun::State::None: return wire::TransactionStatus::Idle;
        case Begun::State::Deferred: return wire::TransactionStatus::Open;
        case Begun::State::Failed: break;
    }
    return wire::TransactionStatus::Failed;
}

void fail_request(Engine& engine, ClientSession& client, const Error& error) {
    if (client.begun.any()) client.begun.state = Begun::State::Failed;
    client.query_started = engine.now();
    wire::Writer out;
    wire::encode_error(out, error);
    wire::encode_ready(out, status_of(client));
    engine.send(client, out.bytes());
}

size_t answer_begun(Engine& engine, ClientSession& client, Bytes input) {
    if (!client.begun.any() && !client.pool->limits.lazy_begin) return 0;
    const auto alone = read_alone(client, input);
    if (!alone) return 0;
    const std::string_view tag = carry_out(engine, client, *alone);
    if (tag.empty()) return 0;
    answer(engine, client, *alone, tag);
    send_away_if_due(engine, client);
    return alone->bytes;
}

void fail_at_server(Engine& engine, ServerConn& server) {
    // Its error, which nobody is told, says in PostgreSQL's log what it is for.
    constexpr std::string_view kFails =
        "; SELECT 'pgweir: the transaction had failed before it had a server'::pg_catalog.int4";
    server.began = std::exchange(server.client->begun, {});
    const std::string begin = sql::begin_text(server.began.modes);
    send_internal_query(engine, server, begin + std::string(kFails), MayFail::Yes);
}

void failed_at_server(Engine& engine, ServerConn& server) {
    const Begun begun = std::exchange(server.began, {});
    if (server.status == wire::TransactionStatus::Failed) return;
    if (server.status != wire::TransactionStatus::Idle) {
        break_up(engine, server, server_out_of_step(), "a transaction did not fail");
        return;
    }
    server.client->begun = begun;  // a cancel has hit its BEGIN: once more
    release(engine, server);
}

void begin_has_failed(ServerConn& server) {
    if (planted(Bug::BeginFailureForgotten)) return;
    server.client->begun = {
        .state = Begun::State::Failed, .counted = true, .modes = server.began.modes};
}

}  // namespace pgweir::session
