#include "culprit/telemetry/frame_builder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <map>
#include <numeric>
#include <set>

namespace culprit {
namespace {

tl::unexpected<Error> io_error(std::string_view what, const std::string& directory) {
    return fail(ErrorCode::io_failure,
                fmt::format("{} in {}: {}", what, directory, std::strerror(errno)));
}

// A nameless file: gone with the last descriptor or mapping, whatever happens to the process.
Result<int> open_nameless(const std::string& directory) {
    std::string path = directory + "/culprit-XXXXXX";
    const int file = ::mkostemp(path.data(), O_CLOEXEC);
    if (file < 0) return io_error("cannot make a temporary file", directory);
    ::unlink(path.c_str());
    return file;
}

Status write_all(int file, const void* data, std::size_t size, const std::string& directory) {
    const auto* bytes = static_cast<const char*>(data);
    while (size > 0) {
        const ssize_t written = ::write(file, bytes, size);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return io_error("cannot write the collected values", directory);
        bytes += written;
        size -= static_cast<std::size_t>(written);
    }
    return {};
}

std::string base_name(const LiveColumn& column) {
    std::string service = column.service.empty() ? "unknown" : column.service;
    std::ranges::replace(service, '_', '-');
    return service + "_" + column.metric;
}

// Labels that describe the signal rather than tell series apart.
bool is_descriptive(const std::string& label) {
    return label == "signal" || label == "quantity" || label == "entity_kind";
}

}  // namespace

Result<std::unique_ptr<FrameBuilder>> FrameBuilder::open(SampleGrid grid,
                                                         const std::string& directory) {
    if (grid.num_points == 0)
        return fail(ErrorCode::too_few_samples, "the time range holds no point of the grid");
    CULPRIT_TRY(const int file, open_nameless(directory));
    return std::unique_ptr<FrameBuilder>(new FrameBuilder(grid, directory, file));
}

FrameBuilder::~FrameBuilder() {
    if (file_ >= 0) ::close(file_);
}

Status FrameBuilder::add(LiveColumn column, std::span<const double> values) {
    if (std::ranges::none_of(values, [](double v) { return std::isfinite(v); })) return {};
    const std::scoped_lock lock(mutex_);
    CULPRIT_TRY_STATUS(write_all(file_, values.data(), values.size_bytes(), directory_));
    columns_.push_back(std::move(column));
    return {};
}

void FrameBuilder::lay_scrapes_at_what_they_scrape() {
    struct Scraped {
        std::set<std::string> services;
        std::set<std::string> hosts;
    };
    const auto label = [](const LiveColumn& column, const char* name) {
        const auto found = column.labels.find(name);
        return found == column.labels.end() ? std::string{} : found->second;
    };
    const auto is_nameless = [&](const LiveColumn& column) {
        const std::string instance = label(column, "instance");
        return !column.service.empty() &&
               (instance == column.service || instance.starts_with(column.service + ":"));
    };
    std::map<std::pair<std::string, std::string>, Scraped> targets;
    for (const LiveColumn& column : columns_) {
        if (is_nameless(column)) continue;
        Scraped& scraped = targets[{label(column, "job"), label(column, "instance")}];
        scraped.services.insert(column.service);
        if (const std::string host = label(column, "host"); !host.empty())
            scraped.hosts.insert(host);
    }
    for (LiveColumn& column : columns_) {
        if (!is_nameless(column)) continue;
        const auto found = targets.find({label(column, "job"), label(column, "instance")});
        if (found == targets.end()) continue;
        const auto& [services, hosts] = found->second;
        if (services.size() == 1)
            column.service = *services.begin();
        else if (hosts.size() == 1)
            column.service = *hosts.begin();
        column.labels["entity"] = column.service;
    }
}

Result<std::vector<double>> FrameBuilder::values(std::size_t index) const {
    std::vector<double> out(grid_.num_points);
    const std::size_t size = out.size() * sizeof(double);
    std::size_t done = 0;
    while (done < size) {
        const ssize_t got = ::pread(file_, reinterpret_cast<char*>(out.data()) + done, size - done,
                                    static_cast<off_t>(index * size + done));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return io_error("cannot read the collected values back", directory_);
        done += static_cast<std::size_t>(got);
    }
    return out;
}

std::vector<std::string> FrameBuilder::unique_names() const {
    std::map<std::string, std::vector<std::size_t>> groups;
    for (std::size_t c = 0; c < columns_.size(); ++c) groups[base_name(columns_[c])].push_back(c);
    std::vector<std::string> names(columns_.size());
    for (const auto& [base, members] : groups) {
        std::set<std::string> telling;
        for (const std::size_t c : members)
            for (const auto& [label, value] : columns_[c].labels) {
                if (is_descriptive(label) || telling.contains(label)) continue;
                const auto& first = columns_[members[0]].labels;
                const auto other = first.find(label);
                if (other == first.end() || other->second != value) telling.insert(label);
            }
        for (const std::size_t c : members) {
            std::string suffix;
            for (const std::string& label : telling) {
                const auto found = columns_[c].labels.find(label);
                if (found == columns_[c].labels.end()) continue;
                suffix += suffix.empty() ? "{" : ",";
                suffix += label + "=" + found->second;
            }
            names[c] = suffix.empty() ? base : base + suffix + "}";
        }
    }
    return names;
}

Result<Frame> FrameBuilder::build() {
    std::vector<std::string> names = unique_names();
    std::vector<std::size_t> order(columns_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::sort(order, [&](std::size_t a, std::size_t b) {
        return names[a] != names[b] ? names[a] < names[b] : a < b;
    });
    CULPRIT_TRY(const int sorted, open_nameless(directory_));
    std::vector<Column> columns;
    columns.reserve(order.size());
    std::size_t num_equal = 0;
    for (std::size_t i = 0; i < order.size(); ++i) {
        const std::size_t c = order[i];
        auto data = values(c);
        auto written =
            data ? write_all(sorted, data->data(), data->size() * sizeof(double), directory_)
                 : Status(tl::unexpected<Error>(std::move(data).error()));
        if (!written) {
            ::close(sorted);
            return tl::unexpected<Error>(std::move(written).error());
        }
        LiveColumn& from = columns_[c];
        num_equal = i > 0 && names[order[i - 1]] == names[c] ? num_equal + 1 : 0;
        columns.push_back(
            {.name = num_equal == 0 ? names[c] : fmt::format("{}#{}", names[c], num_equal + 1),
             .service = std::move(from.service),
             .metric = std::move(from.metric),
             .unit = std::move(from.unit),
             .labels = std::move(from.labels)});
    }
    std::vector<TimePoint> times;
    for (std::size_t point = 0; point < grid_.num_points; ++point)
        times.push_back(time_from_ns(grid_.time_ms(point) * 1'000'000));
    columns_.clear();
    const std::size_t size = columns.size() * grid_.num_points * sizeof(double);
    if (size == 0) {
        ::close(sorted);
        return Frame::make(std::move(times), {}, Matrix(grid_.num_points, 0));
    }
    void* map = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, sorted, 0);
    ::close(sorted);
    if (map == MAP_FAILED) return io_error("cannot map the collected values", directory_);
    Frame::Values shared(static_cast<const double*>(map),
                         [size](const double* data) { ::munmap(const_cast<double*>(data), size); });
    return Frame::make(std::move(times), std::move(columns), std::move(shared));
}

}  // namespace culprit
