#include "pgweir/sql/classify.h"

#include <fstream>
#include <string>

#include <doctest/doctest.h>

namespace pgweir::sql {

TEST_CASE(
    "corpus: of what applications send nothing that writes is a read, and nearly all reads are") {
    std::ifstream corpus("tests/corpus/applications.tsv");
    REQUIRE(corpus.is_open());
    size_t reads = 0;
    size_t known = 0;
    size_t others = 0;
    for (std::string line; std::getline(corpus, line);) {
        if (line.starts_with('#')) continue;
        CAPTURE(line);
        const size_t tab = line.find('\t');
        REQUIRE(tab != std::string::npos);
        const bool is_read = line.substr(0, tab) == "read";
        const Classification found = classify(line.substr(tab + 1));
        CAPTURE(found.why);
        if (!is_read) CHECK_FALSE(found.reads);
        if (is_read) WARN(found.reads);
        ++(is_read ? reads : others);
        if (is_read && found.reads) ++known;
    }
    MESSAGE(others, " statements for the primary; of ", reads, " reads ", known,
            " are known as such");
    CHECK(others > 300);
    CHECK(known * 100 >= reads * 97);
}

}  // namespace pgweir::sql
