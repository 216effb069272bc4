#pragma once

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "culprit/base/matrix.h"

namespace culprit {

/// Reads what tests/golden/causal holds; for tests only.
struct GoldenTable {
    std::vector<std::string> names;
    Matrix values;
};

inline std::string golden_path(const std::string& name) {
    return std::string(CULPRIT_SOURCE_DIR) + "/tests/golden/causal/" + name;
}

inline nlohmann::json golden_json(const std::string& name) {
    std::ifstream file(golden_path(name));
    if (!file) throw std::runtime_error("no golden " + name);
    return nlohmann::json::parse(file);
}

/// A headed CSV of numbers; a column "time" is left out.
inline GoldenTable golden_csv(const std::string& name) {
    std::ifstream file(golden_path(name));
    if (!file) throw std::runtime_error("no golden " + name);
    std::string line;
    std::string cell;
    std::getline(file, line);
    std::vector<std::string> heads;
    for (std::istringstream cells(line); std::getline(cells, cell, ',');) heads.push_back(cell);
    std::vector<std::vector<double>> columns(heads.size());
    while (std::getline(file, line)) {
        std::istringstream cells(line);
        for (std::size_t c = 0; std::getline(cells, cell, ','); ++c)
            columns.at(c).push_back(std::stod(cell));
    }
    GoldenTable table;
    std::vector<std::size_t> kept;
    for (std::size_t c = 0; c < heads.size(); ++c)
        if (heads[c] != "time") kept.push_back(c);
    table.values = Matrix(columns.front().size(), kept.size());
    for (std::size_t k = 0; k < kept.size(); ++k) {
        table.names.push_back(heads[kept[k]]);
        std::copy(columns[kept[k]].begin(), columns[kept[k]].end(), table.values.column(k).begin());
    }
    return table;
}

/// A JSON list of rows.
inline Matrix golden_matrix(const nlohmann::json& rows) {
    Matrix matrix(rows.size(), rows.at(0).size());
    for (std::size_t i = 0; i < rows.size(); ++i)
        for (std::size_t j = 0; j < rows[i].size(); ++j) matrix(i, j) = rows[i][j].get<double>();
    return matrix;
}

}  // namespace culprit
