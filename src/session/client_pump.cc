#include "pgweir/session/errors.h"
#include "pgweir/session/gather.h"
#include "pgweir/sql/hints.h"
#include "pgweir/wire/frame.h"
#include "pgweir/wire/frontend.h"
#include "session/parts.h"
#include "session/statement_pump.h"

#include <algorithm>

/// What a client sends to its server: noted in the ledger and passed on, as a rule uncopied.
namespace pgweir::session {
namespace {

/// Forwards what an attached client sends.
class ClientPump {
public:
    enum class Sending : uint8_t { First, Again };

    ClientPump(Engine& engine,
               ClientSession& client,
               ServerConn& server,
               Sending sending = Sending::First)
        : again_(sending == Sending::Again),
          engine_(engine),
          client_(client),
          server_(server),
          out_(*server.stream),
          statements_(engine, client, server, out_),
          message_max_(message_bytes_max(engine)) {}

    /// Units: bytes taken from `input`.
    size_t run(Bytes all) {
        size_t used = 0;
        if (!again_ && server_.repeats() && !planted(Bug::BatchOvertaken)) return 0;
        const bool begins = server_.pipeline.empty() && is_outside() && client_.passing == 0;
        if (begins) {
            // Whoever has just got its server began when it got it.
            const bool stays =
                server_.pins.any() || server_.pool.limits.mode == config::PoolMode::Session;
            if (stays) server_.transaction_started = engine_.now();
            client_.names_undecided = false;
            // Behind a Flush a batch goes on, though all that was asked for is answered.
            if (server_.pipeline.at_rest()) begin_errand(all);
            // What is made in pg_temp need not say so.
            if (client_.settings.temporary_path()) {
                note_effects(client_, server_, sql::Effect::MayChangeSession, {});
                ServerConn::note_client(server_.temporary_of, client_.id);
            }
        }
        if (begins && !again_ && server_.pipeline.at_rest() && wants_other_server(all)) {
            exchange_server(engine_, client_);
            return 0;
        }
        if (client_.begun.any()) begin_first(static_cast<char>(all[0]));
        const Bytes input = allowed(all);
        while (used < input.size()) {
            const Bytes rest = input.subspan(used);
            const size_t taken = client_.passing > 0 ? pass(rest) : take_message(rest);
            if (taken == 0) break;
            used += taken;
        }
        out_.flush();
        if (client_.state == ClientState::Closed) return all.size();
        end_request(used);
        settle();
        // The rest of a message that needs no answer, such as the end of a failed COPY's data.
        if (used > 0 && client_.passing == 0) rest(engine_, server_);
        return used;
    }

private:
    /// Until the first ReadyForQuery behind a deferred BEGIN its server's status does not tell.
    bool is_outside() const {
        return server_.status == wire::TransactionStatus::Idle && !server_.began.any();
    }

    /// What the server is lent for is known from before; whoever keeps one may do anything.
    void begin_errand(Bytes input) {
        if (again_) return;
        server_.wrote = false;
        server_.end_bound = false;
        server_.errand = std::exchange(client_.errand, Errand::Any);
        if (server_.errand == Errand::Any) client_.request_left = 0;
        const bool kept = server_.pool.of_standby() && server_.errand != Errand::Any &&
                          server_.errand != Errand::Forced;
        if (kept) server_.request = as_text(input.first(client_.request_left));
    }

    /// What its client was told of before, in front of its first statement.
    void begin_first(char type) {
        if (client_.begun.state == Begun::State::Failed) {
            fail_at_server(engine_, server_);
            return;
        }
        server_.began = std::exchange(client_.begun, {});
        server_.first_sent = false;
        if (planted(Bug::BeginForgotten)) return;
        const auto by = type == 'Q' ? FirstStatement::AsQuery : FirstStatement::InBatch;
        statements_.begin(server_.began.modes, by);
    }

    /// Nothing of what its client sent now is on its way.
    bool nothing_under_way() const {
        return server_.pipeline.at_rest() || server_.pipeline.ends_with_begin();
    }

