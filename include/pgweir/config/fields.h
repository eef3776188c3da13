#pragma once

#include "pgweir/config/model.h"

#include <string>
#include <string_view>
#include <vector>

/// What can be told about the table of fields (src/config/fields.cc), the one place that knows a
/// key's name, range, default and meaning.
namespace pgweir::config {

/// The word in the file and on the console.
std::string_view to_text(PinnedFull what);
std::string_view to_text(PoolMode mode);
std::string_view to_text(Reads reads);
std::string_view to_text(Consistency consistency);
std::string_view to_text(NoStandby what);
std::string_view to_text(RuleRoute route);
std::string_view to_text(AuthMethod method);
std::string_view to_text(LogLevel level);

/// A row of SHOW CONFIG.
struct ConfigRow {
    std::string key;
    std::string value;
    std::string default_value;
    bool changeable = false;  // True exactly when a reload changes it

    bool operator==(const ConfigRow&) const = default;
};

/// The settings of the whole process. Databases and users have their own SHOW; secrets have none.
std::vector<ConfigRow> show_config(const Config& config);

/// docs/config.md, wholly.
std::string config_markdown();

}  // namespace pgweir::config
