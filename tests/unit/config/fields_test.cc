#include "pgweir/config/fields.h"

#include "config/field.h"

#include <algorithm>
#include <set>

#include <doctest/doctest.h>

namespace pgweir::config {
namespace {

const ConfigRow* find_row(const std::vector<ConfigRow>& rows, std::string_view key) {
    const auto found = std::find_if(rows.begin(), rows.end(),
                                    [&](const ConfigRow& row) { return row.key == key; });
    return found == rows.end() ? nullptr : &*found;
}

bool is_number(Kind kind) {
    return kind == Kind::Count || kind == Kind::Size || kind == Kind::Duration;
}

TEST_CASE("fields: no key stands twice in the table, and none is known and later at once") {
    std::set<std::string_view> keys;
    for (const Field& field : fields()) CHECK(keys.insert(field.key).second);
    for (const LaterKey& later : later_keys()) CHECK(keys.insert(later.key).second);
}

TEST_CASE("fields: every row is told about in one sentence") {
    for (const Field& field : fields()) {
        CAPTURE(field.key);
        CHECK(field.doc.ends_with('.'));
        CHECK(field.doc.find('|') == std::string_view::npos);
    }
}

TEST_CASE("fields: every default is one that the file may write") {
    for (const Field& field : fields()) {
        if (field.rule.unset != nullptr) continue;
        CAPTURE(field.key);
        BlankModel blank;
        const Slot slot = blank.slot_of(field);
        const std::string usual = print(slot, field.rule);
        CHECK_FALSE(usual.empty());
        CHECK_FALSE(assign(slot, field.rule, Scalar{.text = usual}).has_value());
        CHECK(print(slot, field.rule) == usual);
    }
}

TEST_CASE("fields: every range prints values that are inside of it") {
    for (const Field& field : fields()) {
        if (!is_number(field.rule.kind)) continue;
        CAPTURE(field.key);
        BlankModel blank;
        const Slot slot = blank.slot_of(field);
        const std::string range = range_text(slot, field.rule);
        const std::string least = range.substr(0, range.find(' '));
        CHECK_FALSE(assign(slot, field.rule, Scalar{.text = least}).has_value());
        CHECK(print(slot, field.rule) == least);
        CHECK(field.rule.min <= field.rule.max);
    }
}

TEST_CASE("fields: rows of one section stand together, so that names are not repeated") {
    for (const std::string_view prefix : {"", "limits.", "databases.*.", "clusters.*."}) {
        auto names = names_under(prefix);
        std::sort(names.begin(), names.end());
        CHECK_FALSE(names.empty());
        CHECK(std::adjacent_find(names.begin(), names.end()) == names.end());
    }
}

TEST_CASE("fields: a key that is meant is a neighbour, one of another section, or PgBouncer's") {
    CHECK(meant_key("limits.", "cleints") == "clients");
    CHECK(meant_key("limits.", "query_wait") == "timeouts.query_wait");
    CHECK(meant_key("", "max_client_conn") == "limits.clients");
    CHECK(meant_key("databases.*.", "min_pool_size") == "min_size");
    CHECK(meant_key("", "default_pool_size") == "pool.pool_size");
    CHECK(meant_key("", "favourite_colour") == std::nullopt);
}

TEST_CASE("fields: SHOW CONFIG has values beside defaults") {
    Config config;
    config.listen = {
        {.host = "::1", .unix_folder = "",            .port = 5000},
        {.host = "",    .unix_folder = "/run/pgweir", .port = 6432}
    };
    config.limits.clients = 77;
    config.timeouts.login = std::chrono::seconds(90);
    config.log.level = LogLevel::Debug;
    config.admin.users = {"ops", "dba"};
    const auto rows = show_config(config);

    REQUIRE(find_row(rows, "listen") != nullptr);
    CHECK(*find_row(rows, "listen") == ConfigRow{.key = "listen",
                                                 .value = "[::1]:5000, /run/pgweir:6432",
                                                 .default_value = "127.0.0.1:6432",
                                                 .changeable = false});
    REQUIRE(find_row(rows, "limits.clients") != nullptr);
    CHECK(*find_row(rows, "limits.clients") == ConfigRow{.key = "limits.clients",
                                                         .value = "77",
                                                         .default_value = "10000",
                                                         .changeable = true});
    CHECK(find_row(rows, "timeouts.login")->value == "90s");
    CHECK(find_row(rows, "timeouts.idle_transaction")->value == "0");
    CHECK(find_row(rows, "limits.message_size")->value == "1GB");
    CHECK(find_row(rows, "workers")->value == "auto");
    CHECK_FALSE(find_row(rows, "workers")->changeable);
    CHECK(find_row(rows, "log.level")->value == "debug");
    CHECK(find_row(rows, "admin.users")->value == "ops, dba");
}

TEST_CASE("fields: SHOW CONFIG has no database, no user and no secret") {
    Config config;
    config.databases["a"].password = Secret("hunter2");
    for (const ConfigRow& row : show_config(config)) {
        CHECK_FALSE(row.key.starts_with("databases"));
        CHECK(row.value.find("hunter2") == std::string::npos);
    }
}

TEST_CASE("fields: an unchanged process shows its defaults") {
    for (const ConfigRow& row : show_config(Config{})) {
        if (row.key != "listen") CHECK(row.value == row.default_value);
    }
}

TEST_CASE("fields: an address shows where its port begins") {
    CHECK(address_text("10.0.0.5", 5432) == "10.0.0.5:5432");
    CHECK(address_text("::1", 5432) == "[::1]:5432");
    CHECK(address_text("/run/postgresql", 5432) == "/run/postgresql:5432");
}

}  // namespace
}  // namespace pgweir::config
