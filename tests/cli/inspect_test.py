"""culprit inspect: what is in a case, everything that is wrong with it, exit codes."""
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
    return subprocess.run([CULPRIT, "inspect", *map(str, arguments)], capture_output=True, text=True, timeout=60)


class Inspect(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.case = made_cases.write_case(self.folder.name, ("web", "db"), "db", "cpu", 1, rows=60)

    def test_says_what_is_in_a_case(self):
        found = json.loads(run(self.case, "--format", "json").stdout)
        self.assertEqual(found["metrics"]["rows"], 60)
        self.assertEqual(found["metrics"]["columns"], 6)
        self.assertEqual(found["metrics"]["step_s"], 1)
        self.assertEqual((found["rows_before"], found["rows_after"]), (30, 30))
        self.assertEqual([service["name"] for service in found["services"]], ["web", "db"])
        self.assertEqual(found["truth"]["services"], ["db"])
        self.assertEqual(found["problems"], [])
        self.assertIsNone(found["logs"])
        text = run(self.case)
        self.assertEqual(text.returncode, 0)
        self.assertIn("60 rows", text.stdout)

    def test_names_file_line_and_field_of_every_problem(self):
        table = self.case / "data.csv"
        lines = table.read_text().splitlines()
        cells = lines[5].split(",")
        cells[2] = "broken"
        lines[5] = ",".join(cells)
        lines[9] += ",1"
        lines[20] = ""
        table.write_text("\n".join(lines) + "\n")
        found = json.loads(run(self.case, "--format", "json").stdout)
        places = [problem["place"] for problem in found["problems"]]
        self.assertIn("data.csv:6:3", places)
        self.assertIn("data.csv:10", places)
        self.assertEqual(found["metrics"]["missing_values"], 1)
        self.assertEqual(found["metrics"]["gaps"], 2)
        strict = run(self.case, "--strict")
        self.assertEqual(strict.returncode, 2)

    def test_counts_logs_spans_and_calls_of_the_bundled_incident(self):
        found = json.loads(run(BUNDLED, "--format", "json").stdout)
        self.assertGreater(found["logs"]["records"], 1000)
        self.assertGreater(len(found["logs"]["templates"]), 3)
        self.assertGreater(found["spans"]["traces"], 100)
        self.assertGreater(found["topology"]["calls"], 0)

    def test_a_dataset_is_a_list_and_what_is_no_case_is_2(self):
        made_cases.write_case(self.folder.name, ("web", "db"), "web", "cpu", 2, rows=60)
        self.assertEqual(len(json.loads(run(self.folder.name, "--format", "json").stdout)), 2)
        for path in (self.folder.name + "/nothing", "/dev/null"):
            done = run(path)
            self.assertEqual(done.returncode, 2, path)
            self.assertTrue(done.stderr.startswith("error: "), path)


if __name__ == "__main__":
    unittest.main()
