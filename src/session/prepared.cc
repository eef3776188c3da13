#include "pgweir/session/prepared.h"

#include <array>

#include <fmt/format.h>

namespace pgweir::session {

void StatementRef::release() {
    if (statement_ != nullptr && --statement_->references == 0) {
        statement_->cache->forget(*statement_);
    }
}

StatementRef StatementCache::intern(Bytes query_and_types, uint32_t epoch) {
    std::array<uint8_t, sizeof epoch> number{};
    store_be32(number.data(), epoch);
    const Digest128 digest = epoch == 0 ? auth::digest128({query_and_types})
                                        : auth::digest128({query_and_types, number});
    auto& slot = statements_[digest];
    if (slot == nullptr) {
        slot = std::make_unique<Statement>();
        slot->digest = digest;
        slot->epoch = epoch;
        slot->query_and_types = as_text(query_and_types);
        const std::string_view text = as_text(query_and_types);
        slot->effects = sql::effects_of(text.substr(0, text.find('\0')));
        slot->server_name = server_statement_name(digest);
        slot->cache = this;
        text_bytes_ += query_and_types.size();
    }
    return StatementRef(slot.get());
}

void StatementCache::forget(Statement& statement) {
    text_bytes_ -= statement.query_and_types.size();
    statements_.erase(Digest128(statement.digest));
}

const StatementRef* ClientStatements::find(std::string_view name) const {
    const auto it = names_.find(name);
    return it == names_.end() ? nullptr : &it->second;
}

size_t ClientStatements::cost(std::string_view name, const Statement& statement) {
    constexpr size_t kEntryBytes = 128;  // what a name costs besides its text
    return kEntryBytes + name.size() + statement.query_and_types.size();
}

void ClientStatements::put(std::string_view name, StatementRef statement) {
    erase(name);
    bytes_ += cost(name, *statement);
    names_.insert_or_assign(std::string(name), std::move(statement));
}

void ClientStatements::erase(std::string_view name) {
    const auto it = names_.find(name);
    if (it == names_.end()) return;
    bytes_ -= cost(name, *it->second);
    names_.erase(it);
}

void ClientStatements::clear() {
    names_.clear();
    bytes_ = 0;
}

void ServerStatements::leave(Entry& entry) {
    if (entry.closing) return;
    by_use_.erase(entry);
    text_bytes_ -= entry.text_bytes;
}

void ServerStatements::enter(Entry& entry) {
    entry.closing = false;
    by_use_.push_back(entry);
    text_bytes_ += entry.text_bytes;
}

ServerStatements::State ServerStatements::use(const Digest128& digest, uint32_t batch) {
    const auto it = entries_.find(digest);
    if (it == entries_.end()) return State::Absent;
    Entry& entry = it->second;
    if (entry.closing) return State::Doubtful;
    leave(entry);
    enter(entry);
    if (entry.confirmed) return State::Present;
    return entry.batch == batch ? State::Pending : State::Doubtful;
}

void ServerStatements::add_pending(const Digest128& digest, uint32_t text_bytes, uint32_t batch) {
    auto [it, added] = entries_.try_emplace(digest);
    Entry& entry = it->second;
    if (!added) leave(entry);
    entry.digest = digest;
    entry.text_bytes = text_bytes;
    entry.batch = batch;
    entry.confirmed = false;
    enter(entry);
}

void ServerStatements::confirm(const Digest128& digest) {
    const auto it = entries_.find(digest);
    if (it != entries_.end() && !it->second.closing) it->second.confirmed = true;
}

void ServerStatements::begin_close(const Digest128& digest) {
    const auto it = entries_.find(digest);
    if (it == entries_.end()) return;
    leave(it->second);
    it->second.closing = true;
    it->second.confirmed = false;
    ++it->second.closes;
}

void ServerStatements::closed(const Digest128& digest) {
    const auto it = entries_.find(digest);
    if (it == entries_.end()) return;
    // It may have been prepared again behind this one: no answer to that can have come yet.
    Entry& entry = it->second;
    entry.confirmed = false;
    entry.batch = UINT32_MAX;
    if (entry.closes > 0) --entry.closes;
    if (entry.closing && entry.closes == 0) entries_.erase(it);
}

void ServerStatements::close_skipped(const Digest128& digest) {
    const auto it = entries_.find(digest);
    if (it != entries_.end() && it->second.closes > 0) --it->second.closes;
    doubt(digest);
}

void ServerStatements::doubt(const Digest128& digest) {
    const auto it = entries_.find(digest);
    if (it == entries_.end()) return;
    if (it->second.closing) enter(it->second);
    it->second.confirmed = false;
    it->second.batch = UINT32_MAX;
}

void ServerStatements::erase(const Digest128& digest) {
    const auto it = entries_.find(digest);
    if (it == entries_.end()) return;
    leave(it->second);
    entries_.erase(it);
}

void ServerStatements::clear() {
    by_use_.for_each([this](Entry& entry) { by_use_.erase(entry); });
    entries_.clear();
    text_bytes_ = 0;
}

bool ServerStatements::over_limit(uint32_t count_max, uint64_t bytes_max, Digest128& oldest) {
    if (by_use_.size() <= 1) return false;
    if (by_use_.size() <= count_max && text_bytes_ <= bytes_max) return false;
    oldest = by_use_.front().digest;
    return true;
}

std::string server_statement_name(const Digest128& digest) {
    std::string name(kStatementPrefix);
    for (const uint8_t byte : digest) fmt::format_to(std::back_inserter(name), "{:02x}", byte);
    return name;
}

}  // namespace pgweir::session
