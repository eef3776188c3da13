#pragma once

#include <cstdint>
#include <string>
#include <string_view>

/// The commands that begin and end transactions, by their text.
/// See: sql-begin.html, sql-start-transaction.html, sql-set-transaction.html, sql-commit.html
namespace pgweir::sql {

enum class Isolation : uint8_t {
    Unsaid,
    ReadUncommitted,
    ReadCommitted,
    RepeatableRead,
    Serializable
};

enum class Said : uint8_t { Nothing, Yes, No };

/// What a transaction shall be; what is not said is as its session has it.
struct TransactionModes {
    Isolation isolation = Isolation::Unsaid;
    Said read_only = Said::Nothing;
    Said deferrable = Said::Nothing;

    bool operator==(const TransactionModes&) const = default;

    /// What `later` says counts, as with SET TRANSACTION behind BEGIN.
    void override_with(const TransactionModes& later);
};

enum class TransactionVerb : uint8_t {
    None,  // another command, several of them, or one that is not understood to its end
    Begin,
    Start,
    SetTransaction,
    Commit,
    Rollback,
    Prepare,
};

struct TransactionCommand {
    TransactionVerb verb = TransactionVerb::None;
    TransactionModes modes{};
    bool chains = false;  // COMMIT or ROLLBACK AND CHAIN
};

/// Comments count as space. Costs some nanoseconds where a text begins with another letter.
TransactionCommand transaction_command(std::string_view sql);

/// "BEGIN" with these modes.
std::string begin_text(const TransactionModes& modes);

}  // namespace pgweir::sql
