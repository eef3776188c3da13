#include "pgweir/session/gather.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace pgweir::session {
namespace {

/// Notes each send: how many pieces it had, and all bytes.
class NotingStream final : public Stream {
public:
    using Stream::send;

    void set_owner(StreamEvents&) override {}

    void send(std::span<const Bytes> sent) override {
        pieces.push_back(sent.size());
        for (const Bytes piece : sent) bytes += as_text(piece);
    }

    size_t backlog() const override { return 0; }

    void pause() override {}

    void resume() override {}

    void finish() override {}

    void close() override {}

    std::unique_ptr<DetachedStream> detach() override { return nullptr; }

    std::string_view peer_name() const override { return ""; }

    std::vector<size_t> pieces;
    std::string bytes;
};

}  // namespace

TEST_CASE("gather: nothing goes out before flush, then all of it in one send") {
    NotingStream stream;
    Gather out(stream);
    out.add(as_bytes("one "));
    out.add_copy(as_bytes("two "));
    out.add(as_bytes("three"));
    CHECK(stream.pieces.empty());
    out.flush();
    CHECK(stream.pieces == std::vector<size_t>{3});
    CHECK(stream.bytes == "one two three");
    CHECK(out.bytes() == 13);
}

TEST_CASE("gather: flushing nothing sends nothing") {
    NotingStream stream;
    Gather out(stream);
    out.add({});
    out.add_copy({});
    out.flush();
    CHECK(stream.pieces.empty());
    out.add(as_bytes("x"));
    out.flush();
    out.flush();
    CHECK(stream.pieces.size() == 1);
}

TEST_CASE("gather: pieces that touch become one") {
    NotingStream stream;
    Gather out(stream);
    const std::string text = "abcdefgh";
    const Bytes bytes = as_bytes(text);
    out.add(bytes.first(3));
    out.add(bytes.subspan(3, 2));
    out.add(bytes.subspan(6, 2));
    out.flush();
    CHECK(stream.pieces == std::vector<size_t>{2});
    CHECK(stream.bytes == "abcdegh");
}

TEST_CASE("gather: more pieces than there is room for keep their order") {
    NotingStream stream;
    Gather out(stream);
    std::vector<std::string> texts;
    for (int i = 0; i < 200; ++i) texts.push_back(std::to_string(i) + ",");
    std::string all;
    for (const auto& text : texts) {
        out.add(as_bytes(text));
        all += text;
    }
    out.flush();
    CHECK(stream.bytes == all);
    CHECK(out.bytes() == all.size());
}

TEST_CASE("gather: a copy outlives its source, also when the scratch memory is used up") {
    NotingStream stream;
    Gather out(stream);
    std::string all;
    for (int i = 0; i < 100; ++i) {
        std::string text(100, static_cast<char>('a' + i % 26));
        out.add_copy(as_bytes(text));
        all += text;
        text.assign(100, '?');
    }
    out.flush();
    CHECK(stream.bytes == all);
    CHECK(out.bytes() == all.size());
}

TEST_CASE("gather: a copy survives when it is the piece that finds no room") {
    NotingStream stream;
    Gather out(stream);
    std::vector<std::string> texts;
    for (int i = 0; i < 24; ++i) texts.push_back(std::to_string(i) + ",");
    std::string all;
    for (const auto& text : texts) {
        out.add(as_bytes(text));
        all += text;
    }
    out.add_copy(as_bytes("first "));
    out.add(as_bytes(texts[0]));
    out.add_copy(as_bytes("second"));
    out.flush();
    CHECK(stream.bytes == all + "first 0,second");
}

TEST_CASE("gather: what is too large to be copied goes out in its turn") {
    NotingStream stream;
    Gather out(stream);
    const std::string large(10000, 'x');
    out.add(as_bytes("before "));
    out.add_copy(as_bytes(large));
    out.add(as_bytes(" after"));
    out.flush();
    CHECK(stream.bytes == "before " + large + " after");
    CHECK(out.bytes() == large.size() + 13);
}

}  // namespace pgweir::session
