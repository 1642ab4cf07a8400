"""The two files that a new unit begins with: a whole lesson with one small exercise, to be written over.

`lesson.txt` and `checks.txt` beside this are a lesson as it would stand in `solutions/17_my_topic/`.
"""

from __future__ import annotations

from pathlib import Path

from ..parse import CHECKS_FILE, LessonError, is_unit_name, unit_stem, units

_HERE = Path(__file__).parent


def lesson_text(unit: str, title: str) -> str:
    """The new unit's lesson."""
    return _as_unit("lesson.txt", unit).replace("17 · My topic", f"{unit[:2]} · {title}")


def checks_text(unit: str) -> str:
    """What the new unit's checks know."""
    return _as_unit("checks.txt", unit).replace("unit 17", f"unit {unit[:2]}")


def _as_unit(name: str, unit: str) -> str:
    stem = unit_stem(unit)
    text = (_HERE / name).read_text(encoding="utf-8").replace("17_my_topic", unit)
    return text.replace("my_topic", stem).replace("my-topic", stem.replace("_", "-"))


def write_unit(course: Path, number: str, name: str, title: str = "") -> tuple[Path, Path]:
    """Write the two files of a unit that is not there yet; return where. Raises LessonError, in one line.

    number: two digits
    name:   small letters, digits and underscores, as in `self_attention`
    title:  its heading; left out, made of the name
    """
    unit = f"{number.zfill(2)}_{name}"
    if not is_unit_name(unit) or not name.isidentifier():
        raise LessonError(
            f"{number} {name} is not a unit's name: write two digits and a name of small letters, digits and underscores, "
            "such as 17 my_topic"
        )
    solutions = course / "solutions"
    taken = [known for known in units(solutions) if known[:2] == unit[:2] or unit_stem(known) == name]
    if taken or (solutions / unit).exists():
        raise LessonError(f"there is {(taken or [unit])[0]} already: take another number and another name")
    lesson = solutions / unit / f"{name}.py"
    lesson.parent.mkdir(parents=True)
    lesson.write_text(lesson_text(unit, title or name.replace("_", " ").capitalize()), encoding="utf-8")
    checks = lesson.with_name(CHECKS_FILE)
    checks.write_text(checks_text(unit), encoding="utf-8")
    return lesson, checks
