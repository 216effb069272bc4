#!/usr/bin/env python3
"""Packs recorded building blocks of causal discovery into tests/golden/causal/<block>/graphs.json.

    tools/golden/pack_graphs.py <blocks folder> <block> ...

Reads fisherz.json, pc.json, fci.json, fci_pagerank.json and granger.json as recorded from
causal-learn 0.1.3.3, scikit-network 0.33.3 and statsmodels 0.13.5; keeps what the tests compare:
correlations, p-values, separating sets as unions, graphs, and of Granger's tests every seventh pair.
The input goes along as CSV when it is small; for larger blocks the correlations stand for it."""
import csv
import json
import pathlib
import shutil
import sys

INPUT_BYTES_MAX = 100_000


def load(folder, name):
    path = folder / name
    return json.loads(path.read_text()) if path.exists() else None


def pack(source, target):
    fisherz = load(source, "fisherz.json")
    pc = load(source, "pc.json")
    fci = load(source, "fci.json")
    ranks = load(source, "fci_pagerank.json")
    granger = load(source, "granger.json")
    with open(source / "input.csv", newline="") as file:
        num_rows = sum(1 for _ in csv.reader(file)) - 1
    out = {
        "library": "causal-learn 0.1.3.3, scikit-network 0.33.3, statsmodels 0.13.5",
        "num_rows": num_rows,
        "correlations": fisherz["corr"],
        "p_values": [[row[0], row[1], row[2] if isinstance(row[2], list) else [row[2]], row[3]]
                     for row in fisherz["p_depth1_first8"]],
        "skeleton": pc["skeleton"],
        "sepsets": {pair: sorted({v for found in sets for v in found})
                    for pair, sets in pc["sepsets"].items()
                    if pc["skeleton"][int(pair.split(",")[0])][int(pair.split(",")[1])] == 0},
        "cpdag": pc["cpdag"],
        "pag": fci["pag"],
        "steps": ranks["pr_input"],
        "scores_10": ranks["scores_n10"],
        "scores_60": ranks["scores_n60"],
    }
    if granger:
        out["granger_edges"] = [[int(v) for v in row] for row in granger["adj"]]
        out["granger_tests"] = [
            [*map(int, pair.split(",")), lag + 1, t["ssr_ftest"][0], t["ssr_ftest"][1],
             t["ssr_chi2test"][1], t["lrtest"][1]]
            for pair, tests in list(granger["tests_by_ij_lag"].items())[::7]
            for lag, t in enumerate(tests)]
    target.mkdir(parents=True, exist_ok=True)
    (target / "graphs.json").write_text(json.dumps(out, separators=(",", ":")) + "\n")
    if (source / "input.csv").stat().st_size <= INPUT_BYTES_MAX:
        shutil.copyfile(source / "input.csv", target / "input.csv")


def main():
    blocks = pathlib.Path(sys.argv[1])
    root = pathlib.Path(__file__).resolve().parent.parent.parent
    for block in sys.argv[2:]:
        pack(blocks / block, root / "tests" / "golden" / "causal" / block)


if __name__ == "__main__":
    main()
