#include "pgweir/base/lazy_array.h"
#include "pgweir/base/log.h"
#include "pgweir/base/planted.h"
#include "pgweir/session/errors.h"
#include "pgweir/session/gather.h"
#include "pgweir/wire/frame.h"
#include "pgweir/wire/frontend.h"
#include "session/parts.h"

#include <algorithm>
#include <optional>

/// What a server sends: judged by the ledger, and passed to its client or swallowed.
namespace pgweir::session {
namespace {

// Errors up to this size are looked into; larger ones pass by their header.
constexpr uint32_t kErrorLookedAtMax = 65536;

// A message that is wanted whole has to be small; ParameterStatus is the largest.
constexpr uint32_t kWholeMessageMax = 65536;

// Of what a standby says before it says anything of weight.
constexpr size_t kHeldBackAnswersMax = 65536;

constexpr std::string_view kDiscardAll = "DISCARD ALL";
constexpr std::string_view kDeallocateAll = "DEALLOCATE ALL";

constexpr std::array<uint8_t, 5> kParseComplete{'1', 0, 0, 0, 4};
constexpr std::array<uint8_t, 5> kCloseComplete{'3', 0, 0, 0, 4};

Bytes synthesized_reply(Request request) {
    PGW_CHECK(request == Request::Parse || request == Request::Close);
    return request == Request::Parse ? kParseComplete : kCloseComplete;
}

class ServerPump {
public:
    ServerPump(Engine& engine, ServerConn& server) : engine_(engine), server_(server) {
        if (server.client != nullptr) out_.emplace(*server.client->stream);
    }

    size_t run(Bytes input) {
        size_t used = 0;
        while (used < input.size() && !broken_) {
            const Bytes rest = input.subspan(used);
            const size_t taken = server_.passing > 0 ? pass(rest) : take_message(rest);
            if (taken == 0) break;
            used += taken;
        }
        spill();
        flush();
        if (server_.pipeline.empty() && server_.pipeline.batch_open()) {
            server_.flushed = engine_.now();
        }
        return broken_ ? input.size() : used;
    }

    bool broken() const { return broken_; }

private:
    /// A client that is still waiting for its settings sees nothing of its server.
    bool has_reader() const { return out_ && server_.state == ServerState::Active; }

    /// While pgweir asks on its own behalf, what comes unasked is the client's nevertheless.
    bool is_for_client(char type) const {
        const bool unasked = type == 'A' || type == 'S';
        const bool asking =
            server_.state == ServerState::Asking || server_.state == ServerState::Parting;
        return has_reader() || (out_ && asking && unasked);
    }

    size_t pass(Bytes rest) {
        const size_t count = std::min<size_t>(server_.passing, rest.size());
        if (server_.passing_forward) out_->add(rest.first(count));
        server_.passing -= static_cast<uint32_t>(count);
        return count;
    }

    size_t take_message(Bytes rest) {
        wire::FrameHeader header;
        const auto framing = wire::read_header(rest, wire::kMessageBytesMax, header);
        if (framing == wire::Framing::Short) return 0;
        if (framing == wire::Framing::Invalid) return mismatch(header.type);
        if (goes_straight(header.type)) {
            synthesize();
            const Verdict verdict = server_.pipeline.on_reply(header.type, server_);
            if (verdict == Verdict::Mismatch && !planted(Bug::MismatchPassed)) {
                return mismatch(header.type);
            }
            const size_t count = begin_passing(header, rest, verdict == Verdict::Forward);
            if (server_.passing_forward) out_->add(rest.first(count));
            return count;
        }
        return judge(header, rest);
    }

    /// What makes up most of an answer: the ledger says whose it is, and nothing else looks at it.
    bool goes_straight(char type) const {
        const bool is_plain = type == 'D' || type == 'd' || is_light(type);
        return is_plain && has_reader() && server_.request.empty() && !server_.retry_due;
    }

    size_t begin_passing(const wire::FrameHeader& header, Bytes rest, bool forward) {
        const size_t count = std::min(header.total_bytes(), rest.size());
        server_.passing = static_cast<uint32_t>(header.total_bytes() - count);
        server_.passing_forward = forward;
        return count;
    }

