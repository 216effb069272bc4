#!/usr/bin/env python3
"""House rules that no compiler checks: banned words with their replacement, files that belong to no
target, leftover markers, links of Markdown pages that lead nowhere. Exit status 1 and one line per
finding."""
import pathlib
import re
import subprocess
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


def anchor(heading: str) -> str:
    """What GitHub makes of a heading: lower case, "-" for spaces, punctuation dropped."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def anchors(page: pathlib.Path) -> set[str]:
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    return {anchor(line.lstrip("#")) for line in text.splitlines() if re.match(r"#+ ", line)}


def dead_links(root: pathlib.Path, pages: list[pathlib.Path]) -> list[str]:
    """Links and pictures of the pages whose file or heading does not exist; the web is not asked."""
    dead = []
    for page in pages:
        is_code = False
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
            is_code ^= line.lstrip().startswith("```")
            if is_code:
                continue
            for target in re.findall(r"\]\(<?([^)\s>]+)>?\)", re.sub(r"`[^`]*`", "", line)):
                if re.match(r"[a-z]+:", target):
                    continue
                path, _, heading = target.partition("#")
                found = (page.parent / path).resolve() if path else page
                if not found.exists():
                    dead.append(f"{page.relative_to(root)}:{number}: no file {target}")
                elif heading and found.suffix == ".md" and heading not in anchors(found):
                    dead.append(f"{page.relative_to(root)}:{number}: no heading {target}")
    return dead


def markdown_pages(root: pathlib.Path) -> list[pathlib.Path]:
    """What the project ships: tracked and new files, not what is built or ignored."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"],
                            cwd=root, capture_output=True, text=True)
    if listed.returncode == 0:
        return sorted(p for name in listed.stdout.split("\0") if name and (p := root / name).exists())
    return sorted(p for p in root.rglob("*.md") if "build" not in p.relative_to(root).parts[0])


def main() -> int:
    root = pathlib.Path(__file__).resolve().parent.parent
    links = dead_links(root, markdown_pages(root))
    for line in links:
        print(line)
    bad = len(links)
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
