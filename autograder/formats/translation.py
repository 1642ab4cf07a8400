"""A notebook's cells in another language: the same cells with the same marks, their texts taken from the catalogs."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from .cases import UnitCases
from .language import ENGLISH, catalogs, languages, said, speaking
from .texts import code_in, markdown_in

Cell = Mapping[str, Any]
_BEGIN = re.compile(r'^begin\("([0-9a-z_]+)"\)', re.MULTILINE)
_PROGRESS = re.compile(r"^progress\(\)", re.MULTILINE)


def translated_cells(cells: Iterable[Cell], language: str, unit: str = "") -> list[dict[str, Any]]:
    """Copies of the cells; the one that calls `begin` says the language."""
    if language == ENGLISH:
        return [copy.deepcopy(dict(cell)) for cell in cells]
    known = catalogs(language, unit)
    own = known[0]

    def look(text: str) -> str:
        for one in known:
            if text in one.texts:
                return one.texts[text]
        return said(text, unit)

    def elsewhere(text: str) -> str:
        return own.texts.get(text, text)

    done = []
    with speaking(language):
        for cell in cells:
            built = copy.deepcopy(dict(cell))
            if cell["cell_type"] == "markdown":
                built["source"] = markdown_in(cell["source"], look)
            else:
                built["source"] = code_in(cell["source"], look, elsewhere)
                built["source"] = _BEGIN.sub(rf'begin("\1", language="{language}")', built["source"])
                built["source"] = _PROGRESS.sub(f'progress("{language}")', built["source"])
            done.append(built)
    return done


def in_language(unit: UnitCases, language: str) -> UnitCases:
    """The unit with the code cells that learners of this language were given."""
    if language == ENGLISH:
        return unit
    return replace(unit, code_cells=tuple(translated_cells(unit.code_cells, language, unit.unit)))


def language_of(unit: UnitCases, submitted: Sequence[Cell]) -> str:
    """The language in which a notebook of the unit was given."""
    return given_in(submitted, {language: in_language(unit, language).code_cells for language in languages()})


def given_in(submitted: Sequence[Cell], given: Mapping[str, Iterable[Cell]]) -> str:
    """The language in which a submission holds most of the cells that were given; English where none has more."""
    theirs = {str(cell.get("source", "")).strip() for cell in submitted}
    counts = {language: sum(cell["source"].strip() in theirs for cell in cells) for language, cells in given.items()}
    return max(counts, key=lambda language: (counts[language], language == ENGLISH), default=ENGLISH)
