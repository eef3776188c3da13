#include "pgweir/sql/classify.h"

#include "sql/harmless_functions.h"
#include "sql/lexer.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <pg_query.h>
#include <pg_query/pg_query.pb-c.h>

namespace pgweir::sql {
namespace {

// What a read is made of. Whatever else PostgreSQL's grammar may put into one ends it.
constexpr auto kOfReads = std::to_array<std::string_view>({
    "A_ArrayExpr",
    "A_Const",
    "A_Expr",
    "A_Indices",
    "A_Indirection",
    "A_Star",
    "Alias",
    "BitString",
    "BoolExpr",
    "Boolean",
    "BooleanTest",
    "CTECycleClause",
    "CTESearchClause",
    "CaseExpr",
    "CaseWhen",
    "CoalesceExpr",
    "CollateClause",
    "ColumnDef",
    "ColumnRef",
    "CommonTableExpr",
    "Float",
    "FuncCall",
    "GroupingFunc",
    "GroupingSet",
    "Integer",
    "JoinExpr",
    "List",
    "MinMaxExpr",
    "NamedArgExpr",
    "Node",
    "NullTest",
    "ParamRef",
    "RangeFunction",
    "RangeSubselect",
    "RangeTableFunc",
    "RangeTableFuncCol",
    "RangeTableSample",
    "RangeVar",
    "ResTarget",
    "RowExpr",
    "SQLValueFunction",
    "SelectStmt",
    "SortBy",
    "String",
    "SubLink",
    "TypeCast",
    "TypeName",
    "WindowDef",
    "WithClause",
    "XmlExpr",
    "XmlSerialize",
});

static_assert(std::is_sorted(kOfReads.begin(), kOfReads.end()));

/// What is told of those that end it most often.
struct Ending {
    std::string_view node;
    std::string_view why;
};

constexpr auto kEndings = std::to_array<Ending>({
    {"DeleteStmt",    "DELETE writes"                     },
    {"InsertStmt",    "INSERT writes"                     },
    {"IntoClause",    "SELECT INTO makes a table"         },
    {"LockingClause", "FOR UPDATE or FOR SHARE locks rows"},
    {"MergeStmt",     "MERGE writes"                      },
    {"UpdateStmt",    "UPDATE writes"                     },
});

// Views of PostgreSQL's that show the node or the session that is asked, besides pg_stat_….
constexpr auto kOfTheNode = std::to_array<std::string_view>({
    "pg_aios",
    "pg_available_extension_versions",
    "pg_available_extensions",
    "pg_backend_memory_contexts",
    "pg_config",
    "pg_cursors",
    "pg_file_settings",
    "pg_hba_file_rules",
    "pg_ident_file_mappings",
    "pg_listening_channels",
    "pg_locks",
    "pg_prepared_statements",
    "pg_prepared_xacts",
    "pg_replication_origin_status",
    "pg_replication_slots",
    "pg_sequences",
    "pg_settings",
    "pg_shmem_allocations",
    "pg_wait_events",
});

// Functions of PostgreSQL's that leave nothing in the session, or do, and that write, wake, end or
// lock something, or say something else on another node or in another session. By their first
// letters: PostgreSQL's own names begin alike.
constexpr auto kBound = std::to_array<std::string_view>({
    "current_setting",
    "currtid",
    "currval",
    "cursor_to_",
    "database_to_",
    "inet_client_",
    "inet_server_",
    "lastval",
    "lo_",
    "loread",
    "lowrite",
    "nextval",
    "pg_advisory_",
    "pg_backend_",
    "pg_available_",
    "pg_backup_",
    "pg_blocking_",
    "pg_cancel_",
    "pg_collation_actual",
    "pg_conf",
    "pg_control_",
    "pg_create_",
    "pg_current_",
    "pg_cursor",
    "pg_database_collation_actual",
    "pg_database_size",
    "pg_drop_",
    "pg_export_",
    "pg_get_replication",
    "pg_get_shmem",
    "pg_get_wal",
    "pg_hba_",
    "pg_ident_",
    "pg_indexes_size",
    "pg_is_in_",
    "pg_is_wal_",
    "pg_jit_",
    "pg_last_",
    "pg_listening_",
    "pg_lock_",
    "pg_log_",
    "pg_logical_",
    "pg_ls_",
    "pg_notif",
    "pg_postmaster_",
    "pg_prepared_",
    "pg_promote",
    "pg_read_",
    "pg_relation_size",
    "pg_reload_",
    "pg_replication_",
    "pg_rotate_",
    "pg_safe_",
    "pg_sequence_",
    "pg_show_",
    "pg_stat_",
    "pg_switch_",
    "pg_sync",
    "pg_table_size",
    "pg_tablespace_",
    "pg_terminate_",
    "pg_timezone_",
    "pg_total_",
    "pg_try_",
    "pg_wal",
    "pg_xact_",
    "query_to_",
    "schema_to_",
    "set_config",
    "setseed",
    "setval",
    "table_to_",
    "ts_rewrite",
    "ts_stat",
    "txid_",
});

// Of tablefunc and xml2, and of PostgreSQL 16, where a domain's check is run. By first letters.
constexpr auto kRunText =
    std::to_array<std::string_view>({"connectby", "crosstab", "pg_input_", "xpath_table"});

bool is_bound(std::string_view function) {
    return std::any_of(kBound.begin(), kBound.end(),
                       [&](std::string_view first) { return function.starts_with(first); });
}

std::string_view type_of(const ProtobufCMessage& message) {
    constexpr std::string_view kPackage = "pg_query.";
    return std::string_view(message.descriptor->name).substr(kPackage.size());
}

template <class Message>
const Message& as(const ProtobufCMessage& message) {
    return *static_cast<const Message*>(static_cast<const void*>(&message));
}

template <class T>
T load(const ProtobufCMessage& message, unsigned offset) {
    T value;
    std::memcpy(&value, static_cast<const uint8_t*>(static_cast<const void*>(&message)) + offset,
                sizeof value);
    return value;
}

/// Empty: not a list of names.
std::vector<std::string> names_of(size_t count, PgQuery__Node* const* nodes) {
    std::vector<std::string> names;
    for (size_t i = 0; i < count; ++i) {
        if (nodes[i]->node_case != PG_QUERY__NODE__NODE_STRING) return {};
        names.emplace_back(nodes[i]->string->sval);
    }
    return names;
}

bool is_folded(std::string_view name) {
    return std::none_of(name.begin(), name.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

/// The last two of them: what is before names the database.
Name last_of(const std::vector<std::string>& names) {
    if (names.size() < 2) return {"", names.back()};
    return {names[names.size() - 2], names.back()};
}

/// Its name is BETWEEN, and the operators are not said.
bool is_between(const PgQuery__AExpr& expression) {
    return expression.kind == PG_QUERY__A__EXPR__KIND__AEXPR_BETWEEN ||
           expression.kind == PG_QUERY__A__EXPR__KIND__AEXPR_NOT_BETWEEN ||
           expression.kind == PG_QUERY__A__EXPR__KIND__AEXPR_BETWEEN_SYM ||
           expression.kind == PG_QUERY__A__EXPR__KIND__AEXPR_NOT_BETWEEN_SYM;
}

/// Looks at every message below one, by what protobuf-c says of their fields, so that none can be
/// forgotten.
class Walker {
public:
    /// to_stdout: the words TO STDOUT are in the text; its tree takes TO '' for the same.
    Walker(Classification& found, bool to_stdout) : found_(found), to_stdout_(to_stdout) {}

    /// False: it is no read, and found_ says why.
    bool statement(const PgQuery__Node& node);

private:
    bool walk(const ProtobufCMessage& root);
    bool look_at(const ProtobufCMessage& message);
    static void add_children(const ProtobufCMessage& message,
                             std::vector<const ProtobufCMessage*>& children);
    bool explained(const PgQuery__ExplainStmt& explain);
    bool copied(const PgQuery__CopyStmt& copy);
    bool called(const PgQuery__FuncCall& function);
    bool sampled(const PgQuery__RangeTableSample& sample);
    bool read(const PgQuery__RangeVar& range);
    void mention(const ProtobufCMessage& message, std::string_view type);
    void mention_operator(size_t count, PgQuery__Node* const* name);
    void mention_fields(size_t count, PgQuery__Node* const* names);
    bool end(std::string why);

    Classification& found_;
    bool to_stdout_;
};

bool Walker::end(std::string why) {
    found_.reads = false;
    found_.why = std::move(why);
    return false;
}

/// What is not a constant is not a BEGIN of PostgreSQL's grammar either.
bool says_read_only(const PgQuery__TransactionStmt& transaction) {
    const auto kind = transaction.kind;
    if (kind != PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_BEGIN &&
        kind != PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_START) {
        return false;
    }
    bool read_only = false;
    for (size_t i = 0; i < transaction.n_options; ++i) {
        const PgQuery__Node* option = transaction.options[i];
        if (option->node_case != PG_QUERY__NODE__NODE_DEF_ELEM) return false;
        const PgQuery__DefElem& element = *option->def_elem;
        const bool constant =
            element.arg != nullptr && element.arg->node_case == PG_QUERY__NODE__NODE_A_CONST;
        if (!constant) return false;
        const PgQuery__AConst& value = *element.arg->a_const;
        const std::string_view name = element.defname;
        if (name == "transaction_read_only") {
            read_only = value.val_case == PG_QUERY__A__CONST__VAL_IVAL && value.ival->ival != 0;
        } else if (name == "transaction_isolation") {
            // Not to be had on a standby.
            const bool text = value.val_case == PG_QUERY__A__CONST__VAL_SVAL;
            if (!text || std::string_view(value.sval->sval) == "serializable") return false;
        }
    }
    return read_only;
}

bool is_of_session(const PgQuery__Node& node) {
    constexpr auto kKinds = std::to_array<PgQuery__Node__NodeCase>({
        PG_QUERY__NODE__NODE_CLOSE_PORTAL_STMT,
        PG_QUERY__NODE__NODE_DEALLOCATE_STMT,
        PG_QUERY__NODE__NODE_DISCARD_STMT,
        PG_QUERY__NODE__NODE_LISTEN_STMT,
        PG_QUERY__NODE__NODE_UNLISTEN_STMT,
        PG_QUERY__NODE__NODE_VARIABLE_SET_STMT,
        PG_QUERY__NODE__NODE_VARIABLE_SHOW_STMT,
    });
    // What another transaction has prepared is data.
    if (node.node_case == PG_QUERY__NODE__NODE_TRANSACTION_STMT) {
        const PgQuery__TransactionStmtKind kind = node.transaction_stmt->kind;
        return kind != PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_PREPARE &&
               kind != PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_COMMIT_PREPARED &&
               kind != PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_ROLLBACK_PREPARED;
    }
    return std::find(kKinds.begin(), kKinds.end(), node.node_case) != kKinds.end();
}

bool Walker::statement(const PgQuery__Node& node) {
    const PgQuery__Node__NodeCase kind = node.node_case;
    if (kind == PG_QUERY__NODE__NODE_SELECT_STMT) return walk(node.select_stmt->base);
    if (kind == PG_QUERY__NODE__NODE_EXPLAIN_STMT) return explained(*node.explain_stmt);
    if (kind == PG_QUERY__NODE__NODE_COPY_STMT) return copied(*node.copy_stmt);
    if (kind == PG_QUERY__NODE__NODE_TRANSACTION_STMT) {
        found_.begins_read_only = says_read_only(*node.transaction_stmt);
    }
    found_.of_session = is_of_session(node);
    const ProtobufCFieldDescriptor* field =
        protobuf_c_message_descriptor_get_field(node.base.descriptor, static_cast<unsigned>(kind));
    return end(field == nullptr ? "it is no statement" : fmt::format("{} is no read", field->name));
}

/// Without ANALYZE it runs nothing, but what is planned is wanted where it will run.
bool Walker::explained(const PgQuery__ExplainStmt& explain) {
    if (explain.query == nullptr || explain.query->node_case != PG_QUERY__NODE__NODE_SELECT_STMT) {
        return end("what is explained is no SELECT");
    }
    return walk(explain.query->select_stmt->base);
}

bool Walker::copied(const PgQuery__CopyStmt& copy) {
    if (copy.is_from != 0) return end("COPY FROM writes");
    const bool elsewhere =
        copy.is_program != 0 || (copy.filename != nullptr && *copy.filename != 0);
    if (elsewhere) return end("COPY TO a file or program leaves something at the node");
    if (!to_stdout_) return end("COPY TO something that is not STDOUT");
    if (copy.relation != nullptr) return read(*copy.relation);
    if (copy.query == nullptr || copy.query->node_case != PG_QUERY__NODE__NODE_SELECT_STMT) {
        return end("what is copied is no SELECT");
    }
    return walk(copy.query->select_stmt->base);
}

bool Walker::walk(const ProtobufCMessage& root) {
    // Not by recursion: how deep a tree is, its text decides.
    std::vector<const ProtobufCMessage*> pending{&root};
    while (!pending.empty()) {
        const ProtobufCMessage& message = *pending.back();
        pending.pop_back();
        if (!look_at(message)) return false;
        const auto first_child = static_cast<ptrdiff_t>(pending.size());
        add_children(message, pending);
        std::reverse(pending.begin() + first_child, pending.end());  // in the order of the text
    }
    return true;
}

bool Walker::look_at(const ProtobufCMessage& message) {
    const std::string_view type = type_of(message);
    if (!std::binary_search(kOfReads.begin(), kOfReads.end(), type)) {
        for (const Ending& ending : kEndings) {
            if (ending.node == type) return end(std::string(ending.why));
        }
        return end(fmt::format("{} is not known to be part of a read", type));
    }
    if (type == "FuncCall") return called(as<PgQuery__FuncCall>(message));
    if (type == "RangeVar") return read(as<PgQuery__RangeVar>(message));
    if (type == "RangeTableSample") return sampled(as<PgQuery__RangeTableSample>(message));
    mention(message, type);
    return true;
}

void Walker::mention(const ProtobufCMessage& message, std::string_view type) {
    if (type == "A_Expr") {
        const auto& expression = as<PgQuery__AExpr>(message);
        if (is_between(expression)) {
            for (const char* name : {"<", "<=", ">", ">="}) {
                found_.mentions.operators.push_back({"", name});
            }
        } else {
            mention_operator(expression.n_name, expression.name);
        }
    } else if (type == "SubLink") {
        const auto& link = as<PgQuery__SubLink>(message);
        mention_operator(link.n_oper_name, link.oper_name);
    } else if (type == "SortBy") {
        const auto& sort = as<PgQuery__SortBy>(message);
        mention_operator(sort.n_use_op, sort.use_op);
    } else if (type == "TypeName") {
        const auto& name = as<PgQuery__TypeName>(message);
        const auto names = names_of(name.n_names, name.names);
        if (!names.empty()) found_.mentions.types.push_back(last_of(names));
    } else if (type == "ColumnRef") {
        const auto& column = as<PgQuery__ColumnRef>(message);
        if (column.n_fields > 1) mention_fields(column.n_fields - 1, column.fields + 1);
    } else if (type == "A_Indirection") {
        const auto& behind = as<PgQuery__AIndirection>(message);
        mention_fields(behind.n_indirection, behind.indirection);
    } else if (type == "CommonTableExpr") {
        found_.mentions.queries.emplace_back(as<PgQuery__CommonTableExpr>(message).ctename);
    }
}

void Walker::mention_operator(size_t count, PgQuery__Node* const* name) {
    const std::vector<std::string> names = names_of(count, name);
    if (!names.empty()) found_.mentions.operators.push_back(last_of(names));
}

void Walker::mention_fields(size_t count, PgQuery__Node* const* names) {
    for (size_t i = 0; i < count; ++i) {
        if (names[i]->node_case != PG_QUERY__NODE__NODE_STRING) continue;
        found_.mentions.fields.emplace_back(names[i]->string->sval);
    }
}

void Walker::add_children(const ProtobufCMessage& message,
                          std::vector<const ProtobufCMessage*>& children) {
    const ProtobufCMessageDescriptor& descriptor = *message.descriptor;
    for (unsigned i = 0; i < descriptor.n_fields; ++i) {
        const ProtobufCFieldDescriptor& field = descriptor.fields[i];
        if (field.type != PROTOBUF_C_TYPE_MESSAGE) continue;
        if (field.label == PROTOBUF_C_LABEL_REPEATED) {
            const auto count = load<size_t>(message, field.quantifier_offset);
            const auto* items = load<ProtobufCMessage* const*>(message, field.offset);
            children.insert(children.end(), items, items + count);
            continue;
        }
        const bool one_of = (field.flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
        if (one_of && load<uint32_t>(message, field.quantifier_offset) != field.id) continue;
        const auto* child = load<const ProtobufCMessage*>(message, field.offset);
        if (child != nullptr) children.push_back(child);
    }
}

bool Walker::called(const PgQuery__FuncCall& function) {
    const std::vector<std::string> names = names_of(function.n_funcname, function.funcname);
    if (names.empty()) return end("a function without a name");
    const bool own = names.size() == 1 || (names.size() == 2 && names.front() == "pg_catalog");
    if (own && is_bound(names.back())) {
        return end(fmt::format("{}() writes, or belongs to one node or session", names.back()));
    }
    if (runs_text(names.back())) return end(fmt::format("{}() runs a text", names.back()));
    // With a capital it stands in quotes, and is no function of PostgreSQL's.
    const bool harmless = own && is_folded(names.back()) && is_harmless_function(names.back());
    auto& kind = harmless ? found_.mentions.harmless_functions : found_.mentions.functions;
    kind.push_back(last_of(names));
    return true;
}

bool Walker::sampled(const PgQuery__RangeTableSample& sample) {
    const std::vector<std::string> names = names_of(sample.n_method, sample.method);
    if (names.empty()) return end("a way to sample without a name");
    const bool own = names.size() == 1 && (names[0] == "bernoulli" || names[0] == "system");
    auto& kind = own ? found_.mentions.harmless_functions : found_.mentions.functions;
    kind.push_back(last_of(names));
    return true;
}

bool Walker::read(const PgQuery__RangeVar& range) {
    const std::string_view schema = range.schemaname == nullptr ? "" : range.schemaname;
    const std::string_view name = range.relname == nullptr ? "" : range.relname;
    if (schema.starts_with("pg_temp")) return end("temporary tables are the session's");
    const bool of_the_node =
        name.starts_with("pg_stat_") || name.starts_with("pg_statio_") ||
        std::find(kOfTheNode.begin(), kOfTheNode.end(), name) != kOfTheNode.end();
    if (of_the_node) {  // of an extension too: pg_stat_statements has its schema
        return end(fmt::format("{} shows the node that is asked", name));
    }
    found_.mentions.relations.push_back({std::string(schema), std::string(name)});
    return true;
}

/// PostgreSQL's scanner looks at nested comments again and again.
bool has_many_comments(std::string_view sql) {
    size_t count = 0;
    for (size_t at = sql.find("/*"); at != std::string_view::npos; at = sql.find("/*", at + 2)) {
        ++count;
    }
    return count > kCommentsMax;
}

/// Every level of nesting in the tree has a sign or word of its own in the text; commas, names and
/// values make none.
bool cannot_be_bounded(std::string_view sql) {
    Lexer lexer(sql);
    size_t levels = 0;
    TokenKind before = TokenKind::End;
    for (Token token = lexer.next(); token.kind != TokenKind::End; token = lexer.next()) {
        const bool list = token.kind == TokenKind::Comma || before == TokenKind::Comma;
        const bool value = token.kind == TokenKind::Number || token.kind == TokenKind::String ||
                           token.kind == TokenKind::Parameter;
        if (!(list && (value || token.kind == TokenKind::Comma))) ++levels;
        before = token.kind;
    }
    // What ends in another place under another setting or encoding may be another statement.
    return lexer.doubtful() || levels > kNestingMax;
}

bool says_to_stdout(std::string_view sql) {
    Lexer lexer(sql);
    bool behind_to = false;
    for (Token token = lexer.next(); token.kind != TokenKind::End; token = lexer.next()) {
        const bool word = token.kind == TokenKind::Word;
        if (behind_to && word && same_word(token.text, "stdout")) return true;
        behind_to = word && same_word(token.text, "to");
    }
    return false;
}

struct FreeParsed {
    void operator()(PgQueryProtobufParseResult* result) const {
        pg_query_free_protobuf_parse_result(*result);
    }
};

struct FreeTree {
    void operator()(PgQuery__ParseResult* tree) const {
        pg_query__parse_result__free_unpacked(tree, nullptr);
    }
};

Classification for_primary(std::string why) {
    return {.reads = false, .why = std::move(why)};
}

}  // namespace

std::string to_text(const Name& name) {
    return name.schema.empty() ? name.name : fmt::format("{}.{}", name.schema, name.name);
}

bool is_part_of_reads(std::string_view function) {
    return !is_bound(function) && !runs_text(function) && is_harmless_function(function);
}

bool runs_text(std::string_view function) {
    return std::any_of(kRunText.begin(), kRunText.end(),
                       [&](std::string_view first) { return function.starts_with(first); });
}

Classification classify(std::string_view sql) {
    if (sql.size() > kClassifiedBytesMax || has_many_comments(sql) || cannot_be_bounded(sql)) {
        return for_primary("it is too long to be looked into, or has no certain end");
    }
    if (sql.find('\0') != std::string_view::npos) return for_primary("it has a zero byte");
    PgQueryProtobufParseResult parsed = pg_query_parse_protobuf(std::string(sql).c_str());
    const std::unique_ptr<PgQueryProtobufParseResult, FreeParsed> guard(&parsed);
    if (parsed.error != nullptr) {
        return for_primary(fmt::format("it cannot be read: {}", parsed.error->message));
    }
    const std::unique_ptr<PgQuery__ParseResult, FreeTree> tree(pg_query__parse_result__unpack(
        nullptr, parsed.parse_tree.len,
        static_cast<const uint8_t*>(static_cast<const void*>(parsed.parse_tree.data))));
    if (tree == nullptr) return for_primary("it cannot be read");
    if (tree->n_stmts == 0) return for_primary("it is empty");
    if (tree->n_stmts > 1) return for_primary("it is several statements");
    const PgQuery__Node* statement = tree->stmts[0]->stmt;
    if (statement == nullptr) return for_primary("it is empty");

    Classification found;
    found.reads = true;
    Walker(found, says_to_stdout(sql)).statement(*statement);
    return found;
}

}  // namespace pgweir::sql
