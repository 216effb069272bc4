"""tools/other_stacks/make: writes cases that culprit reads. Exit code 77, for "skipped", where
neither this Python nor the system's has numpy: no other test needs it."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

CULPRIT = os.environ["CULPRIT"]
MAKE = pathlib.Path(os.environ["CULPRIT_SOURCE_DIR"]) / "tools/other_stacks/make"


def has_numpy(python):
    try:
        return subprocess.run([python, "-c", "import numpy"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


PYTHON = next(filter(has_numpy, [sys.executable, "/usr/bin/python3"]), None)


def make(*arguments):
    command = [PYTHON, MAKE, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=100)


def inspect(folder):
    done = subprocess.run([CULPRIT, "inspect", folder, "--strict", "--format", "json"], capture_output=True, text=True,
                          timeout=60)
    return done.returncode, json.loads(done.stdout)


class OtherStacks(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.out = pathlib.Path(folder.name)

    def test_two_windows_are_cases_without_problems(self):
        done = make(self.out, "--stacks", "litellm-single", "--windows", "2")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertTrue(done.stdout.startswith("2 windows in "), done.stdout)
        code, cases = inspect(self.out / "dev")
        self.assertEqual(code, 0)
        self.assertEqual([case["problems"] for case in cases], [[], []])
        self.assertEqual(sorted(len(case["truth"]["services"]) for case in cases), [0, 1])
        for case in cases:
            self.assertGreater(case["metrics"]["columns"], 80)
            self.assertGreater(case["topology"]["calls"], 0)
        again = make(self.out, "--stacks", "litellm-single", "--windows", "2")
        self.assertEqual(again.returncode, 1)
        self.assertIn("is there already", again.stderr)

    def test_names_the_stacks_that_there_are(self):
        done = make(self.out, "--stacks", "nim-kong")
        self.assertEqual(done.returncode, 2)
        self.assertIn("no stack 'nim-kong' in dev; there are envoy-vllm, ", done.stderr)


if __name__ == "__main__":
    if PYTHON is None:
        print("skipped: no numpy, which tools/other_stacks needs")
        sys.exit(77)
    unittest.main()
