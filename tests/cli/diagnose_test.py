"""culprit diagnose: the JSON that programs read, the screen, the page, and what bad input gets."""
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

from made_cases import write_case, write_exported_case

CULPRIT = os.environ["CULPRIT"]


class Diagnose(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.case = write_case(self.root, ("proxy", "head", "replica-0"), "head", "cpu", 1, size=20.0)

    def run_culprit(self, *arguments):
        return subprocess.run([CULPRIT, "diagnose", *map(str, arguments)], capture_output=True, text=True,
                              timeout=60, cwd=self.root)

    def test_json_has_the_agreed_shape_and_is_complete(self):
        done = self.run_culprit(self.case, "--method", "nsigma", "--variant", "reference", "--format", "json")
        self.assertEqual(done.returncode, 0, done.stderr)
        answer = json.loads(done.stdout)
        self.assertEqual([answer[k] for k in ("method", "variant", "status")], ["nsigma", "reference", "ok"])
        self.assertEqual(len(answer["ranking"]), 9)
        scores = [suspect["score"] for suspect in answer["ranking"]]
        self.assertEqual(scores, sorted(scores, reverse=True))
        best = answer["ranking"][0]
        self.assertEqual((best["name"], best["service"]), ("head_cpu", "head"))
        shift = best["evidence"][0]
        self.assertEqual((shift["kind"], shift["column"]), ("metric", "head_cpu"))
        self.assertAlmostEqual(shift["baseline"], 10, delta=0.5)
        self.assertGreater(shift["peak"], 28)
        self.assertEqual(shift["onset"], "2023-11-14T22:14:20Z")
        self.assertEqual(list(self.root.glob("*.html")), [])

    def test_several_methods_give_an_array_and_top_cuts(self):
        done = self.run_culprit(self.case, "--method", "nsigma,mean_shift", "--variant", "both", "--top", "2", "--format", "json")
        answers = json.loads(done.stdout)
        self.assertEqual([(a["method"], a["variant"]) for a in answers],
                         [("nsigma", "reference"), ("nsigma", "published"), ("mean_shift", "published")])
        self.assertTrue(all(len(a["ranking"]) == 2 for a in answers))

    def test_the_screen_says_what_since_when_and_where_the_report_is(self):
        done = self.run_culprit(self.case)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(" 1  head", done.stdout)
        for words in ("9 metrics of 3 services every 1 s", "logs, traces", "22:14:20", "CPU used 9.98 -> 29.9"):
            self.assertIn(words, done.stdout)
        name = done.stdout.split("\nreport", 1)[1].split()[0]
        page = (self.root / name).read_text()
        self.assertTrue(page.rstrip().endswith("</html>"))
        self.assertNotRegex(page, r"(src|href)=.https?://")

    def test_hostile_names_stay_text(self):
        data = (self.case / "data.csv").read_text()
        (self.case / "data.csv").write_text(data.replace("head_cpu", "</script><img src=x>\x1b[31m_cpu"))
        page = self.run_culprit(self.case, "--method", "nsigma", "--format", "html").stdout
        self.assertNotIn("<img", page)
        self.assertNotIn("\x1b", self.run_culprit(self.case, "--method", "nsigma", "--no-report").stdout)

    def test_series_as_prometheus_exports_them(self):
        done = self.run_culprit(write_exported_case(self.root), "--format", "json")
        self.assertEqual(done.returncode, 0, done.stderr)
        answer = json.loads(done.stdout)
        self.assertEqual(answer["ranking"][0]["service"], "llm-7f9c-bb41")
        first = answer["findings"][0]
        self.assertEqual((first["component"], first["fault"]), ("llm-7f9c-bb41", "gpu_power_cap"))

    def test_a_system_of_any_kind_may_be_sound(self):
        quiet = write_case(self.root / "quiet", ("a", "b", "c"), "b", "none", 1, size=0.0)
        answer = json.loads(self.run_culprit(quiet, "--format", "json").stdout)
        self.assertEqual((answer["findings"][0]["component"], answer["findings"][0]["fault"]), ("", "nothing"))
        answer = json.loads(self.run_culprit(self.case, "--format", "json").stdout)
        self.assertEqual(answer["findings"][0]["component"], "head")

    def test_markdown_and_a_file(self):
        done = self.run_culprit(self.case, "--format", "markdown", "--output", "out.md")
        self.assertEqual((done.returncode, done.stdout), (0, ""))
        self.assertIn("### 1. head", (self.root / "out.md").read_text())

    def test_at_replaces_a_missing_time(self):
        (self.case / "inject_time.txt").unlink()
        (self.case / "case.json").unlink()
        without = self.run_culprit(self.case, "--no-report")
        self.assertEqual(without.returncode, 2, without.stdout)
        self.assertIn("--at", without.stderr)
        done = self.run_culprit(self.case, "--at", "1700000060", "--format", "json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)["ranking"][0]["service"], "head")

    def test_a_method_without_its_data_is_failed_and_1(self):
        done = self.run_culprit(self.case, "--method", "tracerca", "--format", "json")
        self.assertEqual(done.returncode, 1)
        answer = json.loads(done.stdout)
        self.assertEqual((answer["status"], answer["ranking"]), ("failed", []))
        self.assertTrue(answer["reason"])
        self.assertIn("error: tracerca", done.stderr)

    def test_bad_requests_are_2(self):
        for arguments, word in (((self.root / "nowhere",), "nowhere"), ((self.case, "--at", "soon"), "--at"),
                                ((self.case, "--option", "x=1"), "x"), ((self.case, "--method", "nope"), "nope"),
                                ((self.case, "--top", "0"), "top")):
            done = self.run_culprit(*arguments)
            self.assertEqual(done.returncode, 2, (arguments, done.stderr))
            self.assertIn(word, done.stderr)


class OnCall(unittest.TestCase):
    """The bundled incident, as someone woken up by it reads it."""

    @classmethod
    def setUpClass(cls):
        incident = pathlib.Path(os.environ["CULPRIT_SOURCE_DIR"]) / "examples" / "incidents" / "gpu-power-cap"
        cls.text, cls.json, cls.markdown, cls.page = (
            subprocess.run([CULPRIT, "diagnose", str(incident), "--no-report", "--format", form], capture_output=True,
                           text=True, timeout=60, check=True).stdout for form in ("table", "json", "markdown", "html"))

    def test_the_first_line_is_what_users_felt_in_numbers(self):
        self.assertRegex(self.text.splitlines()[0],
                         r"^incident +.*latency p95 [0-9.]+ m?s -> [0-9.]+ s.* since [0-9:]+ ±[0-9]+ s, "
                         r"1 of 3 replicas slow, load unchanged$")

    def test_the_answer_says_why_why_not_and_what_to_do(self):
        lines = self.text.splitlines()
        self.assertRegex(lines[2], r"^ 1  ray-replicas-1 +GPU power cap +[0-9]+ %$")
        self.assertIn("first to move", lines[3])
        labels = [line.split()[0] for line in lines if line.startswith("      ") and line[6] != " "]
        for label in ("where", "not", "do", "meanwhile"):
            self.assertIn(label, labels)
        self.assertLess(self.text.index("meanwhile"), self.text.index("case  "))

    def test_no_exporters_name_stands_for_a_signal(self):
        told = self.text[:self.text.index("\n\n", self.text.index(" 1  "))]
        for raw in ("DCGM_FI", "vllm:", "container_", "_total", "engine.itl"):
            self.assertNotIn(raw, told)

    def test_programs_get_the_numbers(self):
        answer = json.loads(self.json)
        symptom = answer["symptom"]
        self.assertGreater(symptom["now"], 1.2 * symptom["baseline"])
        first = answer["findings"][0]
        clock = next(step for step in first["chain"] if step["signal"] == "gpu.sm_clock")
        self.assertLess(clock["now"], 0.6 * clock["baseline"])
        self.assertAlmostEqual(clock["siblings"], clock["baseline"], delta=0.01 * clock["baseline"])
        self.assertRegex(first["meanwhile"]["action"], r"^Drain ray-replicas-1: .*requests/s")
        self.assertTrue(first["ruled_out"])

    def test_markdown_and_page_tell_the_same(self):
        for text in (self.markdown, self.page):
            for words in ("request latency p95", "GPU power cap", "Drain ray-replicas-1", "not: GPU thermal throttling"
                          if text is self.markdown else "GPU thermal throttling: "):
                self.assertIn(words, text)
        data = json.loads(self.page.split('id="data">', 1)[1].split("</script>", 1)[0])
        step = data["answers"][0]["findings"][0]["chain"][0]
        self.assertEqual([series["component"] for series in step["series"]],
                         ["ray-replicas-1", "ray-replicas-0", "ray-replicas-2"])


if __name__ == "__main__":
    unittest.main()
