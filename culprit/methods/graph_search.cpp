#include "culprit/methods/graph_search.h"

#include <utility>

namespace culprit {
namespace {

FisherZ test_of(const StudyMatrix& table, const RunContext& context, const MethodInfo& info) {
    return FisherZ::of(table.values, context.option(info, "alpha"), context.num_threads);
}

}  // namespace

Result<GraphSearch<PcResult>> search_with_pc(const StudyMatrix& table, const RunContext& context,
                                             const MethodInfo& info) {
    FisherZ test = test_of(table, context, info);
    const bool reference = context.variant == Variant::reference;
    CULPRIT_TRY(PcResult found, (reference ? pc_causal_learn : pc)(
                                    test, {.size_max = conditioning_max(context, info),
                                           .tests_max = tests_max(context, info),
                                           .num_threads = context.num_threads,
                                           .stop = context.stop}));
    return GraphSearch<PcResult>{std::move(test), std::move(found)};
}

Result<GraphSearch<FciResult>> search_with_fci(const StudyMatrix& table, const RunContext& context,
                                               const MethodInfo& info) {
    FisherZ test = test_of(table, context, info);
    const bool reference = context.variant == Variant::reference;
    CULPRIT_TRY(FciResult found, (reference ? fci_causal_learn : fci)(
                                     test, {.size_max = conditioning_max(context, info),
                                            .tests_max = tests_max(context, info),
                                            .dsep_tests_max = dsep_tests_max(context, info),
                                            .num_threads = context.num_threads,
                                            .stop = context.stop}));
    return GraphSearch<FciResult>{std::move(test), std::move(found)};
}

}  // namespace culprit