    size_t judge(const wire::FrameHeader& header, Bytes rest) {
        const wire::Handling handling = wire::server_message(header.type);
        if (handling == wire::Handling::Reject) return mismatch(header.type);
        if (wanted_whole(header, handling)) {
            if (header.body_bytes > kWholeMessageMax) return mismatch(header.type);
            if (rest.size() < header.total_bytes()) return 0;
        }
        synthesize();
        const Bytes body =
            rest.subspan(wire::kHeaderBytes,
                         std::min<size_t>(header.body_bytes, rest.size() - wire::kHeaderBytes));
        Verdict verdict = look_into(header, body);
        if (verdict == Verdict::Forward && header.type != 'Z' && !is_for_client(header.type))
            verdict = unread(header.type);
        if (verdict == Verdict::Mismatch && !planted(Bug::MismatchPassed))
            return mismatch(header.type);

        // What a standby says that has failed its request; another node is asked for the answer.
        const bool taken_back = server_.retry_due && header.type != 'S';
        if (taken_back && verdict == Verdict::Forward) verdict = Verdict::Swallow;
        const bool forward = verdict == Verdict::Forward && is_for_client(header.type);
        const size_t count = begin_passing(header, rest, forward);
        // A commit is told by these: before the bytes go anywhere.
        const bool tells = header.type == 'C' || header.type == 'Z' || header.type == 'I';
        if (server_.passing_forward && tells) note_write(server_);
        if (server_.passing_forward && header.type == 'A') {
            add_notification(rest.first(count));
        } else if (server_.passing_forward && header.type == 'Z' && server_.begin_failed) {
            tell_failed_transaction();
        } else if (server_.passing_forward && !holds_back(header, rest.first(count))) {
            out_->add(rest.first(count));
        }
        if (header.type == 'Z') ready();
        return count;
    }

    /// The server has no transaction, and its client one that has failed.
    [[gnu::cold]] void tell_failed_transaction() {
        server_.begin_failed = false;
        begin_has_failed(server_);
        constexpr std::array<uint8_t, 6> kReadyFailed{'Z', 0, 0, 0, 5, 'E'};
        out_->add_copy(kReadyFailed);
    }

    static bool is_light(char type) {
        return type == '1' || type == '2' || type == '3' || type == 't' || type == 'T' ||
               type == 'n';
    }

    /// What a standby says before it says anything of weight is held back: until then its client
    /// can ask elsewhere. PostgreSQL itself does not send it before that either, as a rule.
    bool holds_back(const wire::FrameHeader& header, Bytes message) {
        if (server_.request.empty() || header.type == 'S') return false;
        if (is_light(header.type) && message.size() == header.total_bytes() &&
            held_count_ < held_.size() && server_.held_back.size() <= kHeldBackAnswersMax) {
            held_.put(held_count_++, message);
            return true;
        }
        if (!planted(Bug::RequestKeptTooLong)) server_.request.clear();
        if (!server_.held_back.empty()) {
            out_->add_copy(as_bytes(server_.held_back));
            server_.held_back.clear();
        }
        for (size_t i = 0; i < held_count_; ++i) out_->add(held_[i]);
        held_count_ = 0;
        return false;
    }

    /// What is held back stays when the bytes that it stands in go.
    void spill() {
        for (size_t i = 0; i < held_count_; ++i) server_.held_back += as_text(held_[i]);
        held_count_ = 0;
    }

    /// It writes, or wants what no standby has.
    static bool cannot_run_there(std::string_view sqlstate) {
        return sqlstate == sqlstate::kReadOnlyTransaction.text() || sqlstate == "0A000" ||
               sqlstate == "55000";
    }

    /// The standby's error is not told: another node is asked.
    [[gnu::cold]] bool takes_back(const wire::FrameHeader& header, Bytes body) {
        if (!has_reader() || header.body_bytes > body.size()) return false;
        const auto error = wire::decode_error(body);
        if (!error || !can_ask_elsewhere(server_, *error)) return false;
        server_.ending = error->severity == "FATAL" || error->severity == "PANIC";
        if (log::enabled(log::Level::Debug)) {
            log::debug("server {} at {} says {} to a read, and the primary is asked: {}",
                       server_.id, server_.node.name, error->sqlstate, error->message);
        }
        const bool stale = plan_is_stale(header, body);  // whoever prepares it anew gets another
        for (size_t i = 0; planted(Bug::TakenBackAnswerShown) && i < held_count_; ++i) {
            out_->add(held_[i]);
        }
        held_count_ = 0;
        server_.held_back.clear();
        server_.retry_due = true;
        server_.cancelled = server_.cancels > 0;
        server_.refused = !stale && cannot_run_there(error->sqlstate);
        return true;
    }

