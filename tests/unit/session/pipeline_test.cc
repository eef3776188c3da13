#include "pgweir/session/pipeline.h"

#include "pgweir/session/prepared.h"

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

namespace pgweir::session {
namespace {

/// Writes down what became of the changes, in the order in which it was told.
struct Recorder final : PipelineEvents {
    void on_confirmed(const Expected& entry) override { told.push_back("+" + entry.change->name); }

    void on_skipped(const Expected& entry) override { told.push_back("-" + entry.change->name); }

    std::vector<std::string> told;
};

/// A ledger that is spoken to in type bytes, those of the client and those of the server.
class Ledger {
public:
    /// 'H' is Flush and 'c' the end of a COPY; the others are as on the wire.
    Ledger& client(std::string_view types, Delivery delivery = Delivery::Forward) {
        for (const char type : types) {
            if (type == 'H') {
                pipeline.note_flush();
            } else {
                pipeline.expect({.request = to_request(type), .delivery = delivery}, recorder);
            }
        }
        return *this;
    }

    Ledger& pgweir(std::string_view types) { return client(types, Delivery::Swallow); }

    Ledger& changing(char type, std::string name, Delivery delivery = Delivery::Forward) {
        changes_.push_back({.kind = StatementChange::Kind::ClientAdded,
                            .name = std::move(name),
                            .statement = {},
                            .digest = {}});
        pipeline.expect(
            {.request = to_request(type), .delivery = delivery, .change = &changes_.back()},
            recorder);
        return *this;
    }

    /// One letter for each reply: Forward, Swallow or Mismatch, which ends the connection.
    std::string server(std::string_view types) {
        std::string verdicts;
        for (const char type : types) {
            switch (pipeline.on_reply(type, recorder)) {
                case Verdict::Forward: verdicts += 'f'; break;
                case Verdict::Swallow: verdicts += 's'; break;
                case Verdict::Mismatch: return verdicts + 'm';
            }
        }
        return verdicts;
    }

    bool fits(std::string_view types) { return server(types) == std::string(types.size(), 'f'); }

    Pipeline pipeline;
    Recorder recorder;

private:
    static Request to_request(char type) {
        switch (type) {
            case 'P': return Request::Parse;
            case 'B': return Request::Bind;
            case 'D': return Request::Describe;
            case 'E': return Request::Execute;
            case 'C': return Request::Close;
            case 'S': return Request::Sync;
            case 'F': return Request::Function;
            case 'c': return Request::CopyEnd;
            default: return Request::Query;
        }
    }

