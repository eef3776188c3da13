// The fuzz targets, compiled into the unit tests: what once broke one is tried here for ever.
#include "fuzz/backend_fuzz.cc"
#include "fuzz/classify_fuzz.cc"
#include "fuzz/effects_fuzz.cc"
#include "fuzz/fingerprint_fuzz.cc"
#include "fuzz/frame_fuzz.cc"
#include "fuzz/frontend_fuzz.cc"
#include "fuzz/hints_fuzz.cc"
#include "fuzz/pipeline_fuzz.cc"
#include "fuzz/scram_fuzz.cc"
#include "fuzz/startup_fuzz.cc"
#include "fuzz/users_file_fuzz.cc"
#include "fuzz/yaml_fuzz.cc"
#include "pgweir/base/prng.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

namespace pgweir {
namespace {

struct Target {
    std::string_view name;
    void (*fuzz_one)(Bytes data);
    bool needs_seeds;
};

constexpr std::array<Target, 12> kTargets{
    {
     {"backend", fuzz_backend::fuzz_one, true},
     {"classify", fuzz_classify::fuzz_one, true},
     {"effects", fuzz_effects::fuzz_one, true},
     {"fingerprint", fuzz_fingerprint::fuzz_one, true},
     {"frame", fuzz_frame::fuzz_one, true},
     {"frontend", fuzz_frontend::fuzz_one, true},
     {"hints", fuzz_hints::fuzz_one, true},
     {"pipeline", fuzz_pipeline::fuzz_one, true},
     {"scram", fuzz_scram::fuzz_one, false},
     {"startup", fuzz_startup::fuzz_one, true},
     {"users_file", fuzz_users_file::fuzz_one, false},
     {"yaml", fuzz_yaml::fuzz_one, false},
     }
};

std::filesystem::path corpus_of(std::string_view target) {
    return std::filesystem::path("tests") / "fuzz" / "corpus" / target;
}

std::vector<std::filesystem::path> inputs_of(std::string_view target) {
    std::vector<std::filesystem::path> inputs;
    if (!std::filesystem::exists(corpus_of(target))) return inputs;
    for (const auto& entry : std::filesystem::directory_iterator(corpus_of(target))) {
        inputs.push_back(entry.path());
    }
    std::sort(inputs.begin(), inputs.end());
    return inputs;
}

}  // namespace

TEST_CASE("fuzz corpus: every input of every target does what it should") {
    for (const Target& target : kTargets) {
        const auto inputs = inputs_of(target.name);
        CAPTURE(target.name);
        CHECK(inputs.empty() <= !target.needs_seeds);
        for (const auto& input : inputs) {
            CAPTURE(input.string());
            std::ifstream file(input, std::ios::binary);
            REQUIRE(file.good());
            const std::string bytes{std::istreambuf_iterator<char>(file), {}};
            target.fuzz_one(as_bytes(bytes));  // ends the process when it fails
        }
    }
}

TEST_CASE("fuzz corpus: the ledger follows conversations that nobody thought of") {
    Prng prng(20260101);
    for (int round = 0; round < 3000; ++round) {
        std::string bytes(1 + prng.below(120), '\0');
        for (char& byte : bytes) byte = static_cast<char>(prng.next());
        CAPTURE(round);
        fuzz_pipeline::fuzz_one(as_bytes(bytes));
    }
}

TEST_CASE("fuzz corpus: however a stream is cut, its messages are the same") {
    Prng prng(20260101);
    for (int round = 0; round < 300; ++round) {
        std::string bytes(1, static_cast<char>(prng.next()));
        for (uint64_t messages = prng.below(10); messages > 0; --messages) {
            const uint64_t body = prng.below(40);
            bytes += static_cast<char>(prng.next());
            bytes += std::string(3, '\0') + static_cast<char>(body + 4) + std::string(body, 'x');
        }
        fuzz_frame::fuzz_one(as_bytes(bytes));
    }
}

}  // namespace pgweir
