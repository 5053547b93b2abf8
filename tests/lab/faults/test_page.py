import math

from lab.faults.page import BEGIN, END, keep, kept, put, table
from lab.faults.row import Row

ROW = Row(
    "server killed",
    "`kill -9`",
    20,
    collected=1000,
    arrived=990,
    while_down=10,
    recoveries=[1.0, 2.0, 3.0],
    remark="so it was",
)


def test_a_row_says_what_was_lost_and_how_long_it_took():
    page = table({"CPU": "fast"}, {"relay_killed": [ROW]})

    assert "| CPU | fast |" in page
    assert (
        "| server killed [1] | `kill -9` | 20 | 1,000 | 990 | 10 | 0 | 2.0 s | 3.0 s | 32 s | yes |"
        in page
    )
    assert "[1] so it was" in page


def test_what_did_not_hold_is_said():
    row = Row("x", "y", 1, recoveries=[math.inf], failures=["not back"])

    assert "| never | never | 32 s | **no**: not back |" in table({}, {"x": [row]})


def test_only_what_is_between_the_marks_is_replaced(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")

    put(page, "new \\1")

    assert page.read_text() == f"before\n{BEGIN}\nnew \\1\n{END}\nafter\n"


def test_rows_are_kept_for_the_next_run(tmp_path):
    file = tmp_path / "results.json"

    keep(file, {}, {"relay_killed": [ROW]})

    assert kept(file) == {"relay_killed": [ROW]}
    assert kept(tmp_path / "none.json") == {}
