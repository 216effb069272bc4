#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "culprit/rca/incident.h"

namespace culprit {

/// One answer of the study's implementation, for one random or hash seed.
struct GoldenAnswer {
    std::string file;
    std::vector<std::string> names;  ///< best first
    /// As recorded, names may repeat; empty when the method gives none. NaN and infinities occur.
    std::vector<std::pair<std::string, double>> scores;
    std::string symptom;  ///< the metric that the harness named; empty in old records
};

/// One case with its answers. The incident is read at first use and kept.
struct GoldenCase {
    std::string id;
    std::string case_path;
    std::string ranks_path;

    /// `<method>.json`, then `<method>.hash<k>.json` and `<method>.seed<k>.json`; empty when the
    /// method was not run.
    std::vector<GoldenAnswer> answers(const std::string& method) const;
    const Incident& incident() const;

private:
    mutable std::shared_ptr<const Incident> incident_;
};

class GoldenSet {
public:
    /// Throws std::runtime_error when there is no case below `root`.
    explicit GoldenSet(const std::string& root);
    const std::vector<GoldenCase>& cases() const { return cases_; }

private:
    std::vector<GoldenCase> cases_;
};

}  // namespace culprit
