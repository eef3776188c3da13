#include "pgweir/base/check.h"

#include "pgweir/base/log.h"

#include <cstdlib>

namespace pgweir {

void check_failed(const char* condition, const char* file, int line) {
    log::error("internal error: \"{}\" does not hold at {}:{}; pgweir ends itself", condition, file,
               line);
    log::flush();
    std::abort();
}

}  // namespace pgweir
