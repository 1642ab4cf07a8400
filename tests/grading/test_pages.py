"""The class report and a learner's feedback page, made from plain records, rows and cells."""

import re
from html.parser import HTMLParser

import pytest

from autograder.formats.rebuild import Cell, Repair
from autograder.grading.class_report import class_report
from autograder.grading.collect.listing import Collected
from autograder.grading.feedback import feedback_page, with_words_of_a_person
from autograder.grading.record import ByHand, Failure
from autograder.grading.sanitise import output_of
from tests.grading.plain import UNIT, grade, record, row, stand

pytestmark = pytest.mark.quick
HOSTILE = "<script>alert(1)</script>"
ONCE = {"html", "head", "body", "title"}
VOID = {"meta", "img", "br", "hr"}


class Tags(HTMLParser):
    """Raises where a tag is not closed, or closed twice."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in self.seen or tag not in ONCE
        self.seen.add(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def words(page: str) -> str:
    """What a reader sees, spaces made one."""
    Tags(page)
    return " ".join(re.sub(r"<style>.*?</style>|<[^>]*>", " ", page, flags=re.DOTALL).split())


def report(*records: object, **more: object) -> str:
    """`rows` become standings; the rest is handed on."""
    rows = more.pop("rows", [])
    return class_report(records, stand(*rows), **more)  # type: ignore[arg-type, misc]


# The class report


def test_the_report_tells_how_the_class_stands_and_who_is_stuck_where() -> None:
    lost = {"passed": False, "diagnosis": "no-scale", "message": "not divided by `√d`."}
    page = report(
        record("ada", grade("centre"), grade("attend")),
        record("bob", grade("centre"), grade("attend", **lost)),
        record("eve", grade("centre", passed=False), grade("attend", **lost)),
        rows=[row("bob", score=6.5, late_penalty=1.0, needs_manual_grade=True)],
    )
    told = words(page)
    assert "3 submissions of 3 learners" in told and "5.0 of 10 points on average. Seed of the hidden cases: 3." in told
    assert "centre 2 (67 %)" in told and "attend 1 (33 %)" in told
    assert "8 to 10 1 (33 %)" in told and "0 to under 2 1 (33 %)" in told
    assert told.index("2 (67 %) · attend · no-scale") < told.index("1 (33 %) · centre · no known mistake")
    assert "<code>√d</code>" in page and "bob, eve" in told
    assert "bob 6.5 of 22 ✓ ✗ no-scale written answer to grade; late: −1" in told
    assert told.index("eve ✗") < told.index("bob 6.5") < told.index("ada ✓")


def test_where_everybody_passed_the_report_says_so() -> None:
    told = words(report(record("ada")))
    assert "Everybody passed everything." in told and "None: no notebook needed a repair" in told


def test_the_report_lists_what_was_mended_and_what_was_not_graded() -> None:
    mended = record(
        "ada", repairs=(Repair("restored", "centre", "the cell centre was missing"),), incidents=("it hung",)
    )
    told = words(report(mended, failed=[Failure("bob", UNIT, "the disk")]))
    for line in (f"bob {UNIT} NOT GRADED: the disk", f"ada {UNIT} the cell centre was missing", f"ada {UNIT} it hung"):
        assert line in told


@pytest.mark.parametrize(
    ("experiments", "sentence"),
    [
        (["run", "run"], "experiments were run."),
        (["skipped", "skipped"], "experiments were not run: no points depend on them."),
        (["skipped", "run"], "experiments of 1 submissions were not run: no points depend on them."),
    ],
)
def test_the_report_says_whether_experiments_were_run(experiments: list[str], sentence: str) -> None:
    assert sentence in words(
        report(*(record(name, experiments=ran) for name, ran in zip("ab", experiments, strict=True)))
    )


def test_less_common_diagnoses_are_folded_away() -> None:
    each = [record(f"s{i}", grade(passed=False, diagnosis=f"mistake-{i}", message="no.")) for i in range(10)]
    assert "2 more, less common" in words(report(*each))


def test_records_from_before_a_lesson_had_another_exercise_stand_in_one_table() -> None:
    told = words(report(record("ada", grade("old")), record("bob", grade("old"), grade("new", passed=False))))
    assert "old 2 (100 %)" in told and "new 0 (0 %)" in told


def test_a_class_in_which_nobody_handed_in_has_a_report() -> None:
    assert "0 submissions of 0 learners" in words(report())


def test_nothing_in_a_report_is_taken_for_html() -> None:
    hostile = record(HOSTILE, grade(HOSTILE, passed=False, diagnosis=HOSTILE, message=f"`{HOSTILE}` {HOSTILE}"),
                     reason=HOSTILE, incidents=(HOSTILE,))  # fmt: skip
    assert "<script" not in report(hostile, failed=[Failure(HOSTILE, HOSTILE, HOSTILE)], rows=[row(HOSTILE)])


def test_the_report_of_a_class_and_its_collection_is_whole_and_takes_nothing_for_html() -> None:
    rows = [
        Collected(HOSTILE, "skipped", HOSTILE, late="LATE", note=HOSTILE),
        Collected("", "skipped", note="nobody's"),
    ]
    page = class_report([], stand(units=(UNIT,), refused={(UNIT, HOSTILE): HOSTILE}), (), {HOSTILE: rows}, [HOSTILE])
    assert "<script" not in page
    told = words(page)
    assert "Nothing is graded yet. 1 handed in, but not collected" in told and "? &lt;script&gt;" in told
    assert "marked late by the platform" in told


# The feedback page


def cell(part: str, source: str, kind: str = "code", outputs: tuple = ()) -> Cell:
    marks = {"autograder": {"part": part, "exercise": "centre"}}
    return {"cell_type": kind, "source": source, "metadata": marks} | (
        {"outputs": list(outputs)} if kind == "code" else {}
    )


CELLS = [
    cell("prompt", "the course's own words", "markdown"),
    cell("solution", "a < b", outputs=(output_of("stream", name="stdout", text="printed <here>"),)),
    cell("check", "check(centre)", outputs=(
        output_of("display_data", data={"text/html": "<div>the panel</div>", "text/plain": "no panel"}),
        output_of("execute_result", data={"text/plain": "3.0"}))),
    cell("own", "1 / 0", outputs=(
        output_of("error", ename="E", evalue="", traceback=["line one", "line two"]),
        output_of("display_data", data={"image/png": "iVBORw0=", "text/html": "<div>not shown</div>"}))),
    cell("answer", "In <my> words.", "markdown"),
]  # fmt: skip


def test_the_feedback_page_has_points_answers_outputs_and_verdicts() -> None:
    page = feedback_page("A unit", record("ada", grade("centre"), grade("softmax", passed=False)), CELLS)
    told = words(page)
    assert "A unit — ada" in told and "From the checks: 5 of 10 points. Written answers are graded by a person" in told
    assert "✓ centre 3 2 5/5 ✗ softmax 0 0 0/5" in told
    assert "<div>the panel</div>" in page and "no panel" not in page and "3.0" not in told
    for line in ("a &lt; b", "printed &lt;here&gt;", "line one line two", "In &lt;my&gt; words.", "A cell of your own"):
        assert line in told
    assert "not shown" not in page and 'src="data:image/png;base64,iVBORw0="' in page
    assert "the course's own words" not in page


def test_the_feedback_page_says_why_nothing_was_graded_and_what_was_mended() -> None:
    mended = (
        Repair("restored", "c", "for the instructor", "Your notebook has no cell for c."),
        Repair("dropped", "", "x"),
    )
    page = feedback_page("A unit", record(reason="Nothing could be graded.", repairs=mended), [])
    assert page.count('class="note"') == 2
    assert "Nothing could be graded. Your notebook has no cell for c." in words(page)
    assert "for the instructor" not in page and "Written answers" not in page


def test_a_persons_words_are_put_in_once_and_taken_out_again() -> None:
    page = feedback_page("A unit", record(), CELLS)
    given = [ByHand("why", 1.5, 2.0, 0.5, f"Nearly. {HOSTILE}"), ByHand("centre", None, 0.0, 0.0, "See me.")]
    for _ in range(2):
        page = with_words_of_a_person(page, given, row(score=5.5, late_penalty=1.0, needs_manual_grade=True))
    told = words(page)
    assert told.count("From your instructor") == 1 and "<script" not in page
    assert "centre See me. why 1.5/2 + 0.5 Nearly." in told
    assert "Handed in late: 1 points deducted." in told
    assert "Total: 5.5 of 22 points. Not all of your answers have been read yet." in told
    assert words(with_words_of_a_person(page, [], row())) == words(feedback_page("A unit", record(), CELLS))