    Bytes allowed(Bytes input) const {
        if (again_ || client_.request_left == 0) return input;
        return input.first(std::min<size_t>(input.size(), client_.request_left));
    }

    /// Behind a request that was judged alone comes one that was not: it waits until it is.
    void end_request(size_t used) {
        if (again_ || client_.request_left == 0) return;
        client_.request_left -= static_cast<uint32_t>(used);
        if (client_.request_left == 0) client_.holding = true;
    }

    /// A transaction that reads at a standby: what follows is looked at when the last answer is
    /// there, for the transaction may be over then.
    bool reads_in_transaction() const {
        return server_.errand == Errand::ReadTransaction && server_.pool.of_standby();
    }

    /// What lives in one session only must not begin at a standby, where no write could follow.
    bool is_misplaced(sql::Effects effects, std::string_view text) const {
        // What was judged to read alone has neither.
        if (!server_.pool.of_standby() || server_.errand == Errand::Read) return false;
        return effects.has(sql::Effect::MayPin) || sql::misplaced_on_standby(text) ||
               (has_to_follow() && sql::chains(text));
    }

    /// With the database's consistency, what follows a transaction has to find its own node.
    bool has_to_follow() const {
        return reads_in_transaction() && shows_what_all_were_told(client_);
    }

    /// What follows it in its own batch cannot.
    bool follows_end(std::string_view text) {
        if (!has_to_follow()) return false;
        const sql::TransactionVerb verb = sql::transaction_command(text).verb;
        const bool ends =
            verb == sql::TransactionVerb::Commit || verb == sql::TransactionVerb::Rollback;
        return std::exchange(server_.end_bound, ends);
    }

    /// Only what a stranger left is in its way: what is its own is told by PostgreSQL.
    bool wants_other_server(Bytes input) const {
        const bool strangers = server_.temporary_of != 0 && server_.temporary_of != client_.id;
        if (!strangers || server_.pins.any()) return false;
        const std::string_view text = as_text(input).substr(0, kHeldBackMax);
        return server_.pool.limits.mode != config::PoolMode::Session &&
               std::search(text.begin(), text.end(), kTempBuffers.begin(), kTempBuffers.end(),
                           [](char a, char b) { return (a | 0x20) == (b | 0x20); }) != text.end();
    }

    size_t pass(Bytes rest) {
        const size_t count = std::min<size_t>(client_.passing, rest.size());
        out_.add(rest.first(count));
        client_.passing -= static_cast<uint32_t>(count);
        if (client_.passing == 0 && server_.sync_due) {
            out_.flush();
            end_skipping(server_);
        }
        return count;
    }

    size_t take_message(Bytes rest) {
        const bool held = client_.holding || server_.begin_undecided();
        if (held && !is_copied(static_cast<char>(rest[0]))) return 0;
        if (server_.pipeline.full() || is_backed_up()) {
            flush_what_is_full();
            client_.stream->pause();
            return 0;
        }
        wire::FrameHeader header;
        const auto framing = wire::read_header(rest, message_max_, header);
        if (framing == wire::Framing::Short) return judge_type(rest);
        if (framing == wire::Framing::Invalid) return stop(wire::bad_length(rest, message_max_));
        if (client_.settings.traces() && !again_ && nothing_under_way()) {
            tell_route(engine_, server_);
        }
        switch (wire::client_message(header.type)) {
            case wire::Handling::Stream: return stream(header, rest);
            case wire::Handling::Whole: return with_names(header, rest);
            case wire::Handling::Reject: break;
        }
        return stop(unknown_message_type(header.type));
    }

    /// A few bytes of its client may each have a long statement sent in front of them. What is
    /// under way brings the client back, once the server has read it.
    bool is_backed_up() {
        if (again_ || server_.pipeline.empty()) return false;
        if (std::exchange(looked_behind_, out_.flushes()) == out_.flushes()) return false;
        return server_.stream->backlog() > engine_.config().limits.output_buffer;
    }

