#pragma once

#include "pgweir/metrics/catalogue.h"
#include "pgweir/metrics/histogram.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pgweir::metrics {

using Labels = std::vector<std::pair<std::string_view, std::string_view>>;

/// Collects values and prints them for Prometheus. Values of the same metric and labels, from
/// several workers, are added up.
class Exposition {
public:
    Exposition();
    ~Exposition();
    Exposition(const Exposition&) = delete;
    Exposition& operator=(const Exposition&) = delete;

    void add(Metric metric, const Labels& labels, double value);
    void add(Metric metric, const Labels& labels, const Histogram& histogram);

    /// See: prometheus.io, text-based exposition format 0.0.4
    std::string text() const;

private:
    struct Families;
    std::unique_ptr<Families> families_;
};

}  // namespace pgweir::metrics
