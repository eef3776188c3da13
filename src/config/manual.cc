#include "config/field.h"
#include "pgweir/config/fields.h"

#include <fmt/core.h>

namespace pgweir::config {
namespace {

constexpr std::string_view kIntroduction = R"(# Configuration

This page is generated from the table in `src/config/fields.cc` by `scripts/docs`; edit that.

A configuration is one YAML file. `pgweir --check FILE` says all that is wrong with it, one line
each, as `file:line: what; what to do`. [conf/pgweir.yaml](../conf/pgweir.yaml) is an example with
comments, [conf/minimal.yaml](../conf/minimal.yaml) the least that works.

- Unknown keys, duplicate keys, wrong types, values out of range and names that nothing has are
  errors. Anchors, aliases, tags and merge keys are not allowed, and there is one document.
- A duration is one whole number and a unit: `us`, `ms`, `s`, `m`, `h`. A `0` alone is allowed only
  where it is said what it means.
- A size is one whole number and a unit: `B`, `kB`, `MB`, `GB`, each 1024 of the one before.
- A count has digits only. `0123`, `0x1F` and `1e3` are errors, and so are negative numbers.
- A switch is `true` or `false`; `yes`, `no`, `on` and `off` are errors.
- A password is text, `{file: PATH}` or `{env: NAME}`. The file must not be accessible to others
  than its owner and group (`chmod o-rwx`); a line break at its end does not count.
- A relative path starts from the folder of the configuration file.
- `"*"` among the databases (with the quotes) serves every name that is not listed.
- The database names `pgweir` and `pgbouncer` are the console's.

*On reload* says what SIGHUP does with a changed value: it counts *at once*, for *new connections*
only, or not before a *restart*.
)";

struct Section {
    std::string_view prefix;
    std::string_view title;
    std::string_view intro;
};

constexpr auto kSections = std::to_array<Section>({
    {"listen.*.",     "listen",       "A list of addresses; without it 127.0.0.1:6432."    },
    {"http.",         "http",         "The HTTP listener."                                 },
    {"workers",       "workers",      "Threads."                                           },
    {"limits.",       "limits",       "Every queue and buffer has a limit."                },
    {"auth.",         "auth",         "How clients log in."                                },
    {"admin.",        "admin",        "Who may use the console."                           },
    {"pool.",         "pool",         "What databases and users do not set for themselves."},
    {"timeouts.",     "timeouts",     "Every wait has an end, or says that it has none."   },
    {"log.",          "log",          "Where events are written."                          },
    {"clusters.",     "clusters",     "PostgreSQL servers by name; one node each."         },
    {"databases.",    "databases",    "Databases as clients name them; at least one."      },
    {"users.",        "users",        "What a user has; it wins over the database's."      },
    {"applications.", "applications", "Clients by their application_name."                 },
});

std::string_view to_text(Reload reload) {
    switch (reload) {
        case Reload::AtOnce: return "at once";
        case Reload::NewConnections: return "new connections";
        case Reload::Restart: return "restart";
    }
    return "";
}

std::string_view kind_text(Kind kind) {
    switch (kind) {
        case Kind::Bool: return "switch";
        case Kind::Count: return "count";
        case Kind::Size: return "size";
        case Kind::Duration: return "duration";
        case Kind::Choice: return "choice";
        case Kind::Text: return "text";
        case Kind::Host: return "host";
        case Kind::Name: return "name";
        case Kind::Path: return "path";
        case Kind::List: return "list of names";
        case Kind::Secret: return "password";
    }
    return "";
}

std::string row_text(const Field& field) {
    BlankModel blank;
    const Slot slot = blank.slot_of(field);
    const std::string range = range_text(slot, field.rule);
    const std::string usual =
        field.rule.unset != nullptr ? field.rule.unset : print(slot, field.rule);
    return fmt::format("| `{}` | {}{}{} | {} | {} | {} |\n", field.key, kind_text(field.rule.kind),
                       range.empty() ? "" : ": ", range, usual, to_text(field.reload), field.doc);
}

}  // namespace

std::string config_markdown() {
    std::string page(kIntroduction);
    for (const Section& section : kSections) {
        page += fmt::format("\n## {}\n\n{}\n\n", section.title, section.intro);
        page += "| key | value | default | on reload | meaning |\n|---|---|---|---|---|\n";
        for (const Field& field : fields()) {
            if (field.key.starts_with(section.prefix)) page += row_text(field);
        }
    }
    page += "\n## Not supported by this version yet\n\n";
    page += "These keys are known, and using one is an error that says so.\n\n";
    page += "| key | what for |\n|---|---|\n";
    for (const LaterKey& later : later_keys()) {
        page += fmt::format("| `{}` | {} |\n", later.key, later.doc);
    }
    return page;
}

}  // namespace pgweir::config
