#!/usr/bin/env python3
"""Remakes the answers that a Markdown page shows.

    tools/answers.py build/release/bin/culprit docs/examples.md [MORE.md...]

Every fenced block whose first line is `$ culprit ARGUMENTS` is replaced by what that command prints today, run
from the project's folder with --no-report. Everything else stays. Windows of a test half are for measuring: they
are run only with --test, which is for the one run of a release.
"""
import pathlib
import re
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"^```[a-z]*\n\$ culprit (?P<arguments>[^\n]*)\n(?P<shown>.*?)^```$", re.M | re.S)
# Lines that differ from run to run or only point to more.
LEFT_OUT = ("method ", "more ", "report ")


def answer(program: str, arguments: str) -> str:
    words = shlex.split(arguments)
    if words[0] == "diagnose" and "--no-report" not in words:
        words.append("--no-report")
    done = subprocess.run([program, *words], cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"culprit {arguments}: exit code {done.returncode}\n{done.stderr}")
    lines = [line.rstrip() for line in done.stdout.rstrip().splitlines() if not line.startswith(LEFT_OUT)]
    return "\n".join(lines)


def remade(program: str, page: str, may_run_tests: bool) -> str:
    def block(found: re.Match) -> str:
        arguments = found["arguments"]
        if "/test/" in arguments and not may_run_tests:
            return found[0]
        return f"```\n$ culprit {arguments}\n{answer(program, arguments)}\n```"
    return BLOCK.sub(block, page)


def main() -> int:
    words = [word for word in sys.argv[1:] if word != "--test"]
    if len(words) < 2 or words[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    program = str(pathlib.Path(words[0]).resolve())
    for name in words[1:]:
        path = pathlib.Path(name)
        path.write_text(remade(program, path.read_text(encoding="utf-8"), "--test" in sys.argv), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
