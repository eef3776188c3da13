#include "pgweir/metrics/exposition.h"

#include <limits>
#include <map>
#include <sstream>

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

namespace pgweir::metrics {
namespace {

struct Value {
    double number = 0;
    Histogram histogram;
};

std::vector<prometheus::ClientMetric::Label> to_labels(const std::string& key) {
    std::vector<prometheus::ClientMetric::Label> labels;
    size_t at = 0;
    while (at < key.size()) {
        const size_t name_end = key.find('\0', at);
        const size_t value_end = key.find('\0', name_end + 1);
        labels.push_back(
            {key.substr(at, name_end - at), key.substr(name_end + 1, value_end - name_end - 1)});
        at = value_end + 1;
    }
    return labels;
}

std::string to_key(const Labels& labels) {
    std::string key;
    for (const auto& [name, value] : labels) {
        key.append(name).push_back('\0');
        // A NUL would end the value early; none can be in a name that came from a client.
        key.append(value).push_back('\0');
    }
    return key;
}

prometheus::ClientMetric::Histogram to_prometheus(const Histogram& histogram) {
    prometheus::ClientMetric::Histogram out;
    for (size_t i = 0; i < histogram.counts.size(); ++i) {
        out.sample_count += histogram.counts[i];
        const double bound = i < Histogram::kBounds ? Histogram::bound_seconds(i)
                                                    : std::numeric_limits<double>::infinity();
        prometheus::ClientMetric::Bucket bucket;
        bucket.cumulative_count = out.sample_count;
        bucket.upper_bound = bound;
        out.bucket.push_back(bucket);
    }
    out.sample_sum = static_cast<double>(histogram.sum_us) / 1e6;
    return out;
}

}  // namespace

struct Exposition::Families {
    std::array<std::map<std::string, Value>, kMetrics> values;
};

Exposition::Exposition() : families_(std::make_unique<Families>()) {}

Exposition::~Exposition() = default;

void Exposition::add(Metric metric, const Labels& labels, double value) {
    families_->values[static_cast<size_t>(metric)][to_key(labels)].number += value;
}

void Exposition::add(Metric metric, const Labels& labels, const Histogram& histogram) {
    families_->values[static_cast<size_t>(metric)][to_key(labels)].histogram.add(histogram);
}

std::string Exposition::text() const {
    std::vector<prometheus::MetricFamily> families;
    for (const auto& row : catalogue()) {
        prometheus::MetricFamily family;
        family.name = row.name;
        family.help = row.help;
        switch (row.kind) {
            case Kind::Counter: family.type = prometheus::MetricType::Counter; break;
            case Kind::Gauge: family.type = prometheus::MetricType::Gauge; break;
            case Kind::Histogram: family.type = prometheus::MetricType::Histogram; break;
        }
        for (const auto& [key, value] : families_->values[static_cast<size_t>(row.id)]) {
            prometheus::ClientMetric metric;
            metric.label = to_labels(key);
            metric.counter.value = value.number;
            metric.gauge.value = value.number;
            if (row.kind == Kind::Histogram) metric.histogram = to_prometheus(value.histogram);
            family.metric.push_back(std::move(metric));
        }
        if (!family.metric.empty()) families.push_back(std::move(family));
    }
    std::ostringstream out;
    prometheus::TextSerializer().Serialize(out, families);
    return out.str();
}

}  // namespace pgweir::metrics
