#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "culprit/base/result.h"
#include "culprit/rca/case.h"
#include "culprit/readers/problem_list.h"

namespace culprit {

/// What a case folder says about itself apart from its data.
struct CaseLabel {
    std::optional<GroundTruth> truth;
    std::optional<TimePoint> alert;
    std::optional<std::string> symptom;
};

/// Reads case.json: "root_cause_service" (text or list), "root_cause_metric" (text, list or null),
/// "fault", "inject_time" (Unix seconds or text), "target" (object whose "node" and "metric" name
/// the symptom). Other keys are ignored. Refuses what is not a JSON object.
Result<CaseLabel> read_case_json(std::string_view bytes, ProblemList& problems);

/// Reads the truth from "<service>_<fault>", the name of the case's parent folder.
std::optional<GroundTruth> truth_from_folder(std::string_view folder_name);

/// What root_cause.txt of RCAEval's RE3 says of the faulty code, on one printable line of at most
/// 500 bytes.
std::string read_code_location(std::string_view bytes);

/// Reads inject_time.txt: one line with a time.
Result<TimePoint> read_alert_time(std::string_view bytes, const ProblemList& problems);

}  // namespace culprit