    /// Answers of pgweir's own wait behind one that PostgreSQL keeps until it is asked for it.
    [[gnu::cold]] void flush_what_is_full() {
        const bool kept = server_.pipeline.full() && server_.pipeline.batch_open() &&
                          server_.pipeline.synthesized() > 0;
        if (!kept) return;
        constexpr std::array<uint8_t, 5> kFlush{'H', 0, 0, 0, 4};
        out_.add_copy(kFlush);
    }

    /// What a COPY under way needs to end, or ignores; outside of one PostgreSQL ignores the rest.
    bool is_copied(char type) const {
        const bool ignored = (type == 'S' || type == 'H') && server_.pipeline.takes_copy_data();
        return ignored || type == 'd' || type == 'c' || type == 'f';
    }

    /// The first byte of a message may be all that there is, and is enough to refuse it.
    [[gnu::cold]] size_t judge_type(Bytes rest) {
        const char type = static_cast<char>(rest[0]);
        if (wire::client_message(type) != wire::Handling::Reject) return 0;
        return stop(unknown_message_type(type));
    }

    [[gnu::cold]] size_t stop(const Error& error) {
        out_.flush();
        violate(engine_, client_, error);
        return 0;
    }

    /// A Bind that nothing stands in front of begins a batch that can be sent once more.
    void keep(const wire::FrameHeader& header, Bytes rest) {
        KeptBatch& kept = server_.kept;
        const bool goes_on = server_.pipeline.batch_sent() && !planted(Bug::FlushedBatchSentAgain);
        const bool begins = header.type == 'B' && !again_ && statements_.only_synthesized() &&
                            !goes_on && is_outside();
        if (begins) {
            kept.state = KeptBatch::State::Growing;
            kept.describes = false;
            kept.sent_again = 0;
            kept.bytes.clear();
        } else if (kept.state != KeptBatch::State::Growing || header.type == 'B') {
            kept.state = KeptBatch::State::Nothing;
            return;
        }
        const bool fits = rest.size() >= header.total_bytes() &&
                          kept.bytes.size() + header.total_bytes() <= KeptBatch::kMax;
        const bool plain = header.type == 'B' || header.type == 'D' || header.type == 'E' ||
                           header.type == 'S' || header.type == 'H';
        if (!fits || !plain) {
            kept.state = KeptBatch::State::Nothing;
            return;
        }
        kept.bytes += as_text(rest.first(header.total_bytes()));
        kept.describes = kept.describes || header.type == 'D';
        if (header.type == 'S') kept.state = KeptBatch::State::Whole;
    }

    size_t stream(const wire::FrameHeader& header, Bytes rest) {
        if (server_.kept.state != KeptBatch::State::Nothing) keep(header, rest);
        switch (header.type) {
            case 'Q':
                // Small ones are looked into as a whole, wherever the network cut them.
                if (rest.size() < header.total_bytes() && header.total_bytes() <= kHeldBackMax) {
                    return 0;
                }
                if (const size_t taken = deallocate(header, rest); taken > 0) return taken;
                if (is_show_of_token(header, rest)) tell_token();
                // A server that discards up to a Sync does not run it, and the Sync must reach it.
                client_.holding = note_query(header, rest) && !server_.pipeline.skipping();
                if (misplaced_) return stop(bound_to_standby(server_.node.name));
                client_.holding =
                    client_.holding || (reads_in_transaction() && !server_.pipeline.skipping());
                expect(Request::Query);
                ++server_.pool.stats.queries;
                statements_.forget_unnamed();
                break;
            case 'E':
                expect(Request::Execute);
                ++server_.pool.stats.queries;
                break;
            case 'S': sync(); break;
            case 'F':
                expect(Request::Function);
                // It names its function by a number that only PostgreSQL knows.
                note_text(client_, server_, {});
                note_effects(client_, server_,
                             sql::Effect::MayChangeSession | sql::Effect::MayHideSettings, {});
                break;
            case 'H':
                // One with a body fails, and the server waits for a Sync then.
                if (header.body_bytes > 0) server_.pipeline.note_flush();
                flush_asked_ = true;
                break;
            case 'c':
            case 'f': expect(Request::CopyEnd); break;
            case 'X':
                out_.flush();
                leave(engine_, client_);
                return 0;
        }
        return begin_passing(header, rest);
    }

