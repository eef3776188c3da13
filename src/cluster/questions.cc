#include "pgweir/cluster/questions.h"

#include <charconv>

namespace pgweir::cluster {
namespace {

template <class Number>
std::optional<Number> read_number(std::optional<std::string_view> text) {
    if (!text) return std::nullopt;
    Number value{};
    const auto [end, failure] = std::from_chars(text->data(), text->data() + text->size(), value);
    if (failure != std::errc() || end != text->data() + text->size()) return std::nullopt;
    return value;
}

std::optional<bool> read_truth(std::optional<std::string_view> text) {
    if (text == "t") return true;
    if (text == "f") return false;
    return std::nullopt;
}

}  // namespace

std::optional<Answer> read_place(Row row) {
    constexpr size_t kColumns = 5;
    if (row.size() != kColumns) return std::nullopt;
    const auto recovers = read_truth(row[0]);
    const auto paused = read_truth(row[4]);
    if (!recovers || !paused) return std::nullopt;

    Answer answer;
    answer.in_recovery = *recovers;
    answer.replay_paused = *paused;
    if (row[1]) {  // NULL: it has replayed nothing since it began
        const auto lsn = parse_lsn(*row[1]);
        if (!lsn) return std::nullopt;
        answer.lsn = *lsn;
    }
    if (*recovers) {
        // NULL: it receives nothing now, or does not tell us.
        answer.timeline = read_number<uint32_t>(row[2]).value_or(0);
    } else {
        answer.timeline = row[3] ? timeline_of_file(*row[3]).value_or(0) : 0;
        if (answer.timeline == 0 || answer.lsn == 0) return std::nullopt;
    }
    return answer;
}

std::optional<Identity> read_identity(Row row) {
    constexpr size_t kColumns = 3;
    if (row.size() != kColumns) return std::nullopt;
    // PostgreSQL shows it as a signed number.
    const auto system = read_number<int64_t>(row[0]);
    const auto block = read_number<uint32_t>(row[1]);
    const auto segment = read_number<uint64_t>(row[2]);
    if (!system || *system == 0 || !block || !segment) return std::nullopt;
    return Identity{
        static_cast<uint64_t>(*system), {*block, *segment}
    };
}

}  // namespace pgweir::cluster
