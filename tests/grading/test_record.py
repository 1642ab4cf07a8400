"""What is written down of a submission can be read again, in later versions too."""

import json
from pathlib import Path

import msgspec
import pytest

from autograder.formats.rebuild import Repair
from autograder.grading.files import all_records, graded_folder, read_answers, read_record
from autograder.grading.record import Record
from tests.grading.plain import UNIT, grade, record

pytestmark = pytest.mark.quick
EARLIER = """{
 "format": 1, "student": "kim", "unit": "90_small", "seed": 3, "assignment": "41035e7c", "submission": "d56db8e4",
 "exercises": [{"exercise": "attend", "score": 0, "max_score": 10.0, "visible": 0.0, "hidden": 0.0, "passed": false,
  "diagnosis": "not-written", "message": "`attend` is not written yet.", "seen_on": "5 queries"}],
 "repairs": [{"kind": "file", "cell": "other.ipynb", "note": "graded in its place", "sentence": "Please keep the name."}],
 "incidents": ["it hung"], "reason": ""
}"""
"""As written before `experiments` was, and before records had a type."""


def test_a_record_of_a_class_graded_earlier_is_read() -> None:
    found = Record.from_json(EARLIER.encode())
    assert (found.student, found.score, found.max_score, found.experiments) == ("kim", 0.0, 10.0, "skipped")
    assert found.repairs == (Repair("file", "other.ipynb", "graded in its place", "Please keep the name."),)
    assert found.incidents == ("it hung",)


def test_a_record_is_the_same_after_it_was_written_and_read() -> None:
    whole = record("李雷", grade(), grade("b", passed=False), incidents=("x",), experiments="run", reason="r")
    assert Record.from_json(whole.to_json()) == whole
    assert json.loads(whole.to_json())["format"] == 1 and "李雷" in whole.to_json().decode()


@pytest.mark.parametrize(
    "text",
    ["", "{", "3", "[]", "{}", EARLIER.replace('"format": 1', '"format": 2'), EARLIER.replace("10.0", '"ten"'), "\xff"],
)
def test_what_is_no_record_is_refused(text: str) -> None:
    with pytest.raises((msgspec.MsgspecError, ValueError)):
        Record.from_json(text.encode("latin-1"))


def test_every_text_of_a_clean_record_can_be_written() -> None:
    hostile = record("\ud800", grade("\udfff", passed=False, message="\udc80"), incidents=("\ud800",))
    assert Record.from_json(hostile.cleaned().to_json()).incidents == ("?",)


def write(course: Path, student: str, unit: str, text: str, name: str = "record.json") -> None:
    folder = graded_folder(course, student, unit)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")


def test_all_records_come_by_unit_and_student_and_broken_ones_and_leftovers_do_not(tmp_path: Path) -> None:
    for student, unit in (("kim", "02"), ("bob", "02"), ("zoe", "01"), ("kim", ".old-02")):
        write(tmp_path, student, unit, record(student, unit=unit).to_json().decode())
    write(tmp_path, "eve", "02", "{")
    assert [(one.unit, one.student) for one in all_records(tmp_path)] == [("01", "zoe"), ("02", "bob"), ("02", "kim")]
    assert read_record(tmp_path, "eve", "02") is None and read_record(tmp_path, "nobody", "02") is None


def test_written_answers_are_read_as_formgrader_shows_them(tmp_path: Path) -> None:
    marks = {"why": {"grade": True, "solution": True}, "centre": {"solution": True}, "check": {"grade": True}}
    cells = [
        {"cell_type": "markdown", "source": ["So ", "that"], "metadata": {"nbgrader": {"grade_id": name, **more}}}
        for name, more in marks.items()
    ]
    write(tmp_path, "ada", UNIT, json.dumps({"cells": cells}), "small.ipynb")
    assert read_answers(tmp_path, "ada", UNIT, "small") == {"why": "So that"}


@pytest.mark.parametrize("text", ["", "{", "3", "[]", "{}", '{"cells": 3}', '{"cells": [3, {"metadata": 3}]}'])
def test_answers_that_cannot_be_read_are_none(tmp_path: Path, text: str) -> None:
    write(tmp_path, "ada", UNIT, text, "small.ipynb")
    assert read_answers(tmp_path, "ada", UNIT, "small") == {}
