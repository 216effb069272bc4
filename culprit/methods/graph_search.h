#pragma once

#include "culprit/causal/fci.h"
#include "culprit/causal/fisher_z.h"
#include "culprit/causal/pc.h"
#include "culprit/methods/graph_ranking.h"

namespace culprit {

/// A searched graph and the test that it was searched with.
template <class Found>
struct GraphSearch {
    FisherZ test;
    Found found;
};

/// PC with Fisher's z over the kept columns, bounded by the options of `search_options`: as
/// causal-learn runs it for the reference variant.
Result<GraphSearch<PcResult>> search_with_pc(const StudyMatrix& table, const RunContext& context,
                                             const MethodInfo& info);

/// The same with FCI.
Result<GraphSearch<FciResult>> search_with_fci(const StudyMatrix& table, const RunContext& context,
                                               const MethodInfo& info);

}  // namespace culprit
