#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "culprit/frame/frame.h"
#include "culprit/telemetry/grid.h"

namespace culprit {

/// What a collected column is before it has its unique name.
///
/// `metric` is the catalogue's signal (or the series' own name), for histograms followed by ":p50",
/// ":p95", ":mean" or ":rate". Counters are rates per second and say so in `unit`. `labels` are
/// under their canonical names (catalogue) plus "signal", "entity", "entity_kind" and, where the
/// catalogue has one, "quantity".
struct LiveColumn {
    std::string service;
    std::string metric;
    std::string unit;
    Labels labels = {};
};

/// Gathers columns on one grid in a temporary file, so that memory holds their descriptions and not
/// their values: 100,000 columns of 720 points are 576 MB on disk. Columns without a single value
/// are left out. `add` may be called from several threads; the finished frame does not depend on
/// the order of the calls.
class FrameBuilder {
public:
    /// `directory` should be on a disk, not in memory. io_failure when it cannot be written.
    static Result<std::unique_ptr<FrameBuilder>> open(SampleGrid grid,
                                                      const std::string& directory = "/var/tmp");
    FrameBuilder(const FrameBuilder&) = delete;
    FrameBuilder& operator=(const FrameBuilder&) = delete;
    ~FrameBuilder();

    const SampleGrid& grid() const { return grid_; }
    Status add(LiveColumn column, std::span<const double> values);
    std::size_t num_columns() const { return columns_.size(); }
    const LiveColumn& column(std::size_t index) const { return columns_[index]; }
    /// Series about a scrape (`up`, `scrape_duration_seconds`) name only the exporter's address.
    /// They go to the one service that the other series of that job and address speak of, or else
    /// to the one host.
    void lay_scrapes_at_what_they_scrape();
    /// Values of a column; reads them back from the file.
    Result<std::vector<double>> values(std::size_t index) const;
    /// Columns sorted by name, mapped from disk. Names are "<service>_<metric>", with the labels
    /// that tell equal ones apart in braces. The builder is empty afterwards.
    Result<Frame> build();

private:
    FrameBuilder(SampleGrid grid, std::string directory, int file)
        : grid_(grid), directory_(std::move(directory)), file_(file) {}
    std::vector<std::string> unique_names() const;

    SampleGrid grid_;
    std::string directory_;
    int file_ = -1;
    mutable std::mutex mutex_;
    std::vector<LiveColumn> columns_;
};

}  // namespace culprit
