"""Files that are broken, moved, renamed or odd: mostly accidents, which must not cost honest work its points."""

import json
import os
from pathlib import Path

import nbformat

from tests.grading.hostile.case import Collection
from tests.grading.small_course import NAME, Submission, own_cell, submitted_folder

_cases = Collection()
FILE = f"{NAME}.ipynb"


def _content(name: str, points: float, says: str, data: bytes) -> None:
    def make(course: Path, student: str) -> None:
        (submitted_folder(course, student) / FILE).write_bytes(data)

    make.__name__ = name
    _cases.folder(points, says)(make)


_content("is_empty", 0, "JSON is broken", b"")
_content("is_cut_off", 0, "JSON is broken", b'{"cells": [{"cell_type": "code", "sour')
_content("is_binary", 0, "not text in UTF-8", bytes(range(256)) * 10)
_content("is_half_utf_16", 0, "not text in UTF-8", '{"cells": []}'.encode("utf-16")[:-1])
_content("is_a_number", 0, "it has no cells", b"3")
_content("is_a_list", 0, "it has no cells", b"[]")
_content("has_no_cells", 0, "it has no cells", b'{"cells": {"a": 1}}')
_content(
    "has_cells_that_are_none",
    0,
    "has no cell for",
    b'{"cells": [null, 3, [], "x", {}, {"source": null}, {"metadata": 7}]}',
)
_content("is_deeply_nested", 0, "JSON is broken", b"[" * 200_000)
_content("is_too_large", 0, "larger than", b"[" * (21 << 20))
_content("has_too_many_cells", 0, "more than", json.dumps({"cells": [own_cell("1")] * 3000}).encode())
_content("is_a_web_page", 0, "JSON is broken", b"<!doctype html><script>alert(1)</script>")


@_cases.notebook(20, "", solved=True)
def is_untouched_but_solved(submission: Submission) -> None:
    """The honest one."""


@_cases.notebook(10, "not written yet")
def is_half_solved(submission: Submission) -> None:
    submission.write("centre", "def centre(x):\n    return x - x.mean(-1, keepdims=True)")
    submission.write(
        "softmax",
        "def softmax(x):\n    e = np.exp(x - x.max(-1, keepdims=True))\n    return e / e.sum(-1, keepdims=True)",
    )


@_cases.notebook(0, "not written yet")
def is_as_released(submission: Submission) -> None:
    pass


@_cases.notebook(15, "mean of the whole array", solved=True)
def makes_a_known_mistake(submission: Submission) -> None:
    submission.write("centre", "def centre(x):\n    return x - np.mean(x)")


@_cases.notebook(20, "was missing and was put back", solved=True)
def has_deleted_checks(submission: Submission) -> None:
    submission.cells[:] = [cell for cell in submission.cells if not cell["metadata"].get("nbgrader", {}).get("grade")]


@_cases.notebook(10, "has no cell for", solved=True)
def has_deleted_an_answer(submission: Submission) -> None:
    submission.cells.remove(submission.cell("attend"))


@_cases.notebook(20, "carry the grade id", solved=True)
def has_a_duplicated_answer(submission: Submission) -> None:
    place = submission.index("centre")
    copy = json.loads(json.dumps(submission.cells[place]))
    copy["source"] = "def centre(x):\n    raise NotImplementedError('an older try')"
    submission.cells.insert(place, copy)


@_cases.notebook(20, "carry the grade id", solved=True)
def has_turned_a_copy_into_something_else(submission: Submission) -> None:
    place = submission.index("centre")
    copy = json.loads(json.dumps(submission.cells[place]))
    copy["source"] = "trial = 3\ncentre(np.arange(3.0))"
    submission.cells.insert(place + 1, copy)
    submission.write(
        "softmax",
        "def softmax(x):\n    e = np.exp((x - x.max(-1, keepdims=True)) * trial / 3)\n    return e / e.sum(-1, keepdims=True)",
    )


@_cases.notebook(20, "carry the grade id", solved=True)
def has_every_cell_twice(submission: Submission) -> None:
    submission.cells[:] = [copy for cell in submission.cells for copy in (cell, json.loads(json.dumps(cell)))]


