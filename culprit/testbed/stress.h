#pragma once

#include <functional>
#include <string>

#include "culprit/base/result.h"

namespace culprit::testbed {

/// Becomes `workers` processes that end with their parent. They are made from a program that runs
/// already: starting each one anew inside a group that the others keep busy takes minutes.
void multiply(int workers);
/// Keeps one core busy until killed.
[[noreturn]] void burn_cpu();
/// Fills `megabytes` of memory over about two seconds, calls `full`, and touches all of it again
/// and again until killed.
[[noreturn]] void hold_memory(double megabytes, const std::function<void()>& full);
/// Writes 4 MiB blocks to a file in `folder` and syncs each, until killed. The file has no name: it
/// is gone with the process.
Status write_to_disk(const std::string& folder);

}  // namespace culprit::testbed
