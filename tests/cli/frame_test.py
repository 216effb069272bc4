"""What every command shares: help, exit codes, errors on standard error, completion, plain output."""
import json
import os
import subprocess
import unittest

CULPRIT = os.environ["CULPRIT"]


def run(*arguments, **keywords):
    return subprocess.run([CULPRIT, *arguments], capture_output=True, text=True, timeout=60, **keywords)


class Frame(unittest.TestCase):
    def test_help_names_every_exit_code_and_has_examples(self):
        for arguments in ([], ["--help"]):
            done = run(*arguments)
            self.assertEqual(done.returncode, 0)
            self.assertIn("Examples:", done.stdout)
            for code in ("0  ", "1  ", "2  "):
                self.assertIn("\n  " + code, done.stdout)

    def test_every_command_has_help_with_an_example(self):
        commands = run("completion", "bash").stdout.split('compgen -W "', 1)[1].split(" --", 1)[0].split()
        self.assertIn("methods", commands)
        for command in commands:
            done = run(command, "--help")
            self.assertEqual(done.returncode, 0, command)
            self.assertIn("culprit " + command, done.stdout, command)

    def test_a_wrong_option_is_2_and_says_where_help_is(self):
        done = run("methods", "--no-such-option")
        self.assertEqual(done.returncode, 2)
        self.assertEqual(done.stdout, "")
        self.assertTrue(done.stderr.startswith("error: "))
        self.assertIn("culprit methods --help", done.stderr)

    def test_an_unknown_method_is_2_and_says_which_there_are(self):
        done = run("methods", "no-such-method")
        self.assertEqual(done.returncode, 2)
        self.assertIn("nsigma", done.stderr)

    def test_a_full_disk_is_1(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([CULPRIT, "methods"], stdout=full, stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("No space left", done.stderr)

    def test_a_pipe_gets_no_colour_unless_asked(self):
        self.assertNotIn("\x1b", run("methods", "nsigma").stdout)
        self.assertIn("\x1b", run("--color", "always", "methods", "nsigma").stdout)

    def test_methods_json_is_complete(self):
        methods = json.loads(run("methods", "--format", "json").stdout)
        one = json.loads(run("methods", "nsigma", "--format", "json").stdout)
        self.assertIn(one, methods)
        for method in methods:
            for key in ("name", "summary", "citation", "reads", "ranks", "cost", "variants"):
                self.assertTrue(method[key], (method["name"], key))

    def test_completion_offers_commands_options_and_methods(self):
        script = run("completion", "bash").stdout
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)

        def offered(*words):
            quoted = " ".join(f"'{word}'" for word in words)
            probe = f"{script}\nCOMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _culprit; echo ${{COMPREPLY[@]}}"
            return subprocess.run(["bash", "-c", probe], capture_output=True, text=True).stdout.split()

        self.assertEqual(offered("culprit", "meth"), ["methods"])
        self.assertEqual(offered("culprit", "methods", "--form"), ["--format"])
        self.assertEqual(offered("culprit", "methods", "--format", "j"), ["json"])
        self.assertIn("nsigma", offered("culprit", "methods", "ns"))


if __name__ == "__main__":
    unittest.main()
