#include "pgweir/base/bytes.h"
#include "pgweir/base/check.h"
#include "pgweir/sql/classify.h"
#include "pgweir/sql/fingerprint.h"

#include <string>

namespace pgweir::fuzz_fingerprint {

void fuzz_one(Bytes data);

/// What has the same fingerprint is of the same class: a statement and its own shape, whose values
/// are gone.
void fuzz_one(Bytes data) {
    const std::string sql(as_text(data));
    const auto found = sql::fingerprint(sql);
    PGW_CHECK(found == sql::fingerprint(sql));
    if (!found) return;
    PGW_CHECK(sql::fingerprint("/* */" + sql + "\n--") == found ||
              sql.size() + 8 > sql::kFingerprintedBytesMax);
    // A parameter where only a value may stand cannot be read.
    if (!sql::classify(sql::shape_of(sql, sql::kFingerprintedBytesMax)).reads) return;
    const sql::Classification whole = sql::classify(sql);
    PGW_CHECK(whole.reads || whole.why.starts_with("it "));  // it cannot be read, is too long, …
}

}  // namespace pgweir::fuzz_fingerprint

#ifdef PGWEIR_LIBFUZZER
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    pgweir::fuzz_fingerprint::fuzz_one({data, size});
    return 0;
}
#endif
