"""Make a submission's text and outputs safe to show in an instructor's browser.

Formgrader and feedback pages render them as HTML. What stays: plain text, PNG pictures, and Markdown without HTML.
What the grader itself adds (panels of verdicts) is escaped where it is made.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, MutableMapping
from typing import Any

Output = dict[str, Any]
_MAX_TEXT = 20_000
_MAX_PICTURE_BYTES = 2 * 1024 * 1024
_MAX_PIXELS = 16_000_000
"""More in a browser: a picture of few bytes can ask for gigabytes."""
_MAX_OUTPUTS = 40
_PNG = b"\x89PNG\r\n\x1a\n"
_GAP = r"[\s\\]*"
_SCHEME = re.compile(
    rf"(?i)(?:{_GAP.join('javascript')}|{_GAP.join('vbscript')}|{_GAP.join('livescript')}){_GAP}:"
    r"|data\s*:(?=\s*[\w.+-]*[/;,])"
)
_MATH_COMMAND = re.compile(
    r"\\(?=(?:href|require|style|class|cssId|unicode|includegraphics|bbox|mmlToken|enclose|data|html\w*)(?![A-Za-z]))"
)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]")


def output_of(kind: str, **fields: Any) -> Output:
    """One output of a cell, as `nbformat.v4.new_output` makes it."""
    return {"output_type": kind, **({} if kind in ("stream", "error") else {"metadata": {}}), **fields}


def safe_text(text: Any) -> str:
    """At most 20,000 characters, control characters other than colours gone."""
    words = text if isinstance(text, str) else str(text)
    words = _CONTROL.sub("", words.encode("utf-8", "replace").decode("utf-8"))
    if len(words) > _MAX_TEXT:
        words = f"{words[:_MAX_TEXT]}\n[cut here: {len(words) - _MAX_TEXT} more characters]"
    return words


def safe_markdown(text: str) -> str:
    """Markdown in which no HTML tag, no character reference and no script address can begin.

    Nor a picture: it would be fetched from wherever its author wants to know who looks. A tag begins with `<` and a
    letter, `/`, `!` or `?` right behind it, a reference with `&` and a letter or `#`: a space between them ends that,
    and formulas and code stay legible, which escaping would spoil.
    """
    text = re.sub(r"<(?=[A-Za-z/!?])", "< ", safe_text(text))
    text = re.sub(r"&(?=[A-Za-z#])", "& ", text)
    text = _MATH_COMMAND.sub(r"\\ ", text.replace("![", "["))
    return _SCHEME.sub("removed:", text)


def safe_outputs(outputs: Any) -> list[Output]:
    """Outputs as a submission's process described them, reduced to streams, plain text and PNG."""
    kept: list[Output] = []
    for output in outputs if isinstance(outputs, list) else []:
        if isinstance(output, dict) and len(kept) < _MAX_OUTPUTS:
            kept += _safe_output(output)
    return kept


def _safe_output(output: dict[str, Any]) -> list[Output]:
    kind = output.get("output_type")
    if kind == "stream":
        name = "stderr" if output.get("name") == "stderr" else "stdout"
        return [output_of("stream", name=name, text=safe_text(output.get("text", "")))]
    if kind == "error":
        name, value = safe_text(output.get("ename", ""))[:200], safe_text(output.get("evalue", ""))[:2000]
        lines = output.get("traceback")
        told = [safe_text(line) for line in (lines if isinstance(lines, list) else [])[:60] if isinstance(line, str)]
        return [output_of("error", ename=name, evalue=value, traceback=told)]
    data = output.get("data")
    if kind not in ("display_data", "execute_result") or not isinstance(data, dict):
        return []
    safe: dict[str, str] = {}
    if isinstance(data.get("text/plain"), str):
        safe["text/plain"] = safe_text(data["text/plain"])
    if picture := _safe_picture(data.get("image/png")):
        safe["image/png"] = picture
    # An execute_result of the learner's would be read as a score in a check cell: shown, it is display data.
    return [output_of("display_data", data=safe)] if safe else []


def _safe_picture(data: Any) -> str | None:
    if not isinstance(data, str) or len(data) > 2 * _MAX_PICTURE_BYTES:
        return None
    try:
        raw = base64.b64decode(data, validate=False)
    except (binascii.Error, ValueError):
        return None
    if not raw.startswith(_PNG) or not 33 <= len(raw) <= _MAX_PICTURE_BYTES:
        return None
    width, height = int.from_bytes(raw[16:20], "big"), int.from_bytes(raw[20:24], "big")
    if raw[12:16] != b"IHDR" or not 0 < width * height <= _MAX_PIXELS:
        return None
    return base64.b64encode(raw).decode("ascii")


def sanitise(cells: Iterable[MutableMapping[str, Any]], trusted: frozenset[str]) -> None:
    """Make the cells of a rebuilt notebook harmless, in place. `trusted`: ids of cells that are the course's own text."""
    for cell in cells:
        if cell["id"] not in trusted:
            cell.pop("attachments", None)
            safe = safe_markdown if cell["cell_type"] == "markdown" else safe_text
            cell["source"] = safe(cell["source"])
