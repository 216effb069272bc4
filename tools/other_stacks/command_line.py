"""The command tools/other_stacks/make."""
import argparse
import multiprocessing
import os
import pathlib
import sys
import textwrap
import time

from .stacks import STACKS
from .windows import make, plan

WINDOWS = 24   # per stack; the figures that the project reports are of this many


def main():
    options = _options()
    stacks = [STACKS[name] for name in options.stacks]
    folder = options.out / options.half
    for stack in stacks:
        if (folder / stack.name).exists():
            sys.exit(f"error: {folder / stack.name} is there already; remove it, or name another "
                     "OUT")
    windows = [window for stack in stacks
               for window in plan(folder, options.half, stack, options.windows)]
    begin = time.monotonic()
    unfelt = _make_all(windows)
    print(f"{len(windows) - len(unfelt)} windows in {folder}, {time.monotonic() - begin:.0f} s")
    for window in unfelt:
        print(f"left out: {window.stack} {window.number}, {window.kind}: no user felt it")


def _options():
    only_held = ", ".join(name for name, stack in STACKS.items() if stack.only_held)
    parser = argparse.ArgumentParser(
        prog="tools/other_stacks/make",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Simulates serving stacks other than the testbed, with a fault or sound, and "
                    "writes what\ntheir monitoring would have shown, one case folder per window: "
                    "OUT/HALF/STACK/COMPONENT_FAULT/N.",
        epilog="examples:\n"
               "  tools/other_stacks/make build/stacks\n"
               "  tools/other_stacks/make build/stacks --stacks rag,shop --windows 4\n"
               "  build/release/bin/culprit inspect build/stacks/dev/rag\n"
               "  build/release/bin/culprit scorecard build/stacks/dev/rag --split all\n\n"
               "The same half and number of windows give the same files. Develop on dev as you "
               "like; held has\nother seeds and three more stacks, and is looked at once per "
               "release.\n\n"
               + textwrap.fill(f"stacks: {', '.join(_names('dev'))}; in held also {only_held}", 96,
                               break_on_hyphens=False))
    parser.add_argument("out", metavar="OUT", type=pathlib.Path, help="folder, made if missing")
    parser.add_argument("--half", choices=("dev", "held"), default="dev",
                        help="for development, or for the one look per release (default: dev)")
    parser.add_argument("--stacks", metavar="A,B", help="only these (default: all of the half)")
    parser.add_argument("--windows", metavar="N", type=int, default=WINDOWS,
                        help=f"per stack, about three in five with a fault (default: {WINDOWS})")
    options = parser.parse_args()
    if options.windows < 1:
        parser.error(f"--windows: at least 1, found {options.windows}")
    known = _names(options.half)
    options.stacks = options.stacks.split(",") if options.stacks else known
    for name in options.stacks:
        if name not in known:
            parser.error(f"--stacks: no stack '{name}' in {options.half}; there are "
                         f"{', '.join(known)}")
    return options


def _names(half):
    return [stack.name for stack in STACKS.values() if half == "held" or not stack.only_held]


def _make_all(windows):
    """Makes the windows on all processors and returns those whose fault nobody felt."""
    unfelt = []
    shows_progress = sys.stderr.isatty()
    with multiprocessing.Pool(len(os.sched_getaffinity(0))) as pool:
        results = pool.imap(make, windows)
        for number, (window, is_made) in enumerate(zip(windows, results), 1):
            if not is_made:
                unfelt.append(window)
            if shows_progress:
                print(f"\r\x1b[K  {number}/{len(windows)} {window.stack}", end="", file=sys.stderr,
                      flush=True)
    if shows_progress:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    return unfelt
