#include "pgweir/admin/status_page.h"

#include "admin/pools.h"
#include "pgweir/config/fields.h"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

namespace pgweir::admin {
namespace {

// A page for people. With "*" anybody who may log in can make pools; SHOW POOLS has them all.
constexpr size_t kPoolsMax = 500;

// What a server says of itself can be long.
constexpr size_t kProblemBytesMax = 300;

constexpr std::string_view kHead =
    "<!DOCTYPE html>\n"
    "<html lang=\"en\"><head><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"5\">"
    "<meta name=\"viewport\" content=\"width=device-width\"><title>pgweir</title><style>\n"
    "body { font: 14px/1.5 system-ui, sans-serif; margin: 2em; color: #222; background: #fff }\n"
    "table { border-collapse: collapse } th, td { padding: .2em .8em; text-align: left }\n"
    "th { border-bottom: 1px solid #999 } tr:nth-child(even) { background: #f4f4f4 }\n"
    "td.n { text-align: right; font-variant-numeric: tabular-nums }\n"
    ".good { color: #060 } .bad { color: #a00 }\n"
    "</style></head><body>\n";

/// Empty: the character may stand as it is.
std::string_view entity_of(char c) {
    switch (c) {
        case '&': return "&amp;";
        case '<': return "&lt;";
        case '>': return "&gt;";
        case '"': return "&quot;";
        case '\'': return "&#39;";
    }
    return {};
}

std::string escaped(std::string_view text) {
    std::string safe;
    for (const char c : text) {
        const std::string_view entity = entity_of(c);
        if (entity.empty()) {
            safe.push_back(c);
        } else {
            safe += entity;
        }
    }
    return safe;
}

std::string duration_text(int64_t microseconds) {
    const int64_t seconds = microseconds / 1000000;
    if (seconds < 60) return fmt::format("{} s", seconds);
    if (seconds < 3600) return fmt::format("{} min {} s", seconds / 60, seconds % 60);
    if (seconds < 86400) return fmt::format("{} h {} min", seconds / 3600, seconds / 60 % 60);
    return fmt::format("{} d {} h", seconds / 86400, seconds / 3600 % 24);
}

std::string_view state_text(session::PoolState state) {
    switch (state) {
        case session::PoolState::Open: return "open";
        case session::PoolState::Paused: return "paused";
        case session::PoolState::Disabled: return "stopped";
        case session::PoolState::Gone: return "not configured any more";
    }
    return "";
}

std::string cell(std::string_view text) {
    return fmt::format("<td>{}</td>", escaped(text));
}

std::string number(uint64_t value) {
    return fmt::format("<td class=\"n\">{}</td>", value);
}

std::string pool_line(const session::PoolRow& pool) {
    std::string line = "<tr>" + cell(pool.database) + cell(pool.user) +
                       cell(config::to_text(pool.mode)) + cell(state_text(pool.state));
    line += number(pool.clients_idle) + number(pool.clients_active) + number(pool.clients_waiting);
    line += number(pool.servers_active + pool.servers_cancelling) + number(pool.servers_idle) +
            number(pool.servers_opening + pool.servers_checking) + number(pool.size);
    line +=
        fmt::format("<td class=\"n\">{:.1f} s</td>", static_cast<double>(pool.max_wait_us) / 1e6);
    line += fmt::format("<td class=\"bad\">{}</td></tr>\n",
                        escaped(std::string_view(pool.last_problem).substr(0, kProblemBytesMax)));
    return line;
}

std::string pool_table(const std::vector<session::PoolRow>& pools) {
    if (pools.empty()) return "<p>No pool yet: nobody has logged in.</p>\n";
    std::string table =
        "<table><tr><th>database</th><th>user</th><th>mode</th><th>state</th>"
        "<th>clients idle</th><th>active</th><th>waiting</th>"
        "<th>servers active</th><th>idle</th><th>opening</th><th>of at most</th>"
        "<th>longest wait</th><th>why no server can be opened</th></tr>\n";
    const size_t shown = std::min(pools.size(), kPoolsMax);
    for (size_t i = 0; i < shown; ++i) table += pool_line(pools[i]);
    table += "</table>\n";
    if (shown < pools.size()) {
        table +=
            fmt::format("<p>{} pools more: SHOW POOLS on the console.</p>\n", pools.size() - shown);
    }
    return table;
}

}  // namespace

std::string status_page(const Picture& picture, const ProcessState& process) {
    std::string page(kHead);
    page += "<h1>pgweir " PGWEIR_VERSION "</h1>\n";
    page += process.not_ready.empty() ? "<p class=\"good\">It serves.</p>\n"
                                      : fmt::format("<p class=\"bad\">It does not serve: {}.</p>\n",
                                                    escaped(process.not_ready));
    page += fmt::format("<p>Up for {}; workers: {}.</p>\n", duration_text(process.uptime_us),
                        picture.workers.size());
    page += pool_table(merged_pools(picture));
    page +=
        "<p><a href=\"/metrics\">/metrics</a> <a href=\"/healthz\">/healthz</a> "
        "<a href=\"/readyz\">/readyz</a></p>\n</body></html>\n";
    return page;
}

}  // namespace pgweir::admin
