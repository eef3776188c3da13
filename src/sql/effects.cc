#include "pgweir/sql/effects.h"

namespace pgweir::sql {

// Until the texts are read, each is a doubt.
Effects effects_of(std::string_view sql) noexcept {
    if (sql.empty()) return {};
    return Effect::MayChangeSession | Effect::MayForgetStatements;
}

bool is_custom_setting_name(std::string_view) noexcept {
    return false;
}

bool visit_custom_settings(std::string_view, CustomSettingSink) {
    return true;
}

}  // namespace pgweir::sql
