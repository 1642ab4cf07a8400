"""A learner's guess before an experiment, written down, and shown again beside what was measured. Never graded.

Guesses are kept in the learner's own package, beside the notebooks' folders. Where no menus can be shown (a terminal, a
page without ipywidgets) the guess is written into the cell: `predict(..., mine="...")`.
"""

from __future__ import annotations

import html
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..formats.language import said
from ..judging.panel import STYLE, display
from ..lab.front_end import is_live
from ..library import is_grading
from . import my_transformer

_FILE = "guesses.json"
"""In the learner's own package: the guess's name -> what was guessed, as it is shown."""
_choices: dict[str, tuple[str, ...]] = {}
"""What could be chosen, by the guess's name: what is measured must be one of these, in whichever language."""
_said: dict[str, str] = {}
"""The guesses of this process: where nothing is kept, they last as long as it does."""


def predict(
    name: str,
    question: str,
    *,
    choices: Sequence[str] = (),
    order: Sequence[str] = (),
    unit: str = "",
    mine: str | float | None = None,
) -> None:
    """Ask for a guess, before the experiment that answers it.

    name:     what `outcome` calls the same guess
    choices:  the answers to choose from; or
    order:    things to put in order, the first one first, as the question says; or
    unit:     what a number is a number of ("times", "ms")
    mine:     the guess itself, for those who see no menu: a choice, a number, or the order, with > between

    Raises ValueError for a guess that is none of the choices, not a number, or another list of things.
    """
    if is_grading():
        return
    _choices[name] = tuple(choices)
    if mine is not None:
        _keep(name, _checked(mine, choices, order, unit))
        print(said(f"Written down: {_guess(name)}."))
    elif is_live() and importlib.util.find_spec("ipywidgets") is not None:
        _ask(name, question, choices, order, unit)
    else:
        print("\n".join([question, *_possible(choices, order, unit)]))
        if _guess(name):
            print(said(f"Your guess so far: {_guess(name)}."))


def outcome(name: str, measured: str | float | Sequence[str], unit: str = "") -> None:
    """Show what was measured beside what was guessed.

    measured: one of the choices, a number, or the things in their order
    unit:     what a number is a number of
    """
    among = _choices.get(name, ())
    if among and isinstance(measured, str) and measured not in among and not my_transformer.is_on():
        # only where notebooks are built or tested: it is their author's to mend
        raise ValueError(f"{name}: {measured!r} is none of the choices: {'; '.join(among)}")
    found, guessed = _shown(measured, unit), _guess(name)
    rows = [(said("your guess"), guessed or said("none written down")), (said("measured here"), found)]
    if guessed and isinstance(measured, str):
        told = "as you guessed" if guessed == found else "not as you guessed: what made the difference?"
        rows.append(("", said(told)))
    cells = "".join(
        f'<tr><th scope="row" style="text-align:left">{html.escape(head)}</th>'
        f'<td style="text-align:left">{html.escape(text)}</td></tr>'
        for head, text in rows
    )
    display(
        {
            "text/html": f'{STYLE}<div class="ag ok" role="status"><table class="wide">{cells}</table></div>',
            "text/plain": "\n".join(f"{head + ':' if head else '':<15}{text}" for head, text in rows),
        }
    )


def _checked(mine: str | float, choices: Sequence[str], order: Sequence[str], unit: str) -> str:
    if choices:
        if mine not in choices:
            raise ValueError(said(f"{mine!r} is none of the choices: {'; '.join(choices)}"))
        return str(mine)
    if order:
        given = [part.strip() for part in str(mine).split(">")]
        if sorted(given) != sorted(order):
            raise ValueError(said(f"put each of these once, with > between: {' > '.join(order)}"))
        return " > ".join(given)
    return _shown(float(mine), unit)


def _shown(value: str | float | Sequence[str], unit: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Sequence):
        return " > ".join(value)
    return f"{value:.3g} {unit}".strip()


def _possible(choices: Sequence[str], order: Sequence[str], unit: str) -> list[str]:
    if choices:
        return [f"  - {choice}" for choice in choices] + [
            said('Write your choice into this cell, as mine="...", and run it again.')
        ]
    if order:
        return [said(f'Write your order into this cell, as mine="{" > ".join(order)}", and run it again.')]
    if unit:
        return [said(f"Write your number ({unit}) into this cell, as mine=..., and run it again.")]
    return [said("Write your number into this cell, as mine=..., and run it again.")]


def _ask(name: str, question: str, choices: Sequence[str], order: Sequence[str], unit: str) -> None:
    """The question with something to click: buttons for choices, a menu for each place of an order, a field for a number."""
    import ipywidgets as widgets
    from IPython.display import display as show

    before, wide = _guess(name), widgets.Layout(width="auto", max_width="100%")
    state = widgets.Label(
        said(f"Written down: {before}." if before else "Nothing written down yet. Guesses are never graded.")
    )
    if choices:
        fields = [widgets.RadioButtons(options=list(choices), value=before if before in choices else None, layout=wide)]
    elif order:
        places = before.split(" > ") if before else [None] * len(order)
        fields = [
            widgets.Dropdown(options=list(order), value=place if place in order else None, description=f"{number}.")
            for number, place in enumerate(places, start=1)
        ]
    else:
        number = before.split()[0] if before else ""
        fields = [widgets.Text(value=number, description=unit or said("number"), continuous_update=False)]

    def changed(_change: Any) -> None:
        values = [str(field.value) for field in fields if field.value not in (None, "")]
        if len(values) < len(fields):
            return
        try:
            _keep(name, _checked(" > ".join(values) if order else values[0], choices, order, unit))
        except ValueError:
            state.value = said("Use each of them once." if order else "Write a number, such as 2.5.")
        else:
            state.value = said(f"Written down: {_guess(name)}.")

    for field in fields:
        field.observe(changed, "value")
    show(widgets.VBox([widgets.HTML(f"<p>{html.escape(question)}</p>"), *fields, state], layout=wide))


def _guess(name: str) -> str:
    if name in _said or not my_transformer.is_on():
        return _said.get(name, "")
    return str(my_transformer.read_entries(my_transformer.package_folder(Path.cwd()), _FILE).get(name, ""))


def _keep(name: str, guess: str) -> None:
    _said[name] = guess
    if my_transformer.is_on():
        try:
            my_transformer.add_entry(my_transformer.package_folder(Path.cwd()), _FILE, name, guess)
        except OSError as error:
            print(
                said(f"Your guess lasts until the kernel is restarted: it cannot be written down ({error.strerror}).")
            )
