#include "culprit/methods/kernel_refusal.h"

namespace culprit {

Result<Diagnosis> degenerate_or_stop(const Error& error) {
    if (error.code == ErrorCode::cancelled || error.code == ErrorCode::deadline_exceeded)
        return tl::unexpected<Error>(error);
    Diagnosis diagnosis;
    diagnosis.status = DiagnosisStatus::degenerate;
    diagnosis.reason = error.message;
    return diagnosis;
}

}  // namespace culprit
