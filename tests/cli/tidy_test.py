"""tools/tidy.py: links of Markdown pages that lead nowhere are found, those that lead somewhere are left."""
import os
import pathlib
import sys
import tempfile
import unittest

ROOT = pathlib.Path(os.environ["CULPRIT_SOURCE_DIR"])
sys.path.insert(0, str(ROOT / "tools"))
import tidy  # noqa: E402


class DeadLinks(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name).resolve()
        (self.root / "docs").mkdir()
        (self.root / "docs" / "a.md").write_text("# A page, with `code`!\n\n## Part 2\n")

    def dead(self, text):
        page = self.root / "README.md"
        page.write_text(text)
        return tidy.dead_links(self.root, [page])

    def test_what_exists_is_left(self):
        self.assertEqual(self.dead("[a](docs/a.md) ![p](docs) [b](docs/a.md#a-page-with-code) [c](#here)\n# Here\n"
                                   "[web](https://example.org/nowhere) `[x](gone.md)`\n```\n[y](gone.md)\n```\n"), [])

    def test_what_does_not_is_named_with_its_line(self):
        self.assertEqual(self.dead("fine\n[a](docs/b.md)\n"), ["README.md:2: no file docs/b.md"])
        self.assertEqual(self.dead("[a](docs/a.md#part-3)"), ["README.md:1: no heading docs/a.md#part-3"])

    def test_the_projects_own_pages_have_none(self):
        self.assertEqual(tidy.dead_links(ROOT, tidy.markdown_pages(ROOT)), [])


if __name__ == "__main__":
    unittest.main()
