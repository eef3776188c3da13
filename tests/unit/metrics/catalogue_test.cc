#include "pgweir/metrics/catalogue.h"

#include <algorithm>
#include <set>
#include <string>

#include <doctest/doctest.h>

namespace pgweir::metrics {
namespace {

bool ends_with(std::string_view text, std::string_view end) {
    return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

}  // namespace

TEST_CASE("metrics catalogue: each metric has its row, a name of its own and a sentence of help") {
    std::set<std::string_view> names;
    for (size_t i = 0; i < kMetrics; ++i) {
        const MetricRow& row = row_of(static_cast<Metric>(i));
        CAPTURE(row.name);
        CHECK(static_cast<size_t>(row.id) == i);
        CHECK(names.insert(row.name).second);
        CHECK(row.help.back() == '.');
    }
}

TEST_CASE("metrics catalogue: names follow Prometheus's habits") {
    for (const MetricRow& row : catalogue()) {
        CAPTURE(row.name);
        CHECK(row.name.substr(0, 7) == "pgweir_");
        CHECK(std::all_of(row.name.begin(), row.name.end(),
                          [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; }));
        CHECK(ends_with(row.name, "_total") == (row.kind == Kind::Counter));
        if (row.kind == Kind::Histogram) CHECK(ends_with(row.name, "_seconds"));
    }
}

TEST_CASE("metrics catalogue: the manual's table has a line for each") {
    const std::string text = metrics_markdown();
    CHECK(text.find("# Metrics\n") == 0);
    for (const MetricRow& row : catalogue()) {
        CHECK(text.find("| `" + std::string(row.name) + "` |") != std::string::npos);
    }
    CHECK(text.find("| `pgweir_wait_seconds` | histogram | database, user | Time a client waited "
                    "for a server. |\n") != std::string::npos);
}

}  // namespace pgweir::metrics
