#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "culprit/base/result.h"
#include "culprit/base/stop.h"
#include "culprit/evaluation/cell.h"
#include "culprit/evaluation/journal.h"
#include "culprit/rca/method.h"
#include "culprit/readers/case_reader.h"

namespace culprit {

/// One method in one variant.
struct Contender {
    std::string method;
    Variant variant = Variant::published;
};

/// The name under which the exact expectation of a random order stands in every table.
inline constexpr const char* chance_name = "chance";
/// How the reason of every cell of a case begins that no method got to see.
inline constexpr std::string_view case_not_read = "case not read: ";

/// Bytes allocated by the calling thread between `start` and `stop` at their highest. The program
/// that counts its allocations passes one; without it memory is not reported.
class HeapMeter {
public:
    virtual ~HeapMeter() = default;
    virtual void start() = 0;
    virtual std::int64_t stop() = 0;
};

struct EvaluationPlan {
    std::vector<CaseLocation> cases;
    std::vector<Contender> contenders;
    std::map<std::string, double> options = {};  ///< each goes to the methods that declare it
    std::uint64_t seed = 0;
    std::chrono::nanoseconds timeout{};  ///< processor time per case and method; 0 = none
    unsigned jobs = 0;                   ///< 0 = one per core
    std::string version;  ///< of the program; each key has it, and the digest of the method's code
    HeapMeter* heap_meter = nullptr;
};

struct EvaluationProgress {
    std::size_t total = 0;
    std::size_t done = 0;    ///< reused included
    std::size_t reused = 0;  ///< found in the journal
    std::size_t failed = 0;
    std::size_t degenerate = 0;
};

/// Runs every contender and chance on every case and returns the cells in the order of the plan,
/// case by case, chance first. Cells that the journal has are taken from it; the others are
/// appended as they finish. A case is read once, when the first of its missing cells starts, with
/// logs and spans only if one of them reads such, and let go after the last: at most `jobs` cases
/// are in memory. Each cell runs on one thread; its answer does not depend on `jobs`.
///
/// An unreadable case, a method's error, its bug (InternalError) or an exhausted `timeout` make a
/// failed cell with the reason; a cell that ran into `timeout` is not journaled as final when the
/// stop was requested from outside.
///
/// `on_progress` is called under a lock from the worker threads, once at the start and then after
/// each cell.
/// Refuses: cancelled when `stop` was requested (what is done stays in the journal), io_failure
/// when the journal can't be written, invalid_input when no contender takes an option.
Result<std::vector<CellRecord>> run_evaluation(
    const EvaluationPlan& plan, Journal& journal, const Stop& stop,
    const std::function<void(const EvaluationProgress&)>& on_progress);

/// The seed that `run_evaluation` gives a method on a case, to run it again alone.
std::uint64_t seed_of_case(std::uint64_t seed, const std::string& case_id);

}  // namespace culprit
