#include "pgweir/sql/transactions.h"

#include <doctest/doctest.h>

namespace pgweir::sql {
namespace {

TransactionVerb verb_of(std::string_view sql) {
    return transaction_command(sql).verb;
}

}  // namespace

TEST_CASE("transactions: what begins and ends them, however it is written") {
    using enum TransactionVerb;
    for (const char* text :
         {"BEGIN", "begin;", " Begin Work ", "BEGIN TRANSACTION", "/* app:web */ BEGIN -- x",
          "BEGIN ISOLATION LEVEL SERIALIZABLE", "BEGIN READ ONLY, NOT DEFERRABLE"}) {
        CAPTURE(text);
        CHECK(verb_of(text) == Begin);
    }
    CHECK(verb_of("START TRANSACTION READ WRITE") == Start);
    CHECK(verb_of("SET TRANSACTION READ ONLY") == SetTransaction);
    for (const char* text : {"COMMIT", "end", "COMMIT WORK;", "END TRANSACTION AND NO CHAIN"}) {
        CAPTURE(text);
        CHECK(verb_of(text) == Commit);
        CHECK_FALSE(transaction_command(text).chains);
    }
    CHECK(verb_of("ROLLBACK") == Rollback);
    CHECK(verb_of("ABORT WORK") == Rollback);
    CHECK(transaction_command("COMMIT AND CHAIN").chains);
    CHECK(transaction_command("ROLLBACK AND CHAIN").chains);
    CHECK(verb_of("PREPARE TRANSACTION 'x'") == Prepare);
}

TEST_CASE("transactions: what is anything else is none") {
    for (const char* text : {"",
                             ";",
                             "SELECT 1",
                             "BEGIN; SELECT 1",
                             "BEGIN;;",
                             "BEGINS",
                             "\"begin\"",
                             "BEGIN READ",
                             "BEGIN READ ONLY READ WRITE",
                             "BEGIN ISOLATION LEVEL",
                             "BEGIN ,",
                             "BEGIN READ ONLY,",
                             "BEGIN ISOLATION SERIALIZABLE",
                             "BEGIN ISOLATION LEVEL REPEATABLE",
                             "BEGIN NOT",
                             "START",
                             "START WORK",
                             "START SET TRANSACTION READ ONLY",
                             "SET TRANSACTION",
                             "SET TRANSACTION SNAPSHOT 'x'",
                             "SET x = 1",
                             "SET LOCAL x = 1",
                             "COMMIT AND",
                             "COMMIT PREPARED 'x'",
                             "ROLLBACK TO x",
                             "ROLLBACK TO SAVEPOINT x",
                             "PREPARE TRANSACTION x",
                             "PREPARE x AS SELECT 1",
                             "END LOOP",
                             "BEGIN /*",
                             "BEGIN 'x",
                             "ISOLATION LEVEL SERIALIZABLE",
                             "BEGIN\vWORK",
                             "BEGIN -- \xc3\xa4",
                             "PREPARE TRANSACTION B'1'",
                             "PREPARE TRANSACTION"}) {
        CAPTURE(text);
        CHECK(verb_of(text) == TransactionVerb::None);
    }
}

TEST_CASE("transactions: modes are read and written, and later ones count") {
    TransactionModes modes =
        transaction_command("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY, DEFERRABLE").modes;
    CHECK(modes.isolation == Isolation::RepeatableRead);
    CHECK(modes.read_only == Said::Yes);
    CHECK(modes.deferrable == Said::Yes);
    CHECK(begin_text(modes) == "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY DEFERRABLE");
    modes.override_with(transaction_command("SET TRANSACTION READ WRITE, NOT DEFERRABLE").modes);
    CHECK(begin_text(modes) == "BEGIN ISOLATION LEVEL REPEATABLE READ READ WRITE NOT DEFERRABLE");
    CHECK(begin_text({}) == "BEGIN");
    for (const auto isolation : {Isolation::ReadUncommitted, Isolation::ReadCommitted,
                                 Isolation::RepeatableRead, Isolation::Serializable}) {
        const TransactionModes written{.isolation = isolation};
        CHECK(transaction_command(begin_text(written)).modes == written);
    }
}

}  // namespace pgweir::sql
