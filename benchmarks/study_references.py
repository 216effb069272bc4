"""What the package RCAEval lacks to run the study's slow references, put in place from PyPI packages.

rcd         the study used a fork of causal-learn for one function, the search around one node;
            sfr-pyrca carries the same function, and the rest is the package's own
microcause  the study reads the links of tigramite's graph; the package calls a function that newer
            versions of tigramite no longer answer
causalai    the library is not on PyPI: the search is restated here from its published algorithm
            (PC around each variable), each test by the calls that the library makes (numpy lstsq,
            scipy pearsonr and t)
causalrca   runs as it is where PyTorch can be imported (Debian: python3-torch)"""
import importlib.util
import itertools
import sys
import types

import numpy as np


def prepare_rcd():
    """Puts sfr-pyrca's search around one node where RCAEval's rcd imports it; why not, if it can't.
    Only the two files of that search are loaded: the package's own modules import far more."""
    from causallearn.utils.PCUtils import SkeletonDiscovery
    if hasattr(SkeletonDiscovery, "local_skeleton_discovery"):
        return ""
    found = importlib.util.find_spec("pyrca")
    if found is None:
        return "sfr-pyrca is not installed"
    root = list(found.submodule_search_locations)[0]
    for name in ("pyrca", "pyrca.thirdparty", "pyrca.thirdparty.rcd", "pyrca.thirdparty.rcd.utils"):
        module = types.ModuleType(name)
        module.__path__ = [root + name.removeprefix("pyrca").replace(".", "/")]
        sys.modules[name] = module
    from pyrca.thirdparty.causallearn.utils.cit import CIT
    from pyrca.thirdparty.rcd.utils.SkeletonDiscovery import local_skeleton_discovery

    def search(data, node, alpha, indep_test, **options):
        return local_skeleton_discovery(data, node, alpha, CIT(data, indep_test), **options)
    SkeletonDiscovery.local_skeleton_discovery = search
    return ""


def prepare_microcause():
    """Links as the study reads them: every mark of the graph, lag 0 included."""
    from tigramite.pcmci import PCMCI
    run = PCMCI.run_pcmci

    def run_and_keep(self, *arguments, **options):
        results = run(self, *arguments, **options)
        self.kept_graph = results["graph"]
        return results

    def links_of_graph(self, *_, **__):
        marks = self.kept_graph
        return {"link_dict": {target: [(source, -lag) for source, lag in
                                       np.argwhere((marks[:, target] == "-->") |
                                                   (marks[:, target] == "o-o")).tolist()]
                              for target in range(marks.shape[1])}}
    PCMCI.run_pcmci = run_and_keep
    PCMCI.return_significant_links = links_of_graph


def partial_correlation(x, y, given):
    from scipy import stats
    if given is not None:
        x = x - given @ np.linalg.lstsq(given, x, rcond=None)[0]
        y = y - given @ np.linalg.lstsq(given, y, rcond=None)[0]
    r, _ = stats.pearsonr(x, y)
    freedom = len(x) - 2 - (given.shape[1] if given is not None else 0)
    if freedom < 1:
        return np.nan
    if abs(abs(r) - 1.0) <= sys.float_info.min:
        return 0.0
    return 2.0 * stats.t.sf(abs(r) * np.sqrt(freedom / (1.0 - r * r)), freedom)


def neighbours(values, variable, alpha, conditioning_max):
    """PC around one variable; candidates leave at the end of a round."""
    candidates = [v for v in range(values.shape[1]) if v != variable]
    for size in range(conditioning_max + 1):
        if len(candidates) - 1 < size:
            break
        separated = set()
        for candidate in candidates:
            highest = -1.0
            others = [v for v in candidates if v != candidate]
            for given in itertools.combinations(others, size):
                highest = max(highest, partial_correlation(values[:, variable], values[:, candidate],
                                                           values[:, list(given)] if given else None))
                if highest > alpha:
                    separated.add(candidate)
                    break
        candidates = [v for v in candidates if v not in separated]
    return candidates


def causalai(data, inject_time=None, **_):
    """The metrics beside time, in column order (the library answers with a set, in no order)."""
    metrics = data.loc[:, data.nunique() != 1].drop(columns=["time"], errors="ignore")
    values = np.column_stack([metrics.to_numpy(float), data["time"].to_numpy(float)])
    values = (values - values.mean(axis=0)) / np.sqrt(values.var(axis=0) + 1e-7)
    time = values.shape[1] - 1
    return {"ranks": [name for v, name in enumerate(metrics.columns)
                      if time in neighbours(values, v, 0.001, 4)]}


def complete(reference):
    """Adds to the reference's module what can be added; returns why not, by method."""
    missing = {}
    why = prepare_rcd() if hasattr(reference, "rcd") else "the package has none"
    if why:
        missing["rcd"] = why
    prepare_microcause()
    reference.causalai = causalai
    if not hasattr(reference, "causalrca"):
        missing["causalrca"] = "PyTorch can't be imported"
    return missing
