"""What known mistakes gave is remembered as long as nothing that it depends on has changed, and no longer."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from autograder.authoring import assess, build, cache, verify, workbench
from autograder.authoring.build import visible_cases
from autograder.authoring.cache import FOLDER, memory_of
from autograder.authoring.parse import LessonError
from autograder.authoring.verify import verify_unit
from autograder.authoring.workbench import draw_cases, open_workbench
from autograder.judging.compare import same_observation

from .test_lessons import lesson

HALVES = """
FACTOR = 2

def halved(x):
    return x / FACTOR

@wrong("halves", says="your output is half of x.")
def halving(x):
    return halved(x)

@wrong("thirds", says="your output is a third of x.")
def thirds(x):
    return x / 3

@right"""
MORE = 'wrong("triples", ("2 * x", "3 * x"), says="your output is three times x.")\n\n@right'


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the lesson's known mistakes that were run, as they are run; slips come with the solution."""
    names: list[str] = []
    watch = cache.Memory.draw

    def noting(self: Any, piece: Any, wrong: Any, plan: Any, really: Any) -> Any:
        def run() -> Any:
            names.extend([wrong.name] if not wrong.name.startswith("slip-") else [])
            return really()

        return watch(self, piece, wrong, plan, run)

    monkeypatch.setattr(cache.Memory, "draw", noting)
    return names


def drawn(folder: Path, *edits: tuple[str, str]) -> workbench.ExerciseCases:
    made = lesson(folder, ("@right", HALVES), *edits)
    (piece,) = open_workbench(made)
    return draw_cases(piece, draw=memory_of(made).draw)


def test_nothing_is_run_twice_and_what_is_remembered_is_what_was_seen(tmp_path: Path, ran: list[str]) -> None:
    first, again = drawn(tmp_path), drawn(tmp_path)
    assert ran == ["squares", "halves", "thirds"]
    for one, other in zip(first.variants, again.variants, strict=True):
        assert list(one.seen) == list(other.seen) == list(first.plan)
        assert all(same_observation(one.seen[key], other.seen[key], first.tolerance) for key in first.plan)


def test_one_more_known_mistake_runs_itself_alone(tmp_path: Path, ran: list[str]) -> None:
    drawn(tmp_path)
    ran.clear()
    drawn(tmp_path, ("@right", MORE))
    assert ran == ["triples"]


@pytest.mark.parametrize(
    ("edit", "again"),
    [
        (("2 * x\n", "x * 2 + 0 * x\n"), None),  # the reference; its edit no longer matches
        (("return 2 * x", "return +2 * x"), ["squares", "halves", "thirds"]),
        (("dict(n=3)", "dict(n=4)"), ["squares", "halves", "thirds"]),
        (("rng.normal(size=n)", "rng.normal(size=n) + 1"), ["squares", "halves", "thirds"]),
        (("import numpy as np\nfrom", "import numpy as np\nHIDDEN = 1\nfrom"), ["squares", "halves", "thirds"]),
        (('"x ** 2"', '"x ** 2 + 1"'), ["squares"]),
        (("return halved(x)", "return halved(x) + 1"), ["halves"]),
        (
            ("return x / FACTOR", "return x / FACTOR + 1"),
            ["halves", "thirds"],
        ),  # whatever stands beside them may be used
        (("FACTOR = 2", "FACTOR = 4"), ["halves", "thirds"]),
        (("is half of x", "is one half of x"), []),
        (("return x + x", "return (x + x) * 1"), []),
        (("# Double it.", "# Double it, please."), []),
    ],
)
def test_what_has_changed_is_run_again(
    tmp_path: Path, ran: list[str], edit: tuple[str, str], again: list[str] | None
) -> None:
    drawn(tmp_path)
    ran.clear()
    if again is None:
        with pytest.raises(LessonError):
            drawn(tmp_path, edit)
        return
    fresh = drawn(tmp_path, edit)
    assert ran == again
    (piece,) = open_workbench(lesson(tmp_path, ("@right", HALVES), edit))
    for one, other in zip(fresh.variants, draw_cases(piece).variants, strict=True):
        assert all(same_observation(one.seen[key], other.seen[key], fresh.tolerance) for key in fresh.plan)


def test_other_code_of_the_package_or_another_environment_runs_all_again(
    tmp_path: Path, ran: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn(tmp_path)
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "default")
    cache.look_again()
    drawn(tmp_path)
    assert ran == ["squares", "halves", "thirds"] * 2
    monkeypatch.setattr(cache, "_code_of_the_package", lambda: iter([Path(cache.__file__)]))
    cache.look_again()
    drawn(tmp_path)
    assert ran == ["squares", "halves", "thirds"] * 3
    cache.look_again()