    bool wanted_whole(const wire::FrameHeader& header, wire::Handling handling) const {
        if (handling == wire::Handling::Whole) return true;
        const bool held_back = !server_.request.empty() && is_light(header.type);
        if (held_back && header.body_bytes <= kWholeMessageMax) return true;
        switch (header.type) {
            case 'A': return true;
            case 'E': return header.body_bytes <= kErrorLookedAtMax;
            case 'D':
                return server_.state == ServerState::Asking && header.body_bytes <= kCensusRowMax;
            case 'C':
                return header.body_bytes == kDiscardAll.size() + 1 ||
                       header.body_bytes == kDeallocateAll.size() + 1;
        }
        return false;
    }

    Verdict look_into(const wire::FrameHeader& header, Bytes body) {
        switch (header.type) {
            case 'S': return parameter_status(body);
            case 'E': {
                const bool goes_elsewhere = server_.retry_due && server_.pipeline.empty();
                if (is_between_transactions() || goes_elsewhere) {
                    // What a server says that is shut down; its client has lost nothing there.
                    note_error(header, body, Verdict::Swallow);
                    return Verdict::Swallow;
                }
                const bool begin_failed = server_.pipeline.owes_begin();
                if (!server_.request.empty() && takes_back(header, body)) {
                    const Verdict verdict = server_.pipeline.on_reply('E', server_);
                    if (verdict == Verdict::Mismatch) return Verdict::Mismatch;
                    if (begin_failed) end_without_begin();
                    return server_.pipeline.swallow_ready() ? Verdict::Swallow : Verdict::Mismatch;
                }
                const bool again = plan_is_stale(header, body) && can_send_again();
                const Verdict verdict = server_.pipeline.on_reply('E', server_);
                if (again) {
                    if (!server_.pipeline.swallow_ready()) return Verdict::Mismatch;
                    server_.kept.state = KeptBatch::State::Due;
                    return Verdict::Swallow;
                }
                note_error(header, body, verdict);
                server_.begin_failed = begin_failed && verdict == Verdict::Forward;
                if (begin_failed) end_without_begin();
                return verdict;
            }
            case 'Z': {
                const auto status = wire::decode_ready(body);
                if (!status) return Verdict::Mismatch;
                server_.status = *status;
                const bool over = *status == wire::TransactionStatus::Idle;
                if (over && server_.errand == Errand::ReadOnly) server_.errand = Errand::Any;
                ready_due_ = server_.pipeline.on_reply('Z', server_);
                return ready_due_;
            }
            case 'C':
                if (wanted_whole(header, wire::Handling::Stream)) note_command(body);
                break;
            case 'D':
                if (server_.state == ServerState::Asking &&
                    !census_row(server_, body, header.body_bytes <= kCensusRowMax)) {
                    return Verdict::Mismatch;
                }
                break;
            case 'A':
                if (const Verdict verdict = judge_notification(body); verdict != Verdict::Forward) {
                    return verdict;
                }
                break;
        }
        return server_.pipeline.on_reply(header.type, server_);
    }

    /// The server skips what stands behind the BEGIN that failed: up to a Sync, and a simple query
    /// has none.
    [[gnu::cold]] void end_without_begin() {
        server_.sole_client = ServerConn::kSeveral;  // what would have wiped its sequences, too
        const bool ends_itself = !server_.pipeline.skipping() || server_.pipeline.batch_open();
        if (ends_itself) return;
        if (server_.client != nullptr && server_.client->passing > 0) {
            server_.sync_due = true;
        } else {
            end_skipping(server_);
        }
    }

    bool is_between_transactions() const {
        const bool free = server_.state == ServerState::Active && !server_.pins.any() &&
                          server_.pool.limits.mode != config::PoolMode::Session;
        return (free || server_.pins.yields()) && server_.pipeline.at_rest() &&
               server_.kept.state != KeptBatch::State::Due &&
               server_.status == wire::TransactionStatus::Idle;
    }

