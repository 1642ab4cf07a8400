"""The course's rules: what every lesson says besides what its checks need. Each that is broken is told with its cure.

Words that must stand somewhere are rows of `FIRST_WORDS` and `HEADINGS`; any other rule is a function from a lesson to
sentences, listed in `RULES`. `verify` counts what is broken as a problem. `build` only tells it: a lesson that is being
written has not everything yet.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from .parse import NEVER_SHIPPED, Lesson, units
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
_ANSWERED_WITHIN = 2
"""So many cells behind a prediction stands the code that answers it."""


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


def a_prediction_is_asked_before_its_result(lesson: Lesson) -> Iterator[str]:
    cells = [cell for cell in lesson.cells if cell.part not in NEVER_SHIPPED]
    asking = [i for i, cell in enumerate(cells) if cell.kind == "markdown" and "Predict first" in cell.source]
    if not asking:
        yield "no prediction is asked for; write '**Predict first.** ...' into a cell, and after it the code that answers"
    for i in asking:
        if not any(cell.kind == "code" for cell in cells[i + 1 : i + 1 + _ANSWERED_WITHIN]):
            words = cells[i].source.partition("Predict first")[2].strip(".:* ")[:40]
            yield f"no code answers the prediction '{words}...'; write it into the cell after it"


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
    a_prediction_is_asked_before_its_result,
    it_ends_with_what_was_built_questions_and_sources,
    it_leads_on,
)


def _first_words(lesson: Lesson) -> str:
    """The words of the first two cells, in one line."""
    return " ".join(word for cell in lesson.cells[:2] if cell.kind == "markdown" for word in cell.source.split())


def _words(lesson: Lesson) -> str:
    return "\n\n".join(cell.source for cell in lesson.cells if cell.kind == "markdown" and cell.part != "hints")