def test_known_mistakes_that_a_loop_makes_are_told_apart(tmp_path: Path) -> None:
    loop = """for power in (3, 4):
    wrong(f"power-{power}", says=f"your output is the {power}th power of x.")(lambda x, power=power: x**power)

@right"""
    for _ in range(2):
        fresh = drawn(tmp_path, ("@right", loop))
        third, fourth = (variant for variant in fresh.variants if variant.name.startswith("power-"))
        for key, call in fresh.plan.items():
            assert (third.seen[key].value == call.given["x"] ** 3).all()
            assert (fourth.seen[key].value == call.given["x"] ** 4).all()


def test_a_damaged_file_is_drawn_anew(tmp_path: Path, ran: list[str]) -> None:
    drawn(tmp_path)
    for path in (tmp_path / FOLDER).rglob("*.npz"):
        path.write_bytes(path.read_bytes()[:100])
    drawn(tmp_path)
    assert ran == ["squares", "halves", "thirds"] * 2


def test_what_ran_out_of_time_is_not_remembered(tmp_path: Path, ran: list[str]) -> None:
    slow = ("return x / 3", "raise MemoryError")
    drawn(tmp_path, slow)
    ran.clear()
    drawn(tmp_path, slow)
    assert ran == ["thirds"]


def test_one_exercise_is_built_alone_and_the_others_stay_as_stored(tmp_path: Path, ran: list[str]) -> None:
    made = lesson(tmp_path)
    with pytest.raises(LessonError, match="has no exercise 'triple'; its exercises are: double"):
        visible_cases(made, only="triple")
    stored = visible_cases(made)
    ran.clear()
    with_more = visible_cases(lesson(tmp_path, ("@right", MORE)), stored, only="double")
    assert [variant.name for variant in with_more.exercises[0].variants][:2] == ["squares", "triples"]
    assert ran == ["triples"]


def test_of_a_changed_exercise_only_new_mistakes_are_looked_at_for_rounding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(
        "autograder.authoring.assess.rounding_problems", lambda *_, **given: asked.append(given["stable"]) or ()
    )
    stored = visible_cases(lesson(tmp_path))
    visible_cases(lesson(tmp_path, ("@right", MORE)), stored)
    visible_cases(lesson(tmp_path, ("dict(n=5)", "dict(n=6)")), stored)
    assert [stable and "squares" in stable for stable in asked] == [None, True, None]
    assert "triples" not in asked[1]


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is judged: known mistakes by name, and "answers" for solution, starter, alternatives and truths."""
    names: list[str] = []
    variant, answers, passes = assess._variant_problems, assess._problems_of_answers, assess._passes
    monkeypatch.setattr(
        assess, "_passes", lambda piece, wrong, cases: [names.append(wrong.name), passes(piece, wrong, cases)][1]
    )
    monkeypatch.setattr(
        assess,
        "_variant_problems",
        lambda cases, one: [
            names.extend([one.name] if not one.name.startswith("slip-") else []),
            *variant(cases, one),
        ][1:],
    )
    monkeypatch.setattr(
        assess, "_problems_of_answers", lambda piece, cases: [names.append("answers"), *answers(piece, cases)][1:]
    )
    return names


def test_what_was_found_in_order_is_not_judged_again(tmp_path: Path, judged: list[str]) -> None:
    stored = visible_cases(lesson(tmp_path, ("@right", HALVES)))
    assert judged == ["answers", "squares", "halves", "thirds"]
    judged.clear()
    visible_cases(lesson(tmp_path, ("@right", HALVES)), stored)
    assert judged == []
    visible_cases(lesson(tmp_path, ("@right", HALVES), ("@right", MORE)), stored)
    assert judged == ["triples"]


@pytest.mark.parametrize(
    ("edit", "again"),
    [
        (("return x + x", "return (x + x) * 1"), ["answers", "squares", "halves", "thirds"]),
        (("value + value for", "2 * value for"), ["answers", "squares", "halves", "thirds"]),
        (("keeps_inputs, matches)", "matches)"), ["answers", "squares", "halves", "thirds"]),
        (("dict(n=3)", "dict(n=4)"), ["answers", "squares", "halves", "thirds"]),
        (("is half of x", "is one half of x"), ["halves"]),
        (('"x ** 2"', '"x ** 2 + 1"'), ["squares"]),
        (("# - Add x to itself.", "# - What is x and x?"), []),
        (("# Double it.", "# Double it, please."), []),
    ],
)
def test_what_has_changed_is_judged_again(
    tmp_path: Path, judged: list[str], edit: tuple[str, str], again: list[str]
) -> None:
    visible_cases(lesson(tmp_path, ("@right", HALVES)))
    judged.clear()
    visible_cases(lesson(tmp_path, ("@right", HALVES), edit))
    assert judged == again


def test_a_new_mistake_that_looks_like_a_known_one_is_refused_and_nothing_is_remembered_of_it(tmp_path: Path) -> None:
    stored = visible_cases(lesson(tmp_path))
    for place in ("wrong(", "@right"):  # before the known one, and behind it
        twin = ('wrong("power", ("2 * x", "x * x"), says="your output is a power.")\n\n' + place,)
        for _ in range(2):
            with pytest.raises(LessonError, match="give the same outputs"):
                visible_cases(lesson(tmp_path, (place, *twin)), stored)


def test_verify_computes_what_build_has_not(tmp_path: Path, ran: list[str], judged: list[str]) -> None:
    course, unit = tmp_path, "97_made_up"
    visible_cases(lesson(tmp_path))
    judged.clear()
    first = verify_unit(course, unit, (1,))
    assert judged == ["answers", "squares"]
    assert [(row.cases, row.remembered) for row in first.rows] == [("visible", True), ("seed 1", False)]
    judged.clear()
    again = verify_unit(course, unit, (1,))
    assert judged == []
    assert [replace(row, remembered=False) for row in again.rows] == [
        replace(row, remembered=False) for row in first.rows
    ]
    ran.clear()
    lesson(tmp_path, ("@right", MORE))
    verify_unit(course, unit, (1,))
    assert judged == ["triples", "triples"]
    assert ran == ["triples"]  # of hidden cases only as many calls as it takes to fail


def test_verify_believes_the_build_that_has_stored_these_cases_elsewhere(tmp_path: Path, judged: list[str]) -> None:
    stored = visible_cases(lesson(tmp_path))
    shutil.rmtree(tmp_path / FOLDER)
    visible_cases(lesson(tmp_path), stored)
    judged.clear()
    (row,) = verify_unit(tmp_path, "97_made_up", ()).rows
    assert row.remembered and judged == []


def test_verify_without_anything_remembered_computes_everything(tmp_path: Path, judged: list[str]) -> None:
    lesson(tmp_path)
    found = verify_unit(tmp_path, "97_made_up", (1, 2))
    assert judged == ["answers", "squares"] * 3
    assert not any(row.remembered for row in found.rows)


@pytest.fixture
def not_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two exercises in turn it is always the other's."""
    monkeypatch.setattr(build, "its_turn", lambda piece, every: every == 1)
    monkeypatch.setattr(verify, "its_turn", lambda piece, every: every == 1)


