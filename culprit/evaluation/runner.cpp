#include "culprit/evaluation/runner.h"

#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>
#include <utility>

#include "culprit/base/check.h"
#include "culprit/base/random.h"
#include "culprit/base/stopwatch.h"
#include "culprit/evaluation/chance.h"
#include "culprit/evaluation/code_digest.h"
#include "culprit/evaluation/fingerprint.h"
#include "culprit/evaluation/processor_deadline.h"
#include "culprit/methods/catalog.h"
#include "culprit/methods/study_view.h"

namespace culprit {
namespace {

struct Entrant {
    Contender contender;
    std::unique_ptr<Method> method;  // null: chance
    std::map<std::string, double> options;
    std::string options_text;
    std::string version;
    bool reads_logs = false;
    bool reads_spans = false;
    bool ranks_metrics = false;
};

bool mentions(const std::string& text, std::string_view word) {
    return text.find(word) != std::string::npos;
}

std::string version_of(const EvaluationPlan& plan, std::string_view method) {
    for (const CodeDigest& code : code_digests())
        if (code.method == method) return fmt::format("{}+{}", plan.version, code.digest);
    throw InternalError(fmt::format("tools/code_digests.py found no method {}", method));
}

Entrant chance_entrant(const EvaluationPlan& plan) {
    Entrant entrant;
    entrant.contender.method = chance_name;
    entrant.version = version_of(plan, chance_name);
    entrant.ranks_metrics = true;
    return entrant;
}

Result<std::vector<Entrant>> entrants_of(const EvaluationPlan& plan) {
    std::vector<Entrant> entrants;
    entrants.push_back(chance_entrant(plan));
    std::map<std::string, bool> taken;
    for (const auto& [name, value] : plan.options) taken[name] = false;
    for (const Contender& contender : plan.contenders) {
        Entrant entrant;
        entrant.contender = contender;
        entrant.version = version_of(plan, contender.method);
        CULPRIT_TRY(entrant.method, make_method(contender.method));
        const MethodInfo& info = entrant.method->info();
        entrant.reads_logs = mentions(info.reads, "logs");
        entrant.reads_spans = mentions(info.reads, "trace") || mentions(info.reads, "span") ||
                              mentions(info.reads, "edge");
        entrant.ranks_metrics = mentions(info.ranks, "metric");
        for (const OptionInfo& option : info.options) {
            const auto given = plan.options.find(option.name);
            if (given == plan.options.end()) continue;
            taken[option.name] = true;
            entrant.options.insert(*given);
            entrant.options_text += fmt::format("{}{}={}", entrant.options_text.empty() ? "" : ",",
                                                given->first, given->second);
        }
        entrants.push_back(std::move(entrant));
    }
    for (const auto& [name, was_taken] : taken)
        if (!was_taken)
            return fail(ErrorCode::invalid_input,
                        fmt::format("none of the methods has an option \"{}\"", name));
    return entrants;
}

// "<dataset>/<service>_<fault>/<n>": the label of a case that could not be read.
GroundTruth truth_of_id(const std::string& id) {
    GroundTruth truth;
    const auto last = id.rfind('/');
    if (last == std::string::npos) return truth;
    const auto before = id.rfind('/', last - 1);
    const std::string label = id.substr(before == std::string::npos ? 0 : before + 1,
                                        last - (before == std::string::npos ? 0 : before + 1));
    const auto underscore = label.find('_');
    if (underscore == std::string::npos) return truth;
    truth.services.push_back(label.substr(0, underscore));
    truth.fault = label.substr(underscore + 1);
    return truth;
}

double thread_cpu_seconds() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

constexpr std::string_view out_of_time = "used up the";  // how the reason of such a failure begins

struct ChanceScores {
    Score service;
    Score metric;
    std::size_t num_columns = 0;
};

// The columns that the study's random method permutes: those that vary.
Result<ChanceScores> chance_of(const Incident& incident, const GroundTruth& truth) {
    CULPRIT_TRY(const StudyView view, StudyView::of(incident));
    std::map<std::string, std::size_t> counts;
    std::size_t num_true_metrics = 0;
    ChanceScores scores;
    for (std::size_t c = 0; c < view.num_columns(); ++c) {
        if (!varies(view.column(c))) continue;
        ++counts[comparable_service(view.service(c))];
        ++scores.num_columns;
        num_true_metrics +=
            std::any_of(truth.metrics.begin(), truth.metrics.end(), [&](const std::string& metric) {
                return comparable_metric(metric) == comparable_metric(view.names()[c]);
            });
    }
    std::size_t num_truth_columns = 0;
    for (const std::string& service : truth.services) {
        const auto found = counts.find(comparable_service(service));
        if (found == counts.end()) continue;
        num_truth_columns += found->second;
        counts.erase(found);
    }
    std::vector<std::size_t> others;
    others.reserve(counts.size());
    for (const auto& [service, count] : counts) others.push_back(count);
    scores.service = chance_of_service(num_truth_columns, others);
    scores.metric = chance_of_metric(num_true_metrics, scores.num_columns);
    return scores;
}

struct Task {
    std::size_t case_index = 0;
    std::size_t entrant = 0;
};

// A case while its cells run: read by the first that needs it, freed by the last.
struct LoadedCase {
    std::once_flag once;
    std::optional<Result<Case>> result;
    std::atomic<std::size_t> cells_left{0};
    bool reads_logs = false;
    bool reads_spans = false;
};

class Evaluation {
public:
    Evaluation(const EvaluationPlan& plan, std::vector<Entrant> entrants, Journal& journal,
               const Stop& stop, const std::function<void(const EvaluationProgress&)>& on_progress)
        : plan_(plan),
          entrants_(std::move(entrants)),
          journal_(journal),
          stop_(stop),
          on_progress_(on_progress) {}

