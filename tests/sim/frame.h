#pragma once

#include "pgweir/base/bytes.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>

/// Messages of the protocol as values: the simulator trusts none of pgweir's own code with them.
namespace pgweir::sim {

struct Frame {
    char type = 0;
    std::string body{};
};

inline void put_u32(std::string& out, uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
}

inline void put_u16(std::string& out, size_t value) {
    out.push_back(static_cast<char>(value >> 8));
    out.push_back(static_cast<char>(value));
}

inline void put_text(std::string& out, std::string_view text) {
    out.append(text);
    out.push_back('\0');
}

inline void append_frame(std::string& out, const Frame& frame) {
    out.push_back(frame.type);
    put_u32(out, static_cast<uint32_t>(frame.body.size() + 4));
    out.append(frame.body);
}

/// For people to read.
inline std::string printable(const Frame& frame) {
    std::string text(1, frame.type);
    text += " \"";
    for (const char c : frame.body.substr(0, 120)) text.push_back(c >= 0x20 && c < 0x7f ? c : '.');
    return text + '"';
}

/// Takes fields off a body; what is missing reads as empty.
class Fields {
public:
    explicit Fields(std::string_view body) : rest_(body) {}

    std::string_view text() {
        const size_t end = rest_.find('\0');
        const std::string_view found = rest_.substr(0, end);
        rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
        return found;
    }

    uint32_t number(size_t bytes) {
        uint32_t value = 0;
        for (size_t i = 0; i < bytes && i < rest_.size(); ++i) {
            value = (value << 8) | static_cast<unsigned char>(rest_[i]);
        }
        rest_.remove_prefix(bytes < rest_.size() ? bytes : rest_.size());
        return value;
    }

    std::string_view bytes(size_t count) {
        const std::string_view found = rest_.substr(0, count);
        rest_.remove_prefix(found.size());
        return found;
    }

    bool at_end() const { return rest_.empty(); }

private:
    std::string_view rest_;
};

/// Cuts a stream of bytes into frames.
class FrameReader {
public:
    void append(Bytes bytes) { buffer_.append(as_text(bytes)); }

    std::optional<Frame> next() {
        if (buffer_.size() - begin_ < 5) return compact();
        const size_t length = load_be32(as_bytes(buffer_).data() + begin_ + 1);
        if (buffer_.size() - begin_ < length + 1) return compact();
        Frame frame{buffer_[begin_], buffer_.substr(begin_ + 5, length - 4)};
        begin_ += length + 1;
        return frame;
    }

    std::string_view rest() const { return std::string_view(buffer_).substr(begin_); }

    bool empty() const { return begin_ == buffer_.size(); }

    void drop(size_t count) { begin_ += count; }

private:
    std::optional<Frame> compact() {
        buffer_.erase(0, std::exchange(begin_, 0));
        return std::nullopt;
    }

    std::string buffer_;
    size_t begin_ = 0;
};

struct ReportFields {
    std::string_view severity;
    std::string_view sqlstate;
    std::string_view message;
    std::string_view detail;
};

inline ReportFields read_report(std::string_view body) {
    ReportFields report;
    Fields fields(body);
    while (!fields.at_end()) {
        const auto code = static_cast<char>(fields.number(1));
        if (code == '\0') break;
        const std::string_view value = fields.text();
        if (code == 'S') report.severity = value;
        if (code == 'C') report.sqlstate = value;
        if (code == 'M') report.message = value;
        if (code == 'D') report.detail = value;
    }
    return report;
}

inline Frame make_report(char type,
                         std::string_view severity,
                         std::string_view sqlstate,
                         std::string_view message) {
    Frame frame{type};
    for (const auto& [code, value] : {
             std::pair{'S', severity},
             {'V', severity},
             {'C', sqlstate},
             {'M', message }
    }) {
        frame.body.push_back(code);
        put_text(frame.body, value);
    }
    frame.body.push_back('\0');
    return frame;
}

/// One more field of a report.
inline void add_field(Frame& report, char code, std::string_view value) {
    report.body.pop_back();
    report.body.push_back(code);
    put_text(report.body, value);
    report.body.push_back('\0');
}

}  // namespace pgweir::sim
