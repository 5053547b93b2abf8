"""docs/security.md names a test beside each threat; the tests are there."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text()
TEST = re.compile(r"`(tests/[a-z_/]+\.py)::(test_[a-z0-9_]+)`")


def rows():
    """Return the rows of the tables whose last column is "test"."""
    found = []
    for block in re.findall(r"(?:^\|.*\n)+", PAGE, re.MULTILINE):
        head, _, *body = block.strip().splitlines()
        if head.endswith("| test |"):
            found += body
    return found


def test_each_threat_has_a_test_and_each_test_is_there():
    assert len(rows()) >= 40
    for row in rows():
        named = TEST.findall(row.rsplit("|", 2)[1])
        assert named, row
        for file, name in named:
            tree = ast.parse((ROOT / file).read_text())
            there = {
                node.name
                for node in tree.body
                if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
            }
            assert name in there, f"{file} has no {name}"


def test_every_file_of_hostile_tests_is_named():
    named = {file for file, _ in TEST.findall(PAGE)}

    for path in (ROOT / "tests" / "hostile").glob("test_*.py"):
        assert str(path.relative_to(ROOT)) in named


def test_the_commands_of_the_page_are_in_the_makefile():
    makefile = (ROOT / "Makefile").read_text()
    commands = re.findall(r"^make (\w+)", PAGE, re.MULTILINE)

    assert commands == ["test", "slow", "fuzz"]
    for command in commands:
        assert re.search(rf"^{command}:", makefile, re.MULTILINE)
