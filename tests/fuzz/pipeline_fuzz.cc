#include "pgweir/base/bytes.h"
#include "pgweir/base/check.h"
#include "pgweir/session/pipeline.h"
#include "pgweir/session/prepared.h"

#include <cstddef>
#include <deque>
#include <string_view>

namespace pgweir::fuzz_pipeline {
namespace {

using session::Delivery;
using session::Expected;
using session::Pipeline;
using session::PipelineEvents;
using session::Request;
using session::StatementChange;
using session::Verdict;

/// How PostgreSQL will take a message, decided when it is sent.
enum class Fate : uint8_t { Works, Fails, CopiesIn, CopiesOut, Pauses };

enum class Outcome : uint8_t { Open, Confirmed, Skipped };

struct Change {
    StatementChange change{
        .kind = StatementChange::Kind::ClientAdded, .name = {}, .statement = {}, .digest = {}};
    Outcome should = Outcome::Open;
    Outcome became = Outcome::Open;
};

struct Sent {
    Request request;
    Delivery delivery;
    Fate fate;
    Change* change;
};

struct Reply {
    char type;
    Verdict verdict;
};

bool is_extended(Request request) {
    return request == Request::Parse || request == Request::Bind || request == Request::Describe ||
           request == Request::Execute || request == Request::Close;
}

/// PostgreSQL's side of the protocol, as protocol-flow.html has it.
class Postgres {
public:
    /// Reads the next message and answers it.
    void read_one() {
        const Sent sent = input.front();
        input.pop_front();
        if (copying_) {
            copy(sent);
        } else if (skipping_) {
            skip(sent);
        } else {
            run(sent);
        }
    }

    bool skipping() const { return skipping_; }

    std::deque<Sent> input;
    std::deque<Reply> output;

private:
    void say(const Sent& sent, std::string_view types) {
        const auto verdict =
            sent.delivery == Delivery::Forward ? Verdict::Forward : Verdict::Swallow;
        for (const char type : types) output.push_back({type, verdict});
    }

    static void note(const Sent& sent, Outcome outcome) {
        if (sent.change != nullptr) sent.change->should = outcome;
    }

    void copy(const Sent& sent) {
        if (sent.request != Request::CopyEnd) return;  // Sync and Flush are ignored
        copying_ = false;
        const bool extended = copy_.request == Request::Execute;
        if (sent.fate == Fate::Fails) {
            output.push_back({'E', extended ? Verdict::Forward : verdict_of(copy_)});
            skipping_ = extended;
        } else {
            say(copy_, "C");
        }
        if (!extended) say(copy_, "Z");
    }

    static Verdict verdict_of(const Sent& sent) {
        return sent.delivery == Delivery::Forward ? Verdict::Forward : Verdict::Swallow;
    }

    void skip(const Sent& sent) {
        note(sent, Outcome::Skipped);
        if (sent.request != Request::Sync) return;
        skipping_ = false;
        say(sent, "Z");
    }

    void run(const Sent& sent) {
        if (sent.request == Request::CopyEnd) return;
        if (sent.delivery == Delivery::Synthesize) {
            note(sent, Outcome::Confirmed);
            return;
        }
        if (is_extended(sent.request) && sent.fate == Fate::Fails) {
            note(sent, Outcome::Skipped);
            output.push_back({'E', Verdict::Forward});
            skipping_ = true;
            return;
        }
        note(sent, Outcome::Confirmed);
        answer(sent);
    }

    void answer(const Sent& sent) {
        switch (sent.request) {
            case Request::Parse: say(sent, "1"); return;
            case Request::Bind: say(sent, "2"); return;
            case Request::Close: say(sent, "3"); return;
            case Request::Describe: say(sent, sent.fate == Fate::Pauses ? "tn" : "T"); return;
            case Request::Execute:
            case Request::Query: execute(sent); return;
            case Request::Function: say(sent, sent.fate == Fate::Fails ? "EZ" : "VZ"); return;
            case Request::Sync: say(sent, sent.fate == Fate::Fails ? "EZ" : "Z"); return;
            case Request::CopyEnd: return;
        }
    }

    void execute(const Sent& sent) {
        const bool simple = sent.request == Request::Query;
        switch (sent.fate) {
            case Fate::Works: say(sent, simple ? "TDDC" : "DDC"); break;
            case Fate::Fails: say(sent, "TDE"); break;  // only a simple one comes here
            case Fate::CopiesOut: say(sent, "HddcC"); break;
            case Fate::Pauses: say(sent, simple ? "I" : "Ds"); break;
            case Fate::CopiesIn:
                say(sent, "G");
                copying_ = true;
                copy_ = sent;
                return;
        }
        if (simple) say(sent, "Z");
    }

    bool skipping_ = false;
    bool copying_ = false;
    Sent copy_{};
};

/// A client, pgweir's ledger and a server, each moved by the bytes of the input.
class World final : PipelineEvents {
public:
    void step(uint8_t byte) {
        const uint8_t argument = byte >> 4;
        switch (byte & 15) {
            case 0:
            case 1:
            case 2: server_reads(); break;
            case 3:
            case 4:
            case 5: ledger_reads(); break;
            case 6: output_of_its_own(argument); break;
            default: client_sends(byte & 15, argument); break;
        }
        look();
    }

