"""Recorded datasets: files as when recorded, cases in the half that the split fixed, the study's rules kept."""
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(os.environ["CULPRIT_SOURCE_DIR"])
DATASETS = [ROOT / "datasets" / name for name in ("llm-testbed", "llm-testbed-sound")]


class Dataset(unittest.TestCase):
    def test_every_file_is_as_recorded(self):
        for dataset in DATASETS:
            listed = {}
            for line in (dataset / "checksums.txt").read_text(encoding="utf-8").splitlines():
                digest, path = line.split("  ", 1)
                listed[path] = digest
            there = {str(path.relative_to(dataset)) for path in dataset.rglob("*")
                     if path.is_file() and path.name != "checksums.txt"}
            self.assertEqual(there, set(listed))
            for path, digest in listed.items():
                self.assertEqual(hashlib.sha256((dataset / path).read_bytes()).hexdigest(), digest, path)

    def test_every_case_is_in_its_half_and_undone(self):
        for dataset in DATASETS:
            split = json.loads((dataset / "split.json").read_text(encoding="utf-8"))["cases"]
            count = 0
            for path in dataset.glob("*/*/*/case.json"):
                half, name, number = path.parent.relative_to(dataset).parts
                self.assertEqual(split[f"{name}/{number}"], half)
                label = json.loads(path.read_text(encoding="utf-8"))
                for fault in label["faults"]:
                    self.assertNotIn("problem", fault, path)
                    self.assertGreater(fault["removed"], fault["applied"])
                    self.assertEqual(fault["target"] in label["root_cause_service"], fault["breaks_component"])
                count += 1
            self.assertEqual(count, len(split))

    def test_the_study_s_reference_could_read_it(self):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([sys.executable, ROOT / "tools" / "study_export.py", DATASETS[0] / "dev", folder],
                                  capture_output=True, text=True, timeout=110)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertIn("all rules kept", done.stdout)


if __name__ == "__main__":
    unittest.main()
