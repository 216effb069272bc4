"""culprit completion: every shell's script offers every command and what can be chosen."""
import os
import shutil
import subprocess
import unittest

CULPRIT = os.environ["CULPRIT"]
COMMANDS = ("diagnose", "evaluate", "methods", "inspect", "convert", "collect", "assess", "init", "receive",
            "simulate", "testbed", "inject", "experiment", "load", "completion")


def script(shell):
    done = subprocess.run([CULPRIT, "completion", shell], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def offered(*words):
    quoted = " ".join(f"'{word}'" for word in words)
    probe = (f"{script('bash')}\nCOMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _culprit; "
             "echo ${COMPREPLY[@]}")
    return subprocess.run(["bash", "-c", probe], capture_output=True, text=True).stdout.split()


class Completion(unittest.TestCase):
    def test_every_script_knows_every_command(self):
        for shell in ("bash", "zsh", "fish"):
            text = script(shell)
            for command in COMMANDS:
                self.assertIn(command, text, shell)
            self.assertIn("nsigma", text, shell)

    def test_scripts_parse_where_the_shell_is_installed(self):
        for shell, check in (("bash", ["bash", "-n"]), ("zsh", ["zsh", "-n"]), ("fish", ["fish", "-n"])):
            if shutil.which(shell):
                subprocess.run(check, input=script(shell), text=True, check=True)

    def test_bash_offers_options_values_and_methods(self):
        self.assertIn("evaluate", offered("culprit", ""))
        self.assertIn("--top", offered("culprit", "diagnose", "--"))
        self.assertEqual(offered("culprit", "convert", "--to", "col"), ["columnar"])
        self.assertEqual(offered("culprit", "diagnose", "--method", "granger_p"), ["granger_pagerank"])
        self.assertEqual(offered("culprit", "diagnose", "--variant", "p"), ["published"])

    def test_an_unknown_shell_is_2(self):
        done = subprocess.run([CULPRIT, "completion", "tcsh"], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 2)
        self.assertIn("bash", done.stderr)


if __name__ == "__main__":
    unittest.main()
