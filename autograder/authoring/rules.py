"""The course's rules: what every lesson says besides what its checks need. Each that is broken is told with its cure.

Words that must stand somewhere are rows of `FIRST_WORDS` and `HEADINGS`; any other rule is a function from a lesson to
sentences, listed in `RULES`. `verify` counts what is broken as a problem. `build` only tells it: a lesson that is being
written has not everything yet.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator

from .parse import NEVER_SHIPPED, Cell, Lesson, units
from .start_page import said_time

Rule = Callable[[Lesson], Iterator[str]]

FIRST_WORDS = {
    "what one can do afterwards": (r"you can\b|be able to|You will", "**When you are done, you can** ..."),
    "what is needed": (r"\*\*(You need|Before this|Needs)", "**You need:** unit 02 (softmax)."),
}
"""What a lesson's first cells say: a pattern that finds it, and an example of what to write."""
HEADINGS = ("What you built", "Test yourself", "Sources")
"""What a lesson ends with. A heading may say more: "Questions to test yourself"."""
_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_COUNTED = re.compile(rf"\b({'|'.join(_NUMBERS)}|\d+) exercises?\b(?:, (\d+) points)?", re.IGNORECASE)
_MINUTES = re.compile(r"(\d+) (?:minutes )?(?:of them for the|are) exercises|of which (\d+) (?:minutes )?are exercises")
_ROUNDED = 5
"""By so many minutes the first words may round the exercises' time."""
_WORDS_BEFORE_WRITING = 500
"""After so many words at the most, the learner writes something."""
_LONG_LINES = 12
"""An experiment's cell longer than this says whether its source is to be read (folded=False) or only its output."""


def broken_rules(lesson: Lesson) -> tuple[str, ...]:
    """What a lesson lacks, one line each: the file, what is wrong, how to mend it. Empty where it has everything."""
    return tuple(f"{lesson.path}: {found}" for rule in RULES for found in rule(lesson))


def first_words_say_goals_and_needs(lesson: Lesson) -> Iterator[str]:
    text = _first_words(lesson)
    for what, (pattern, example) in FIRST_WORDS.items():
        if not re.search(pattern, text):
            yield f"its first cells do not say {what}; write, for example, {example!r}"


def time_is_said_and_adds_up(lesson: Lesson) -> Iterator[str]:
    said, needed = said_time(lesson), sum(exercise.minutes for exercise in lesson.exercises)
    if said is None:
        yield "its first cells do not say how long it takes; write, for example, '**Time:** about 75 minutes'"
    elif said < needed:
        yield f"**Time:** says {said} minutes, and its exercises alone add up to {needed}; correct it, or their minutes=..."
    for found in _MINUTES.finditer(_first_words(lesson)):
        minutes = int(found[1] or found[2])
        if abs(minutes - needed) > _ROUNDED:
            yield f"{found[0]!r} in its first cells, and they add up to {needed}; correct it, or their minutes=..."


def numbers_agree_with_the_exercises(lesson: Lesson) -> Iterator[str]:
    points = sum(exercise.points for exercise in lesson.exercises)
    for word, said in _COUNTED.findall(_first_words(lesson)):
        count = int(word) if word.isdigit() else _NUMBERS.index(word.lower())
        if count != len(lesson.exercises) or (said and float(said) != points):
            yield f"its first cells say '{word} exercises{f', {said} points' if said else ''}'; it has " + (
                f"{len(lesson.exercises)}, with {points:g} points: mend the words"
            )


def something_is_seen_before_the_first_exercise(lesson: Lesson) -> Iterator[str]:
    parts = [cell.part for cell in lesson.cells]
    if "prompt" in parts and "demo" not in parts[: parts.index("prompt")]:
        yield 'no picture and no number comes before the first exercise; write a part="demo" cell that shows the idea'


def the_first_exercise_comes_soon(lesson: Lesson) -> Iterator[str]:
    read = 0
    for cell in lesson.cells:
        if cell.part == "prompt":
            break
        read += len(cell.source.split()) if cell.kind == "markdown" else 0
    if read > _WORDS_BEFORE_WRITING:
        yield (
            f"{read} words come before the first exercise, and {_WORDS_BEFORE_WRITING} are enough: move what is not needed "
            "for it behind it, or where it is needed"
        )


