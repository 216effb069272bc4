#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace culprit {

/// A borrowed table of doubles, samples (rows) by variables (columns), column-major: each variable
/// is one contiguous span. The caller keeps the data alive.
class MatrixView {
public:
    MatrixView() = default;
    MatrixView(const double* data, std::size_t num_rows, std::size_t num_columns)
        : MatrixView(data, num_rows, num_columns, num_rows) {}
    /// `column_stride`: doubles from one column's first value to the next one's, >= num_rows.
    MatrixView(const double* data, std::size_t num_rows, std::size_t num_columns,
               std::size_t column_stride)
        : data_(data), num_rows_(num_rows), num_columns_(num_columns), stride_(column_stride) {}

    std::size_t num_rows() const { return num_rows_; }
    std::size_t num_columns() const { return num_columns_; }
    std::size_t column_stride() const { return stride_; }
    const double* data() const { return data_; }
    std::span<const double> column(std::size_t c) const { return {data_ + c * stride_, num_rows_}; }
    double operator()(std::size_t row, std::size_t column) const {
        return data_[column * stride_ + row];
    }
    /// Rows [first, first + count) of every column.
    MatrixView rows(std::size_t first, std::size_t count) const {
        return {data_ + first, count, num_columns_, stride_};
    }

private:
    const double* data_ = nullptr;
    std::size_t num_rows_ = 0;
    std::size_t num_columns_ = 0;
    std::size_t stride_ = 0;
};

/// An owned column-major table of doubles, zero-initialised.
class Matrix {
public:
    Matrix() = default;
    Matrix(std::size_t num_rows, std::size_t num_columns, double value = 0.0)
        : num_rows_(num_rows), num_columns_(num_columns), values_(num_rows * num_columns, value) {}

    std::size_t num_rows() const { return num_rows_; }
    std::size_t num_columns() const { return num_columns_; }
    double* data() { return values_.data(); }
    const double* data() const { return values_.data(); }
    std::span<double> column(std::size_t c) { return {values_.data() + c * num_rows_, num_rows_}; }
    std::span<const double> column(std::size_t c) const {
        return {values_.data() + c * num_rows_, num_rows_};
    }
    double& operator()(std::size_t row, std::size_t column) {
        return values_[column * num_rows_ + row];
    }
    double operator()(std::size_t row, std::size_t column) const {
        return values_[column * num_rows_ + row];
    }
    MatrixView view() const { return {values_.data(), num_rows_, num_columns_}; }
    operator MatrixView() const {
        return view();
    }  // NOLINT(google-explicit-constructor): same data

private:
    std::size_t num_rows_ = 0;
    std::size_t num_columns_ = 0;
    std::vector<double> values_;
};

}  // namespace culprit
