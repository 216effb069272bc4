"""What strangers hand over: every such input gives one clear error or a counted warning that says where, from
every command that reads cases; nothing crashes, hangs, or stays behind half written."""
import gzip
import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

from made_cases import write_case

CULPRIT = os.environ["CULPRIT"]
BEGIN, HALF = 1_700_000_000, 1_700_000_030


def run(*arguments, user=None):
    return subprocess.run([CULPRIT, *map(str, arguments)], capture_output=True, text=True, timeout=100, user=user)


def edit_row(table, row, change):
    lines = table.read_text().splitlines()
    lines[row] = change(lines[row])
    table.write_text("\n".join(lines) + "\n")


def set_cell(row, field, text):
    def change(line):
        cells = line.split(",")
        cells[field] = text
        return ",".join(cells)
    return lambda case: edit_row(case / "data.csv", row, change)


def write(name, content):
    def change(case):
        (case / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return change


def replace(name, make):
    def change(case):
        (case / name).unlink()
        make(case / name)
    return change


def in_case_json(**values):
    def change(case):
        label = json.loads((case / "case.json").read_text()) | values
        (case / "case.json").write_text(json.dumps(label))
    return change


def labelled(time):
    return lambda case: ((case / "inject_time.txt").unlink(), in_case_json(inject_time=time)(case))


def cut(name, packed):
    def change(case):
        data = packed((case / name).read_bytes())
        (case / name).write_bytes(data[:len(data) // 2])
    return change


def zstd(data):
    return subprocess.run(["zstd", "-q"], input=data, capture_output=True, check=True).stdout


def link_to_nothing(path):
    path.symlink_to("/nothing/here")


def link_to_itself(path):
    path.symlink_to(path.name)


# What each input leads to: an error that no command gets past ...
ERRORS = {
    "UTF-16 table": (write("data.csv", "time,web_cpu\n1,2\n".encode("utf-16")), r"data.csv: expected UTF-8 text, found UTF-16"),
    "UTF-16 label": (write("case.json", "{}".encode("utf-16")), r"case.json: expected UTF-8 text, found UTF-16"),
    "binary table": (write("data.csv", bytes(range(256)) * 16), r"data.csv: expected UTF-8 text, found zero bytes"),
    "truncated gzip": (cut("data.csv", gzip.compress), r"data.csv: expected the end of the gzip stream, .*truncated"),
    "truncated zstd": (cut("data.csv", zstd), r"data.csv: expected the end of the zstd frame, .*truncated"),
    "empty table": (write("data.csv", ""), r"data.csv: expected a header, found an empty file"),
    "empty logs": (write("logs.csv", ""), r"logs.csv: expected a header, found an empty file"),
    "empty label": (write("case.json", ""), r"case.json:1:1: expected JSON, found the end of the text"),
    "empty time": (write("inject_time.txt", ""), r"inject_time.txt:1:1: expected the injection time"),
    "no time column": (write("data.csv", "when,web_cpu\n1,2\n"), r"data.csv:1: expected a column \"time\", found \"when\""),
    "other separators": (write("data.csv", "time;web_cpu\n1;2\n"), r"data.csv:1: expected a column \"time\", found \"time;web_cpu\""),
    "no message column": (write("logs.csv", "timestamp,container_name\n1,2\n"), r"logs.csv:1: expected a column \"message\""),
    "a word for a time": (write("inject_time.txt", "yesterday\n"), r"inject_time.txt:1:1: expected .*, found \"yesterday\""),
    "a huge time": (write("inject_time.txt", "1e300"), r"inject_time.txt:1:1: expected .*, found \"1e300\""),
    "a negative time": (write("inject_time.txt", "-5"), r"inject_time.txt:1:1: expected .*, found \"-5\""),
    "broken label": (write("case.json", '{\n "fault": "cpu",\n  broken }'), r"case.json:3:3: expected JSON, found a syntax error at \"broken }\""),
    "label cut short": (write("case.json", '{\n "fault": "cpu",'), r"case.json:2:17: expected JSON, found the end of the text"),
    "label without end": (write("case.json", "[" * 1_000_000), r"case.json:1:1000001: expected JSON, found the end of the text"),
    "number beyond double in label": (write("case.json", '{"x": 1e999}'), r"case.json:1:1: expected JSON, found a number too large"),
    "list for a label": (write("case.json", "[1]"), r"case.json: expected a JSON object, found a list"),
    "nested metrics": (lambda case: ((case / "data.csv").unlink(), write("metrics.json", '{"a":' * 100_000 + "1" + "}" * 100_000)(case)), r"metrics.json: expected JSON, found: .*too deep"),
    "folder for a table": (replace("data.csv", pathlib.Path.mkdir), r"data.csv: expected a regular file"),
    "folder for logs": (lambda case: (case / "logs.csv").mkdir(), r"logs.csv: expected a regular file"),
    "folder for a time": (replace("inject_time.txt", pathlib.Path.mkdir), r"inject_time.txt: expected a regular file"),
    "pipe for a table": (replace("data.csv", os.mkfifo), r"data.csv: expected a regular file"),
    "pipe for spans": (lambda case: os.mkfifo(case / "traces.csv"), r"traces.csv: expected a regular file"),
    "link to nothing": (lambda case: link_to_nothing(case / "logs.csv"), r"logs.csv: No such file"),
    "link to itself": (replace("data.csv", link_to_itself), r"data.csv: Too many levels of symbolic links"),
}

# ... or a problem that is counted and told, and an error with --strict.
PROBLEMS = {
    "ragged row": (lambda case: edit_row(case / "data.csv", 5, lambda line: line + ",1"), "data.csv:6", "expected 7 fields, found 8; the row was not used"),
    "text for a number": (set_cell(5, 2, "n/a?"), "data.csv:6:3", 'expected a number in column "web_mem", found "n/a?"'),
    "infinity": (set_cell(6, 2, "-inf"), "data.csv:7:3", "expected a finite number"),
    "beyond double": (set_cell(6, 2, "1e400"), "data.csv:7:3", "expected a finite number"),
    "400 digits": (set_cell(6, 2, "9" * 400), "data.csv:7:3", "expected a finite number"),
    "bad time": (set_cell(5, 0, "soon"), "data.csv:6:1", 'expected a time, found "soon"'),
    "unsorted": (set_cell(5, 0, str(BEGIN + 500)), "data.csv:7:1", "expected ascending times"),
    "time twice": (set_cell(5, 0, str(BEGIN + 3)), "data.csv:6:1", "expected one row per time"),
    "open quote": (lambda case: edit_row(case / "data.csv", 5, lambda line: '"' + line), "data.csv:6", "expected a closed quote"),
    "column twice": (lambda case: edit_row(case / "data.csv", 0, lambda line: line.replace("web_mem", "web_cpu")), "data.csv:1:3", "expected distinct column names"),
    "Latin-1": (lambda case: write("data.csv", (case / "data.csv").read_bytes().replace(b"web_mem", b"w\xe9b_mem"))(case), "data.csv:1:3", r'found "w\xE9b_mem"'),
    "header only": (lambda case: write("data.csv", "time,web_cpu\n")(case), "data.csv", "expected rows of values, found none"),
    "nothing after the alert": (write("inject_time.txt", "1800000000"), "inject_time.txt", "expected data after the alert at 2027-01-15 08:00:00, found none"),
    "nothing before the alert": (write("inject_time.txt", "1600000000"), "inject_time.txt", "expected data before the alert"),
    "number for a service": (in_case_json(root_cause_service=5), "case.json", 'expected "root_cause_service" to be a text or a list of texts, found 5'),
    "number among services": (in_case_json(root_cause_service=["db", 3]), "case.json", 'expected "root_cause_service" to be a text or a list of texts, found 3'),
    "object for a fault": (in_case_json(fault={"kind": "cpu"}), "case.json", 'expected "fault" to be a text or a list of texts, found an object'),
    "object for a time": (in_case_json(inject_time={"at": 1}), "case.json", 'expected "inject_time" to be a time, found an object'),
    "nested time": (lambda case: write("case.json", '{"inject_time":' + "[" * 1_000_000 + "]" * 1_000_000 + "}")(case), "case.json", 'expected "inject_time" to be a time, found a list'),
}


class BadInput(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.root = pathlib.Path(self.folder.name)
        self.root.chmod(0o755)
        self.num_cases = 0

    def case(self, change, below="."):
        self.num_cases += 1
        made = write_case(self.root / below / str(self.num_cases), ("web", "db"), "db", "cpu", 1, rows=60)
        change(made)
        return made

    def refused(self, done, pattern, code=2):
        self.assertEqual(done.returncode, code, done.stderr)
        first = done.stderr.splitlines()[0]
        self.assertTrue(first.startswith("error: "), done.stderr)
        self.assertRegex(first, pattern)
        self.assertEqual(done.stderr.count("error: "), 1, done.stderr)

    def test_an_error_names_the_file_and_stops_every_command(self):
        for name, (change, pattern) in ERRORS.items():
            with self.subTest(name):
                case = self.case(change)
                # What the system says about a file is a failure (1), what its bytes say a bad request (2).
                code = 1 if re.search("No such|Too many", pattern) and "No such" not in pattern else 2
                self.refused(run("inspect", case), pattern)
                self.refused(run("diagnose", case, "--output", "-"), pattern, code)
                self.refused(run("convert", case, self.root / name, "--to", "study"), pattern, code)
                self.assertFalse((self.root / name).exists())
                done = run("evaluate", case, "--methods", "nsigma", "--output", self.root / "results")
                if re.match(r"logs|traces", pattern):  # which nsigma does not read
                    self.assertEqual((done.returncode, done.stderr), (0, ""))
                else:
                    self.assertEqual(done.returncode, 2)
                    self.assertRegex(done.stderr, r"warning: case not read: .*" + pattern)

    def test_a_problem_is_counted_and_says_where(self):
        for name, (change, place, message) in PROBLEMS.items():
            with self.subTest(name):
                case = self.case(change)
                done = run("inspect", case, "--format", "json")
                self.assertEqual(done.returncode, 0, done.stderr)
                told = [problem for problem in json.loads(done.stdout)["problems"] if message in problem["message"]]
                self.assertEqual([problem["place"] for problem in told], [place], done.stdout[-2000:])
                self.assertEqual(told[0]["count"], 1)
                self.refused(run("inspect", case, "--strict"), re.escape(f"{case}/{place}: "))
                self.assertEqual(run("diagnose", case, "--output", "-").returncode, 0)

    def test_a_time_may_be_written_in_many_ways(self):
        iso = "2023-11-14T22:13:50Z"
        for text in (f"{HALF}", f"{HALF}000", f"{HALF}000000", f"{HALF}000000000", f"{HALF}.0", f" {HALF} \r\n", f"\ufeff{HALF}\n",
                     iso, "2023-11-14 22:13:50", "2023-11-14T23:13:50+01:00"):
            for change in (write("inject_time.txt", text), labelled(text.strip("\ufeff \r\n"))):
                with self.subTest(text):
                    found = json.loads(run("inspect", self.case(change), "--format", "json").stdout)
                    self.assertEqual((found["rows_before"], found["rows_after"], found["problems"]), (30, 30, []))
        for number in (HALF, HALF * 1000, HALF * 10**9, HALF + 0.0):
            with self.subTest(number):
                found = json.loads(run("inspect", self.case(labelled(number)), "--format", "json").stdout)
                self.assertEqual((found["rows_before"], found["rows_after"], found["problems"]), (30, 30, []))

    def test_what_may_not_be_read_is_said_and_never_left_out(self):
        sound = self.case(lambda case: None, "set")
        for locked in ("file", "folder"):
            with self.subTest(locked):
                case = self.case(lambda case: None, "set")
                (case / "data.csv" if locked == "file" else case).chmod(0)
                user = "nobody" if os.getuid() == 0 else None
                pattern = re.escape(f"{case}/") + ".*Permission denied"
                self.refused(run("inspect", case, user=user), pattern)
                self.refused(run("diagnose", case, "--output", "-", user=user), pattern, 1)
                out = tempfile.mkdtemp(dir="/tmp")
                self.addCleanup(subprocess.run, ["rm", "-rf", out])
                os.chmod(out, 0o777)
                done = run("evaluate", self.root / "set", "--methods", "nsigma", "--output", out + "/results", user=user)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertRegex(done.stderr, "warning: case not read: " + pattern)
                case.chmod(0o755)
                subprocess.run(["rm", "-rf", case], check=True)
        self.assertEqual(run("inspect", sound).returncode, 0)

    def test_a_path_may_hold_anything(self):
        name = "a b\nc \u00e9'\"$(x)\x1b[31m"
        case = self.case(lambda case: None, name)
        for done in (run("inspect", case, "--strict"), run("diagnose", case, "--output", "-"),
                     run("convert", case, self.root / "copies" / name, "--to", "study"),
                     run("evaluate", case, "--methods", "nsigma", "--output", self.root / name / "results")):
            self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual((self.root / "copies" / name / "data.csv").read_text().count("\n"), 61)
        missing = self.root / name / "none"
        for command in (["inspect", missing], ["diagnose", missing], ["convert", missing, self.root / "out", "--to", "study"],
                        ["evaluate", missing]):
            done = run(*command)
            self.refused(done, r"a b\\x0Ac \u00e9'\"\$\(x\)\\x1B\[31m/none: expected a case or a folder of cases, found nothing")
            self.assertNotIn("\x1b", done.stderr)
            word = re.search(r"Try: culprit inspect (.*)", done.stderr)
            if word:  # may be copied into a shell
                echoed = subprocess.run(["bash", "-c", f"printf %s {word[1]}"], capture_output=True, text=True, check=True)
                self.assertEqual(echoed.stdout, str(missing))

    def test_what_is_no_case_is_refused_for_what_it_is(self):
        os.mkfifo(self.root / "pipe")
        os.mkfifo(self.root / "pipe.culprit")
        (self.root / "empty.culprit").touch()
        (self.root / "noise.culprit").write_bytes(bytes(range(256)) * 16)
        link_to_itself(self.root / "loop")
        (self.root / "nothing in it").mkdir()
        for name, pattern, code in (
                ("pipe", "expected a folder or a .culprit file, found another file", 2),
                ("pipe.culprit", "expected a folder or a .culprit file, found another file", 2),
                ("empty.culprit", "expected a culprit file, found other bytes", 2),
                ("noise.culprit", "expected a culprit file, found other bytes", 2),
                ("loop", "Too many levels of symbolic links", 1),
                ("nothing in it", "expected .*data.csv", 2)):
            with self.subTest(name):
                self.refused(run("diagnose", self.root / name), pattern, code)
                self.refused(run("convert", self.root / name, self.root / "copy", "--to", "study"), pattern, code)
                self.assertFalse((self.root / "copy").exists())

    def test_a_table_may_be_very_wide(self):
        num_columns = 300_000
        case = self.case(lambda case: None)
        with open(case / "data.csv", "w") as table:
            table.write("time," + ",".join(f"web_m{i}" for i in range(num_columns)) + "\n")
            for row in range(4):
                table.write(f"{HALF - 2 + row}" + ",1" * num_columns + "\n")
        found = json.loads(run("inspect", case, "--format", "json").stdout)
        self.assertEqual((found["metrics"]["columns"], found["metrics"]["rows"], found["problems"]), (num_columns, 4, []))

    def test_nothing_to_score_is_said(self):
        done = run("evaluate", self.case(in_case_json(root_cause_service=[])), "--methods", "nsigma", "--output", self.root / "results")
        self.assertEqual(done.returncode, 0)
        self.assertIn("warning: no case names its root cause", done.stderr)


if __name__ == "__main__":
    unittest.main()
