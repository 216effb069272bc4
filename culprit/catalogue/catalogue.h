#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "culprit/base/result.h"

namespace culprit {

enum class Layer : std::uint8_t { infrastructure, platform, toolkit, framework, model };
std::string_view to_string(Layer layer);

enum class Modality : std::uint8_t { metric, log, span, derived };
std::string_view to_string(Modality modality);

enum class SignalType : std::uint8_t {
    gauge,
    counter,
    histogram,
    untyped,
    info,          ///< value 1; the labels are the information
    window_count,  ///< declared a counter, but counts events in a sliding window
    log,
    span,
    derived,
};
std::string_view to_string(SignalType type);

enum class BadDirection : std::uint8_t { up, down, both, none };

enum class EntityKind : std::uint8_t {
    unknown,
    cluster,
    host,
    gpu,
    pod,
    container,
    deployment,
    replica,
    engine,
    proxy,
    router,
    service,
    link,
};
std::string_view to_string(EntityKind kind);

using Labels = std::map<std::string, std::string>;

/// One signal that matters when an LLM service breaks: a metric, a log class, a span or a derived
/// series, under the name that Culprit uses everywhere.
struct Signal {
    std::string name;                  ///< canonical, e.g. "vllm:num_requests_running"
    Labels where;                      ///< labels that narrow the series, e.g. finished_reason
    std::vector<std::string> aliases;  ///< other releases' names of the same series
    std::string quantity;              ///< what engines have in common: "engine.running"; or ""
    Layer layer = Layer::infrastructure;
    std::string component;  ///< who exports it: "vllm", "dcgm-exporter"
    Modality modality = Modality::metric;
    SignalType type = SignalType::gauge;
    std::string unit;  ///< UCUM: "s", "By", "1", "{token}"
    BadDirection bad = BadDirection::both;
    EntityKind entity = EntityKind::unknown;
    std::vector<std::string> faults;  ///< fault families that it helps to tell apart
    bool by_default = true;           ///< a stock installation exports it
    std::string enable;               ///< otherwise: the exact flag or setting
};

/// Who exports signals, and how to get there.
struct Component {
    std::string name;      ///< "dcgm-exporter"
    std::string expected;  ///< "always", "kubernetes", "engine", "present" (once seen), "derived"
    int effort = 1;        ///< 1 a setting, 2 something to run, 3 a change of architecture
    Layer layer = Layer::infrastructure;
    std::string title;   ///< "NVIDIA dcgm-exporter"
    std::string enable;  ///< the exact scrape job, flag or command
};

/// What a series of a monitoring system is. `signal` is null for series the catalogue does not
/// know.
struct SeriesMatch {
    const Signal* signal = nullptr;
    std::string_view part;  ///< "bucket", "sum" or "count" of a histogram, else empty
};

/// The thing that a series describes.
struct Entity {
    EntityKind kind = EntityKind::unknown;
    std::string name;     ///< "GPU-3b…", "ray-replicas-2", "node-1", "nginx>ray-head"
    std::string service;  ///< the component that a diagnosis would blame: pod, host, workload
};

/// The signal catalogue: versioned product data (data/catalogue/*.csv), embedded in the library.
/// Immutable; safe to share between threads.
class Catalogue {
public:
    /// The catalogue that this release ships.
    static const Catalogue& builtin();
    /// Reads the tables. malformed_data names the line.
    static Result<Catalogue> parse(std::string_view signals_csv, std::string_view labels_csv,
                                   std::string_view components_csv = {});

    std::span<const Signal> signals() const { return signals_; }
    std::span<const Component> components() const { return components_; }
    const Component* find_component(std::string_view name) const;
    /// By canonical name (the entry without a `where` first); null when unknown.
    const Signal* find(std::string_view name) const;
    /// By the name that a monitoring system shows: aliases of other releases, the prefixes that Ray
    /// puts before vLLM's names, and histogram parts resolved.
    SeriesMatch match(std::string_view series_name) const;
    /// Every name under which a series of this signal may be stored, canonical first.
    std::vector<std::string> stored_names(const Signal& signal) const;
    /// The canonical label for a label of a monitoring system ("Hostname" -> "host"); itself when
    /// unknown.
    std::string_view canonical_label(std::string_view label) const;
    /// Labels under their canonical names; the first alias in the catalogue's order wins, so that
    /// `exported_pod` gives way to `pod`.
    Labels canonical_labels(const Labels& labels) const;
    /// The entity that a series describes. `signal` may be null.
    Entity entity_of(const Signal* signal, const Labels& labels) const;

private:
    std::vector<Signal> signals_;
    std::vector<Component> components_;
    std::unordered_map<std::string, std::size_t> by_name_;
    std::unordered_map<std::string, std::pair<std::string, std::size_t>> by_label_;
};

/// A name as vLLM itself would export it: "ray_vllm:x", "ray_vllm_x" and "vllm_x" are "vllm:x";
/// likewise for SGLang. Other names unchanged.
std::string normalise_series_name(std::string_view name);

/// "00000000:65:00.0" for the spellings that drivers and kernels use of one PCI address.
std::string normalise_pci_address(std::string_view address);

}  // namespace culprit
