#!/usr/bin/env python3
"""Reduces recorded answers of the Python libraries to the small files in tests/golden/causal.

usage: causal.py BLOCKS_FOLDER OUTPUT_FOLDER

BLOCKS_FOLDER holds <block>/input.csv with the answers of causal-learn 0.1.3.3 (lingam),
tigramite 5.2 (pcmci) and causal-learn 0.1.2.3 with scikit-learn 1.2.1 (rcd) for it. Numbers keep
12 digits; of the PCMCI p-values only the first targets are kept, of the graph every link."""
import json
import pathlib
import shutil
import sys


def short(value):
    if isinstance(value, float):
        return float(f"{value:.12g}")
    if isinstance(value, list):
        return [short(v) for v in value]
    if isinstance(value, dict):
        return {k: short(v) for k, v in value.items()}
    return value


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, separators=(",", ":")) + "\n")


def lingam(blocks, out, name):
    source = json.loads((blocks / name / "lingam.json").read_text())
    keep = {k: source[k] for k in ("perm", "causal_order", "adjacency", "B_estimate")}
    keep = short(keep)
    keep["W_ica"] = source["W_ica"]  # in full: everything follows from it
    write(out / name / "lingam.json", keep)


def pcmci(blocks, out, name, num_targets):
    source = json.loads((blocks / name / "pcmci.json").read_text())
    p = len(source["graph"])
    links = [[i, j, lag, source["graph"][i][j][lag]] for i in range(p) for j in range(p)
             for lag in range(source["tau_max"] + 1) if source["graph"][i][j][lag]]
    values = [[short(source["p_matrix"][i][j]) for j in range(min(p, num_targets))]
              for i in range(p)]
    write(out / name / "pcmci.json", {"parents": source["parents"], "links": links,
                                      "p_first_targets": values})


def rcd(blocks, out, name):
    source = json.loads((blocks / "rcd" / f"{name}.json").read_text())
    keep = {k: source[k] for k in ("bin_edges", "p_fnode_marginal", "p_fnode_given_one_first8")}
    keep["discretized"] = {k: "".join(str(int(v)) for v in bins)
                           for k, bins in source["discretized"].items()}
    keep["runs"] = source["runs"]
    write(out / "rcd" / f"{name}.json", keep)
    for part in ("normal", "anomalous"):
        shutil.copy(blocks / "rcd" / f"{name}_{part}.csv", out / "rcd" / f"{name}_{part}.csv")


def main():
    blocks, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    for name in ("sem8", "small_cpu"):
        (out / name).mkdir(parents=True, exist_ok=True)
        shutil.copy(blocks / name / "input.csv", out / name / "input.csv")
        lingam(blocks, out, name)
    pcmci(blocks, out, "sem8", 2)
    pcmci(blocks, out, "small_cpu", 3)
    rcd(blocks, out, "small_cpu")
    rcd(blocks, out, "small_gpu")


if __name__ == "__main__":
    main()
