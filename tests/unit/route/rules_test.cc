#include "pgweir/route/rules.h"

#include "pgweir/route/decisions.h"
#include "pgweir/sql/fingerprint.h"

#include <doctest/doctest.h>

namespace pgweir::route {
namespace {

using config::RoutingRule;
using config::RuleRoute;

RoutingRule rule(std::string pattern, RuleRoute route, std::vector<std::string> samples = {}) {
    return {
        .pattern = std::move(pattern), .route = route, .samples = std::move(samples), .line = 7};
}

std::string only_problem(std::vector<RoutingRule> rules) {
    const auto problems = check_samples(rules);
    REQUIRE(problems.size() == 1);
    return problems[0].what;
}

}  // namespace

TEST_CASE("rules: a star stands for anything, also for nothing") {
    CHECK(is_like("select 1", "select 1"));
    CHECK(is_like("select 1", "SELECT 1"));
    CHECK(is_like("select 1", "*"));
    CHECK(is_like("select 1", "select*"));
    CHECK(is_like("select 1", "*1"));
    CHECK(is_like("select 1", "se*c**1"));
    CHECK(is_like("aXbXc", "a*xc"));
    CHECK(is_like("", ""));
    CHECK(is_like("", "**"));
    CHECK_FALSE(is_like("", "a"));
    CHECK_FALSE(is_like("select 1", "select"));
    CHECK_FALSE(is_like("select 1", "elect 1"));
    CHECK_FALSE(is_like("select 1", "*2"));
    CHECK_FALSE(is_like("select 1", ""));
    // Not more than a look for each star at each place.
    CHECK_FALSE(is_like(std::string(2000, 'a'), "*a*a*a*a*a*a*a*b"));
}

TEST_CASE("rules: the first that is about a statement counts") {
    const std::string text = "SELECT f(1) FROM t";
    const RoutingRule by_name{.fingerprint = to_text(*sql::fingerprint(text)),
                              .route = RuleRoute::Primary};
    const Rules rules({rule("select g(*) from t", RuleRoute::Standby), by_name,
                       rule("select * from t", RuleRoute::Standby)});
    CHECK(rules.about("SELECT g(2, 3) FROM t")->route == RuleRoute::Standby);
    CHECK(rules.about("select f( 'x' )  from t")->route == RuleRoute::Primary);
    CHECK(rules.about("SELECT a, b FROM t")->route == RuleRoute::Standby);
    CHECK(rules.about("SELECT a FROM u") == nullptr);
    CHECK(rules.about("SELECT 'no end") == nullptr);
    CHECK(Rules().about(text) == nullptr);
}

TEST_CASE("rules: samples are tried") {
    CHECK(
        check_samples({rule("select f(*)", RuleRoute::Standby, {"SELECT f(1)", "select f(a, 2)"})})
            .empty());
    CHECK(only_problem({rule("select f(*)", RuleRoute::Standby, {"SELECT g(1)"})}) ==
          "rule \"select f(*)\" is not about its sample \"SELECT g(1)\"");
    CHECK(only_problem({rule("*", RuleRoute::Primary),
                        rule("select f(*)", RuleRoute::Standby, {"SELECT f(1)"})})
              .find("comes first") != std::string::npos);
    CHECK(only_problem({rule("*", RuleRoute::Standby, {"DELETE FROM t"})})
              .find("stays at the primary: ") != std::string::npos);
    CHECK(only_problem({rule("*", RuleRoute::Primary, {"SELECT 'x"})}).find("cannot be read") !=
          std::string::npos);
    CHECK(check_samples({rule("*", RuleRoute::Primary, {"DELETE FROM t"})}).empty());
}

TEST_CASE("rules: they come before the catalogue, and not before the grammar") {
    Decisions decisions;
    Decisions::Ref ref;
    CHECK(decisions.about("SELECT f(1)", ref)->its == Class::Write);  // no catalogue is known
    CHECK_FALSE(decisions.has_rules());
    decisions.use(Rules({rule("select f(*)", RuleRoute::Standby), rule("*", RuleRoute::Standby)}));
    CHECK(decisions.has_rules());
    const Decision* decision = decisions.about("SELECT f(1)", ref);
    CHECK(decision->its == Class::Read);
    CHECK(decision->by_rule);
    CHECK(decision->writes);  // what somebody made may still, where nothing would refuse it
    CHECK(decision->why == "rule \"select f(*)\"");
    for (const char* text : {"DELETE FROM t", "SELECT * FROM t FOR UPDATE", "BEGIN", "COMMIT",
                             "SELECT nextval('s')", "SELECT 1; DELETE FROM t"}) {
        CAPTURE(text);
        CHECK(decisions.about(text, ref)->its == Class::Write);
    }
    CHECK(decisions.about("BEGIN READ ONLY", ref)->its == Class::Write);
    CHECK_FALSE(decisions.about("BEGIN READ ONLY", ref)->writes);
    decisions.use(Rules({rule("*", RuleRoute::Primary)}));
    CHECK(decisions.about("SELECT f(1)", ref)->its == Class::Write);
    CHECK(decisions.about("BEGIN READ ONLY", ref)->its == Class::Write);
    CHECK_FALSE(decisions.about("BEGIN READ ONLY", ref)->writes);
    decisions.use(Rules());
    CHECK_FALSE(decisions.about("SELECT f(1)", ref)->by_rule);
}

TEST_CASE("rules: what a standby refused stays at the primary") {
    Decisions decisions;
    decisions.use(Rules({rule("select f(*)", RuleRoute::Standby)}));
    Decisions::Ref ref;
    CHECK(decisions.about("SELECT f(1)", ref)->its == Class::Read);
    decisions.refuse(ref);
    CHECK(decisions.about("SELECT f(2)", ref)->its == Class::Write);
}

}  // namespace pgweir::route
