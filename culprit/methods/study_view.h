#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "culprit/base/matrix.h"
#include "culprit/base/result.h"
#include "culprit/rca/incident.h"

namespace culprit {

/// The metric table as the study's harness hands it to a method:
/// infinite values count as missing, gaps are filled forward and then with 0, at most 1800 rows on
/// each side of the alert, `*_latency-50` left out, `*_latency-90` renamed to `*_latency`, columns
/// whose name contains `_pod_`, `_node_` or `unknown` left out.
///
/// Clean columns are views into the incident's frame; only columns with gaps are copied. The
/// incident must outlive the view.
class StudyView {
public:
    /// Which columns: the study's selection, or every one under its own name.
    enum class Columns : std::uint8_t { study, all };

    /// Refuses (too_few_samples) a frame without rows or without a usable column.
    static Result<StudyView> of(const Incident& incident, Columns columns = Columns::study);
    /// The same without looking at a single value: columns are repaired one by one by `complete`,
    /// so that a method which reads every value once does read it once. normal, anomalous and
    /// column give values as recorded.
    static Result<StudyView> unrepaired(const Incident& incident, Columns columns = Columns::study);
    StudyView(StudyView&&) = default;  // not copyable: columns_ points into repaired_
    StudyView& operator=(StudyView&&) = default;

    std::size_t num_rows() const { return num_rows_; }
    std::size_t num_columns() const { return names_.size(); }
    /// Rows before the alert; the others follow.
    std::size_t num_normal() const { return num_normal_; }
    /// The harness's "num_node": columns of the source table without time and `*_latency-50`, text
    /// columns and the `_pod_`/`_node_` ones included. Length of the walks, iterations of FCI's
    /// PageRank.
    std::size_t num_node() const { return num_node_; }
    const std::vector<std::string>& names() const { return names_; }
    std::span<const TimePoint> times() const { return times_; }
    std::span<const double> column(std::size_t c) const { return columns_[c]; }
    std::span<const double> normal(std::size_t c) const { return columns_[c].first(num_normal_); }
    std::span<const double> anomalous(std::size_t c) const {
        return columns_[c].subspan(num_normal_);
    }
    /// The column without gaps: the recorded values when there are none, else a copy in `scratch`.
    std::span<const double> complete(std::size_t c, std::vector<double>& scratch) const;
    /// Column of this view -> column of the incident's frame.
    std::size_t source_column(std::size_t c) const { return source_[c]; }
    /// Service of column c as the frame names it, or by the study's rule when the frame has none.
    const std::string& service(std::size_t c) const { return services_[c]; }

private:
    StudyView() = default;
    static Result<StudyView> make(const Incident& incident, Columns columns, bool repairs);

    std::size_t num_rows_ = 0;
    std::size_t num_normal_ = 0;
    std::size_t num_node_ = 0;
    std::vector<std::string> names_;
    std::vector<std::string> services_;
    std::vector<std::size_t> source_;
    std::span<const TimePoint> times_;
    std::vector<std::span<const double>> columns_;
    std::vector<const double*> whole_;  // first value of each source column, for repairs
    std::size_t first_row_ = 0;
    std::vector<std::vector<double>> repaired_;  // owners of the columns that had gaps
};

/// True iff some value differs from the first one. An empty series does not vary.
bool varies(std::span<const double> values);

/// The study's preprocess of the whole window: constant columns dropped, columns
/// named
/// `*_mem` divided by 1e6, as one dense matrix.
struct StudyMatrix {
    Matrix values;                     ///< rows of the view x kept columns
    std::vector<std::size_t> columns;  ///< kept columns, as indices of the view
    std::vector<std::string> names;
};
StudyMatrix preprocess(const StudyView& view);

}  // namespace culprit
