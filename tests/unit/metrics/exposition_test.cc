#include "pgweir/metrics/exposition.h"

#include <string>

#include <doctest/doctest.h>
#include <fmt/format.h>

namespace pgweir::metrics {
namespace {

bool has_line(const std::string& text, std::string_view line) {
    return fmt::format("\n{}", text).find(fmt::format("\n{}\n", line)) != std::string::npos;
}

}  // namespace

TEST_CASE("exposition: nothing was added, nothing is printed") {
    CHECK(Exposition().text().empty());
}

TEST_CASE("exposition: values with help, type and labels") {
    Exposition out;
    out.add(Metric::Workers, {}, 4);
    out.add(Metric::Queries,
            {
                {"database", "app"},
                {"user",     "ann"}
    },
            12);
    const std::string text = out.text();
    CHECK(has_line(text, "# HELP pgweir_workers Event-loop threads."));
    CHECK(has_line(text, "# TYPE pgweir_workers gauge"));
    CHECK(has_line(text, "pgweir_workers 4"));
    CHECK(has_line(text, "# TYPE pgweir_queries_total counter"));
    CHECK(has_line(text, "pgweir_queries_total{database=\"app\",user=\"ann\"} 12"));
}

TEST_CASE("exposition: the same metric and labels of several workers are added up") {
    Exposition out;
    out.add(Metric::Queries,
            {
                {"database", "app"},
                {"user",     "ann"}
    },
            1);
    out.add(Metric::Queries,
            {
                {"database", "app"},
                {"user",     "ann"}
    },
            2);
    out.add(Metric::Queries,
            {
                {"database", "app"},
                {"user",     "bob"}
    },
            4);
    const std::string text = out.text();
    CHECK(has_line(text, "pgweir_queries_total{database=\"app\",user=\"ann\"} 3"));
    CHECK(has_line(text, "pgweir_queries_total{database=\"app\",user=\"bob\"} 4"));
}

TEST_CASE("exposition: histograms are cumulative, in seconds, with the last bound without end") {
    Histogram histogram;
    histogram.observe(10);
    histogram.observe(100);
    histogram.observe(1'000'000'000);
    Exposition out;
    out.add(Metric::WaitTime,
            {
                {"database", "app"},
                {"user",     "ann"}
    },
            histogram);
    out.add(Metric::WaitTime,
            {
                {"database", "app"},
                {"user",     "ann"}
    },
            histogram);
    const std::string text = out.text();
    CHECK(has_line(text, "# TYPE pgweir_wait_seconds histogram"));
    const std::string labels = "database=\"app\",user=\"ann\"";
    CHECK(has_line(text, "pgweir_wait_seconds_count{" + labels + "} 6"));
    CHECK(text.find("pgweir_wait_seconds_sum{" + labels + "} 2000.00022") != std::string::npos);
    CHECK(has_line(text, "pgweir_wait_seconds_bucket{" + labels + ",le=\"6.4e-05\"} 2"));
    CHECK(has_line(text, "pgweir_wait_seconds_bucket{" + labels + ",le=\"0.000128\"} 4"));
    CHECK(has_line(text, "pgweir_wait_seconds_bucket{" + labels + ",le=\"+Inf\"} 6"));
}

TEST_CASE("exposition: labels cannot break a line") {
    Exposition out;
    out.add(Metric::Queries,
            {
                {"database", "a\"b\\c\nd"},
                {"user",     ""          }
    },
            1);
    CHECK(has_line(out.text(), R"(pgweir_queries_total{database="a\"b\\c\nd",user=""} 1)"));
}

}  // namespace pgweir::metrics
