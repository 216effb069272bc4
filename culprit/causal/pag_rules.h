#pragma once

#include "culprit/base/result.h"
#include "culprit/base/stop.h"
#include "culprit/causal/skeleton.h"
#include "culprit/graph/mixed_graph.h"

namespace culprit {

/// Puts a circle at every end, then arrowheads at the middle of each unshielded triple a - b - c
/// whose separating set lacks b (rule 0 of FCI).
void orient_pag_colliders(MixedGraph& graph, const SeparatingSets& sepsets);

/// Orients the circles of a partial ancestral graph by Zhang's rules 1 to 10 until none applies.
///
///   arrowheads and tails from colliders and non-colliders: 1 to 4 (4: discriminating paths);
///   tails that selection bias leaves: 5 to 7;  remaining tails: 8 to 10
///
/// Assumes:  colliders are oriented; `sepsets` knows every non-adjacent pair.
/// Cost:     polynomial: path rules search over pairs of consecutive edges, O(edges * degree) each.
///           A shortest walk stands for a path; on a consistent PAG the two are the same.
/// Refuses:  deadline_exceeded or cancelled when `stop` asks.
/// Source:   J. Zhang, On the completeness of orientation rules for causal discovery in the
/// presence
///           of latent confounders and selection bias, Artificial Intelligence 172, 2008.
Status apply_pag_rules(MixedGraph& graph, const SeparatingSets& sepsets, const Stop& stop = {});

}  // namespace culprit
