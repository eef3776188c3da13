#pragma once

#include <array>
#include <string_view>

namespace pgweir {

/// A five-character code of PostgreSQL. It has no default: every error says what it is.
/// See: errcodes-appendix.html
class SqlState {
public:
    constexpr explicit SqlState(const char (&code)[6])
        : code_{code[0], code[1], code[2], code[3], code[4]} {}

    constexpr std::string_view text() const { return {code_.data(), code_.size()}; }

    constexpr bool operator==(const SqlState&) const = default;

private:
    std::array<char, 5> code_;
};

namespace sqlstate {
inline constexpr SqlState kSuccessfulCompletion{"00000"};
inline constexpr SqlState kWarning{"01000"};
inline constexpr SqlState kConnectionFailure{"08006"};
inline constexpr SqlState kTransactionResolutionUnknown{"08007"};
inline constexpr SqlState kProtocolViolation{"08P01"};
inline constexpr SqlState kFeatureNotSupported{"0A000"};
inline constexpr SqlState kInvalidParameterValue{"22023"};
inline constexpr SqlState kIdleInTransactionTimeout{"25P03"};
inline constexpr SqlState kInvalidAuthorization{"28000"};
inline constexpr SqlState kInvalidPassword{"28P01"};
inline constexpr SqlState kInvalidCatalogName{"3D000"};
inline constexpr SqlState kSyntaxError{"42601"};
inline constexpr SqlState kUndefinedObject{"42704"};
inline constexpr SqlState kInsufficientPrivilege{"42501"};
inline constexpr SqlState kOutOfMemory{"53200"};
inline constexpr SqlState kTooManyConnections{"53300"};
inline constexpr SqlState kConfigurationLimitExceeded{"53400"};
inline constexpr SqlState kProgramLimitExceeded{"54000"};
inline constexpr SqlState kObjectNotInPrerequisiteState{"55000"};
inline constexpr SqlState kQueryCanceled{"57014"};
inline constexpr SqlState kAdminShutdown{"57P01"};
inline constexpr SqlState kCannotConnectNow{"57P03"};
inline constexpr SqlState kReadOnlyTransaction{"25006"};
inline constexpr SqlState kIdleSessionTimeout{"57P05"};
inline constexpr SqlState kConfigFileError{"F0000"};
inline constexpr SqlState kInternalError{"XX000"};
}  // namespace sqlstate

}  // namespace pgweir
