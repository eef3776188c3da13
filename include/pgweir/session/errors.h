#pragma once

#include "pgweir/base/clock.h"
#include "pgweir/base/error.h"

#include <cstdint>
#include <string_view>

/// Every error that a session makes itself, from its row in base/error_catalogue.h.
namespace pgweir::session {

Error bad_message(std::string_view what);
Error unknown_message_type(char type);
Error encryption_request_not_alone();
Error no_user_name();
Error unknown_database(std::string_view database);
Error console_wants_simple_queries();
Error not_admitted_to_console(std::string_view user);
Error too_many_clients(uint32_t limit);
Error too_many_clients_of(std::string_view kind, std::string_view name, uint32_t limit);
Error too_many_logins(uint32_t limit);
Error queue_full(std::string_view database, std::string_view user, uint32_t limit);
Error wait_timeout(std::string_view database, std::string_view user, Duration waited);
Error no_server(std::string_view database, const Error& cause);
Error waits_notice(std::string_view database, std::string_view user);
Error cancelled_while_waiting();
Error cancelled_at_standby();
Error shutting_down();
Error pool_disabled(std::string_view database);
Error login_timeout();
Error idle_too_long();
Error idle_in_transaction_too_long();
Error killed_by_administrator();
Error server_lost(std::string_view reason);
Error primary_changed(std::string_view node);
Error bound_to_standby(std::string_view node);
/// `behind`: some take reads, but show not yet what this session was told of.
Error no_standby(std::string_view database, bool behind);
/// `known`: what the setting can be, see kKnownValues.
Error not_understood(std::string_view setting, std::string_view value, std::string_view known);
Error unknown_hint(std::string_view hint, std::string_view known);
/// `reason`: of kRouteReasonNames; `waited`: for its server; `pins`: why that is kept, or empty.
Error routed_notice(std::string_view node,
                    std::string_view reason,
                    Duration waited,
                    std::string_view pins);
/// Units: nothing was sent for as long; zero: it did not wait.
Error no_primary(std::string_view database, Duration waited);
Error server_out_of_step();
Error settings_refused(const Error& cause);
Error no_transaction_blocks();
Error statement_too_large(uint64_t limit);
Error too_much_prepared(uint64_t limit);
Error too_many_pools(uint32_t limit);
Error too_much_held_back(uint64_t limit);
Error too_many_pinned(std::string_view database, uint32_t limit, std::string_view reasons);
Error no_place_to_pin(std::string_view database, uint32_t limit);
Error prepared_in_sql_lost();
Error slow_listener(uint64_t limit);
Error listening_interrupted();
Error listening_again();
Error pinned_idle_too_long(std::string_view reasons);
Error no_place_for_walsender(std::string_view database, uint32_t pool_size);
Error cannot_reach(std::string_view node, std::string_view reason);
Error cannot_log_in(std::string_view node, std::string_view why);

}  // namespace pgweir::session