@_cases.notebook(20, "lost its metadata", solved=True)
def has_lost_all_metadata(submission: Submission) -> None:
    for cell in submission.cells:
        cell["metadata"] = {}
        cell.pop("id", None)


@_cases.notebook(20, "", solved=True)
def has_metadata_of_odd_types(submission: Submission) -> None:
    for number, cell in enumerate(submission.cells):
        if "nbgrader" not in cell["metadata"]:
            cell["metadata"] = [[], 3, None, {"nbgrader": 7, "autograder": []}, {"nbgrader": {"grade_id": [1]}}][
                number % 5
            ]
    submission.notebook["metadata"] = 17
    submission.notebook["nbformat"] = "four"


@_cases.notebook(20, "", solved=True)
def has_its_answers_in_markdown_cells(submission: Submission) -> None:
    submission.cell("centre")["cell_type"] = "markdown"
    submission.cell("softmax")["cell_type"] = "raw"


@_cases.notebook(20, "", solved=True)
def has_cells_of_odd_kinds(submission: Submission) -> None:
    submission.cells[:0] = [
        {"cell_type": "raw", "source": "raw", "metadata": {}},
        {"cell_type": "heading", "source": "h", "level": 1},
        {"cell_type": "code", "source": None, "metadata": None},
        {"cell_type": "code", "source": {"a": 1}, "metadata": {}},
        {"cell_type": "code", "source": ["a = 1\n", 3, None, "b = 2"], "outputs": "none", "metadata": {}},
        {"cell_type": 3, "source": 4},
    ]


@_cases.notebook(20, "", solved=True)
def has_gigantic_metadata(submission: Submission) -> None:
    submission.notebook["metadata"]["widgets"] = {"state": "x" * 5_000_000}
    submission.cells[3]["metadata"]["note"] = ["y"] * 500_000


@_cases.notebook(20, "", solved=True)
def has_half_characters(submission: Submission) -> None:
    submission.own_last("text = '\ud800 half'\n# \udfff")
    submission.cells.append({"cell_type": "markdown", "source": "half: \ud83d", "metadata": {"\ud83d": 1}})
    submission.write("why", "because \udc80")


@_cases.notebook(20, "", solved=True)
def has_null_characters(submission: Submission) -> None:
    submission.own_last("a = 1\x00")
    submission.write("why", "nothing\x00 much \x1b[31m")


@_cases.notebook(20, "", solved=True)
def has_html_and_scripts(submission: Submission) -> None:
    submission.own_last(
        "from IPython.display import HTML, Javascript, SVG, display\n"
        "display(HTML('<script>alert(1)</script>'), Javascript('alert(2)'), SVG('<svg onload=\"alert(3)\"/>'))\n"
        "display({'text/html': '<img src=x onerror=alert(4)>', 'text/plain': '</pre><script>alert(5)</script>'}, raw=True)\n"
        "print('</pre><script>alert(6)</script>')"
    )
    submission.write(
        "why",
        "<script>alert(7)</script>[a](javascript:alert(8)) <img src=x onerror=alert(9)> ![](http://example.org/x.png)",
    )


@_cases.notebook(20, "", solved=True)
def uses_cell_magics_in_answers(submission: Submission) -> None:
    submission.write("centre", "%%time\n" + submission.cell("centre")["source"])


@_cases.notebook(20, "", solved=True)
def needs_a_helper_of_its_own(submission: Submission) -> None:
    submission.own_before("centre", "def helper(x):\n    return x.mean(-1, keepdims=True)")
    submission.write("centre", "def centre(x):\n    return x - helper(x)")


@_cases.notebook(20, "", solved=True)
def breaks_an_earlier_exercise_that_a_later_one_uses(submission: Submission) -> None:
    """`softmax` in the learner's `attend` is the course's while `attend` is observed."""
    submission.own_before("attend", "def soft(x):\n    return torch.softmax(x, -1)")
    submission.write(
        "attend", "def attend(query, key, value):\n    return soft(query @ key.T / key.shape[-1] ** 0.5) @ value"
    )


