#include "culprit/base/result.h"

namespace culprit {

std::string_view to_string(ErrorCode code) {
    switch (code) {
        case ErrorCode::invalid_input:
            return "invalid_input";
        case ErrorCode::missing_input:
            return "missing_input";
        case ErrorCode::malformed_data:
            return "malformed_data";
        case ErrorCode::too_few_samples:
            return "too_few_samples";
        case ErrorCode::not_converged:
            return "not_converged";
        case ErrorCode::numerical:
            return "numerical";
        case ErrorCode::deadline_exceeded:
            return "deadline_exceeded";
        case ErrorCode::cancelled:
            return "cancelled";
        case ErrorCode::io_failure:
            return "io_failure";
        case ErrorCode::unavailable:
            return "unavailable";
        case ErrorCode::unsupported:
            return "unsupported";
    }
    return "unknown";
}

}  // namespace culprit
