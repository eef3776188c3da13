#include "sim/walsender_client.h"

#include <fmt/format.h>

namespace pgweir::sim {
namespace {

// More than this is not sent before it comes back.
constexpr size_t kSentMax = 20;

}  // namespace

void WalsenderClient::fail(const std::string& what) {
    violations_.add(fmt::format("walsender's client {}: {}", number_, what));
}

void WalsenderClient::start(Link& link, const std::string& database, const std::string& user) {
    link_ = &link;
    state_ = State::LoggingIn;
    std::string body;
    put_u32(body, 3u << 16);
    for (const std::string_view text :
         {std::string_view("user"), std::string_view(user), std::string_view("database"),
          std::string_view(database), std::string_view("replication"),
          std::string_view(prng_.chance(50) ? "true" : "database")}) {
        put_text(body, text);
    }
    body.push_back('\0');
    std::string packet;
    put_u32(packet, static_cast<uint32_t>(body.size() + 4));
    link.send_to_engine(packet + body);
}

/// Of any type and length: nobody but the walsender looks into it.
void WalsenderClient::send_something() {
    Frame frame{"QdcfHSPz"[prng_.below(8)]};
    const uint64_t length = prng_.chance(20) ? prng_.below(6000) : prng_.below(60);
    for (uint64_t left = length; left > 0; --left) {
        frame.body.push_back(static_cast<char>(prng_.next()));
    }
    std::string bytes;
    append_frame(bytes, frame);
    link_->send_to_engine(bytes);
    sent_.push_back(std::move(frame));
}

void WalsenderClient::act() {
    if (state_ != State::Streaming && state_ != State::LoggingIn) return;
    const uint64_t choice = prng_.below(100);
    if (choice < 15) {
        reading_ = !reading_;
    } else if (choice < 17) {
        leave();
    } else if (sent_.size() < kSentMax) {
        send_something();
    }
}

void WalsenderClient::leave() {
    std::string bytes;
    append_frame(bytes, {'X'});
    if (prng_.chance(50)) link_->send_to_engine(bytes);
    link_->far = nullptr;
    link_->far_closed = true;
    link_ = nullptr;
    state_ = State::Gone;
}

void WalsenderClient::wind_up(bool draining) {
    reading_ = true;
    if (state_ == State::Streaming && sent_.empty() && !draining) leave();
}

void WalsenderClient::on_far_bytes(Bytes bytes) {
    replies_.append(bytes);
    while (const auto frame = replies_.next()) on_frame(*frame);
}

void WalsenderClient::on_frame(const Frame& frame) {
    if (violations_.tracing()) {
        fmt::print("            walsender's client {} gets {}\n", number_, printable(frame));
    }
    if (frame.type == 'E') {
        if (told_fatal_) fail("more after a FATAL error");
        told_fatal_ = true;
    } else if (state_ == State::LoggingIn) {
        if (frame.type == 'Z') state_ = State::Streaming;
    } else if (frame.type == 'w') {
        if (frame.body != std::to_string(rows_heard_++)) fail("it did not hear all");
    } else if (sent_.empty()) {
        fail("it had sent nothing, and heard " + printable(frame));
    } else {
        const bool same = frame.type == sent_.front().type && frame.body == sent_.front().body;
        if (!same) fail("a message was changed on its way");
        sent_.pop_front();
    }
}

void WalsenderClient::on_far_closed() {
    // In the middle of a stream there is no place for a word of pgweir's.
    const bool streams = state_ == State::Streaming;
    if (!told_fatal_ && !fault_met_ && !streams) fail("it was closed without a word");
    state_ = State::Gone;
    link_->far = nullptr;
    link_->far_told = true;
    link_ = nullptr;
}

std::string WalsenderClient::describe() const {
    return fmt::format("walsender's client {} is {}, {} messages have not come back", number_,
                       state_ == State::LoggingIn ? "logging in" : "streaming", sent_.size());
}

}  // namespace pgweir::sim
