"""culprit methods: the whole catalog, one page per method, and the same for programs."""
import json
import os
import subprocess
import unittest

CULPRIT = os.environ["CULPRIT"]


def run(*arguments):
    return subprocess.run([CULPRIT, *arguments], capture_output=True, text=True, timeout=60)


def catalog():
    return json.loads(run("methods", "--format", "json").stdout)


class Methods(unittest.TestCase):
    def test_has_the_24_of_the_study_and_what_came_after(self):
        names = {method["name"]: method for method in catalog()}
        self.assertEqual(sum(method["in_study"] for method in names.values()), 24)
        for name in ("mean_shift", "latest_change", "mmnsigma", "ges_pagerank", "smooth_traversal",
                     "simple_rca", "noise_attribution", "culprit"):
            self.assertFalse(names[name]["in_study"], name)

    def test_the_table_names_every_method(self):
        table = run("methods").stdout
        for method in catalog():
            self.assertIn(method["name"], table)

    def test_a_page_has_paper_options_and_differences(self):
        for method in catalog():
            page = run("methods", method["name"]).stdout
            flat = " ".join(page.split())
            self.assertIn(method["citation"].split(",")[0], flat, method["name"])
            for option in method["options"]:
                self.assertIn(option["name"], page, method["name"])
            if len(method["variants"]) == 2:
                self.assertTrue(method["divergences"], method["name"])

    def test_markdown_holds_one_section_per_method(self):
        text = run("methods", "--format", "markdown").stdout
        for method in catalog():
            self.assertIn(method["name"], text)


if __name__ == "__main__":
    unittest.main()
