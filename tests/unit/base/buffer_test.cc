#include "pgweir/base/buffer.h"

#include "pgweir/base/prng.h"

#include <string>

#include <doctest/doctest.h>

namespace pgweir {

TEST_CASE("buffer: bytes leave in the order in which they came") {
    BufferPool pool;
    Buffer buffer;
    buffer.append(pool, as_bytes("hello "));
    buffer.append(pool, as_bytes("world"));
    CHECK(as_text(buffer.view()) == "hello world");
    buffer.consume(pool, 6);
    CHECK(as_text(buffer.view()) == "world");
    CHECK(buffer.size() == 5);
    buffer.clear(pool);
    CHECK(buffer.empty());
}

TEST_CASE("buffer: it owns memory only while it is not empty") {
    BufferPool pool;
    Buffer buffer;
    buffer.append(pool, {});
    CHECK(pool.bytes_in_use() == 0);
    buffer.append(pool, as_bytes("x"));
    CHECK(pool.bytes_in_use() > 0);
    buffer.consume(pool, 1);
    CHECK(pool.bytes_in_use() == 0);
    buffer.clear(pool);
    CHECK(pool.bytes_in_use() == 0);
}

TEST_CASE("buffer: it grows to whatever comes") {
    BufferPool pool;
    Buffer buffer;
    std::string all;
    for (int i = 0; i < 3000; ++i) {
        const std::string piece = std::to_string(i) + ",";
        buffer.append(pool, as_bytes(piece));
        all += piece;
    }
    CHECK(as_text(buffer.view()) == all);
    const std::string large(200000, 'x');
    buffer.append(pool, as_bytes(large));
    CHECK(as_text(buffer.view()) == all + large);
    buffer.clear(pool);
    CHECK(pool.bytes_in_use() == 0);
}

TEST_CASE("buffer: what is consumed at the front makes room before it grows") {
    BufferPool pool;
    Buffer buffer;
    buffer.append(pool, as_bytes(std::string(500, 'a')));
    const size_t small = pool.bytes_in_use();
    for (int i = 0; i < 1000; ++i) {
        buffer.consume(pool, 100);
        buffer.append(pool, as_bytes(std::string(100, 'b')));
    }
    CHECK(buffer.size() == 500);
    CHECK(pool.bytes_in_use() <= small);
    buffer.clear(pool);
}

TEST_CASE("buffer: any mixture of appends and consumes is a queue") {
    BufferPool pool;
    Buffer buffer;
    std::string model;
    Prng prng(1);
    for (int step = 0; step < 3000; ++step) {
        if (prng.chance(50)) {
            const std::string piece(prng.below(300), static_cast<char>('a' + prng.below(26)));
            buffer.append(pool, as_bytes(piece));
            model += piece;
        } else {
            const size_t count = prng.below(model.size() + 1);
            buffer.consume(pool, count);
            model.erase(0, count);
        }
        REQUIRE(as_text(buffer.view()) == model);
        REQUIRE((pool.bytes_in_use() == 0) == model.empty());
    }
    buffer.clear(pool);
}

TEST_CASE("buffer pool: blocks are used again, and what is huge goes back to the heap") {
    BufferPool pool;
    const auto one = pool.take(100);
    CHECK(one.capacity >= 100);
    pool.give_back(one);
    const auto again = pool.take(200);
    CHECK(again.memory == one.memory);
    const auto huge = pool.take(1000000);
    CHECK(huge.capacity >= 1000000);
    CHECK(pool.bytes_in_use() == size_t{again.capacity} + huge.capacity);
    pool.give_back(huge);
    pool.give_back(again);
    CHECK(pool.bytes_in_use() == 0);
}

}  // namespace pgweir
