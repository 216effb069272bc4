"""culprit evaluate: its files, its arithmetic on a set whose answer is known, and that a killed run
goes on with nothing computed twice and nothing lost."""
import csv
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time
import unittest

from made_cases import write_case, write_dataset

CULPRIT = os.environ["CULPRIT"]
NOT_REPEATABLE = ("wall_seconds", "cpu_seconds", "heap_peak_bytes")


def run(*arguments):
    return subprocess.run([CULPRIT, "evaluate", *map(str, arguments)], capture_output=True, text=True, timeout=100)


def lines(path):
    return [json.loads(line) for line in pathlib.Path(path).read_text().splitlines()]


def repeatable(cells):
    return [{key: value for key, value in cell.items() if key not in NOT_REPEATABLE} for cell in cells]


class Evaluate(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.root = pathlib.Path(self.folder.name)

    def test_writes_every_file_and_finds_the_obvious(self):
        write_dataset(self.root / "made", 8)
        done = run(self.root / "made", "--methods", "nsigma,mean_shift", "--output", self.root / "out")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr, "")
        self.assertIn("AC@1 [95 % CI]", done.stdout)
        cells = lines(self.root / "out" / "results.jsonl")
        # nsigma twice, mean_shift, chance, and latest_change, which these cases have no events for
        self.assertEqual(len(cells), 8 * 5)
        self.assertEqual({c["status"] for c in cells if c["method"] == "latest_change"}, {"not_applicable"})
        self.assertNotIn("latest_change", done.stdout)
        rows = list(csv.DictReader((self.root / "out" / "summary.csv").read_text().splitlines()))
        found = {(r["method"], r["variant"], r["level"]): r for r in rows if r["dimension"] == "all"}
        self.assertEqual(float(found["mean_shift", "published", "service"]["ac1"]), 1.0)
        self.assertEqual(float(found["mean_shift", "published", "metric"]["mrr"]), 1.0)
        # Four services of three columns: each is first in a quarter of the orders.
        self.assertAlmostEqual(float(found["chance", "-", "service"]["ac1"]), 0.25)
        self.assertAlmostEqual(float(found["chance", "-", "metric"]["ac1"]), 1 / 12)
        self.assertEqual({r["value"] for r in rows if r["dimension"] == "fault"}, {"cpu", "gpu"})
        summary = json.loads((self.root / "out" / "summary.json").read_text())
        self.assertEqual(summary["cases"], 8)
        self.assertIn("chance", (self.root / "out" / "summary.md").read_text())
        page = (self.root / "out" / "index.html").read_text()
        self.assertIn("mean_shift", page)
        self.assertNotRegex(page, r"(src|href)=.https?://")

    def test_what_ran_out_of_time_is_tried_again_with_more(self):
        write_dataset(self.root / "made", 2)
        arguments = (self.root / "made", "--methods", "causalrca", "--variant", "published",
                     "--output", self.root / "out", "--timeout")
        for seconds, failed in (("0.001", True), ("0.001", True), ("50", False), ("0.001", False)):
            self.assertEqual(run(*arguments, seconds).returncode, 0)
            cells = [c for c in lines(self.root / "out" / "results.jsonl") if c["method"] == "causalrca"]
            self.assertEqual([c["status"] == "failed" for c in cells], [failed] * 2, seconds)
        # One try that ran out of time, one that did not; the others were reused.
        tries = [c for c in lines(self.root / "out" / "journal.jsonl") if c["method"] == "causalrca"]
        self.assertEqual(len(tries), 2 * 2)

    def test_every_table_has_the_trivial_baselines(self):
        write_dataset(self.root / "made", 3)
        done = run(self.root / "made", "--methods", "baro", "--output", self.root / "out")
        for name in ("mean_shift", "chance", "baro"):
            self.assertIn(name, done.stdout)

    def test_a_killed_run_goes_on(self):
        data = write_dataset(self.root / "made", 60)
        arguments = (data, "--methods", "dummy,nsigma,baro", "--jobs", "1", "--seed", "5")
        whole = run(*arguments, "--output", self.root / "whole")
        self.assertEqual(whole.returncode, 0, whole.stderr)
        journal = self.root / "killed" / "journal.jsonl"
        kills = 0
        for wanted in (20, 130, 260, 390):
            process = subprocess.Popen(
                [CULPRIT, "evaluate", *map(str, arguments), "--output", str(self.root / "killed")],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            while process.poll() is None:
                if journal.exists() and journal.read_bytes().count(b"\n") >= wanted:
                    process.send_signal(signal.SIGKILL)
                    process.wait()
                time.sleep(0.0005)
            kills += process.returncode == -signal.SIGKILL
            if process.returncode == 0:
                break
        self.assertGreater(kills, 0)
        kept = journal.read_bytes()
        with journal.open("ab") as file:  # what a kill within a write leaves
            file.write(b'{"dataset":"made","case":"ma')
        again = run(*arguments, "--output", self.root / "killed")
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertTrue(journal.read_bytes().startswith(kept[:kept.rfind(b"\n") + 1]))
        cells = lines(journal)
        keys = [(c["case"], c["method"], c["variant"]) for c in cells]
        self.assertEqual(len(keys), len(set(keys)))
        self.assertEqual(repeatable(lines(self.root / "killed" / "results.jsonl")),
                         repeatable(lines(self.root / "whole" / "results.jsonl")))
        before = journal.read_bytes()
        run(*arguments, "--output", self.root / "killed")
        self.assertEqual(journal.read_bytes(), before)

    def test_answers_do_not_depend_on_jobs(self):
        data = write_dataset(self.root / "made", 12)
        for jobs in ("1", "3"):
            self.assertEqual(run(data, "--methods", "dummy,baro", "--jobs", jobs, "--output", self.root / jobs).returncode, 0)
        self.assertEqual(repeatable(lines(self.root / "1" / "results.jsonl")),
                         repeatable(lines(self.root / "3" / "results.jsonl")))

    def test_a_broken_case_is_a_failed_one_with_its_reason(self):
        data = write_dataset(self.root / "made", 4)
        (write_case(data, ("proxy", "head"), "proxy", "cpu", 99) / "data.csv").write_text("time,proxy_cpu\n1,x\n")
        done = run(data, "--methods", "nsigma", "--variant", "published", "--output", self.root / "out")
        self.assertEqual(done.returncode, 0, done.stderr)
        failed = [c for c in lines(self.root / "out" / "results.jsonl") if c["status"] == "failed"]
        self.assertEqual({c["method"] for c in failed}, {"nsigma", "mean_shift", "chance"})
        self.assertTrue(all(c["reason"] and c["truth"] == ["proxy"] for c in failed))

    def test_bad_requests_are_2(self):
        data = write_dataset(self.root / "made", 1)
        for arguments, word in (((self.root / "none",), "none"),
                                ((data, "--methods", "nope"), "nope"),
                                ((data, "--methods", "baro", "--option", "alpha"), "name=number"),
                                ((data, "--methods", "baro", "--option", "nope=1"), "nope")):
            done = run(*arguments, "--output", self.root / "out")
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(word, done.stderr)


if __name__ == "__main__":
    unittest.main()
