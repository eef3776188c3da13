#include "sim/fake_postgres.h"

#include <algorithm>

#include <fmt/format.h>

namespace pgweir::sim {
namespace {

constexpr uint32_t kCancelCode = (1234u << 16) | 5678u;

// What PostgreSQL drops outside of a COPY.
constexpr std::string_view kOfCopy = "dcfH";

/// True exactly when the bytes are whole messages of these types.
bool only_messages(std::string_view types, std::string_view bytes) {
    while (bytes.size() >= 5) {
        const size_t total = load_be32(as_bytes(bytes).data() + 1) + size_t{1};
        if (types.find(bytes[0]) == types.npos || bytes.size() < total) return false;
        bytes.remove_prefix(total);
    }
    return bytes.empty();
}

}  // namespace

bool Backend::clean(std::string_view begun) const {
    if (session == nullptr || !session->at_rest()) return false;
    const std::string told = std::string(begun) + link->to_engine + held;
    const bool silent = session->listens() ? only_messages("A", told) : told.empty();
    return silent && only_messages(kOfCopy, std::string(inbox.rest()) + link->to_far);
}

bool FakePostgres::answer_connects() {
    for (const auto& link : network_.links()) {
        if (link->fate != Link::Fate::Pending || link->engine_closed) continue;
        if (link->reset || !is_up(link->node)) {
            link->fate = Link::Fate::Refused;
            return true;
        }
        if (is_hanging(link->node)) {
            link->fate = Link::Fate::Hanging;
            return true;
        }
        link->fate = Link::Fate::Up;
        auto& backend =
            backends_.emplace_back(std::make_unique<Backend>(*this, *link, next_pid_++));
        backend->key = static_cast<uint32_t>(prng_.next());
        link->far = backend.get();
        return true;
    }
    return false;
}

bool FakePostgres::work_once() {
    if (backends_.empty()) return false;
    const size_t start = prng_.below(backends_.size());
    for (size_t i = 0; i < backends_.size(); ++i) {
        Backend& backend = *backends_[(start + i) % backends_.size()];
        if (!work(backend)) continue;
        if (backend.link == nullptr) bury(backend);
        return true;
    }
    return false;
}

bool FakePostgres::work(Backend& backend) {
    // PostgreSQL notices that its peer is gone only when it reads again, or writes.
    const bool sleeps =
        backend.session != nullptr && backend.session->mode() == PgSession::Mode::Sleeping;
    if (backend.left && !sleeps && (backend.done || !has_work(backend))) {
        backend.link->far_closed = true;
        backend.link->far = nullptr;
        backend.link = nullptr;
        return true;
    }
    if (backend.link->kind == Link::Kind::Server && standbys != nullptr &&
        standbys->hangs(backend.link->node)) {
        return false;
    }
    if (backend.stuck() && !backend.left) return false;
    if (backend.session == nullptr) {
        const std::string_view packet = backend.inbox.rest();
        const bool whole =
            packet.size() >= 8 && packet.size() >= load_be32(as_bytes(packet).data());
        if (whole) begin(backend);
        return whole;
    }
    if (backend.walsender) return replicate(backend);
    PgSession& session = *backend.session;
    if (backend.inbox.empty()) session.forget_cancel();
    if (session.mode() == PgSession::Mode::Sleeping) {
        if (!sleepers_wake || !prng_.chance(network_.fast ? 100 : 10)) return false;
        session.wake();
        reply(backend);
        return true;
    }
    if (!session.arrived.empty() && session.at_rest() && !backend.left) {
        for (const Frame& note : session.arrived) append_frame(backend.held, note);
        session.arrived.clear();
        backend.link->send_to_engine(std::exchange(backend.held, {}));
        return true;
    }
    if (session.mode() == PgSession::Mode::CopyOut) {
        if (backend.left) {
            leave(backend);
            return true;
        }
        if (!prng_.chance(network_.fast ? 100 : 60)) return false;
        session.copy_row_out();
        reply(backend);
        return true;
    }
    const auto message = backend.inbox.next();
    if (!message) return false;
    if (violations_.tracing()) {
        fmt::print("            backend {} takes {}\n", backend.pid, printable(*message));
    }
    if (message->type == 'X') {
        leave(backend);
        return true;
    }
    const bool replays = standbys != nullptr && !standbys->role_of(backend.link->node).is_primary;
    if (replays && !network_.fast && prng_.chance(8)) session.conflict();
    session.take(*message);
    if (message->type == 'H') flush_wanted_ = true;
    if (!session.offence().empty()) {
        violations_.add(fmt::format("a backend was sent nonsense: {}", session.offence()));
    }
    reply(backend);
    if (session.dead()) leave(backend);
    return true;
}

/// Sends each message back, and now and then one of its own.
bool FakePostgres::replicate(Backend& backend) {
    std::string out;
    if (!backend.left && !network_.fast && prng_.chance(5)) {
        append_frame(out, {'w', std::to_string(backend.rows_sent++)});
    }
    const auto message = backend.inbox.next();
    if (message && message->type != 'X') append_frame(out, *message);
    backend.link->send_to_engine(out);
    if (message && message->type == 'X') leave(backend);
    return message || !out.empty();
}

bool FakePostgres::has_work(const Backend& backend) {
    const std::string_view bytes = backend.inbox.rest();
    if (backend.session == nullptr) return bytes.size() >= 8;
    return bytes.size() >= 5 && bytes.size() > load_be32(as_bytes(bytes).data() + 1);
}

void FakePostgres::leave(Backend& backend) {
    backend.link->far_closed = true;
    backend.left = true;
    backend.done = true;
}

void FakePostgres::begin(Backend& backend) {
    const std::string packet(backend.inbox.rest());
    Fields fields(packet);
    const uint32_t length = fields.number(4);
    const uint32_t code = fields.number(4);
    backend.inbox.drop(length);
    if (code == kCancelCode) {
        const uint32_t pid = fields.number(4);
        cancel(pid, fields.number(4));
        leave(backend);
        return;
    }
    if (starting) {
        std::string out;
        append_frame(out, make_report('E', "FATAL", "57P03", "the database system is starting up"));
        backend.link->send_to_engine(out);
        leave(backend);
        return;
    }
    bool read_only = false;
    while (!fields.at_end()) {
        const std::string_view name = fields.text();
        const std::string_view value = fields.text();
        if (name == "default_transaction_read_only") read_only = value == "on";
        if (name == "database") backend.database = value;
        if (name == "replication") backend.walsender = true;
    }
    backend.session = std::make_unique<PgSession>(PgSession::server_defaults());
    if (read_only) backend.session->be_read_only();
    if (standbys != nullptr) {
        backend.session->live_at(
            {&standbys->log, &standbys->role_of(backend.link->node), backend.database});
    }
    std::string out;
    append_frame(out, {'R', std::string(4, '\0')});
    for (const auto& [name, value] : backend.session->settings()) {
        if (!PgSession::reported(name)) continue;
        Frame status{'S'};
        put_text(status.body, name);
        put_text(status.body, value);
        append_frame(out, status);
    }
    if (standbys != nullptr) {
        const bool is_primary = standbys->role_of(backend.link->node).is_primary;
        for (const auto& [name, value] : {
                 std::pair{"in_hot_standby",                is_primary ? "off" : "on"},
                 {"default_transaction_read_only", read_only ? "on" : "off" }
        }) {
            Frame status{'S'};
            put_text(status.body, name);
            put_text(status.body, value);
            append_frame(out, status);
        }
    }
    Frame key{'K'};
    put_u32(key.body, backend.pid);
    put_u32(key.body, backend.key);
    append_frame(out, key);
    append_frame(out, {'Z', "I"});
    backend.link->send_to_engine(out);
}

void FakePostgres::cancel(uint32_t pid, uint32_t key) {
    for (const auto& backend : backends_) {
        if (backend->pid != pid || backend->key != key || backend->done ||
            backend->session == nullptr)
            continue;
        PgSession& session = *backend->session;
        if (session.mode() == PgSession::Mode::Ready) {
            // Between statements it is ignored; where one stands behind the other it may hit.
            if (!backend->inbox.empty()) session.cancel_begin();
            return;
        }
        events_.on_cancel_hit(session.running());
        session.cancel();
        reply(*backend);
        return;
    }
}

/// Whoever listens is told, its own session apart, which has told itself.
void FakePostgres::publish(Backend& from) {
    for (const PgSession::Note& note : std::exchange(from.session->published, {})) {
        events_.on_notified(from.database, note.channel, note.payload);
        for (const auto& other : backends_) {
            const bool hears = other.get() != &from && other->session != nullptr &&
                               other->database == from.database && !other->done &&
                               other->session->listens_on(note.channel);
            if (hears) other->session->arrived.push_back(PgSession::notification(note));
        }
    }
}

void FakePostgres::reply(Backend& backend) {
    publish(backend);
    // PostgreSQL sends when it waits or fails; whatever else is full buffers' doing.
    bool flush = std::exchange(flush_wanted_, false) || network_.fast || prng_.chance(40);
    for (const Frame& frame : backend.session->output) {
        append_frame(backend.held, frame);
        flush = flush || frame.type == 'Z' || frame.type == 'E' || frame.type == 'G' ||
                frame.type == 'N';
    }
    backend.session->output.clear();
    if (!flush) return;
    backend.link->send_to_engine(backend.held);
    backend.held.clear();
}

void FakePostgres::lie(Backend& backend, bool plausibly) {
    Frame frame;
    const bool nonsense = !plausibly;
    backend.link->faulted = true;
    (nonsense ? backend.link->far_babbled : backend.link->far_lied) = true;
    std::string bytes;
    if (nonsense) {
        switch (prng_.below(5)) {
            case 0: append_frame(bytes, {"@RKpq"[prng_.below(5)], "surprise"}); break;
            case 1:  // shorter than its own length
                bytes.push_back("DCZET"[prng_.below(5)]);
                put_u32(bytes, static_cast<uint32_t>(prng_.below(4)));
                break;
            case 2: append_frame(bytes, {'Z', prng_.chance(50) ? "Q" : "II"}); break;
            case 3: append_frame(bytes, {'S', "no end"}); break;
            case 4: append_frame(bytes, {'V'}); break;
        }
    } else {
        // Not ReadyForQuery, after which the next client would be given what is left for this one.
        frame.type = "123DCTntIGHdcsE"[prng_.below(15)];
        if (frame.type == 'E') frame = make_report('E', "ERROR", "XX000", "of nobody's query");
        append_frame(bytes, frame);
    }
    backend.link->send_to_engine(std::exchange(backend.held, {}) + bytes);
}

std::string FakePostgres::spy_statement_name() {
    if (backends_.empty()) return "";
    const Backend& backend = *backends_[prng_.below(backends_.size())];
    return backend.session == nullptr ? "" : backend.session->statement_name();
}

void FakePostgres::kill(Backend& backend, bool politely) {
    Link& link = *backend.link;
    if (politely && backend.session != nullptr) {
        std::string out;
        append_frame(out, make_report('E', "FATAL", "57P01",
                                      "terminating connection due to administrator command"));
        link.send_to_engine(backend.held + out);
        network_.cut(link, true);
    } else {
        if (prng_.chance(50)) link.to_engine.resize(prng_.below(link.to_engine.size() + 1));
        network_.cut(link, prng_.chance(50));
    }
    link.far = nullptr;
    backend.link = nullptr;
    bury(backend);
}

bool FakePostgres::is_up(const std::string& node) const {
    return up && (standbys == nullptr || standbys->is_up(node));
}

bool FakePostgres::is_hanging(const std::string& node) const {
    return hanging || (standbys != nullptr && standbys->hangs(node));
}

void FakePostgres::change_tables() {
    for (const auto& backend : backends_) {
        if (backend->session != nullptr) backend->session->change_tables();
    }
}

void FakePostgres::kill_all_at(std::string_view node) {
    for (size_t i = backends_.size(); i-- > 0;) {
        Backend& backend = *backends_[i];
        const bool there = backend.link->kind == Link::Kind::Server && backend.link->node == node;
        if (there) kill(backend, prng_.chance(40));  // also what its peer has left
    }
}

void FakePostgres::kill_lost() {
    for (size_t i = backends_.size(); i-- > 0;) {
        Backend& backend = *backends_[i];
        const bool lost = backend.link->kind == Link::Kind::Server && !backend.left &&
                          !standbys->is_up(backend.link->node);
        if (lost) kill(backend, prng_.chance(40));
    }
}

void FakePostgres::bury(Backend& backend) {
    std::erase_if(backends_, [&](const auto& other) { return other.get() == &backend; });
}

}  // namespace pgweir::sim