    /// What a session tells itself comes from the process that it knows as its own.
    [[gnu::cold]] void add_notification(Bytes message) {
        constexpr size_t kPidEnd = wire::kHeaderBytes + 4;
        const bool own = message.size() >= kPidEnd &&
                         load_be32(message.data() + wire::kHeaderBytes) == server_.key.pid;
        if (!own) {
            out_->add(message);
            return;
        }
        std::array<uint8_t, kPidEnd> front{};
        std::copy_n(message.data(), wire::kHeaderBytes, front.data());
        store_be32(front.data() + wire::kHeaderBytes, server_.client->pid);
        out_->add_copy(front);
        out_->add(message.subspan(kPidEnd));
    }

    /// Only for whoever listens on it now; what an earlier client asked for is nobody's.
    [[gnu::cold]] Verdict judge_notification(Bytes body) {
        const auto notification = wire::decode_notification(body);
        if (!notification) return Verdict::Mismatch;
        const Bytes message(body.data() - wire::kHeaderBytes, body.size() + wire::kHeaderBytes);
        if (server_.state == ServerState::Listening) listener_heard(server_, message);
        Subscription* subscription =
            server_.client != nullptr ? server_.client->subscription.get() : nullptr;
        if (notification->channel == Hearing::kChannel) {
            const bool its = subscription != nullptr && subscription->hearing.changing() &&
                             subscription->hearing.token() == notification->payload;
            if (its) subscription->hearing.on_mark(Teller::Server);
            return Verdict::Swallow;
        }
        if (subscription == nullptr) return listens() ? Verdict::Forward : Verdict::Swallow;
        const Told told = subscription->hearing.on_notifications(Teller::Server, message);
        return told == Told::Now ? Verdict::Forward : Verdict::Swallow;
    }

    bool listens() const {
        return server_.pool.limits.mode == config::PoolMode::Session || server_.pins.listens() ||
               server_.pins.has(Pin::Unknown) || server_.effects.has(sql::Effect::MayChangeSession);
    }

    /// What a server may say while nobody listens.
    Verdict unread(char type) const {
        return type == 'E' || type == 'N' || type == 'S' || type == 'A' ? Verdict::Swallow
                                                                        : Verdict::Mismatch;
    }

    [[gnu::cold]] Verdict parameter_status(Bytes body) {
        const auto status = wire::decode_parameter_status(body);
        if (!status) return Verdict::Mismatch;
        const auto& known = server_.settings.values();
        if (known.size() >= kReportedMax && !server_.settings.holds(status->name)) {
            return Verdict::Mismatch;
        }
        if (planted(Bug::ParameterStatusIgnored)) return Verdict::Forward;
        if (status->name == kInHotStandby && server_.pool.of_standby()) {
            return Verdict::Swallow;  // it was promoted, and its client need not know
        }
        if (status->name == kReadOnlyByDefault && server_.pool.of_standby()) {
            server_.bound_for_good = true;  // its client set it; nobody else may write there
        }
        const bool same_view =
            server_.client != nullptr && server_.client->settings == server_.settings;
        server_.settings = engine_.settings().with(server_.settings, status->name, status->value);
        if (same_view) server_.client->settings = server_.settings;
        return Verdict::Forward;
    }

    /// "cached plan must not change result type": a table changed after the statement was prepared.
    /// Whoever prepares it again gets one of the next epoch; all others that have it are told the
    /// same by PostgreSQL, for they have to know that its rows look different now.
    [[gnu::cold]] bool plan_is_stale(const wire::FrameHeader& header, Bytes body) {
        if (header.body_bytes > body.size()) return false;
        const auto fields = wire::decode_error(body);
        if (!fields || fields->sqlstate != "0A000" || fields->routine != "RevalidateCachedQuery") {
            return false;
        }
        ++server_.pool.stats.stale_plans;
        server_.unnamed_version = 0;
        engine_.process().outdate_statements(server_.pipeline.epoch_of_front());
        return true;
    }

    /// Nothing of the batch was told to the client, nothing ran, and nothing was sent behind it.
    bool can_send_again() const {
        return has_reader() && server_.kept.state == KeptBatch::State::Whole &&
               server_.kept.describes && server_.status == wire::TransactionStatus::Idle &&
               server_.pipeline.is_one_batch_from_bind();
    }

