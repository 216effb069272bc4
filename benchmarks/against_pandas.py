#!/usr/bin/env python3
"""Reads the same CSV files with pandas.read_csv and with Culprit, compares every column, and prints how
many times faster Culprit is, on the clock and in processor time, and its memory over the table's size.
On a busy machine only the processor time says something; on two idle cores Culprit's clock shows half of it.

    benchmarks/against_pandas.py [--megabytes N] [--repeat N] [--program FILE] [FILE...]

Without FILE it makes three tables of N megabytes each from a seed: wide (500 columns of readings), narrow
(6 columns) and of whole numbers (50 columns of counters). Of the repetitions the shortest counts; files
are in the page cache. A ratio is printed only where the columns agree to 1e-12 of their sum."""
import argparse
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time


def write_table(path, num_columns, megabytes, cell):
    """Rows from a seed; a block of distinct rows is repeated, so that making the file stays quick."""
    rng = random.Random(path.name)
    block = [",".join(cell(rng) for _ in range(num_columns)) for _ in range(200)]
    with open(path, "w") as file:
        file.write("time," + ",".join(f"service-{i % 20}_metric-{i}" for i in range(num_columns)) + "\n")
        written, row = 0, 0
        while written < megabytes * 1_000_000:
            line = f"{1_700_000_000 + row},{block[row % len(block)]}\n"
            file.write(line)
            written += len(line)
            row += 1


def made_tables(folder, megabytes):
    kinds = {"wide": (500, lambda rng: repr(rng.gauss(50, 20))),
             "narrow": (6, lambda rng: repr(rng.gauss(50, 20))),
             "counters": (50, lambda rng: str(rng.randrange(10 ** rng.randrange(1, 10))))}
    for name, (num_columns, cell) in kinds.items():
        path = folder / f"{name}.csv"
        write_table(path, num_columns, megabytes, cell)
        yield path


def time_pandas(pandas, path, repeat):
    shortest, least_cpu = float("inf"), float("inf")
    for _ in range(repeat):
        begin, cpu_begin = time.perf_counter(), time.process_time()
        table = pandas.read_csv(path)
        shortest = min(shortest, time.perf_counter() - begin)
        least_cpu = min(least_cpu, time.process_time() - cpu_begin)
    numbers = table.drop(columns=["time"]).select_dtypes("number")
    return shortest, least_cpu, numbers.sum().tolist()


def difference(ours, theirs):
    if len(ours) != len(theirs):
        return f"{len(ours)} number columns, pandas {len(theirs)}"
    for place, (one, other) in enumerate(zip(ours, theirs)):
        if abs(one - other) > 1e-12 * max(abs(one), abs(other)) + 1e-9:
            return f"column {place + 1} sums to {one}, pandas {other}"
    return ""


def compare(pandas, program, path, repeat):
    theirs, their_cpu, sums = time_pandas(pandas, path, repeat)
    for threads in (1, 0):
        done = subprocess.run([program, path, str(2 * repeat), str(threads)], check=True,
                              capture_output=True, text=True)
        line = json.loads(done.stdout)
        differs = difference(line["sums"], sums)
        speed = line["file_bytes"] / line["seconds"] / 1e9
        memory = line["peak_bytes"] / (line["data_bytes"] + line["file_bytes"])
        print(f"{path.stem:<10} {line['file_bytes'] / 1e6:6.0f} MB {line['columns']:4} columns   pandas "
              f"{theirs:6.2f} s ({their_cpu:.2f} s processor)   Culprit {line['seconds']:7.3f} s "
              f"({line['cpu_seconds']:.3f} s processor) on {threads or os.cpu_count()} ({speed:.2f} GB/s, "
              f"{memory:.1f} times file and table)   "
              + (differs or f"{theirs / line['seconds']:5.1f} times, "
                            f"{their_cpu / line['cpu_seconds']:.1f} in processor time"))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=pathlib.Path, metavar="FILE")
    parser.add_argument("--program", default="build/release/benchmarks/read_table_benchmark")
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    if not os.access(options.program, os.X_OK):
        print(f"against_pandas: no program {options.program}; build it first (make bench)",
              file=sys.stderr)
        return 2
    try:
        import pandas
    except ImportError as error:
        print(f"against_pandas: skipped, pandas is not installed ({error}); pip install pandas")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        for path in options.files or made_tables(pathlib.Path(folder), options.megabytes):
            compare(pandas, options.program, path, options.repeat)
    print(f"pandas {pandas.__version__}; load while measuring: {os.getloadavg()[0]:.1f} on "
          f"{os.cpu_count()} cores")
    return 0


if __name__ == "__main__":
    sys.exit(main())
