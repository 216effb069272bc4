#pragma once

#include <string>

#include "culprit/base/result.h"

namespace culprit::testbed {

/// Keeps one core busy until killed.
[[noreturn]] void burn_cpu();
/// Fills `megabytes` of memory over about two seconds, touches all of it again and again until
/// killed.
[[noreturn]] void hold_memory(double megabytes);
/// Writes 4 MiB blocks to a file in `folder` and syncs each, until killed. The file has no name: it
/// is gone with the process.
Status write_to_disk(const std::string& folder);

}  // namespace culprit::testbed