    void sync() {
        const bool ignored = server_.pipeline.takes_copy_data();
        expect(Request::Sync);
        server_.end_bound = false;
        if (ignored) return;  // what waits for a Sync waits for the one behind the data
        client_.holding = std::exchange(client_.hold_at_sync, false) || reads_in_transaction();
    }

    bool is_show_of_token(const wire::FrameHeader& header, Bytes rest) const {
        if (!tells_tokens() || rest.size() < header.total_bytes()) return false;
        const auto text = wire::decode_text(rest.subspan(wire::kHeaderBytes, header.body_bytes));
        return text && sql::shows(*text, kTokenSetting);
    }

    bool tells_tokens() const { return client_.pool->routes != nullptr; }

    /// In front of a query; what PostgreSQL would discard, or refuse like the SHOW, is not sent.
    [[gnu::cold]] void tell_token() {
        const bool refused =
            server_.pipeline.skipping() || server_.status == wire::TransactionStatus::Failed;
        if (refused) return;
        if (server_.pipeline.batch_open() && !server_.pipeline.ends_with_begin()) {
            statements_.tell_token();  // a query would commit the batch, and its error be lost
            return;
        }
        out_.flush();
        session::tell_token(engine_, server_);
    }

    /// SQL's DEALLOCATE of a statement of the protocol, which has another name at the server.
    /// Units: bytes taken; zero: it is another query, or one that PostgreSQL has to refuse.
    size_t deallocate(const wire::FrameHeader& header, Bytes rest) {
        constexpr size_t kLongest = 200;
        const bool may_be = client_.statements != nullptr && rest.size() >= header.total_bytes() &&
                            header.total_bytes() <= kLongest && header.body_bytes > 0 &&
                            (rest[wire::kHeaderBytes] | 0x20) == 'd' && nothing_under_way() &&
                            server_.status != wire::TransactionStatus::Failed;
        if (!may_be) return 0;
        const auto text = wire::decode_text(rest.subspan(wire::kHeaderBytes, header.body_bytes));
        const std::string name = text ? sql::deallocated_name(*text) : std::string();
        if (!statements_.deallocate(name)) return 0;
        client_.holding = true;
        ++server_.pool.stats.queries;
        return header.total_bytes();
    }

    /// True: what comes behind the query is held. So is what comes behind one that has not come as
    /// a whole, which costs its sender nothing: its answer is awaited anyway.
    bool note_query(const wire::FrameHeader& header, Bytes rest) {
        if (rest.size() < header.total_bytes()) {
            note_text(client_, server_, {});
            note_effects(client_, server_, kUnreadEffects, {});
            return true;
        }
        const Bytes body = rest.subspan(wire::kHeaderBytes, header.body_bytes);
        const std::string_view text = as_text(body).substr(0, as_text(body).find('\0'));
        const sql::Effects effects = sql::effects_of(text);
        misplaced_ = is_misplaced(effects, text) || follows_end(text);
        note_text(client_, server_, text);
        if (effects.any()) {
            note_effects(client_, server_, effects, text);
            guard_sequences(effects);
        }
        if (effects.has(sql::Effect::NeedsDatabaseAlone)) {
            leave_databases_everywhere(engine_, server_.pool, text);
        }
        return holds_others(effects);
    }

    void guard_sequences(sql::Effects effects) {
        if (!effects.any_of(sql::kOfSequences)) return;
        out_.flush();
        session::guard_sequences(engine_, server_, effects);
    }

    size_t begin_passing(const wire::FrameHeader& header, Bytes rest) {
        const size_t count = std::min(header.total_bytes(), rest.size());
        out_.add(rest.first(count));
        client_.passing = static_cast<uint32_t>(header.total_bytes() - count);
        return count;
    }

