#include "pgweir/route/choose.h"

#include <array>
#include <optional>
#include <span>
#include <vector>

#include <doctest/doctest.h>

namespace pgweir::route {
namespace {

Candidate fit() {
    return {.fit = true, .near = true, .room = true, .weight = 1, .busy = 0, .turn = 0};
}

std::optional<size_t> choose(std::span<const Candidate> candidates) {
    Choice choice;
    for (size_t i = 0; i < candidates.size(); ++i) choice.offer(i, candidates[i]);
    return choice.number();
}

}  // namespace

TEST_CASE("choose: only who is fit and has a weight") {
    std::vector<Candidate> nodes{fit(), fit()};
    nodes[0].fit = false;
    CHECK(choose(nodes) == 1u);
    nodes[1].weight = 0;
    CHECK(choose(nodes) == std::nullopt);
    CHECK(choose({}) == std::nullopt);
}

TEST_CASE("choose: near before far, but not into a queue while another has room") {
    std::vector<Candidate> nodes{fit(), fit()};
    nodes[0].near = false;
    nodes[1].busy = 50;
    CHECK(choose(nodes) == 1u);
    nodes[1].room = false;
    CHECK(choose(nodes) == 0u);
    nodes[0].room = false;
    CHECK(choose(nodes) == 1u);
}

TEST_CASE("choose: the least busy for its weight, then whose turn it is") {
    std::vector<Candidate> nodes{fit(), fit()};
    nodes[0].busy = 3;
    nodes[1].busy = 2;
    CHECK(choose(nodes) == 1u);
    nodes[0].weight = 2;
    CHECK(choose(nodes) == 0u);  // 3 of 2 are less than 2 of 1
    nodes[0].busy = 4;
    nodes[0].turn = 9;
    CHECK(choose(nodes) == 1u);
}

TEST_CASE("turns: shares are as the weights, and who was away gets no burst") {
    Turns turns;
    std::array<uint64_t, 2> counters{};
    const std::array<uint32_t, 2> weights{1, 3};
    const auto serve = [&](int count, bool second_is_there) {
        std::array<int, 2> served{};
        for (int i = 0; i < count; ++i) {
            std::array<Candidate, 2> nodes{fit(), fit()};
            for (size_t node = 0; node < 2; ++node) {
                nodes[node].weight = weights[node];
                nodes[node].turn = turns.of(counters[node]);
            }
            nodes[1].fit = second_is_there;
            const size_t chosen = choose(nodes).value();
            counters[chosen] = turns.take(counters[chosen], weights[chosen]);
            ++served[chosen];
        }
        return served;
    };
    CHECK(serve(400, true)[1] == doctest::Approx(300).epsilon(0.02));
    serve(1000, false);
    CHECK(serve(400, true)[1] == doctest::Approx(300).epsilon(0.02));
}

}  // namespace pgweir::route
