#pragma once

#include "pgweir/route/catalogue.h"
#include "pgweir/sql/classify.h"

#include <string>

namespace pgweir::route {

struct Judgement {
    bool standby = false;  // it may run there
    std::string why{};     // not; empty if it may
};

/// A read, or what begins a transaction of reads. `catalogue` of the database in which it would
/// run; nullptr: not known (yet), and nothing may leave the primary.
Judgement judge(const sql::Classification& statement, const Catalogue* catalogue);

}  // namespace pgweir::route