    size_t with_names(const wire::FrameHeader& header, Bytes rest) {
        const bool whole = rest.size() >= header.total_bytes();
        const Bytes body =
            rest.subspan(wire::kHeaderBytes,
                         std::min<size_t>(header.body_bytes, rest.size() - wire::kHeaderBytes));
        switch (header.type) {
            case 'B': return bind(header, rest, body, whole);
            case 'P': return parse(header, rest, body, whole);
        }
        if (!whole) {
            return header.body_bytes > kSmallMessageMax ? stop(bad_message("Describe")) : 0;
        }
        const auto message = wire::decode_describe(body);
        if (!message) return stop(bad_message(header.type == 'C' ? "Close" : "Describe"));
        const Bytes frame = rest.first(header.total_bytes());
        const bool of_statement = message->target == wire::Target::Statement;
        if (of_statement && is_undecided(message->name)) return await_reply();
        if (server_.kept.state != KeptBatch::State::Nothing) keep(header, rest);
        if (header.type == 'C') {
            client_.names_undecided = client_.names_undecided || of_statement;
            statements_.close(*message, frame);
        } else {
            statements_.describe(*message, frame);
        }
        return header.total_bytes();
    }

    size_t bind(const wire::FrameHeader& header, Bytes rest, Bytes body, bool whole) {
        const auto message = wire::decode_bind(body);
        if (!message) {
            if (whole || body.size() > kSmallMessageMax) return stop(bad_message("Bind"));
            return 0;  // the names are still on their way
        }
        if (is_undecided(message->statement)) return await_reply();
        const StatementRef* statement = statements_.find(message->statement);
        const sql::Effects effects = statements_.effects_of(*message, statement);
        if (server_.pool.of_standby() || server_.pool.routes != nullptr) {
            const std::string_view text = text_of(*message, statement);
            if (is_misplaced(effects, text) || follows_end(text)) {
                return stop(bound_to_standby(server_.node.name));
            }
            note_text(client_, server_, text);
            if (tells_tokens() && sql::shows(text, kTokenSetting)) statements_.tell_token();
        }
        guard_sequences(effects);
        if (effects.has(sql::Effect::MayChangeSession)) {
            // Among its values may be the name of a setting.
            if (!whole && header.body_bytes <= kSmallMessageMax) return 0;
            if (whole) note_bind_values(client_, message->rest);
        }
        keep(header, rest);
        ++server_.pool.stats.binds;
        if (!statements_.bind(*message, statement, header)) return begin_passing(header, rest);
        // The names went out rewritten; the values follow as they come.
        client_.passing = static_cast<uint32_t>(header.body_bytes - body.size());
        return wire::kHeaderBytes + body.size();
    }

    /// Empty: nobody has read it. A name that was never prepared may be one of SQL's PREPARE.
    std::string_view text_of(const wire::BindMessage& bind, const StatementRef* statement) const {
        std::string_view text;
        if (statement != nullptr) {
            text = (*statement)->query_and_types;
        } else if (bind.statement.empty()) {
            text = client_.unnamed_statement;
        }
        return text.substr(0, text.find('\0'));
    }

    /// True exactly when nobody knows yet what the client's statement of this name is.
    bool is_undecided(std::string_view name) const {
        if (name.empty()) return server_.pipeline.unnamed_undecided();
        return client_.names_undecided && server_.pipeline.name_undecided(name);
    }

    /// The message is looked at again when the server has spoken.
    [[gnu::cold]] size_t await_reply() {
        client_.stream->pause();
        return 0;
    }