    [[gnu::cold]] void note_error(const wire::FrameHeader& header, Bytes body, Verdict verdict) {
        if (header.body_bytes > body.size()) return;
        const auto fields = wire::decode_error(body);
        if (!fields) return;
        if (fields->severity == "FATAL" || fields->severity == "PANIC") {
            const bool told = has_reader() && verdict == Verdict::Forward;
            (told ? server_.said_farewell : server_.ending) = true;
            log::info("server {} says {}: {}", server_.id, fields->severity, fields->message);
        }
        if (server_.pipeline.front_may_fail()) return;
        if (verdict == Verdict::Swallow || !has_reader())
            server_.failure = wire::to_error(*fields, Severity::Error);
    }

    void note_command(Bytes body) {
        const auto tag = wire::decode_text(body);
        if (!tag) return;
        if (*tag != kDiscardAll && *tag != kDeallocateAll) return;
        if (!planted(Bug::DiscardKeepsStatements)) server_.statements.clear();
        ClientSession* client = server_.client;
        if (client != nullptr && has_reader()) {
            if (client->statements != nullptr) client->statements->clear();
            client->unnamed_statement.clear();
            client->unnamed_version = 0;
            keep_what_comes_later(*client);
        }
        if (*tag == kDiscardAll) {
            server_.unnamed_version = 0;
            // What it does not report is as at its login; what it reports it will say.
            drop_unreported();
        }
    }

    /// What the client prepared behind the command that forgets all, in one go with it.
    void keep_what_comes_later(ClientSession& client) {
        server_.pipeline.for_each_behind_front([&](const Expected& entry) {
            StatementChange* change = entry.change;
            if (change == nullptr) return;
            if (change->kind == StatementChange::Kind::ClientClosed) {
                client.statements->erase(change->name);
                change->statement = {};  // also if that is skipped it is gone
            }
            if (change->kind != StatementChange::Kind::ClientAdded) return;
            client.statements->put(change->name, change->statement);
            if (!change->sent) return;
            const size_t bytes = change->statement->query_and_types.size();
            server_.statements.add_pending(change->digest, static_cast<uint32_t>(bytes),
                                           server_.pipeline.batch());
        });
    }

    void drop_unreported() {
        SettingList values = server_.settings.values();
        std::erase_if(values,
                      [&](const Setting& setting) { return !server_.base.holds(setting.first); });
        server_.settings = engine_.settings().intern(std::move(values));
    }

    void synthesize() {
        while (server_.pipeline.synthesis_due()) {
            const Expected entry = server_.pipeline.take_synthesized(server_);
            if (has_reader()) out_->add(synthesized_reply(entry.request));
        }
    }

    void ready() {
        ClientSession* client = server_.client;
        if (client == nullptr || !has_reader() || ready_due_ != Verdict::Forward) return;
        const Instant now = engine_.now();
        const int64_t took = to_microseconds(now - client->query_started);
        PoolStats& stats = server_.pool.stats;
        stats.query_us += static_cast<uint64_t>(took);
        stats.query.observe(took);
        server_.began = {};
        client->told_route = false;
        note_answer(*client, took);
        client->query_started = now;
        client->mid_transaction = server_.status != wire::TransactionStatus::Idle;
        if (client->mid_transaction) return;
        const int64_t all = to_microseconds(now - server_.transaction_started);
        server_.transaction_started = now;
        ++stats.transactions;
        stats.transaction_us += static_cast<uint64_t>(all);
        stats.transaction.observe(all);
    }

    void flush() {
        if (out_ && server_.passing == 0) synthesize();
        if (!out_) return;
        out_->flush();
        server_.pool.stats.bytes_sent += out_->bytes();
        ClientSession& client = *server_.client;
        if (planted(Bug::BacklogIgnored)) return;
        // What is asked in between is not for its client, and does not wait for it.
        if (has_reader() && client.stream->backlog() > engine_.config().limits.output_buffer)
            server_.stream->pause();
    }

    [[gnu::cold]] size_t mismatch(char type) {
        log::error(
            "server {} of {}/{}: message of type 0x{:02x} in state {} does not fit the ledger",
            server_.id, server_.pool.database, server_.pool.user, static_cast<unsigned char>(type),
            to_text(server_.state));
        broken_ = true;
        return 0;
    }