    /// All that is under way comes to its end: then the server has to be clean.
    void finish() {
        if (copy_owed_) send(Request::CopyEnd, Delivery::Forward, Fate::Works, nullptr);
        send(Request::Sync, Delivery::Forward, Fate::Works, nullptr);
        while (!postgres_.input.empty()) postgres_.read_one();
        while (!postgres_.output.empty()) ledger_reads();
        synthesize();
        look();
        PGW_CHECK(ledger_.at_rest() && ledger_.empty() && ledger_.synthesized() == 0);
        for (const Change& change : changes_) {
            PGW_CHECK(change.became != Outcome::Open);
            PGW_CHECK(change.became == change.should);
        }
    }

private:
    void on_confirmed(const Expected& entry) override { resolve(entry, Outcome::Confirmed); }

    void on_skipped(const Expected& entry) override { resolve(entry, Outcome::Skipped); }

    void resolve(const Expected& entry, Outcome outcome) {
        for (Change& change : changes_) {
            if (&change.change != entry.change) continue;
            PGW_CHECK(change.became == Outcome::Open);
            change.became = outcome;
            return;
        }
        PGW_CHECK(entry.change == nullptr);
    }

    void server_reads() {
        if (!postgres_.input.empty()) postgres_.read_one();
    }

    void ledger_reads() {
        synthesize();
        if (postgres_.output.empty()) return;
        const Reply reply = postgres_.output.front();
        postgres_.output.pop_front();
        PGW_CHECK(ledger_.on_reply(reply.type, *this) == reply.verdict);
    }

    void synthesize() {
        while (ledger_.synthesis_due()) ledger_.take_synthesized(*this);
    }

    void output_of_its_own(uint8_t argument) {
        postgres_.output.push_back({"NSA"[argument % 3], Verdict::Forward});
    }

    /// A well-behaved client: once it has asked for a COPY it only ends it.
    void client_sends(uint8_t what, uint8_t argument) {
        const auto fate = static_cast<Fate>(argument % 5);
        const auto delivery = static_cast<Delivery>(argument % 3);
        if (copy_owed_) {
            if (copy_extended_ && what % 2 == 0) {
                send(Request::Sync, Delivery::Forward, Fate::Works, nullptr);
                return;
            }
            send(Request::CopyEnd, Delivery::Forward, fate, nullptr);
            if (copy_extended_) send(Request::Sync, Delivery::Forward, Fate::Works, nullptr);
            return;
        }
        switch (what) {
            case 7: send(Request::Parse, delivery, fate, new_change()); break;
            case 8: send(Request::Bind, Delivery::Forward, fate, nullptr); break;
            case 9: send(Request::Describe, Delivery::Forward, fate, nullptr); break;
            case 10: send(Request::Execute, Delivery::Forward, fate, nullptr); break;
            case 11: send(Request::Close, delivery, fate, new_change()); break;
            case 12: send(Request::Sync, Delivery::Forward, fate, nullptr); break;
            case 13:
                send(Request::Query, argument > 12 ? Delivery::Swallow : Delivery::Forward, fate,
                     nullptr);
                break;
            case 14: send(Request::Function, Delivery::Forward, fate, nullptr); break;
            case 15: send(Request::CopyEnd, Delivery::Forward, fate, nullptr); break;
        }
    }

    Change* new_change() { return &changes_.emplace_back(); }

    void send(Request request, Delivery delivery, Fate fate, Change* change) {
        const bool executes = request == Request::Execute || request == Request::Query;
        if (executes && fate == Fate::CopiesIn) {
            copy_owed_ = true;
            copy_extended_ = request == Request::Execute;
        }
        if (request == Request::CopyEnd) copy_owed_ = false;
        ledger_.expect({.request = request,
                        .delivery = delivery,
                        .change = change == nullptr ? nullptr : &change->change},
                       *this);
        postgres_.input.push_back({request, delivery, fate, change});
    }

    /// Whatever happens: a server that is called clean is clean.
    void look() {
        if (!ledger_.at_rest()) return;
        PGW_CHECK(!postgres_.skipping());
        for (const Sent& sent : postgres_.input)
            PGW_CHECK(sent.request == Request::CopyEnd || sent.delivery == Delivery::Synthesize);
        for (const Reply& reply : postgres_.output) {
            PGW_CHECK(reply.type == 'N' || reply.type == 'S' || reply.type == 'A');
        }
    }

    Pipeline ledger_;
    Postgres postgres_;
    std::deque<Change> changes_;
    bool copy_owed_ = false;
    bool copy_extended_ = false;
};

/// Replies that nobody asked for: any verdict will do, but nothing may break.
void survives(Bytes data) {
    struct Nobody final : PipelineEvents {
        void on_confirmed(const Expected&) override {}

        void on_skipped(const Expected&) override {}
    } nobody;

    Pipeline ledger;
    for (const uint8_t byte : data) {
        if (byte < 128) {
            if (ledger.on_reply(static_cast<char>(byte), nobody) == Verdict::Mismatch) return;
        } else {
            ledger.expect({.request = static_cast<Request>(byte % 9),
                           .delivery = static_cast<Delivery>(byte / 9 % 2)},
                          nobody);
        }
        PGW_CHECK(!ledger.at_rest() || ledger.empty());
        PGW_CHECK(ledger.synthesized() <= ledger.size());
    }
}

}  // namespace

void fuzz_one(Bytes data);

/// The first byte chooses: a conversation that keeps the protocol, which the ledger has to follow
/// to the letter, or noise, which it has to survive.
void fuzz_one(Bytes data) {
    if (data.empty()) return;
    if (data[0] % 4 == 3) return survives(data.subspan(1));
    World world;
    for (const uint8_t byte : data.subspan(1)) world.step(byte);
    world.finish();
}

}  // namespace pgweir::fuzz_pipeline

#ifdef PGWEIR_LIBFUZZER
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    pgweir::fuzz_pipeline::fuzz_one({data, size});
    return 0;
}
#endif
