#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "apps/culprit/command.h"
#include "culprit/methods/catalog.h"
#include "culprit/report/method_text.h"

namespace culprit::cli {
namespace {

struct MethodsRequest {
    std::string name;
    std::string format = "table";
};

Status run_methods(const MethodsRequest& request, const Shell& shell) {
    std::vector<MethodInfo> methods;
    if (request.name.empty()) {
        for (const CatalogEntry& entry : catalog()) methods.push_back(entry.make()->info());
    } else {
        CULPRIT_TRY(const auto method, make_method(request.name));
        methods.push_back(method->info());
    }
    if (request.format == "json") return write_out(methods_json(methods, request.name.empty()));
    if (request.format == "markdown") return write_out(methods_markdown(methods));
    if (request.name.empty()) return write_out(methods_table(methods, shell.out()));
    return write_out(method_page(methods.front(), shell.out()));
}

}  // namespace

void add_methods_command(Command& root, Shell& shell) {
    Command command = root.subcommand(
        "methods", "What each method is: its paper, what it reads, its options and cost");
    auto request = std::make_shared<MethodsRequest>();
    command.option("name", request->name, "Only this method");
    command.option("--format", request->format, "table|json|markdown")
        .check(one_of({"table", "json", "markdown"}))
        .default_text("table");
    command.footer(
        R"(Every method of the study has two variants under one name: `reference` does what the
implementation that the study ran does, defects included; `published` is what the paper defines.

Examples:
  culprit methods
  culprit methods nsigma
  culprit methods --format json | jq -r '.[].name')");
    on_run(command, shell, [request, &shell] { return run_methods(*request, shell); });
}

}  // namespace culprit::cli
