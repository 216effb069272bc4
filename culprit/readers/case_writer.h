#pragma once

#include <cstdint>
#include <string>

#include "culprit/rca/case.h"

namespace culprit {

enum class CaseLayout : std::uint8_t {
    study,    ///< the prepared layout, everything
    rcaeval,  ///< RCAEval: metrics alone as RE1 (data.csv), else RE2 (simple_metrics.csv); no more
              ///< files than its sets have, so topology, labels and changes are left out
};

/// Writes a case as a folder in the prepared layout: data.csv, inject_time.txt, logs.csv,
/// logts.csv, traces.csv, tracets_err.csv, tracets_lat.csv, latency_merged_90.csv, mpg.csv,
/// whichever the case has, and `collected.json` with what those files cannot hold (case_annex.h).
/// Numbers are written so that they read back to the same bits; span times are whole microseconds
/// in this layout. What `read_case` makes of the folder is diagnosed like the case itself.
///
/// The files are written under a temporary name beside `folder`, which appears whole or not at all.
/// Refuses (io_failure): a folder that exists, a disk that is full.
Status write_case(const Case& written, const std::string& folder,
                  CaseLayout layout = CaseLayout::study);

}  // namespace culprit