    Result<std::vector<CellRecord>> run();

private:
    void take_from_journal();
    void work();
    void run_cell(const Task& task);
    const Result<Case>& load(std::size_t case_index);
    CellRecord compute(const Task& task, const Result<Case>& read);
    void answer(CellRecord& cell, const Entrant& entrant, const Case& found,
                const GroundTruth& truth);
    CellKey key_of(const Task& task) const;
    bool deserves_more_time(const CellRecord& cell) const;
    void count(const CellRecord& cell);

    const EvaluationPlan& plan_;
    std::vector<Entrant> entrants_;
    Journal& journal_;
    const Stop& stop_;
    const std::function<void(const EvaluationProgress&)>& on_progress_;
    std::vector<std::string> fingerprints_;
    std::vector<std::unique_ptr<LoadedCase>> loaded_;
    std::vector<Task> tasks_;
    std::atomic<std::size_t> next_task_{0};
    std::mutex mutex_;  // guards what follows and the journal
    EvaluationProgress progress_;
    std::vector<CellRecord> cells_;
    Status status_;
};

CellKey Evaluation::key_of(const Task& task) const {
    const Entrant& entrant = entrants_[task.entrant];
    const CaseLocation& location = plan_.cases[task.case_index];
    return {.dataset = location.dataset,
            .case_id = location.id,
            .method = entrant.contender.method,
            .variant = entrant.method ? std::string(to_string(entrant.contender.variant)) : "-",
            .seed = entrant.method ? seed_of_case(plan_.seed, location.id) : 0,
            .options = entrant.options_text,
            .version = entrant.version,
            .fingerprint = fingerprints_[task.case_index]};
}

void Evaluation::count(const CellRecord& cell) {
    ++progress_.done;
    progress_.failed += cell.status == CellStatus::failed;
    progress_.degenerate += cell.status == CellStatus::degenerate;
}

// It ran out of less time than is allowed now.
bool Evaluation::deserves_more_time(const CellRecord& cell) const {
    const double allowed = std::chrono::duration<double>(plan_.timeout).count();
    return cell.status == CellStatus::failed && cell.reason.starts_with(out_of_time) &&
           (allowed == 0.0 || cell.cpu_seconds < allowed);
}

void Evaluation::take_from_journal() {
    progress_.total = plan_.cases.size() * entrants_.size();
    cells_.resize(progress_.total);
    for (std::size_t c = 0; c < plan_.cases.size(); ++c) {
        fingerprints_.push_back(fingerprint_of(plan_.cases[c].path));
        loaded_.push_back(std::make_unique<LoadedCase>());
        for (std::size_t e = 0; e < entrants_.size(); ++e) {
            const Task task{c, e};
            const CellRecord* known = journal_.find(key_of(task));
            if (known && !deserves_more_time(*known)) {
                cells_[c * entrants_.size() + e] = *known;
                ++progress_.reused;
                count(*known);
                continue;
            }
            tasks_.push_back(task);
            ++loaded_[c]->cells_left;
            loaded_[c]->reads_logs |= entrants_[e].reads_logs;
            loaded_[c]->reads_spans |= entrants_[e].reads_spans;
        }
    }
}

const Result<Case>& Evaluation::load(std::size_t case_index) {
    LoadedCase& loaded = *loaded_[case_index];
    std::call_once(loaded.once, [&] {
        CaseReadOptions options;
        options.logs = loaded.reads_logs;
        options.spans = loaded.reads_spans;
        options.num_threads = 1;
        try {
            loaded.result = read_case(plan_.cases[case_index].path, options);
        } catch (const InternalError& error) {
            loaded.result = fail(ErrorCode::unsupported, fmt::format("bug: {}", error.what()));
        }
    });
    return *loaded.result;
}

void Evaluation::answer(CellRecord& cell, const Entrant& entrant, const Case& found,
                        const GroundTruth& truth) {
    if (!entrant.method) {
        const auto chance = chance_of(found.incident, truth);
        if (!chance) {
            cell.status = CellStatus::failed;
            cell.reason = chance.error().message;
            return;
        }
        if (cell.service) cell.service = chance->service;
        if (cell.metric) cell.metric = chance->metric;
        cell.num_suspects = chance->num_columns;
        return;
    }
    if (entrant.method->info().reads == "change events" && found.incident.changes.empty()) {
        cell.status = CellStatus::not_applicable;
        cell.reason = "the case has no change events";
        cell.service.reset();
        cell.metric.reset();
        return;
    }
    RunContext context;
    context.variant = entrant.contender.variant;
    context.seed = cell.key.seed;
    context.options = entrant.options;
    std::optional<ProcessorDeadline> deadline;
    if (plan_.timeout.count() > 0) {
        deadline.emplace(plan_.timeout);
        context.stop = Stop(deadline->token());
    }
    const auto diagnosis = run_method(*entrant.method, found.incident, context);
    if (!diagnosis) {
        cell.status = CellStatus::failed;
        cell.reason = deadline && deadline->has_passed()
                          ? fmt::format("{} {:g} s of processor time allowed", out_of_time,
                                        std::chrono::duration<double>(plan_.timeout).count())
                          : diagnosis.error().message;
        return;
    }
    const Ranking& ranking = diagnosis->ranking;
    cell.status =
        diagnosis->status == DiagnosisStatus::ok ? CellStatus::ok : CellStatus::degenerate;
    cell.reason = diagnosis->reason;
    cell.num_suspects = ranking.size();
    for (std::size_t i = 0; i < std::min<std::size_t>(5, ranking.size()); ++i)
        cell.top.emplace_back(ranking.suspects()[i].name, ranking.suspects()[i].score);
    const auto service_rank = rank_of_service(ranking, truth.services);
    const auto metric_rank = rank_of_metric(ranking, truth.metrics);
    cell.service_rank = service_rank.value_or(0);
    if (cell.service) cell.service = score_at(service_rank);
    if (cell.metric) cell.metric = score_at(metric_rank);
    if (cell.metric) cell.metric_rank = metric_rank.value_or(0);
}

CellRecord Evaluation::compute(const Task& task, const Result<Case>& read) {
    const Entrant& entrant = entrants_[task.entrant];
    CellRecord cell;
    cell.key = key_of(task);
    const GroundTruth truth =
        read ? read->truth.value_or(GroundTruth{}) : truth_of_id(plan_.cases[task.case_index].id);
    cell.fault = truth.fault;
    cell.truth = truth.services;
    if (!truth.services.empty()) cell.service = Score{};
    if (!truth.metrics.empty() && entrant.ranks_metrics) cell.metric = Score{};
    if (!read) {
        cell.status = CellStatus::failed;
        cell.reason = std::string(case_not_read) + read.error().message;
        return cell;
    }
    const Stopwatch stopwatch;
    const double cpu_begin = thread_cpu_seconds();
    if (plan_.heap_meter) plan_.heap_meter->start();
    try {
        answer(cell, entrant, *read, truth);
    } catch (const InternalError& error) {
        cell.status = CellStatus::failed;
        cell.reason = fmt::format("bug: {}", error.what());
    } catch (const std::bad_alloc&) {
        cell.status = CellStatus::failed;
        cell.reason = "not enough memory";
    }
    if (plan_.heap_meter) cell.heap_peak_bytes = plan_.heap_meter->stop();
    cell.cpu_seconds = thread_cpu_seconds() - cpu_begin;
    cell.wall_seconds = stopwatch.seconds();
    return cell;
}

void Evaluation::run_cell(const Task& task) {
    CellRecord cell = compute(task, load(task.case_index));
    LoadedCase& loaded = *loaded_[task.case_index];
    if (loaded.cells_left.fetch_sub(1) == 1) loaded.result.reset();
    const std::lock_guard lock(mutex_);
    if (!status_) return;
    cells_[task.case_index * entrants_.size() + task.entrant] = cell;
    count(cell);
    status_ = journal_.append(std::move(cell));
    on_progress_(progress_);
}

void Evaluation::work() {
    for (;;) {
        const std::size_t index = next_task_.fetch_add(1);
        if (index >= tasks_.size() || stop_.requested()) return;
        {
            const std::lock_guard lock(mutex_);
            if (!status_) return;
        }
        run_cell(tasks_[index]);
    }
}

Result<std::vector<CellRecord>> Evaluation::run() {
    take_from_journal();
    on_progress_(progress_);
    const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
    const unsigned jobs = plan_.jobs == 0 ? cores : plan_.jobs;
    {
        std::vector<std::jthread> workers;
        for (unsigned i = 0; i < std::min<std::size_t>(jobs, tasks_.size()); ++i)
            workers.emplace_back([this] { work(); });
    }
    CULPRIT_TRY_STATUS(status_);
    CULPRIT_TRY_STATUS(journal_.sync());
    if (progress_.done < progress_.total)
        return fail(ErrorCode::cancelled,
                    fmt::format("stopped with {} of {} results; all of them are kept",
                                progress_.done, progress_.total));
    return std::move(cells_);
}

}  // namespace

std::uint64_t seed_of_case(std::uint64_t seed, const std::string& case_id) {
    return derive_seed(seed, case_id);
}

Result<std::vector<CellRecord>> run_evaluation(
    const EvaluationPlan& plan, Journal& journal, const Stop& stop,
    const std::function<void(const EvaluationProgress&)>& on_progress) {
    CULPRIT_TRY(auto entrants, entrants_of(plan));
    return Evaluation(plan, std::move(entrants), journal, stop, on_progress).run();
}

}  // namespace culprit
