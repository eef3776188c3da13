#include "pgweir/route/judge.h"

#include <algorithm>
#include <utility>

namespace pgweir::route {
namespace {

std::string against(const sql::Mentions& mentions, const Catalogue& catalogue) {
    std::string why = catalogue.against_all();
    const auto ask = [&](const auto& names, auto question) {
        for (const auto& name : names) {
            if (!why.empty()) return;
            why = (catalogue.*question)(name);
        }
    };
    ask(mentions.functions, &Catalogue::against_function);
    ask(mentions.harmless_functions, &Catalogue::against_harmless_function);
    ask(mentions.operators, &Catalogue::against_operator);
    ask(mentions.types, &Catalogue::against_type);
    ask(mentions.fields, &Catalogue::against_field);
    for (const sql::Name& name : mentions.relations) {
        if (!why.empty()) break;
        // A query of WITH hides a relation of its name in some places, and not in others.
        const bool may_be_query =
            name.schema.empty() && std::find(mentions.queries.begin(), mentions.queries.end(),
                                             name.name) != mentions.queries.end();
        if (may_be_query && !catalogue.has_relation(name)) continue;
        why = catalogue.against_relation(name);
    }
    return why;
}

}  // namespace

Judgement judge(const sql::Classification& statement, const Catalogue* catalogue) {
    const bool begins = statement.begins_read_only;
    if (!statement.reads && !begins) return {false, statement.why};
    if (catalogue == nullptr) return {false, "the catalogue of its database is not known"};
    std::string why = begins ? catalogue->against_all() : against(statement.mentions, *catalogue);
    const bool fit = why.empty();
    return {fit, std::move(why)};
}

}  // namespace pgweir::route
