#include "sim/reckless_client.h"

#include <array>
#include <string_view>

#include <fmt/format.h>

namespace pgweir::sim {
namespace {

// Nothing that it sends within its login or as a message of small kind is longer.
constexpr uint32_t kHugeLength = 0x7ffffff0;

constexpr uint32_t kSslCode = (1234u << 16) | 5679u;
constexpr uint32_t kCancelCode = (1234u << 16) | 5678u;

std::string with_length(const std::string& body) {
    std::string packet;
    put_u32(packet, static_cast<uint32_t>(body.size() + 4));
    return packet + body;
}

}  // namespace

void RecklessClient::send(const std::string& bytes) {
    if (link_ != nullptr) link_->send_to_engine(bytes);
}

// --- how it begins ---

void RecklessClient::start(Link& link, const std::string& database, const std::string& user) {
    link_ = &link;
    state_ = State::Connected;
    token_ = fmt::format("r{}", number_);
    if (prng_.chance(65)) {
        send_startup(database, user);
    } else {
        send_broken_startup(database, user);
    }
}

void RecklessClient::send_startup(const std::string& database, const std::string& user) {
    std::string body;
    put_u32(body, 3u << 16);
    for (const std::string_view text : {std::string_view("user"), std::string_view(user),
                                        std::string_view("database"), std::string_view(database)}) {
        put_text(body, text);
    }
    body.push_back('\0');
    send(with_length(body));
}

void RecklessClient::send_broken_startup(const std::string& database, const std::string& user) {
    std::string body;
    switch (prng_.below(8)) {
        case 0: {  // noise
            std::string noise;
            for (uint64_t left = 1 + prng_.below(40); left > 0; --left) {
                noise.push_back(static_cast<char>(prng_.next()));
            }
            send(noise);
            aligned_ = false;
            break;
        }
        case 1:  // half a packet, and silence
            put_u32(body, 3u << 16);
            put_text(body, "user");
            send(with_length(body).substr(0, 1 + prng_.below(body.size())));
            aligned_ = false;
            break;
        case 2:  // a version of long ago, or of long hence
            put_u32(body, prng_.chance(50) ? 2u << 16 : 9u << 16);
            body.push_back('\0');
            send(with_length(body));
            doom();
            break;
        case 3:  // parameters without an end
            put_u32(body, 3u << 16);
            put_text(body, "user");
            body += user;
            send(with_length(body));
            doom();
            break;
        case 4: send_startup("nowhere", user); break;
        case 5: send_startup(database, ""); break;
        case 6:  // asks for encryption, and does not wait for the answer
            put_u32(body, kSslCode);
            send(with_length(body));
            encrypted_ = true;
            if (prng_.chance(50)) send_startup(database, user);
            break;
        case 7:  // a cancel of nobody, perhaps with more behind it
            put_u32(body, kCancelCode);
            put_u32(body, static_cast<uint32_t>(1 + prng_.below(8)));
            put_u32(body, static_cast<uint32_t>(prng_.next()));
            send(with_length(body));
            quiet_end_ = true;
            if (prng_.chance(50)) send_startup(database, user);
            break;
    }
}

// --- what it sends ---

void RecklessClient::doom() {
    doomed_ = doomed_ || aligned_;
}

void RecklessClient::act() {
    if (state_ != State::Connected || acts_left == 0) return;
    --acts_left;
    const uint64_t choice = prng_.below(100);
    if (choice < 55) {
        std::string bytes;
        append_frame(bytes, sane_message());
        send(bytes);
    } else if (choice < 85) {
        break_message(sane_message());
    } else if (choice < 90) {  // what comes behind a farewell is nobody's
        std::string bytes;
        append_frame(bytes, {'X'});
        append_frame(bytes, sane_message());
        send(bytes);
        quiet_end_ = true;
    } else if (choice < 95) {
        leave();
    }
}

std::string RecklessClient::sane_text() {
    switch (prng_.below(12)) {
        case 0: return "begin";
        case 1: return "commit";
        case 2: return "rollback";
        case 3: return "error " + token_;
        case 4: return "set TimeZone reckless";
        case 5: return "copyin " + token_;
        case 6: return "copyout " + token_ + " 3";
        case 7: return "sleep " + token_;
        case 8: return "big " + token_ + " 9";
        case 9: return "";
        default: return "select " + token_;
    }
}

Frame RecklessClient::extended_message() {
    Frame frame;
    constexpr std::array<std::string_view, 4> kNames{"", "mine", "none", "pgweir_0123456789abcdef"};
    const auto name = kNames[prng_.below(kNames.size())];
    switch (prng_.below(5)) {
        case 0:
            frame.type = 'P';
            put_text(frame.body, name);
            put_text(frame.body, sane_text());
            put_u16(frame.body, 0);
            break;
        case 1:
            frame.type = 'B';
            put_text(frame.body, "");
            put_text(frame.body, name);
            for (int i = 0; i < 3; ++i) put_u16(frame.body, 0);
            break;
        case 2:
            frame.type = 'D';
            frame.body.push_back(prng_.chance(50) ? 'S' : 'P');
            put_text(frame.body, name);
            break;
        case 3:
            frame.type = 'E';
            put_text(frame.body, "");
            put_u32(frame.body, static_cast<uint32_t>(prng_.below(3)));
            break;
        case 4:
            frame.type = 'C';
            frame.body.push_back(prng_.chance(50) ? 'S' : 'P');
            put_text(frame.body, name);
            break;
    }
    return frame;
}

Frame RecklessClient::sane_message() {
    switch (prng_.below(10)) {
        case 0:
        case 1: return {'Q', sane_text() + '\0'};
        case 2: return {'S'};
        case 3: return {'H'};
        case 4: return {'d', token_ + " data"};
        case 5: return {'c'};
        case 6: return prng_.chance(50) ? Frame{'f', std::string(1, '\0')} : Frame{'F', "call"};
        default: return extended_message();
    }
}

void RecklessClient::break_message(Frame frame) {
    std::string bytes;
    append_frame(bytes, frame);
    switch (prng_.below(6)) {
        case 0:  // of a type that no client sends
            bytes[0] = "@pRTz\xff"[prng_.below(6)];
            if (link_ != nullptr) send(bytes);
            doom();
            return;
        case 1: {  // of a length that no message has
            std::string short_length(1, frame.type);
            put_u32(short_length, static_cast<uint32_t>(prng_.below(4)));
            send(short_length);
            doom();
            return;
        }
        case 2: {  // of a length that will never come
            std::string huge_length(1, frame.type);
            put_u32(huge_length, prng_.chance(50) ? kHugeLength : 20000);
            send(huge_length + frame.body);
            aligned_ = false;
            return;
        }
        case 3:  // it ends in the middle
            send(bytes.substr(0, prng_.below(bytes.size())));
            aligned_ = false;
            if (prng_.chance(70)) leave();
            return;
        case 4: {  // a body that is too short, or too long
            const bool cut = !frame.body.empty() && prng_.chance(60);
            if (cut) {
                frame.body.resize(prng_.below(frame.body.size()));
            } else if (frame.type != 'd') {
                frame.body += '\1';
            }
            bytes.clear();
            append_frame(bytes, frame.type == 'd' ? Frame{'d', token_} : frame);
            send(bytes);
            return;
        }
        case 5:  // twice, as if the first had been lost
            send(bytes + bytes);
            return;
    }
}

void RecklessClient::leave() {
    if (link_ == nullptr) return;
    link_->far = nullptr;
    link_->far_closed = true;
    link_ = nullptr;
    state_ = State::Gone;
}

void RecklessClient::wind_up() {
    if (state_ == State::Connected && !doomed_) leave();
}

// --- what it hears ---

void RecklessClient::on_far_bytes(Bytes bytes) {
    if (encrypted_ && !bytes.empty()) {
        encrypted_ = false;
        // Or by an error, where there are too many clients.
        if (bytes[0] != 'N' && bytes[0] != 'E') {
            violations_.add("an encryption request was not answered");
        }
        if (bytes[0] == 'N') bytes = bytes.subspan(1);
    }
    replies_.append(bytes);
    while (const auto frame = replies_.next()) {
        if (violations_.tracing()) {
            fmt::print("            reckless client {} gets {}\n", number_, printable(*frame));
        }
        if (told_fatal_) {
            violations_.add(fmt::format("reckless client {}: more after a FATAL error", number_));
        }
        if (frame->type == 'E' && read_report(frame->body).severity == "FATAL") told_fatal_ = true;
    }
}

void RecklessClient::on_far_closed() {
    const bool explained = told_fatal_ || quiet_end_ || !replies_.empty();
    if (!explained) {
        violations_.add(fmt::format("reckless client {}: it was closed without a word", number_));
    }
    state_ = State::Gone;
    link_->far = nullptr;
    link_->far_told = true;
    link_ = nullptr;
}

std::string RecklessClient::describe() const {
    return fmt::format("reckless client {} is connected{}", number_, doomed_ ? ", doomed" : "");
}

}  // namespace pgweir::sim
