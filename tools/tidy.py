#!/usr/bin/env python3
"""House rules that no compiler checks: banned words with their replacement, files that belong to no
target, leftover markers. Exit status 1 and one line per finding."""
import pathlib
import re
import sys

BANNED = [
    (r"\bstd::rand\b|\bsrand\b|\brandom_device\b", "use culprit::Random with a seed", ""),
    (r"\bstd::cout\b|\bstd::cerr\b|\bprintf\(", "the library neither prints nor exits", "culprit"),
    (r"system_clock::now", "take the time from the caller or base", "culprit"),
    (r"\busing namespace std\b", "spell std::", ""),
    (r"\bFIXME\b|\bXXX\b|\bTODO\b", "finish it or file an issue", ""),
    (r"-ffast-math", "answers must not depend on it", ""),
]
CODE = {".h", ".cpp"}


def main() -> int:
    root = pathlib.Path(__file__).resolve().parent.parent
    bad = 0
    cmake = "\n".join(p.read_text() for p in root.rglob("CMakeLists.txt")
                      if "build" not in p.relative_to(root).parts[0])
    for top in ("culprit", "apps", "tests", "benchmarks", "examples"):
        for path in sorted((root / top).rglob("*")):
            if path.suffix not in CODE:
                continue
            name = path.relative_to(root)
            if re.search(r"(utils?|helpers?|common|misc)\.(h|cpp)$", path.name, re.I):
                print(f"{name}: name the file for what its contents share")
                bad += 1
            if path.suffix == ".cpp" and path.name not in cmake:
                print(f"{name}: belongs to no CMake target")
                bad += 1
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                for pattern, advice, where in BANNED:
                    if path.name == "clock.cpp":  # the one place that asks for the time of day
                        continue
                    if (not where or top == where) and re.search(pattern, line):
                        print(f"{name}:{number}: {advice}")
                        bad += 1
                if len(line) > 100:
                    print(f"{name}:{number}: {len(line)} columns, at most 100")
                    bad += 1
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
