"""culprit convert: the same case in every layout, all or nothing, nothing overwritten."""
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

import made_cases

CULPRIT = os.environ["CULPRIT"]
BUNDLED = pathlib.Path(os.environ["CULPRIT_SOURCE_DIR"]) / "examples/incidents/gpu-power-cap"


def run(*arguments):
    return subprocess.run([CULPRIT, *map(str, arguments)], capture_output=True, text=True, timeout=120)


def ranking(path):
    done = run("diagnose", path, "--format", "json", "--method", "nsigma")
    return json.loads(done.stdout)["ranking"]


class Convert(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.addCleanup(self.temporary.cleanup)
        self.folder = pathlib.Path(self.temporary.name)

    def test_every_layout_holds_the_same_case(self):
        expected = ranking(BUNDLED)
        self.assertTrue(expected)
        for layout, target in (("study", "study"), ("columnar", "one.culprit")):
            done = run("convert", BUNDLED, self.folder / target, "--to", layout)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(ranking(self.folder / target), expected, layout)
        before = json.loads(run("inspect", BUNDLED, "--format", "json").stdout)
        after = json.loads(run("inspect", self.folder / "one.culprit", "--format", "json").stdout)
        for part in ("metrics", "logs", "spans", "topology", "alert", "services"):
            self.assertEqual(after[part], before[part], part)

    def test_rcaeval_keeps_metrics_and_the_time(self):
        case = made_cases.write_case(self.folder, ("web", "db"), "db", "cpu", 1, rows=60)
        done = run("convert", case, self.folder / "out" / "db_cpu" / "1", "--to", "rcaeval")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(sorted(p.name for p in (self.folder / "out/db_cpu/1").iterdir()
                                if not p.name.startswith("collected")),
                         ["data.csv", "inject_time.txt"])
        self.assertEqual(ranking(self.folder / "out/db_cpu/1"), ranking(case))

    def test_a_dataset_keeps_its_labels(self):
        source = self.folder / "set"
        made_cases.write_dataset(source, 4)
        done = run("convert", source, self.folder / "fast", "--to", "columnar")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("4 of 4 cases", done.stdout)
        one = json.loads(run("inspect", self.folder / "fast", "--format", "json").stdout)
        two = json.loads(run("inspect", source, "--format", "json").stdout)
        self.assertEqual([c["truth"] for c in one], [c["truth"] for c in two])

    def test_overwrites_nothing_and_leaves_nothing_behind(self):
        case = made_cases.write_case(self.folder / "set", ("web", "db"), "db", "cpu", 1, rows=60)
        taken = self.folder / "taken.culprit"
        taken.write_text("mine")
        done = run("convert", case, taken, "--to", "columnar")
        self.assertEqual(done.returncode, 2)
        self.assertEqual(taken.read_text(), "mine")
        done = run("convert", self.folder / "nothing", self.folder / "new.culprit", "--to", "columnar")
        self.assertEqual(done.returncode, 2)
        self.assertEqual(run("convert", case, self.folder / "x", "--to", "columnar").returncode, 2,
                         "a columnar file needs its suffix")
        self.assertEqual(sorted(p.name for p in self.folder.iterdir()), ["set", "taken.culprit"])


if __name__ == "__main__":
    unittest.main()
