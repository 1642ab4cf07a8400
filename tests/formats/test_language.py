"""What is said in another language: whole messages, templates, values, and what no catalog has."""

from collections.abc import Iterator

import pytest

from autograder.formats import language
from autograder.formats.language import Catalog, said, speaking
from autograder.judging.panel import as_html, as_text
from autograder.judging.verdict import Verdict

pytestmark = pytest.mark.quick

MESSAGES = {
    "your output is transposed.": "你的输出被转置了。",
    "{n} tokens": "{n} 个词元",
    "the output": "输出",
    "{place} is {seen}, expected {expected}.": "{place} 是 {seen}，应为 {expected}。",
    "{one} and {other}": "{one}和{other}",
    "Look at the axis.": "看看轴。",
}


@pytest.fixture(autouse=True)
def chinese(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    catalog = Catalog({"02 · Scores": "02 · 分数"}, MESSAGES)
    monkeypatch.setattr(language, "catalogs", lambda spoken, unit="": (catalog,))
    monkeypatch.setattr(language, "languages", lambda: ("en", "zh"))
    with speaking("zh"):
        yield


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("Your output is transposed.", "你的输出被转置了。"),
        ("3 tokens", "3 个词元"),
        ("the output[0, 1] is 0.5, expected 0.25.", "输出[0, 1] 是 0.5，应为 0.25。"),
        ("Your output is transposed. Look at the axis.", "你的输出被转置了。看看轴。"),
        ("Your output is transposed. Nobody knows this.", "你的输出被转置了。Nobody knows this."),
        ("02 · Scores", "02 · 分数"),
        ("`a` and `b`", "`a`和`b`"),
        ("a sentence of somebody and another one of theirs", "a sentence of somebody and another one of theirs"),
        ("", ""),
    ],
)
def test_a_message_is_said_as_far_as_it_is_known(message: str, told: str) -> None:
    assert said(message) == told


def test_in_english_nothing_changes() -> None:
    with speaking("en"):
        assert said("your output is transposed.") == "your output is transposed."


def test_a_panel_speaks_the_language_and_the_verdict_stays_english() -> None:
    verdict = Verdict(
        "02", "f", False, False, 0.0, 3.0, 2.0, "transposed", "Your output is transposed.", label="3 tokens"
    )
    assert "你的输出被转置了。" in as_text(verdict) and "3 个词元" in as_html(verdict)
    assert verdict.message == "Your output is transposed."


def test_a_language_without_a_catalog_is_refused() -> None:
    with pytest.raises(ValueError, match="not 'fr'"):
        language.speak("fr")


def test_long_unknown_texts_are_told_apart_at_once() -> None:
    text = " and ".join(["words that no catalog has, is it so, expected or not"] * 200)
    assert said(text) == text
