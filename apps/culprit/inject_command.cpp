#include <fmt/format.h>
#include <signal.h>

#include <atomic>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "apps/culprit/command.h"
#include "culprit/faults/chaos_mesh.h"
#include "culprit/faults/fault_plan.h"
#include "culprit/report/text_table.h"
#include "culprit/testbed/child_process.h"
#include "culprit/testbed/deployment.h"
#include "culprit/testbed/local_injector.h"

namespace culprit::cli {
namespace {

std::atomic<bool> interrupted = false;

struct InjectRequest {
    std::string plan;
    std::string testbed = "default";
    std::string backend = "local";
    ClusterOptions cluster;
    bool dry_run = false;
    bool list = false;
};

void say(const std::string& line) {
    fmt::print(stderr, "{}\n", line);
    std::fflush(stderr);
}

Status list_kinds(const Style& style) {
    constexpr std::size_t name_width = 22;
    std::string text;
    for (const auto& kind : fault_kinds()) {
        std::string parameters;
        for (const auto& parameter : kind.used_parameters())
            parameters += fmt::format("{}{} {}{}{}", parameters.empty() ? "" : ", ", parameter.name,
                                      parameter.default_value, parameter.unit.empty() ? "" : " ",
                                      parameter.unit);
        std::string words = fmt::format("{} ({}{}{})", kind.summary, to_string(kind.layer),
                                        kind.catalogue.empty() ? "" : ", ", kind.catalogue);
        if (!parameters.empty()) words += "; " + parameters;
        text += style.bold(fmt::format("{:<{}}", kind.name, name_width)) +
                wrapped(words, static_cast<std::size_t>(style.width()), name_width) + "\n";
    }
    return write_out(text);
}

Status run_plan(const testbed::Settings& settings, const FaultPlan& plan) {
    CULPRIT_TRY(const auto injector, testbed::LocalInjector::create(settings));
    std::vector<testbed::FaultRecord> records;
    std::size_t next = 0;
    const double begin = testbed::monotonic_seconds();
    Status result;
    const auto active = [&] {
        for (const auto& record : records)
            if (record.removed == TimePoint{}) return true;
        return false;
    };
    while ((next < plan.faults.size() || active()) && !interrupted) {
        const double elapsed = testbed::monotonic_seconds() - begin;
        while (result && next < plan.faults.size() && plan.faults[next].start_seconds <= elapsed) {
            auto applied = injector->apply(plan.faults[next++]);
            if (!applied) {
                result = tl::unexpected<Error>(applied.error());
                break;
            }
            say(fmt::format("{}  {} on {} applied: {}", format_rfc3339(applied->applied),
                            applied->fault.kind->name, applied->fault.target, applied->effect));
            records.push_back(std::move(*applied));
        }
        for (auto& record : records) {
            if (record.removed != TimePoint{}) continue;
            const double end = record.fault.start_seconds + record.fault.duration_seconds;
            if (elapsed < end && result) {
                static_cast<void>(injector->keep(record));
                continue;
            }
            const auto removed = injector->remove(record);
            if (!removed && result) result = removed;
            say(fmt::format("{}  {} on {} removed: {}", format_rfc3339(record.removed),
                            record.fault.kind->name, record.fault.target, record.after));
        }
        if (!result) break;
        testbed::sleep_seconds(0.1);
    }
    for (auto& record : records)
        if (record.removed == TimePoint{}) {
            const auto removed = injector->remove(record);
            if (!removed && result) result = removed;
        }
    return result;
}

Status run_inject(const InjectRequest& request, const Shell& shell) {
    if (request.list) return list_kinds(shell.out());
    for (const int number : {SIGINT, SIGTERM}) signal(number, [](int) { interrupted = true; });
    if (request.plan.empty())
        return fail(ErrorCode::invalid_input,
                    "expected a plan of faults, found none\n"
                    "Try: culprit inject --list, or culprit inject --help for an example plan");
    CULPRIT_TRY(const auto text, testbed::read_text_file(request.plan));
    auto plan = parse_fault_plan(text);
    if (!plan) return fail_with_context(request.plan, plan.error());
    if (request.backend == "kubernetes") {
        CULPRIT_TRY(const auto rendered, render_chaos_mesh(*plan, request.cluster));
        CULPRIT_TRY_STATUS(write_out(rendered.yaml));
        for (const auto& command : rendered.node_commands) say(command);
        return {};
    }
    auto settings = testbed::read_settings(request.testbed);
    if (!settings && !request.dry_run) return tl::unexpected<Error>(settings.error());
    if (request.dry_run) {
        std::string shown;
        for (const auto& fault : plan->faults)
            for (const auto& line :
                 testbed::describe_fault(settings.value_or(testbed::Settings{}), fault))
                shown += line + "\n";
        return write_out(shown);
    }
    CULPRIT_TRY(const auto status, testbed::testbed_status(request.testbed));
    if (status.phase != "healthy")
        return fail(ErrorCode::unavailable,
                    fmt::format("the testbed \"{}\" is {}, needed is healthy", request.testbed,
                                status.phase));
    return run_plan(*settings, *plan);
}

}  // namespace

void add_inject_command(Command& root, Shell& shell) {
    Command command = root.subcommand("inject", "Break the testbed by plan and mend it again");
    auto request = std::make_shared<InjectRequest>();
    command.option("plan", request->plan, "Fault plan (YAML or JSON)").check(existing_file());
    command.option("--name", request->testbed, "The testbed").default_text("default");
    command
        .option("--backend", request->backend,
                "local: the testbed; kubernetes: print Chaos Mesh manifests for kubectl apply")
        .check(one_of({"local", "kubernetes"}))
        .default_text("local");
    command.option("--namespace", request->cluster.name_space, "Of the service, in a cluster")
        .default_text("ray");
    command.option("--label", request->cluster.label, "Pod label that names the component")
        .default_text("app");
    command.flag("--dry-run", request->dry_run, "Show what would be done");
    command.flag("--list", request->list, "List the kinds of faults");
    command.footer(
        R"(Faults are undone when their time is over, on Ctrl-C, and when this process is killed.

Example plan:
  name: slow-replica
  faults:
  - {kind: cpu_quota, target: ray-replicas-1, start: 60, duration: 45, cores: 0.25}

Examples:
  culprit inject --list                    what can be broken, with its parameters
  culprit inject plan.yaml --dry-run       what would be done
  culprit inject plan.yaml                 break the testbed and mend it again
  culprit inject plan.yaml --backend kubernetes | kubectl apply -f -)");
    on_run(command, shell, [request, &shell] { return run_inject(*request, shell); });
}

}  // namespace culprit::cli