@pytest.mark.usefixtures("not_its_turn")
def test_where_it_is_not_their_turn_known_mistakes_are_taken_as_stored_and_all_else_is_not(
    tmp_path: Path, ran: list[str], judged: list[str]
) -> None:
    stored = visible_cases(lesson(tmp_path))
    shutil.rmtree(tmp_path / FOLDER)
    ran.clear(), judged.clear()
    assert list(visible_cases(lesson(tmp_path), stored, every=2).names) == ["double"]
    verify_unit(tmp_path, "97_made_up", (1,), every=2)
    assert ran == [] and judged == ["answers", "answers"]  # of the visible cases, of the hidden ones
    with pytest.raises(LessonError, match=r"the truth .* disagrees"):
        visible_cases(lesson(tmp_path, ("value + value for", "3 * value for")), stored, every=2)


@pytest.mark.usefixtures("not_its_turn")
def test_a_known_mistake_of_another_text_is_run_whosever_turn_it_is(tmp_path: Path, ran: list[str]) -> None:
    stored = visible_cases(lesson(tmp_path))
    ran.clear()
    fresh = visible_cases(lesson(tmp_path, ('"x ** 2"', '"x ** 3"')), stored, every=2)
    assert ran == ["squares"]
    assert fresh.exercises[0].made_from != stored.exercises[0].made_from


def test_what_was_left_out_is_not_remembered_as_in_order(tmp_path: Path, judged: list[str]) -> None:
    lesson(tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verify, "its_turn", lambda piece, every: False)
        verify_unit(tmp_path, "97_made_up", (1,), every=2)
    judged.clear()
    verify_unit(tmp_path, "97_made_up", (1,))
    assert judged.count("squares") == 2


@pytest.mark.parametrize("every", [1, 2, 3])
def test_everyones_turn_comes_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, every: int) -> None:
    (piece,) = open_workbench(lesson(tmp_path))
    turns = []
    for digest in range(every):
        monkeypatch.setattr(cache, "_hashed_code", lambda folder, digest=digest: bytes([digest]))
        turns.append(cache.its_turn(piece, every))
    assert turns.count(True) == 1
