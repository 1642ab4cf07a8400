"""Make HTML pages from `templates/`: each a file of its own that loads nothing. Whatever is put in is escaped."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ..formats.language import language, said
from ..judging.panel import inline


def render(template: str, /, **values: Any) -> str:
    """A page from `templates/`, with `values` under their names."""
    return _environment().get_template(template).render(values)


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"said": said, "language": language}
    environment.filters |= {"points": _points, "share": _share, "code": _code}
    return environment


def _points(value: float) -> str:
    return f"{value:g}"


def _share(part: int, whole: int) -> str:
    return f"{round(100 * part / whole)} %" if whole else "–"


def _code(text: str) -> Markup:
    return Markup(inline(text))