    std::deque<StatementChange> changes_;
};

using Told = std::vector<std::string>;

}  // namespace

TEST_CASE("pipeline: a new ledger owes nothing") {
    const Ledger ledger;
    CHECK(ledger.pipeline.empty());
    CHECK(ledger.pipeline.at_rest());
    CHECK_FALSE(ledger.pipeline.synthesis_due());
    CHECK_FALSE(ledger.pipeline.full());
}

TEST_CASE("pipeline: a simple query takes any number of results up to ReadyForQuery") {
    Ledger ledger;
    ledger.client("Q");
    CHECK(ledger.fits("TDDDC"));
    CHECK(ledger.fits("TDCCI"));
    CHECK_FALSE(ledger.pipeline.at_rest());
    CHECK(ledger.fits("Z"));
    CHECK(ledger.pipeline.at_rest());
}

TEST_CASE("pipeline: a simple query that fails still gets its ReadyForQuery") {
    Ledger ledger;
    ledger.client("Q");
    CHECK(ledger.fits("TDE"));
    CHECK_FALSE(ledger.pipeline.at_rest());
    CHECK(ledger.fits("Z"));
    CHECK(ledger.pipeline.at_rest());
}

TEST_CASE("pipeline: simple queries that were sent ahead are answered one after the other") {
    Ledger ledger;
    ledger.client("QQQ");
    CHECK(ledger.fits("CZ"));
    CHECK(ledger.pipeline.size() == 2);
    CHECK(ledger.fits("EZ"));
    CHECK(ledger.pipeline.size() == 1);
    CHECK(ledger.fits("IZ"));
    CHECK(ledger.pipeline.at_rest());
}

TEST_CASE("pipeline: an extended batch is answered message by message") {
    Ledger ledger;
    ledger.client("PBDES");
    CHECK(ledger.fits("12TDDC"));
    CHECK_FALSE(ledger.pipeline.at_rest());
    CHECK(ledger.fits("Z"));
    CHECK(ledger.pipeline.at_rest());
}

TEST_CASE("pipeline: Describe of a statement answers with parameters and then with columns") {
    Ledger ledger;
    ledger.client("PDDS");
    CHECK(ledger.fits("1tTtnZ"));
    CHECK(ledger.pipeline.at_rest());
}

TEST_CASE("pipeline: Execute ends with a tag, with an empty query, or suspended") {
    Ledger ledger;
    ledger.client("EEES");
    CHECK(ledger.fits("DsDDCIZ"));
    CHECK(ledger.pipeline.at_rest());
}

TEST_CASE("pipeline: Close is answered whether or not there was anything to close") {
    Ledger ledger;
    ledger.client("CCS");
    CHECK(ledger.fits("33Z"));
    CHECK(ledger.pipeline.at_rest());
}

TEST_CASE("pipeline: several batches with their own Syncs are under way at once") {
    Ledger ledger;
    ledger.client("PBESBESBES");
    CHECK(ledger.pipeline.batch() == 3);
    CHECK(ledger.fits("12CZ"));
    CHECK_FALSE(ledger.pipeline.at_rest());
    CHECK(ledger.fits("2DCZ2CZ"));
    CHECK(ledger.pipeline.at_rest());
}

TEST_CASE("pipeline: an error skips the rest of its batch and no more") {
    Ledger ledger;
    ledger.client("PBDESPBES");
    CHECK(ledger.fits("1E"));
    CHECK(ledger.pipeline.front().request == Request::Sync);
    CHECK(ledger.fits("Z12CZ"));
    CHECK(ledger.pipeline.at_rest());
}

TEST_CASE("pipeline: after an error nothing but the batch's ReadyForQuery fits") {
    for (const char* reply : {"1", "2", "3", "C", "D", "T", "n", "t", "I", "s", "V", "G", "H"}) {
        CAPTURE(reply);
        Ledger ledger;
        ledger.client("PBDES");
        REQUIRE(ledger.fits("E"));
        CHECK(ledger.server(reply) == "m");
    }
}

TEST_CASE("pipeline: what is sent between an error and its Sync is skipped without a trace") {
    Ledger ledger;
    ledger.client("PB");
    REQUIRE(ledger.fits("E"));
    CHECK(ledger.pipeline.empty());
    CHECK_FALSE(ledger.pipeline.at_rest());

    ledger.client("DECPBH");
    CHECK(ledger.pipeline.empty());
    CHECK_FALSE(ledger.pipeline.at_rest());

    ledger.client("S");
    CHECK(ledger.fits("Z"));
    CHECK(ledger.pipeline.at_rest());
}

TEST_CASE("pipeline: a simple query or a function call in a skipped batch is skipped too") {
    SUBCASE("sent before the error came") {
        Ledger ledger;
        ledger.client("PBQFES");
        CHECK(ledger.fits("1EZ"));
        CHECK(ledger.pipeline.at_rest());
    }
    SUBCASE("sent after the error came") {
        Ledger ledger;
        ledger.client("PB");
        REQUIRE(ledger.fits("1E"));
        ledger.client("QF");
        CHECK(ledger.pipeline.empty());
        ledger.client("S");
        CHECK(ledger.fits("Z"));
        CHECK(ledger.pipeline.at_rest());
    }
}

TEST_CASE("pipeline: a simple query that fails skips nothing, even behind an open batch") {
    Ledger ledger;
    ledger.client("PBEQPS");
    CHECK(ledger.fits("12CEZ1Z"));
    CHECK(ledger.pipeline.at_rest());
}

TEST_CASE(
    "pipeline: an error of the Sync itself, a deferred constraint's, keeps its ReadyForQuery") {
    Ledger ledger;
    ledger.client("BES");
    CHECK(ledger.fits("2CEZ"));
    CHECK(ledger.pipeline.at_rest());
}

TEST_CASE("pipeline: Flush owes nothing, but keeps the batch open until its Sync") {
    Ledger ledger;
    ledger.client("PBEH");
    CHECK(ledger.fits("12C"));
    CHECK(ledger.pipeline.empty());
    CHECK_FALSE(ledger.pipeline.at_rest());
    ledger.client("S");
    CHECK(ledger.fits("Z"));
    CHECK(ledger.pipeline.at_rest());
}

TEST_CASE("pipeline: a simple query closes the batch that was open before it") {
    Ledger ledger;
    ledger.client("PBEQ");
    CHECK(ledger.fits("12CCZ"));
    CHECK(ledger.pipeline.at_rest());
}

TEST_CASE("pipeline: a batch without Sync is not at rest though all is answered") {
    Ledger ledger;
    ledger.client("PBE");
    CHECK(ledger.fits("12C"));
    CHECK(ledger.pipeline.empty());
    CHECK_FALSE(ledger.pipeline.at_rest());
}

TEST_CASE("pipeline: a function call has one answer or an error, then ReadyForQuery") {
    Ledger ledger;
    ledger.client("FF");
    CHECK(ledger.fits("VZEZ"));
    CHECK(ledger.pipeline.at_rest());

    ledger.client("F");
    CHECK(ledger.server("C") == "m");
}

TEST_CASE("pipeline: a function's answer fits nothing else") {
    for (const char* request : {"Q", "P", "B", "D", "E", "C", "S"}) {
        CAPTURE(request);
        Ledger ledger;
        ledger.client(request);
        CHECK(ledger.server("V") == "m");
    }
}

TEST_CASE("pipeline: notices, parameters and notifications may come at any time") {
    Ledger idle;
    CHECK(idle.fits("NSA"));
    CHECK(idle.pipeline.at_rest());

    Ledger busy;
    busy.client("PBDES");
    CHECK(busy.fits("N1SA2NTSDNCASZN"));
    CHECK(busy.pipeline.at_rest());
}

TEST_CASE("pipeline: the error of an idle server that shuts down is let through") {
    Ledger ledger;
    CHECK(ledger.fits("E"));
    CHECK(ledger.pipeline.at_rest());
}

TEST_CASE("pipeline: an idle server that answers is out of step") {
    for (const char* reply :
         {"1", "2", "3", "C", "D", "T", "Z", "I", "V", "G", "H", "d", "W", "R"}) {
        CAPTURE(reply);
        Ledger ledger;
        CHECK(ledger.server(reply) == "m");
    }
}

TEST_CASE("pipeline: each request takes its own replies and no others") {
    struct Row {
        char request;
        std::string_view fitting;
    };

    constexpr std::string_view kAll = "123tTnDCIsdcHGVZWKRv";
    for (const Row& row : {
             Row{'P', "1"        },
             Row{'B', "2"        },
             Row{'C', "3"        },
             Row{'D', "tTn"      },
             Row{'E', "DCIsdcHG" },
             Row{'S', "Z"        },
             Row{'Q', "TDCIdcHGZ"},
             Row{'F', "VZ"       }
    }) {
        for (const char reply : kAll) {
            CAPTURE(row.request);
            CAPTURE(reply);
            Ledger ledger;
            ledger.client({&row.request, 1});
            const bool fits = row.fitting.find(reply) != std::string_view::npos;
            CHECK(ledger.server({&reply, 1}) == (fits ? "f" : "m"));
        }
    }
}

TEST_CASE("pipeline: ReadyForQuery before the batch is through is a mismatch") {
    Ledger ledger;
    ledger.client("PBES");
    CHECK(ledger.server("12Z") == "ffm");
}

TEST_CASE("pipeline: COPY to the client streams within its Execute or its query") {
    Ledger extended;
    extended.client("BES");
    CHECK(extended.fits("2HdddcCZ"));
    CHECK(extended.pipeline.at_rest());

    Ledger simple;
    simple.client("Q");
    CHECK(simple.fits("HddcCZ"));
    CHECK(simple.pipeline.at_rest());
}

TEST_CASE("pipeline: COPY from the client by a simple query") {
    Ledger ledger;
    ledger.client("Q");
    CHECK(ledger.fits("G"));
    ledger.client("c");
    CHECK(ledger.fits("CZ"));
    CHECK(ledger.pipeline.at_rest());
}

TEST_CASE("pipeline: CopyDone that was sent before the server said that it copies") {
    Ledger ledger;
    ledger.client("Qc");
    CHECK(ledger.fits("GCZ"));
    CHECK(ledger.pipeline.at_rest());
}

TEST_CASE(
    "pipeline: libpq's Sync behind the Execute of a COPY is ignored, the one at its end counts") {
    SUBCASE("the server says that it copies before the data comes") {
        Ledger ledger;
        ledger.client("PBDES");
        CHECK(ledger.fits("12nG"));
        CHECK_FALSE(ledger.pipeline.at_rest());
        ledger.client("cS");
        CHECK(ledger.fits("CZ"));
        CHECK(ledger.pipeline.at_rest());
    }
    SUBCASE("everything was sent ahead") {
        Ledger ledger;
        ledger.client("PBDEScS");
        CHECK(ledger.fits("12nGCZ"));
        CHECK(ledger.pipeline.at_rest());
    }
    SUBCASE("a second ReadyForQuery would be somebody else's") {
        Ledger ledger;
        ledger.client("PBDEScS");
        CHECK(ledger.server("12nGCZZ") == "ffffffm");
    }
}

TEST_CASE("pipeline: a Sync that comes while data is copied is ignored") {
    Ledger ledger;
    ledger.client("PBE");
    REQUIRE(ledger.fits("12G"));
    ledger.client("SHS");
    CHECK(ledger.pipeline.size() == 1);
    ledger.client("c");
    CHECK(ledger.fits("C"));
    CHECK_FALSE(ledger.pipeline.at_rest());
    ledger.client("S");
    CHECK(ledger.fits("Z"));
    CHECK(ledger.pipeline.at_rest());
}

TEST_CASE("pipeline: after a COPY the next Sync counts again") {
    Ledger ledger;
    ledger.client("PBEScSBES");
    CHECK(ledger.fits("12GCZ2CZ"));
    CHECK(ledger.pipeline.at_rest());
}

TEST_CASE("pipeline: a batch behind a COPY that was sent ahead keeps its Sync") {
    Ledger ledger;
    ledger.client("EScSPBES");
    CHECK(ledger.fits("G"));
    CHECK(ledger.fits("CZ12CZ"));
    CHECK(ledger.pipeline.at_rest());
}

TEST_CASE("pipeline: a COPY that fails before it begins is answered at the Sync behind it") {
    Ledger ledger;
    ledger.client("PBDEScS");
    CHECK(ledger.fits("12nEZ"));
    CHECK_FALSE(ledger.pipeline.at_rest());
    CHECK(ledger.fits("Z"));
    CHECK(ledger.pipeline.at_rest());
}

TEST_CASE("pipeline: a COPY that fails on its data before the client ended it") {
    SUBCASE("extended: all up to the Sync at its end is skipped") {
        Ledger ledger;
        ledger.client("PBES");
        REQUIRE(ledger.fits("12GE"));
        CHECK_FALSE(ledger.pipeline.at_rest());
        ledger.client("cS");
        CHECK(ledger.fits("Z"));
        CHECK(ledger.pipeline.at_rest());
    }
    SUBCASE("simple: the server is ready at once and drops the data that still comes") {
        Ledger ledger;
        ledger.client("Q");
        REQUIRE(ledger.fits("GEZ"));
        CHECK(ledger.pipeline.at_rest());
        ledger.client("c");
        CHECK(ledger.pipeline.at_rest());
        ledger.client("Q");
        CHECK(ledger.fits("CZ"));
        CHECK(ledger.pipeline.at_rest());
    }
}

TEST_CASE("pipeline: a COPY that fails after the client ended it") {
    Ledger extended;
    extended.client("PBES");
    REQUIRE(extended.fits("12G"));
    extended.client("cS");
    CHECK(extended.fits("EZ"));
    CHECK(extended.pipeline.at_rest());

    Ledger simple;
    simple.client("Q");
    REQUIRE(simple.fits("G"));
    simple.client("c");
    CHECK(simple.fits("EZ"));
    CHECK(simple.pipeline.at_rest());
}

TEST_CASE("pipeline: the end of a COPY outside of any COPY is ignored") {
    Ledger idle;
    idle.client("ccc");
    CHECK(idle.pipeline.at_rest());

    Ledger busy;
    busy.client("QcQc");
    CHECK(busy.fits("CZCZ"));
    CHECK(busy.pipeline.at_rest());
}

TEST_CASE("pipeline: an end of COPY between others does not hide that nothing is owed") {
    Ledger ledger;
    ledger.client("BEcS");
    CHECK(ledger.fits("2C"));
    CHECK(ledger.pipeline.front().request == Request::Sync);
    CHECK(ledger.fits("Z"));
    CHECK(ledger.pipeline.at_rest());
}

TEST_CASE("pipeline: two COPYs in one simple query") {
    Ledger ledger;
    ledger.client("Q");
    REQUIRE(ledger.fits("G"));
    ledger.client("c");
    REQUIRE(ledger.fits("CG"));
    ledger.client("c");
    CHECK(ledger.fits("CZ"));
    CHECK(ledger.pipeline.at_rest());
}

TEST_CASE("pipeline: what pgweir asked is swallowed, around and between what the client asked") {
    Ledger ledger;
    ledger.pgweir("Q").client("Q").pgweir("P").client("B").pgweir("C").client("ES");
    CHECK(ledger.server("TDCZ") == "ssss");
    CHECK(ledger.server("CZ") == "ff");
    CHECK(ledger.server("123CZ") == "sfsff");
    CHECK(ledger.pipeline.at_rest());
}

TEST_CASE(
    "pipeline: the error of a swallowed query is swallowed, the one of a swallowed Parse is not") {
    Ledger query;
    query.pgweir("Q");
    CHECK(query.server("EZ") == "ss");
    CHECK(query.pipeline.at_rest());

    // It was injected for the client's Bind, so it is the client's error.
    Ledger parse;
    parse.pgweir("P").client("BES");
    CHECK(parse.server("EZ") == "ff");
    CHECK(parse.pipeline.at_rest());
}

TEST_CASE("pipeline: an answer that pgweir makes itself is due when its turn comes") {
    Ledger ledger;
    ledger.client("B").client("P", Delivery::Synthesize).client("S");
    CHECK(ledger.pipeline.synthesized() == 1);
    CHECK_FALSE(ledger.pipeline.synthesis_due());

    REQUIRE(ledger.fits("2"));
    CHECK(ledger.pipeline.synthesis_due());
    const Expected taken = ledger.pipeline.take_synthesized(ledger.recorder);

    CHECK(taken.request == Request::Parse);
    CHECK(ledger.pipeline.synthesized() == 0);
    CHECK_FALSE(ledger.pipeline.synthesis_due());
    CHECK(ledger.fits("Z"));
    CHECK(ledger.pipeline.at_rest());
}

TEST_CASE("pipeline: the server never answers for pgweir") {
    Ledger ledger;
    ledger.client("P", Delivery::Synthesize);
    CHECK(ledger.server("1") == "m");
}

TEST_CASE("pipeline: an error skips what pgweir would have answered") {
    Ledger ledger;
    ledger.client("B")
        .client("P", Delivery::Synthesize)
        .client("C", Delivery::Synthesize)
        .client("S");
    CHECK(ledger.fits("E"));
    CHECK(ledger.pipeline.synthesized() == 0);
    CHECK_FALSE(ledger.pipeline.synthesis_due());
    CHECK(ledger.fits("Z"));
    CHECK(ledger.pipeline.at_rest());
}

TEST_CASE("pipeline: a change is confirmed by its own reply, in order") {
    Ledger ledger;
    ledger.changing('P', "a").client("B").changing('C', "b", Delivery::Swallow).client("S");
    CHECK(ledger.recorder.told.empty());
    ledger.server("1");
    CHECK(ledger.recorder.told == Told{"+a"});
    ledger.server("2");
    CHECK(ledger.recorder.told == Told{"+a"});
    ledger.server("3Z");
    CHECK(ledger.recorder.told == Told{"+a", "+b"});
}

TEST_CASE("pipeline: a change that pgweir answers is confirmed when it answers") {
    Ledger ledger;
    ledger.changing('P', "a", Delivery::Synthesize).client("S");
    ledger.pipeline.take_synthesized(ledger.recorder);
    CHECK(ledger.recorder.told == Told{"+a"});
}

TEST_CASE("pipeline: skipped changes are taken back newest first, the failed one last") {
    Ledger ledger;
    ledger.changing('P', "before")
        .changing('P', "failed")
        .client("B")
        .changing('C', "closed", Delivery::Synthesize)
        .changing('P', "again")
        .client("S")
        .changing('P', "next batch")
        .client("S");
    CHECK(ledger.server("1E") == "ff");
    CHECK(ledger.recorder.told == Told{"+before", "-again", "-closed", "-failed"});
    CHECK(ledger.server("Z1Z") == "fff");
    CHECK(ledger.recorder.told.back() == "+next batch");
}

TEST_CASE("pipeline: a change that is sent into a skipped batch is taken back at once") {
    Ledger ledger;
    ledger.client("P");
    REQUIRE(ledger.fits("E"));
    ledger.changing('P', "late");
    CHECK(ledger.recorder.told == Told{"-late"});
    CHECK(ledger.pipeline.empty());
}

TEST_CASE("pipeline: an error of a simple query takes no change back") {
    Ledger ledger;
    ledger.client("Q").changing('P', "a").client("S");
    ledger.server("EZ");
    CHECK(ledger.recorder.told.empty());
    CHECK(ledger.fits("1Z"));
    CHECK(ledger.recorder.told == Told{"+a"});
}

TEST_CASE("pipeline: batches are counted by the Syncs that were sent") {
    Ledger ledger;
    CHECK(ledger.pipeline.batch() == 0);
    ledger.client("PBES");
    CHECK(ledger.pipeline.batch() == 1);
    ledger.client("Q");
    CHECK(ledger.pipeline.batch() == 1);
    ledger.client("PS");
    CHECK(ledger.pipeline.batch() == 2);
}

TEST_CASE("pipeline: the ring keeps its order when it grows, also when it is wrapped") {
    for (const size_t shift : {0u, 1u, 7u, 15u}) {
        CAPTURE(shift);
        Ledger ledger;
        for (size_t i = 0; i < shift; ++i) {
            ledger.client("P");
            REQUIRE(ledger.fits("1"));
        }
        const std::string_view requests = "PBDEC";
        const std::string_view replies = "12TC3";
        for (size_t i = 0; i < 500; ++i) ledger.client(requests.substr(i % 5, 1));
        REQUIRE(ledger.pipeline.size() == 500);
        for (size_t i = 0; i < 500; ++i) REQUIRE(ledger.fits(replies.substr(i % 5, 1)));
        CHECK(ledger.pipeline.empty());
    }
}

TEST_CASE("pipeline: a changing ledger that is wrapped forgets exactly what it holds") {
    Ledger ledger;
    for (int i = 0; i < 12; ++i) {
        ledger.client("P");
        REQUIRE(ledger.fits("1"));
    }
    for (int i = 0; i < 10; ++i) ledger.changing('P', std::to_string(i));
    Told left;
    ledger.pipeline.clear([&](const Expected& entry) { left.push_back(entry.change->name); });
    CHECK(left == Told{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"});
    CHECK(ledger.pipeline.empty());
}

TEST_CASE("pipeline: it says when it is full and when it is not any more") {
    Ledger ledger;
    for (size_t i = 0; i < Pipeline::kExpectedMax; ++i) {
        REQUIRE_FALSE(ledger.pipeline.full());
        ledger.client("B");
    }
    CHECK(ledger.pipeline.full());
    REQUIRE(ledger.fits("2"));
    CHECK_FALSE(ledger.pipeline.full());
}

TEST_CASE("pipeline: a Sync within a simple query's COPY leaves no batch open") {
    Ledger ledger;
    ledger.client("Q");
    REQUIRE(ledger.fits("G"));
    ledger.client("Sc");
    REQUIRE(ledger.fits("CZ"));
    CHECK(ledger.pipeline.at_rest());
}

TEST_CASE("pipeline: the end of the first COPY of a query does not end the second") {
    Ledger ledger;
    ledger.client("Q");
    REQUIRE(ledger.fits("G"));
    ledger.client("c");
    REQUIRE(ledger.fits("CG"));
    ledger.client("S");  // ignored: the server takes data again
    ledger.client("c");
    REQUIRE(ledger.fits("CZ"));
    CHECK(ledger.pipeline.empty());
}

TEST_CASE("pipeline: a COPY that fails after a Sync was taken for ignored may owe one more") {
    SUBCASE("within a simple query") {
        Ledger ledger;
        ledger.client("Q");
        REQUIRE(ledger.fits("G"));
        ledger.client("S");
        CHECK_FALSE(ledger.pipeline.one_more_ready_possible());
        CHECK(ledger.fits("EZ"));
        CHECK(ledger.pipeline.at_rest());
        CHECK(ledger.pipeline.one_more_ready_possible());
        CHECK(ledger.fits("Z"));
    }
    SUBCASE("within an Execute") {
        Ledger ledger;
        ledger.client("PBES");
        REQUIRE(ledger.fits("12GE"));
        CHECK(ledger.pipeline.one_more_ready_possible());
    }
    SUBCASE("not when the COPY went well") {
        Ledger ledger;
        ledger.client("Q");
        REQUIRE(ledger.fits("G"));
        ledger.client("Sc");
        CHECK(ledger.fits("CZ"));
        ledger.client("Q");
        CHECK(ledger.fits("EZ"));
        CHECK_FALSE(ledger.pipeline.one_more_ready_possible());
        CHECK(ledger.server("Z") == "m");
    }
}

TEST_CASE("pipeline: the loss of the last unnamed Parse is told, of an earlier one not") {
    struct Unnamed final : PipelineEvents {
        void on_confirmed(const Expected&) override {}

        void on_skipped(const Expected&) override {}

        void on_unnamed_lost(bool by_client) override { ++(by_client ? lost : injected_lost); }

        int lost = 0;
        int injected_lost = 0;
    } events;

    const Expected parse{.request = Request::Parse, .unnamed = true};
    const Expected end{Request::Sync};
    Pipeline pipeline;
    pipeline.expect(parse, events);
    pipeline.expect(end, events);
    pipeline.expect(parse, events);
    pipeline.expect(end, events);
    pipeline.on_reply('E', events);
    CHECK(events.lost == 0);
    pipeline.on_reply('Z', events);
    pipeline.on_reply('E', events);
    CHECK(events.lost == 1);
    pipeline.on_reply('Z', events);

    pipeline.expect({.request = Request::Bind}, events);
    pipeline.on_reply('E', events);
    pipeline.expect(parse, events);
    CHECK(events.lost == 2);
    const Expected injected{
        .request = Request::Parse, .delivery = Delivery::Swallow, .unnamed = true};
    pipeline.expect(injected, events);
    CHECK(events.injected_lost == 1);
    pipeline.expect(end, events);
    pipeline.on_reply('Z', events);

    pipeline.expect({.request = Request::Bind}, events);
    pipeline.expect(injected, events);
    SUBCASE("one that was put in front of a Bind is not its client's") {
        pipeline.on_reply('E', events);
        CHECK(events.injected_lost == 2);
        CHECK(events.lost == 2);
    }
    SUBCASE("unless the client's own is lost with it") {
        pipeline.expect(parse, events);
        pipeline.on_reply('E', events);
        CHECK(events.injected_lost == 1);
        CHECK(events.lost == 3);
    }
}

TEST_CASE(
    "pipeline: behind the surplus ReadyForQuery of a COPY that failed at once a query is sent") {
    Ledger ledger;
    ledger.client("PBES");
    CHECK(ledger.fits("12GEZ"));
    CHECK_FALSE(ledger.pipeline.skipping());
    CHECK(ledger.pipeline.one_more_ready_possible());
    ledger.client("Q");
    CHECK(ledger.fits("CZ"));
    CHECK(ledger.pipeline.at_rest());
}

TEST_CASE("pipeline: an error behind a Flush that owed nothing makes the server wait for Sync") {
    Ledger ledger;
    ledger.client("H");
    CHECK(ledger.fits("E"));
    CHECK(ledger.pipeline.skipping());
    ledger.client("QS");
    CHECK(ledger.fits("Z"));
    CHECK(ledger.pipeline.at_rest());
}

}  // namespace pgweir::session