@_cases.folder(20)
def begins_with_a_byte_order_mark(course: Path, student: str) -> None:
    (submitted_folder(course, student) / FILE).write_text(
        "\ufeff" + Submission(course, solved=True).text(), encoding="utf-8"
    )


@_cases.folder(20)
def is_of_notebook_format_3(course: Path, student: str) -> None:
    notebook = nbformat.from_dict(Submission(course, solved=True).notebook)
    for cell in notebook.cells:
        cell.pop("attachments", None)
    old = nbformat.v4.downgrade(notebook)
    text = nbformat.v3.writes_json(old)
    assert '"worksheets"' in text and '"input": [' in text
    (submitted_folder(course, student) / FILE).write_text(text, encoding="utf-8")


@_cases.folder(20, "was graded in its place")
def has_another_name(course: Path, student: str) -> None:
    Submission(course, solved=True).hand_in(course, student, "small (1) final FINAL.ipynb")


@_cases.folder(20)
def is_one_of_two(course: Path, student: str) -> None:
    Submission(course, solved=True).hand_in(course, student)
    Submission(course).hand_in(course, student, "a copy.ipynb")


@_cases.folder(20, "was graded in its place")
def is_broken_beside_a_good_copy(course: Path, student: str) -> None:
    folder = Submission(course, solved=True).hand_in(course, student, "small-Copy1.ipynb")
    (folder / FILE).write_bytes(b"")


@_cases.folder(0, "there is no small.ipynb")
def holds_no_notebook(course: Path, student: str) -> None:
    (submitted_folder(course, student) / "answers.docx").write_bytes(b"PK")


@_cases.folder(0, "there is no small.ipynb")
def is_an_empty_folder(course: Path, student: str) -> None:
    submitted_folder(course, student)


@_cases.folder(0, "there is no small.ipynb")
def is_a_link_to_the_solution(course: Path, student: str) -> None:
    (submitted_folder(course, student) / FILE).symlink_to(course / "solutions" / "90_small" / FILE)


@_cases.folder(0, "there is no small.ipynb")
def is_a_link_without_end(course: Path, student: str) -> None:
    folder = submitted_folder(course, student)
    (folder / FILE).symlink_to("/dev/zero")
    (folder / "timestamp.txt").symlink_to("/dev/zero")


@_cases.folder(0, "there is no small.ipynb")
def is_a_pipe(course: Path, student: str) -> None:
    folder = submitted_folder(course, student)
    os.mkfifo(folder / FILE)
    os.mkfifo(folder / "timestamp.txt")


@_cases.folder(0, "there is no small.ipynb")
def is_a_folder(course: Path, student: str) -> None:
    (submitted_folder(course, student) / FILE).mkdir()


@_cases.folder(20, "left out")
def holds_files_of_odd_names(course: Path, student: str) -> None:
    folder = Submission(course, solved=True).hand_in(course, student)
    for name in (
        b"..\\..\\evil.py",
        b"-rf",
        b"\xff\xfe.txt",
        b"a\nb",
        b"<script>.js",
        b"x" * 250,
        b"\xf0\x9f\x92\xa3.ipynb",
    ):
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_bytes(b"{}")


for _name, _stamp in (
    ("was_handed_in_at_no_time", b"never"),
    ("was_handed_in_long_ago", b"0001-01-01 00:00:00 +1400"),
    ("was_handed_in_at_the_end_of_time", b"9999-12-31 23:59:59 -1200"),
    ("was_handed_in_at_binary", b"\xff\x00\xfe"),
    ("was_handed_in_at_great_length", b"2" * 10_000_000),
    ("was_handed_in_at_a_strange_number", b"1e999 1e999 NaN"),
):

    def _make(course: Path, student: str, stamp: bytes = _stamp) -> None:
        (Submission(course, solved=True).hand_in(course, student) / "timestamp.txt").write_bytes(stamp)

    _make.__name__ = _name
    _cases.folder(20)(_make)

BROKEN = tuple(_cases.cases)