    size_t parse(const wire::FrameHeader& header, Bytes rest, Bytes body, bool whole) {
        // What stands behind a Parse may be about it: such a batch is not sent again.
        server_.kept.state = KeptBatch::State::Nothing;
        const bool unnamed = !body.empty() && body[0] == 0;
        const auto& limits = engine_.config().limits;
        if (!unnamed && header.body_bytes > limits.statement_size) {
            return stop(statement_too_large(limits.statement_size));
        }
        if (unnamed && header.body_bytes > StatementPump::kUnnamedKeptMax) {
            ++server_.pool.stats.client_parses;
            statements_.remember_unread();
            statements_.parse_unnamed();
            return begin_passing(header, rest);
        }
        if (!whole) return 0;
        const auto message = wire::decode_parse(body);
        if (!message) return stop(bad_message("Parse"));
        if (message->statement.empty()) {
            ++server_.pool.stats.client_parses;
            guard_sequences(statements_.remember_unnamed(*message));
            statements_.parse_unnamed();
            return begin_passing(header, rest);
        }
        if (is_undecided(message->statement)) return await_reply();
        client_.names_undecided = true;
        if (!statements_.parse_named(*message)) {
            return stop(too_much_prepared(limits.prepared_per_client));
        }
        ++server_.pool.stats.client_parses;
        return header.total_bytes();
    }

    void expect(Request request) {
        const bool runs = request == Request::Query || request == Request::Function;
        const bool ends = request == Request::Sync || (runs && !server_.pipeline.skipping());
        server_.pipeline.expect({.request = request}, server_);
        server_.first_sent = server_.first_sent || ends;
    }

    /// After the bytes went out: answers that need no server, and back-pressure.
    void settle() {
        if (server_.pipeline.synthesis_due() && (flush_asked_ || statements_.only_synthesized())) {
            deliver_synthesized(server_);
        }
        if (server_.stream->backlog() > engine_.config().limits.output_buffer) {
            client_.stream->pause();
        }
    }

    const bool again_;
    Engine& engine_;
    ClientSession& client_;
    ServerConn& server_;
    Gather out_;
    StatementPump statements_;
    const uint32_t message_max_;
    size_t looked_behind_ = SIZE_MAX;  // how much had left when the backlog was looked at
    bool flush_asked_ = false;
    bool misplaced_ = false;  // True exactly when the query must not run at a standby.
};

/// The statement of the batch's Bind becomes one of this epoch, as if its client had prepared it
/// again.
void renew_statement(Engine& engine, ClientSession& client, Bytes batch) {
    wire::FrameHeader header;
    wire::read_header(batch, wire::kMessageBytesMax, header);
    const auto bind = wire::decode_bind(batch.subspan(wire::kHeaderBytes, header.body_bytes));
    PGW_CHECK(bind.has_value());  // it was read before
    if (client.statements == nullptr) return;
    const StatementRef* known = client.statements->find(bind->statement);
    if (known == nullptr) return;
    const StatementRef outdated = *known;
    client.statements->put(bind->statement, engine.intern(as_bytes(outdated->query_and_types)));
}

}  // namespace

uint32_t message_bytes_max(const Engine& engine) {
    return static_cast<uint32_t>(
        std::min<uint64_t>(engine.config().limits.message_size, wire::kMessageBytesMax));
}

void violate(Engine& engine, ClientSession& client, const Error& error) {
    const bool violation = error.sqlstate == sqlstate::kProtocolViolation;
    if (violation) ++engine.stats().protocol_errors;
    engine.close(client, &error, violation ? "protocol violation" : "beyond a limit");
}

void leave(Engine& engine, ClientSession& client) {
    client.left = true;
    engine.close(client, nullptr, "it left");
}

void send_again(Engine& engine, ServerConn& server) {
    ClientSession& client = *server.client;
    KeptBatch& kept = server.kept;
    std::string batch = std::exchange(kept.bytes, {});
    kept.state = KeptBatch::State::Nothing;
    renew_statement(engine, client, as_bytes(batch));
    // What it sent behind the batch goes on waiting, if it did.
    const bool holding = std::exchange(client.holding, false);
    const size_t used =
        ClientPump(engine, client, server, ClientPump::Sending::Again).run(as_bytes(batch));
    PGW_CHECK(used == batch.size());
    client.holding = holding;
    if (++kept.sent_again == KeptBatch::kTries) return;
    kept.bytes = std::move(batch);
    kept.state = KeptBatch::State::Whole;
}

size_t pump_client(Engine& engine, ClientSession& client, Bytes input) {
    return ClientPump(engine, client, *client.server).run(input);
}

}  // namespace pgweir::session
