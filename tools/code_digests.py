#!/usr/bin/env python3
"""Writes the C++ table of one digest per method, over the code that its answers can depend on.

    tools/code_digests.py ROOT OUTPUT COMPILER_AND_FLAGS

The code of a method is the file that defines its factory, the readers, the scores, and all that these
include, with the sources that implement each header. A change elsewhere (a report, another method)
leaves the digest as it is, so `culprit evaluate` keeps the results. COMPILER_AND_FLAGS is part of each
digest."""
import hashlib
import pathlib
import re
import sys

INCLUDE = re.compile(r'^\s*#include "(culprit/[^"]+)"', re.M)
FACTORY = re.compile(r"^std::unique_ptr<Method> make_(\w+)\(\) \{", re.M)
# What turns a case folder into an incident and an answer into a score, whatever the method.
HARNESS = ["readers", "evaluation/accuracy.cpp", "evaluation/cell.cpp", "evaluation/chance.cpp"]
# Folders whose tables are compiled in from data/.
EMBEDDING = {"catalogue", "signatures"}


class Sources:
    def __init__(self, root: pathlib.Path):
        self.root = root
        self.text = {p.relative_to(root).as_posix(): p.read_text(encoding="utf-8")
                     for p in sorted((root / "culprit").rglob("*"))
                     if p.suffix in {".h", ".cpp"} and not p.stem.endswith("_test")}
        self.factories = {name: path for path, text in self.text.items()
                          for name in FACTORY.findall(text)}
        self.implementers = {}
        for path, text in self.text.items():
            for header in INCLUDE.findall(text):
                if self.implements(path, header):
                    self.implementers.setdefault(header, []).append(path)

    def implements(self, source: str, header: str) -> bool:
        """Its own source, or one of the same folder that has no header of its own."""
        if not source.endswith(".cpp"):
            return False
        own = source.removesuffix(".cpp") + ".h"
        if own == header:
            return True
        same_folder = source.rpartition("/")[0] == header.rpartition("/")[0]
        return same_folder and own not in self.text and source not in self.factories.values()

    def closure(self, start: list) -> list:
        found, open_ends = set(), list(start)
        while open_ends:
            path = open_ends.pop()
            if path in found or path not in self.text:
                continue
            found.add(path)
            open_ends += INCLUDE.findall(self.text[path])
            open_ends += self.implementers.get(path, [])
        return sorted(found)

    def digest(self, start: list, flags: str) -> str:
        harness = [p for p in self.text if p.removeprefix("culprit/").startswith(tuple(HARNESS))]
        paths = self.closure(start + harness)
        whole = hashlib.sha256(flags.encode())
        for path in paths:
            whole.update(f"{path}\0{self.text[path]}\0".encode())
        whole.update((self.root / "culprit/evaluation/runner.cpp").read_bytes())
        if any(path.split("/")[1] in EMBEDDING for path in paths):
            for table in sorted(p for p in (self.root / "data").rglob("*") if p.is_file()):
                whole.update(table.read_bytes())
        return whole.hexdigest()[:8]


def main() -> int:
    if len(sys.argv) != 4:
        print(__doc__, file=sys.stderr)
        return 2
    sources = Sources(pathlib.Path(sys.argv[1]))
    rows = [("chance", sources.digest(["culprit/methods/study_view.cpp"], sys.argv[3]))]
    rows += [(name, sources.digest([path], sys.argv[3]))
             for name, path in sorted(sources.factories.items())]
    table = "".join(f'    {{"{name}", "{digest}"}},\n' for name, digest in rows)
    pathlib.Path(sys.argv[2]).write_text(
        '#include "culprit/evaluation/code_digest.h"\n\nnamespace culprit {\nnamespace {\n\n'
        "constexpr CodeDigest digests[] = {\n" + table + "};\n\n}  // namespace\n\n"
        "std::span<const CodeDigest> code_digests() { return digests; }\n\n}  // namespace culprit\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
