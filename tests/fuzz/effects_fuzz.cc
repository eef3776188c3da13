#include "pgweir/base/bytes.h"
#include "pgweir/base/check.h"
#include "pgweir/sql/effects.h"
#include "sql/lexer.h"

#include <cstddef>
#include <string>
#include <string_view>

namespace pgweir::fuzz_effects {
namespace {

bool has_end(std::string_view sql) {
    sql::Lexer lexer(sql);
    while (lexer.next().kind != sql::TokenKind::End) {
    }
    return !lexer.doubtful();
}

/// Tokens are parts of the text, one behind the other.
void tokens_are_in_order(std::string_view text) {
    sql::Lexer lexer(text);
    const char* at = text.data();
    size_t tokens = 0;
    for (sql::Token token = lexer.next(); token.kind != sql::TokenKind::End; token = lexer.next()) {
        PGW_CHECK(token.text.data() >= at);
        at = token.text.data() + token.text.size();
        PGW_CHECK(at <= text.data() + text.size());
        PGW_CHECK(++tokens <= text.size());
    }
}

void names_have_their_form(std::string_view text) {
    size_t names = 0;
    sql::for_each_custom_setting(text, [&](std::string_view name) {
        PGW_CHECK(sql::is_custom_setting_name(name));
        ++names;
    });
    PGW_CHECK(names <= sql::kCustomSettingsPerTextMax);
}

}  // namespace

void fuzz_one(Bytes data);

/// A text has its effects whatever space is behind it, and whatever other text is before or behind.
/// A # divides the input into two texts.
void fuzz_one(Bytes data) {
    const std::string_view text = as_text(data);
    tokens_are_in_order(text);
    names_have_their_form(text);
    PGW_CHECK(sql::effects_of(text) == sql::effects_of(std::string(text) + " "));
    // Behind a comment every text is read word by word, which finds no less.
    PGW_CHECK(sql::effects_of("/**/" + std::string(text)).contains(sql::effects_of(text)));

    const size_t middle = text.find('#');
    const std::string_view first = text.substr(0, middle);
    const std::string_view second =
        middle == std::string_view::npos ? text : text.substr(middle + 1);
    if (!has_end(first) || !has_end(second)) return;
    // A line break, since the first may end in a comment.
    const std::string both = std::string(first) + "\n;" + std::string(second);
    // A plain SELECT is not read word by word, which would find more in it than there is.
    const auto slowly = [](std::string_view sql) {
        return sql::effects_of("/**/" + std::string(sql));
    };
    PGW_CHECK(slowly(both) == (slowly(first) | slowly(second)));
}

}  // namespace pgweir::fuzz_effects

#ifdef PGWEIR_LIBFUZZER
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    pgweir::fuzz_effects::fuzz_one({data, size});
    return 0;
}
#endif
