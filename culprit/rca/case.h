#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "culprit/rca/incident.h"

namespace culprit {

/// The answer of a labelled incident. No method ever receives it.
struct GroundTruth {
    std::vector<std::string> services;  ///< usually one; empty when no component was broken
    std::vector<std::string> metrics;   ///< root-cause metric columns, when the source names them
    std::string fault;                  ///< "cpu", "gpu_power", …
    std::map<std::string, std::string> fault_of;  ///< by service, where several were broken
    std::string location;  ///< of a faulty piece of code ("file:line"), when the source tells it
};

/// Something wrong with the data that did not stop the reading.
struct DataProblem {
    std::string place;    ///< "data.csv:1184:7" or "logs.csv"
    std::string message;  ///< expected, then found
    std::uint64_t count = 1;
};

/// One incident with its label, as read from a case folder.
struct Case {
    std::string id;  ///< "<dataset>/<service>_<fault>/<n>", for reports only
    std::string dataset;
    std::string path;
    Incident incident;
    std::optional<GroundTruth> truth;
    std::vector<DataProblem> problems;
};

}  // namespace culprit