    Engine& engine_;
    ServerConn& server_;
    std::optional<Gather> out_;
    Verdict ready_due_ = Verdict::Mismatch;
    bool broken_ = false;
    LazyArray<Bytes, 8> held_;  // held back, within the bytes at hand
    size_t held_count_ = 0;
};

/// A client that was stopped because the ledger was full, or until the server rests, or until it is
/// known what became of a name, goes on.
void let_client_go_on(Engine& engine, ServerConn& server, bool was_full) {
    if (server.client == nullptr || server.pipeline.full()) return;
    ClientSession& client = *server.client;
    // At a standby the next request is looked at when it is known where it goes.
    const bool looked_at =
        !server.pool.of_standby() || server.status != wire::TransactionStatus::Idle;
    const bool held =
        client.holding && looked_at && (server.pipeline.at_rest() || server.pipeline.skipping());
    // The Sync that it is held behind does not count: it is held behind the one that does.
    const bool early = client.holding && server.pipeline.copy_awaits_sync();
    if (early) client.hold_at_sync = true;
    if (held || early) client.holding = false;
    if (held || early || was_full || !client.inbox.empty()) resume_client(engine, client);
}

size_t consume(Engine& engine, ServerConn& server, Bytes input) {
    size_t used = 0;
    while (used < input.size()) {
        size_t taken = 0;
        switch (server.state) {
            case ServerState::Connecting:
            case ServerState::Closing:
            case ServerState::Closed: return input.size();
            case ServerState::Authenticating:
                taken = server_login_step(engine, server, input.subspan(used));
                break;
            case ServerState::Idle:
            case ServerState::Checking:
            case ServerState::Syncing:
            case ServerState::Active:
            case ServerState::Asking:
            case ServerState::Parting:
            case ServerState::Listening:
            case ServerState::Cancelling:
            case ServerState::Resetting: {
                if (server.raw && server.client != nullptr) {
                    pass_from_walsender(engine, server, input.subspan(used));
                    return input.size();
                }
                const bool was_full = server.pipeline.full();
                ServerPump pump(engine, server);
                taken = pump.run(input.subspan(used));
                if (server.shared != nullptr) pass_on_heard(engine, server);
                if (pump.broken()) {
                    break_up(engine, server, server_out_of_step(), "its replies did not fit");
                    return input.size();
                }
                // The beginning of one more message would be nobody's: it has to end first.
                const bool all_taken = used + taken == input.size() && server.passing == 0;
                const bool at_rest = server.pipeline.at_rest() || planted(Bug::ReleasedTooEarly);
                if (all_taken && at_rest) {
                    server.inbox.clear(engine.buffers());  // all of it is handled by now
                    rested(engine, server);
                }
                let_client_go_on(engine, server, was_full);
                break;
            }
        }
        if (taken == 0) break;
        used += taken;
    }
    return used;
}

}  // namespace

void send_internal_query(Engine&, ServerConn& server, std::string_view sql, MayFail may_fail) {
    wire::Writer out;
    wire::encode_query(out, sql);
    if (may_fail == MayFail::No) server.failure.reset();
    server.unnamed_version = 0;  // a simple query ends the unnamed statement
    server.pipeline.expect({.request = Request::Query,
                            .delivery = Delivery::Swallow,
                            .may_fail = may_fail == MayFail::Yes},
                           server);
    server.stream->send(out.bytes());
}

void end_skipping(ServerConn& server) {
    server.sync_due = false;
    server.pipeline.expect({.request = Request::Sync}, server);
    wire::Writer out;
    wire::encode_sync(out);
    server.stream->send(out.bytes());
}

void deliver_synthesized(ServerConn& server) {
    // In the middle of a message there is no place for another; it goes out behind it.
    if (server.client == nullptr || server.passing > 0) return;
    Gather out(*server.client->stream);
    while (server.pipeline.synthesis_due()) {
        out.add(synthesized_reply(server.pipeline.take_synthesized(server).request));
    }
    out.flush();
    server.flushed = server.engine.now();
}

void server_bytes(Engine& engine, ServerConn& server, Bytes input) {
    if (server.state == ServerState::Closed) return;
    const bool from_inbox = !server.inbox.empty();
    if (from_inbox) server.inbox.append(engine.buffers(), input);
    const Bytes all = from_inbox ? server.inbox.view() : input;
    const size_t used = consume(engine, server, all);
    if (server.state == ServerState::Closed) return;
    if (!from_inbox) {
        server.inbox.append(engine.buffers(), all.subspan(used));
    } else if (!server.inbox.empty()) {
        server.inbox.consume(engine.buffers(), used);
    }
}

}  // namespace pgweir::session
