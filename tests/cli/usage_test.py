"""The program at a person's hands: help that teaches, what was meant by a typo, exit codes, colour, width."""
import json
import os
import pathlib
import pty
import re
import select
import subprocess
import tempfile
import unittest

from made_cases import write_dataset

CULPRIT = os.environ["CULPRIT"]
ROOT = pathlib.Path(os.environ["CULPRIT_SOURCE_DIR"])
INCIDENT = ROOT / "examples" / "incidents" / "gpu-power-cap"
COMMANDS = ("diagnose", "evaluate", "init", "convert", "inspect", "methods", "receive", "assess", "scorecard",
            "simulate", "collect", "confirm", "completion", "experiment", "inject", "load", "testbed")


def run(*arguments, **more):
    return subprocess.run([CULPRIT, *map(str, arguments)], capture_output=True, text=True, timeout=60, **more)


def on_terminal(*arguments, columns=80, **environment):
    """What a terminal of that width gets to see of standard output and error."""
    main, side = pty.openpty()
    subprocess.run(["stty", "cols", str(columns), "rows", "50"], stdin=side, check=True)
    env = {**os.environ, "TERM": "xterm-256color", **environment}
    env.pop("NO_COLOR", None) if "NO_COLOR" not in environment else None
    child = subprocess.Popen([CULPRIT, *map(str, arguments)], stdin=side, stdout=side, stderr=side, env=env)
    os.close(side)
    seen = b""
    while True:
        try:
            if not select.select([main], [], [], 60)[0]:
                break
            chunk = os.read(main, 65536)
        except OSError:  # the other end is closed
            break
        if not chunk:
            break
        seen += chunk
    child.wait(timeout=60)
    os.close(main)
    return seen.decode()


def plain(text):
    return re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text)


class Help(unittest.TestCase):
    def test_every_command_teaches_by_example(self):
        for command in COMMANDS:
            done = run(command, "--help")
            self.assertEqual(done.returncode, 0, command)
            self.assertRegex(done.stdout, rf"(?m)^  (source <\()?culprit {command}", command)

    def test_help_fits_80_columns_and_says_what_holds_by_default(self):
        for command in COMMANDS:
            options = run(command, "--help").stdout.partition("Options:")[2].partition("\n\n")[0]
            for line in options.splitlines():
                self.assertLessEqual(len(line), 80, (command, line))
        self.assertRegex(run("diagnose", "--help").stdout, r"--timeout NUMBER +Seconds allowed per method; 0 = no limit\s+"
                                                           r"\(default: 0\)")
        self.assertRegex(run("scorecard", "--help").stdout, r"--drop NUMBER[^-]*\(0 to 0.99")

    def test_the_program_lists_every_command_and_its_exit_codes(self):
        text = run("--help").stdout
        for command in COMMANDS:
            self.assertRegex(text, rf"(?m)^  {command} ")
        self.assertIn("Exit codes", text)


class Typos(unittest.TestCase):
    def test_what_was_meant_is_said_and_the_code_is_2(self):
        for arguments, meant in ((("diagnoze", "x"), 'did you mean "diagnose"?'),
                                 (("diagnose", INCIDENT, "--fromat", "json"), 'did you mean "--format"?'),
                                 (("diagnose", INCIDENT, "--method", "barro"), 'did you mean "baro"?'),
                                 (("methods", "mean-shift"), 'did you mean "mean_shift"?'),
                                 (("simulate", "made", "--kind", "gpu_powercap"), 'did you mean "gpu_power_cap"?')):
            done = run(*arguments, cwd=tempfile.gettempdir())
            self.assertEqual(done.returncode, 2, (arguments, done.stderr))
            self.assertIn(meant, done.stderr)
            self.assertEqual(done.stdout, "")

    def test_nothing_is_guessed_where_nothing_is_near(self):
        done = run("frobnicate")
        self.assertEqual(done.returncode, 2)
        self.assertNotIn("did you mean", done.stderr)
        self.assertIn("culprit --help", done.stderr)


class Screen(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)

    def test_colour_only_on_a_terminal_that_wants_it(self):
        arguments = ("diagnose", INCIDENT, "--no-report")
        self.assertIn("\x1b[", on_terminal(*arguments))
        self.assertNotIn("\x1b[", on_terminal(*arguments, NO_COLOR="1"))
        self.assertNotIn("\x1b[", on_terminal(*arguments, TERM="dumb"))
        self.assertNotIn("\x1b[", on_terminal("--color", "never", *arguments))
        self.assertNotIn("\x1b[", run(*arguments).stdout)
        self.assertIn("\x1b[", run("--color", "always", *arguments).stdout)

    def test_prose_keeps_to_the_width_and_commands_stay_whole(self):
        text = plain(on_terminal("diagnose", INCIDENT, "--no-report", columns=80)).replace("\r", "")
        commands = [advice["command"] for finding in
                    json.loads(run("diagnose", INCIDENT, "--format", "json").stdout)["findings"][:1]
                    for advice in finding["advice"]]
        for command in filter(None, commands):
            self.assertIn(command, text)
        for line in text.splitlines():
            if not any(command and command in line for command in commands) and "server ray" not in line:
                self.assertLessEqual(len(line), 80, line)


    def test_tables_of_an_evaluation_fit_the_terminal(self):
        cases = write_dataset(self.root, 4)
        arguments = ("evaluate", cases, "--methods", "baro,granger_randomwalk", "--output", self.root / "out")
        for columns, heading in ((80, "ms/case"), (140, "degenerate")):
            text = plain(on_terminal(*arguments, columns=columns)).replace("\r", "\n")
            self.assertIn(heading, text)
            for line in text.splitlines():
                self.assertLessEqual(len(line), columns, line)


if __name__ == "__main__":
    unittest.main()
