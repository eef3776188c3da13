#include "pgweir/sql/effects.h"
#include "sql/lexer.h"

#include <algorithm>
#include <array>

/// See: runtime-config-custom.html
namespace pgweir::sql {
namespace {

// Bodies in bodies: a DO block that runs a text that has one.
constexpr size_t kBodyDepthMax = 4;

// PostgreSQL cuts longer identifiers, NAMEDATALEN less one.
constexpr size_t kIdentifierBytesMax = 63;

/// A name in lower case, put together part by part.
class NameBuffer {
public:
    void clear() { bytes_ = 0; }

    bool empty() const { return bytes_ == 0; }

    /// A name that does not fit is not a setting's; it ends up with no valid form.
    void append(std::string_view part) {
        if (bytes_ + part.size() > text_.size()) {
            bytes_ = 0;
            return;
        }
        for (const char c : part) {
            text_[bytes_++] = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        }
    }

    std::string_view view() const { return {text_.data(), bytes_}; }

private:
    std::array<char, kCustomSettingBytesMax> text_{};
    size_t bytes_ = 0;
};

class Visitor {
public:
    explicit Visitor(CustomSettingSink sink) : sink_(sink) {}

    /// False: too many names.
    bool visit(std::string_view sql, size_t depth);

private:
    void tell(std::string_view name);
    void tell_text(std::string_view text);
    void end_name();
    void take_word(const Token& token, bool behind_dot);

    CustomSettingSink sink_;
    size_t told_ = 0;
    bool too_many_ = false;
    // The name behind SET and the like, as far as it goes; empty: none.
    NameBuffer name_;
    // True exactly when the word before is SET, SESSION, LOCAL or RESET.
    bool armed_ = false;
};

bool arms(const Token& token) {
    return token.kind == TokenKind::Word &&
           (same_word(token.text, "set") || same_word(token.text, "session") ||
            same_word(token.text, "local") || same_word(token.text, "reset"));
}

bool Visitor::visit(std::string_view sql, size_t depth) {
    Lexer lexer(sql);
    bool behind_dot = false;
    for (Token token = lexer.next(); token.kind != TokenKind::End && !too_many_;
         token = lexer.next()) {
        if (token.kind == TokenKind::Word || token.kind == TokenKind::QuotedName) {
            take_word(token, behind_dot);
        } else if (token.kind == TokenKind::Dot && !name_.empty()) {
            name_.append(".");
        } else {
            end_name();
            armed_ = false;
        }
        if (token.kind == TokenKind::String || token.kind == TokenKind::Body) {
            tell_text(token.text);
            if (token.kind == TokenKind::Body && depth < kBodyDepthMax)
                visit(token.text, depth + 1);
        }
        behind_dot = token.kind == TokenKind::Dot;
    }
    end_name();
    armed_ = false;
    return !too_many_;
}

/// `SET local.foo` names a setting too, so LOCAL and SESSION may be the name or announce it.
void Visitor::take_word(const Token& token, bool behind_dot) {
    const std::string_view part = token.text.substr(0, kIdentifierBytesMax);
    if (behind_dot) {
        if (!name_.empty()) name_.append(part);
        armed_ = false;
        return;
    }
    end_name();
    if (armed_) name_.append(part);
    armed_ = arms(token);
}

void Visitor::end_name() {
    if (!name_.empty() && is_custom_setting_name(name_.view())) tell(name_.view());
    name_.clear();
}

void Visitor::tell_text(std::string_view text) {
    if (!is_custom_setting_name(text)) return;
    NameBuffer name;
    name.append(text);
    tell(name.view());
}

void Visitor::tell(std::string_view name) {
    too_many_ = too_many_ || told_ == kCustomSettingsPerTextMax;
    if (too_many_) return;
    ++told_;
    sink_.found(sink_.state, name);
}

}  // namespace

bool is_custom_setting_name(std::string_view value) noexcept {
    if (value.size() > kCustomSettingBytesMax) return false;
    bool in_part = false;
    size_t dots = 0;
    for (const char c : value) {
        if (c == '.') {
            if (!in_part) return false;
            in_part = false;
            ++dots;
        } else {
            if (in_part ? fold(c) == 0 : !begins_word(c)) return false;
            in_part = true;
        }
    }
    return in_part && dots > 0;
}

bool visit_custom_settings(std::string_view sql, CustomSettingSink sink) {
    return Visitor(sink).visit(sql, 0);
}

}  // namespace pgweir::sql
