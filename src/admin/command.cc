#include "pgweir/admin/command.h"

#include "pgweir/base/error_catalogue.h"

#include <array>
#include <cctype>
#include <optional>
#include <utility>
#include <vector>

namespace pgweir::admin {
namespace {

constexpr size_t kStatementBytesMax = 4096;

constexpr std::array<std::pair<std::string_view, Topic>, 19> kTopics{
    {
     {"help", Topic::Help},
     {"version", Topic::Version},
     {"pools", Topic::Pools},
     {"clients", Topic::Clients},
     {"servers", Topic::Servers},
     {"pinned", Topic::Pinned},
     {"listeners", Topic::Listeners},
     {"nodes", Topic::Nodes},
     {"routes", Topic::Routes},
     {"databases", Topic::Databases},
     {"users", Topic::Users},
     {"stats", Topic::Stats},
     {"stats_totals", Topic::StatsTotals},
     {"stats_averages", Topic::StatsAverages},
     {"totals", Topic::Totals},
     {"lists", Topic::Lists},
     {"config", Topic::Config},
     {"state", Topic::State},
     {"", Topic::None},
     }
};

constexpr std::array<std::pair<std::string_view, Verb>, 9> kVerbs{
    {
     {"show", Verb::Show},
     {"pause", Verb::Pause},
     {"resume", Verb::Resume},
     {"reload", Verb::Reload},
     {"reconnect", Verb::Reconnect},
     {"kill", Verb::Kill},
     {"kill_client", Verb::KillClient},
     {"shutdown", Verb::Shutdown},
     {"set", Verb::Set},
     }
};

/// What PgBouncer's console has and this one has not: who asks is told what to use instead.
struct Unsupported {
    std::string_view verb;
    std::string_view topic;  // of SHOW
    std::string_view name;
    std::string_view instead;
};

// clang-format off
constexpr std::array<Unsupported, 12> kUnsupported{{
    {"show",       "fds",            "SHOW FDS",            "Descriptors cannot be handed to another process; SHOW CLIENTS and SHOW SERVERS list connections."},
    {"show",       "sockets",        "SHOW SOCKETS",        "Use SHOW CLIENTS and SHOW SERVERS."},
    {"show",       "active_sockets", "SHOW ACTIVE_SOCKETS", "Use SHOW CLIENTS and SHOW SERVERS, and their column state."},
    {"show",       "mem",            "SHOW MEM",            "The metrics pgweir_buffer_bytes and pgweir_statement_bytes say where memory goes."},
    {"show",       "dns_hosts",      "SHOW DNS_HOSTS",      "Names are looked up again after timeouts.dns; SHOW SERVERS has the addresses."},
    {"show",       "dns_zones",      "SHOW DNS_ZONES",      "Names are looked up again after timeouts.dns."},
    {"show",       "peers",          "SHOW PEERS",          "One process has all workers; there are no peers."},
    {"show",       "peer_pools",     "SHOW PEER_POOLS",     "One process has all workers; there are no peers."},
    {"disable",    "",               "DISABLE",             "KILL with a database refuses its logins, and cuts its clients off."},
    {"enable",     "",               "ENABLE",              "RESUME with a database undoes KILL."},
    {"suspend",    "",               "SUSPEND",             "Use PAUSE."},
    {"wait_close", "",               "WAIT_CLOSE",          "After RECONNECT, look at close_needed in SHOW SERVERS."},
}};

// clang-format on

Error unknown_command(std::string_view sql) {
    return make_error(ErrorId::UnknownCommand, {sql.substr(0, 200)});
}

/// Why `verb` and `topic` are refused: PgBouncer has them, or nobody.
Error no_such_command(std::string_view verb, std::string_view topic, std::string_view sql) {
    for (const Unsupported& row : kUnsupported) {
        if (row.verb != verb || (!row.topic.empty() && row.topic != topic)) continue;
        return make_error(ErrorId::UnsupportedCommand, {row.name}, {}, std::string(row.instead));
    }
    return unknown_command(sql);
}

std::string lower(std::string_view text) {
    std::string result(text);
    for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return result;
}

bool is_space(char c) {
    return std::isspace(static_cast<unsigned char>(c)) != 0;
}

/// Words, with "quoted names" as one; the final semicolon is not one.
std::vector<std::string> split(std::string_view sql) {
    std::vector<std::string> words;
    size_t at = 0;
    while (at < sql.size()) {
        if (is_space(sql[at]) || sql[at] == ';') {
            ++at;
            continue;
        }
        std::string word;
        if (sql[at] == '"') {
            for (++at; at < sql.size(); ++at) {
                if (sql[at] == '"' && sql.substr(at, 2) != "\"\"") break;
                if (sql[at] == '"') ++at;
                word.push_back(sql[at]);
            }
            ++at;
        } else {
            while (at < sql.size() && !is_space(sql[at]) && sql[at] != ';')
                word.push_back(sql[at++]);
        }
        words.push_back(std::move(word));
    }
    return words;
}

/// The rest of the text behind this word and the space after it; nullopt: it begins otherwise.
std::optional<std::string_view> behind(std::string_view sql, std::string_view word) {
    while (!sql.empty() && is_space(sql.front())) sql.remove_prefix(1);
    if (lower(sql.substr(0, word.size())) != word) return std::nullopt;
    sql.remove_prefix(word.size());
    if (sql.empty() || !is_space(sql.front())) return std::nullopt;
    return sql;
}

std::optional<std::string_view> behind_explain_route(std::string_view sql) {
    const auto route = behind(sql, "explain");
    return route ? behind(*route, "route") : std::nullopt;
}

}  // namespace

Result<Command> parse_command(std::string_view sql) {
    if (const auto explained = behind_explain_route(sql)) {
        return Command{.verb = Verb::ExplainRoute, .argument = std::string(*explained)};
    }
    if (sql.size() > kStatementBytesMax) return fail(unknown_command(sql));
    const auto words = split(sql);
    if (words.empty()) return fail(unknown_command(sql));
    std::string first = lower(words[0]);
    if (first == "select") first = "show";  // PgBouncer's alias, which tools rely on
    for (const auto& [name, verb] : kVerbs) {
        if (name != first) continue;
        Command command{.verb = verb};
        if (verb == Verb::Show) {
            const std::string topic = words.size() == 2 ? lower(words[1]) : "";
            for (const auto& [topic_name, id] : kTopics) {
                if (topic_name == topic) command.topic = id;
            }
            if (command.topic == Topic::None) return fail(no_such_command(first, topic, sql));
            return command;
        }
        const bool wants_argument = verb == Verb::KillClient;
        const bool too_many = words.size() > 2 && verb != Verb::Set;
        if (too_many || (wants_argument && words.size() != 2)) return fail(unknown_command(sql));
        if (words.size() > 1) command.argument = words[1];
        return command;
    }
    return fail(no_such_command(first, "", sql));
}

bool is_harmless(const Command& command) {
    return command.verb == Verb::Show || command.verb == Verb::Set ||
           command.verb == Verb::ExplainRoute;
}

std::string_view help_text() {
    return "\n\tSHOW HELP|CONFIG|DATABASES|POOLS|CLIENTS|SERVERS|PINNED|LISTENERS|USERS|VERSION\n"
           "\tSHOW NODES|ROUTES|STATS|STATS_TOTALS|STATS_AVERAGES|TOTALS|LISTS|STATE\n"
           "\tEXPLAIN ROUTE <sql>\n"
           "\tRELOAD\n"
           "\tPAUSE [<db>]\n"
           "\tRESUME [<db>]\n"
           "\tRECONNECT [<db>]\n"
           "\tKILL [<db>]\n"
           "\tKILL_CLIENT <client_id>\n"
           "\tSHUTDOWN\n"
           "\tSHUTDOWN WAIT_FOR_CLIENTS";
}

}  // namespace pgweir::admin
