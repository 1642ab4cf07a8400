"""PO files: what is new, changed, unused or broken, and what is built from them."""

import json
from pathlib import Path

import pytest

from autograder.authoring.catalogs import (
    Text,
    bring_up_to_date,
    catalog_text,
    other_words,
    package_messages,
    read,
    state_of,
    unlike,
)

ONE = Text("The query asks with $q$ and `W_q`.", "a cell")
TWO = Text("{n} tokens of a sentence", "checks", message=True)


def translated(path: Path, **told: str) -> None:
    file = read(path)
    for entry in file:
        entry.msgstr = told.get("one" if entry.msgid == ONE.original else "two", "")
    file.save(str(path))


def test_what_is_new_is_listed_until_it_is_translated(tmp_path: Path) -> None:
    path = tmp_path / "zh.po"
    assert state_of(path, [ONE, TWO]).new == (ONE.original, TWO.original)
    bring_up_to_date(path, [ONE, TWO], "zh")
    translated(path, one="查询用 $q$ 和 `W_q` 提问。", two="一个句子的 {n} 个词元")
    assert state_of(path, [ONE, TWO]).is_current
    tree = json.loads(catalog_text(read(path)))
    assert tree == {
        "texts": {ONE.original: "查询用 $q$ 和 `W_q` 提问。"}, "messages": {TWO.original: "一个句子的 {n} 个词元"},
    }  # fmt: skip


def test_a_changed_text_keeps_its_translation_to_look_at_and_is_not_used_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "zh.po"
    bring_up_to_date(path, [ONE, TWO], "zh")
    translated(path, one="查询用 $q$ 和 `W_q` 提问。", two="一个句子的 {n} 个词元")
    other = Text("The query now asks with $q$ and `W_q`.", "a cell")
    found = state_of(path, [other, TWO])
    assert found.new == (other.original,) and found.unused == (ONE.original,)
    bring_up_to_date(path, [other, TWO], "zh")
    assert state_of(path, [other, TWO]).changed == (other.original,)
    assert json.loads(catalog_text(read(path)))["texts"] == {}
    bring_up_to_date(path, [other], "zh")  # what is no longer used is kept behind the others, and comes back
    bring_up_to_date(path, [other, TWO], "zh")
    assert state_of(path, [other, TWO]).new == ()


@pytest.mark.parametrize(
    ("original", "translation", "message", "says"),
    [
        ("Divide by $\\sqrt{d_k}$.", "除以 $\\sqrt{d}$。", False, "formulas"),
        ("Use `np.max`.", "用 `np.min`。", False, "code"),
        ("See [unit 03](../03/x.ipynb).", "见[单元 03](../04/x.ipynb)。", False, "addresses"),
        ("{n} of {m}", "{n} 个", True, "values in braces"),
        ("{x:.2f} tokens", "{x:.1f} 个词元", False, "values in braces"),
    ],
)
def test_a_translation_keeps_to_its_original(original: str, translation: str, message: bool, says: str) -> None:
    (told,) = unlike(original, translation, message)
    assert told.startswith(says)
    assert unlike(original, original, message) == []


def test_words_inside_a_formula_may_be_translated_and_a_plural_left_out() -> None:
    assert unlike("$x_{\\text{new}}$", "$x_{\\text{新}}$", False) == []
    assert unlike("{n} head{'s' * (n > 1)}", "{n} 个头", False) == []


def test_the_glossary_is_followed() -> None:
    assert other_words("The learning rate is too large.", "学习速度太大。") == [
        "the glossary says 学习率 for learning rate"
    ]
    assert other_words("The learning rate is too large.", "学习率太大。") == []
    assert other_words("`learning rate`", "`learning rate` 是名字") == []


def test_the_package_s_messages_are_templates_with_named_values() -> None:
    found = {text.original for text in package_messages()}
    assert "Hint {position} of {hints} (costs nothing)" in found
    assert "your output is {which} in too many places; wherever it is {other}, it is right." in found
