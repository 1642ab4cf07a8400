"""Chinese labels in figures, with a font that draws them or with words where there is none.

Matplotlib's own font has no Chinese. A figure that asks for a glyph which no font has shows an empty box and
writes a warning to stderr, which costs a graded cell its points. So every text is first tried on the fonts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from matplotlib import font_manager
from matplotlib.font_manager import FontProperties

from autograder.formats.language import said

BASE_FAMILY = "DejaVu Sans"  # comes with Matplotlib, so it is always there

# Simplified Chinese before the other regional forms, sans before serif: legible at 10 points.
_CHINESE_FAMILIES = (
    "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "Source Han Sans CN",
    "Source Han Sans", "PingFang SC", "Hiragino Sans GB", "Microsoft YaHei", "DengXian",
    "WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "HarmonyOS Sans SC", "MiSans", "LXGW WenKai",
    "Heiti SC", "STHeiti", "Noto Sans CJK JP", "Noto Sans CJK TC", "Noto Sans CJK HK",
    "Noto Sans CJK KR", "PingFang HK", "Heiti TC", "SimHei", "Droid Sans Fallback",
    "Noto Serif CJK SC", "Noto Serif SC", "Source Han Serif SC", "Source Han Serif CN", "Songti SC",
    "STSong", "SimSun", "AR PL UMing CN", "AR PL UKai CN", "KaiTi", "FangSong", "Arial Unicode MS",
)  # fmt: skip

_CHINESE_FILES = re.compile(
    r"cjk|notosanssc|notoserifsc|sourcehan|pingfang|hiragino|msyh|deng|wqy|harmonyos|misans|lxgw|heiti|simhei"
    r"|droidsansfallback|songti|simsun|uming|ukai|kaiti|simkai|simfang|arial ?unicode",
    re.IGNORECASE,
)
_SAMPLE = "机器学习昨天两亿零点"


def chinese_family() -> str | None:
    """The name of an installed font family that draws Chinese, or None."""
    return _chinese_family()


def families() -> list[str]:
    """Font families for every text of a figure, in the order in which a glyph is looked for."""
    chinese = chinese_family()
    return [BASE_FAMILY] if chinese is None else [BASE_FAMILY, chinese]


def drawable(text: str) -> bool:
    """Whether every character of `text` has a glyph in one of `families()`."""
    return all(_has_glyph(character, tuple(families())) for character in text)


def label(text: str, gloss: str | None = None) -> str:
    """`text` where it can be drawn, otherwise `gloss`, otherwise `text` with numbers for what cannot be.

    A numbered label needs its legend beside it: use `Labels` where one figure has several.
    """
    return Labels().label(text, gloss)


def _has_glyph(character: str, among: tuple[str, ...]) -> bool:
    if character in " \n":
        return True
    return character.isprintable() and any(_covers(family, character) for family in among)


@lru_cache(maxsize=8192)
def _covers(family: str, text: str) -> bool:
    try:
        path = font_manager.findfont(
            FontProperties(family=[family]), fallback_to_default=False, rebuild_if_missing=False
        )
        font = font_manager.get_font(path)
    except (ValueError, OSError, RuntimeError):
        return False
    return all(font.get_char_index(ord(character)) for character in text)


@lru_cache(maxsize=1)
def _chinese_family() -> str | None:
    found = _first_covering(_known_families())
    if found is None and _add_new_fonts():
        found = _first_covering(_known_families())
    return found


def _known_families() -> set[str]:
    return {entry.name for entry in font_manager.fontManager.ttflist if Path(entry.fname).exists()}


def _first_covering(installed: set[str]) -> str | None:
    # A font of the right name may still be a subset without the characters that we need.
    return next((name for name in _CHINESE_FAMILIES if name in installed and _covers(name, _SAMPLE)), None)


def _add_new_fonts() -> bool:
    """Tell Matplotlib of Chinese fonts that were installed after it wrote its list, which it never renews."""
    listed = {entry.fname for entry in font_manager.fontManager.ttflist}
    added = False
    for path in font_manager.findSystemFonts():
        if path not in listed and _CHINESE_FILES.search(Path(path).name):
            try:
                font_manager.fontManager.addfont(path)
                added = True
            except (OSError, RuntimeError, ValueError):
                continue  # a damaged or unreadable font file is no reason to lose the figure
    if added:
        _covers.cache_clear()
    return added


@dataclass
class Labels:
    """The labels of one figure, numbered where they cannot be drawn.

    The same run of characters keeps the same number; `legend` then says in text, which the browser or the
    terminal draws with its own fonts, what the numbers stand for.
    """

    _numbers: dict[str, int] = field(default_factory=dict)

    def label(self, text: str, gloss: str | None = None) -> str:
        """What to draw for words of ours, in the language that is spoken where a font has it; else as `drawn`."""
        told = said(text)
        return told if told != text and drawable(told) else self.drawn(text, gloss)

    def drawn(self, text: str, gloss: str | None = None) -> str:
        """What to draw for a text that is shown as it is, such as a token: itself, its gloss, or itself with "[1]" for what
        has no glyph."""
        if drawable(text):
            return text
        if gloss is not None and drawable(gloss):
            return gloss
        return self._numbered(text)

    def labels(self, texts: Sequence[str], glosses: Sequence[str] | None = None) -> list[str]:
        """`drawn` for each text. Raises ValueError where there is not one gloss for each text."""
        if glosses is None:
            return [self.drawn(text) for text in texts]
        return [self.drawn(text, gloss) for text, gloss in zip(texts, glosses, strict=True)]

    @property
    def legend(self) -> str:
        """ "[1] 机器   [2] 学习", or nothing where everything could be drawn."""
        return "   ".join(f"[{number}] {text}" for text, number in self._numbers.items())

    def _numbered(self, text: str) -> str:
        among = tuple(families())
        parts: list[str] = []
        run = ""
        for character in text:
            if _has_glyph(character, among):
                parts += [self._number(run)] if run else []
                parts.append(character)
                run = ""
            else:
                run += character
        parts += [self._number(run)] if run else []
        return "".join(parts)

    def _number(self, run: str) -> str:
        return f"[{self._numbers.setdefault(run, len(self._numbers) + 1)}]"