def long_experiments_say_whether_they_are_read(lesson: Lesson) -> Iterator[str]:
    for cell in lesson.cells:
        lines = len(cell.source.splitlines())
        if cell.part == "demo" and lines > _LONG_LINES and "folded" not in cell.marks:
            yield (
                f"a cell of {lines} lines begins with {cell.source.splitlines()[0][:50]!r}; write folded=True into its header "
                "if only its output is to be seen (a drawing, data), or folded=False"
            )


def a_guess_is_asked_before_its_outcome(lesson: Lesson) -> Iterator[str]:
    """Nothing that an outcome is computed from may have run, and been shown, when the guess is asked."""
    cells = [cell for cell in lesson.cells if cell.part not in NEVER_SHIPPED]
    asked = {name: i for i, cell in enumerate(cells) for name, _ in _calls(cell, "predict")}
    told = {name: (i, used) for i, cell in enumerate(cells) for name, used in _calls(cell, "outcome")}
    if not asked:
        yield 'no guess is asked for; write predict("NAME", "...?", choices=(...)) into a cell, and outcome("NAME", ...) behind'
    for name in sorted(told.keys() - asked.keys()):
        yield f'outcome("{name}", ...) has no predict("{name}", ...) before it'
    for name, at in asked.items():
        if name not in told:
            yield f'predict("{name}", ...) has no outcome("{name}", ...); write it where the answer has been measured'
            continue
        known = {
            word: i for i in range(len(cells)) for word in _assigned(cells[i])
        }  # where each name gets its last value
        early = sorted(word for word in told[name][1] if known.get(word, at + 1) <= at)
        if told[name][0] <= at or early:
            what = f" ({', '.join(early)})" if early else ""
            yield f'what outcome("{name}", ...) tells{what} is computed before the guess is asked; move predict(...) up'
    for i, cell in enumerate(cells):
        if cell.kind == "markdown" and "Predict first" in cell.source and i + 1 not in asked.values():
            words = " ".join(cell.source.partition("Predict first")[2].split()).strip(".:* ")[:40]
            yield f"no predict(...) stands in the cell behind 'Predict first. {words}...'; write it, so that a guess can be given"


def _calls(cell: Cell, function: str) -> Iterator[tuple[str, set[str]]]:
    """The calls of predict or outcome in a cell: the name, and the variables that stand in the call."""
    for node in ast.walk(_tree(cell)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == function and node.args:
            name = node.args[0].value if isinstance(node.args[0], ast.Constant) else ""
            yield (
                str(name),
                {part.id for argument in node.args[1:] for part in ast.walk(argument) if isinstance(part, ast.Name)},
            )


def _assigned(cell: Cell) -> set[str]:
    """Variables that the cell gives a value; functions, classes and imports tell no result."""
    return {node.id for node in ast.walk(_tree(cell)) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def _tree(cell: Cell) -> ast.AST:
    """The cell's code; nothing where it is none, or uses IPython's own commands."""
    try:
        return ast.parse(cell.source if cell.kind == "code" else "")
    except SyntaxError:
        return ast.Module(body=[], type_ignores=[])


def it_ends_with_what_was_built_questions_and_sources(lesson: Lesson) -> Iterator[str]:
    headings = [line.lower() for line in _words(lesson).splitlines() if line.startswith("#")]
    for heading in HEADINGS:
        if not any(heading.lower() in line for line in headings):
            yield f"no heading says {heading!r}; write a cell '## {heading}' near its end"


def it_leads_on(lesson: Lesson) -> Iterator[str]:
    known = units(lesson.path.parents[1])
    following = known[known.index(lesson.unit) + 1 :] if lesson.unit in known else ()
    if following and "**Next" not in _words(lesson):
        yield f"nothing leads to {following[0]}; write a line that begins with '**Next' at its end"


RULES: tuple[Rule, ...] = (
    first_words_say_goals_and_needs,
    time_is_said_and_adds_up,
    numbers_agree_with_the_exercises,
    something_is_seen_before_the_first_exercise,
    the_first_exercise_comes_soon,
    long_experiments_say_whether_they_are_read,
    a_guess_is_asked_before_its_outcome,
    it_ends_with_what_was_built_questions_and_sources,
    it_leads_on,
)


def _first_words(lesson: Lesson) -> str:
    """The words of the first two cells, in one line."""
    return " ".join(word for cell in lesson.cells[:2] if cell.kind == "markdown" for word in cell.source.split())


def _words(lesson: Lesson) -> str:
    return "\n\n".join(cell.source for cell in lesson.cells if cell.kind == "markdown" and cell.part != "hints")
