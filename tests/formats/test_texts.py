"""The walk over a cell's texts: what is asked for, and what comes of an answer."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.formats.texts import code_in, has_words, markdown_in, same_code

pytestmark = pytest.mark.quick


def asked(walk: object, source: str) -> list[str]:
    found: list[str] = []
    walk(source, lambda text: found.append(text) or text)  # type: ignore[operator]
    return found


def test_headings_paragraphs_items_and_cells_are_texts_of_their_own() -> None:
    source = """## The idea

Words that are
wrapped by hand.

1. **Ask.** Make a query.
2. Offer
   a key.

| argument | shape | meaning |
|---|---|---|
| `x` | `(n,)` | the scores |

$$a = b$$

```
not this
```
<details><summary>Why?</summary>

Because.
</details>"""
    assert asked(markdown_in, source) == [
        "The idea", "Words that are wrapped by hand.", "**Ask.** Make a query.", "Offer a key.", "argument", "shape",
        "meaning", "the scores", "Why?", "Because.",
    ]  # fmt: skip
    told = markdown_in(source, lambda text: {"Why?": "为什么？", "the scores": "分数"}.get(text, text))
    assert "<details><summary>为什么？</summary>" in told and "| `x` | `(n,)` | 分数 |" in told


def test_a_number_that_begins_a_line_of_a_paragraph_is_no_item() -> None:
    assert asked(markdown_in, "Python counts from\n0. Unit 03 says more.") == [
        "Python counts from 0. Unit 03 says more."
    ]


def test_of_code_comments_docstrings_and_what_is_shown_are_asked_for() -> None:
    source = '''def f(x):
    """What it does.

    x: the scores
    """
    return x  # as it came

boxes = {"q": Box("query", 0, "orange")}
print("two words", f"{x:.2f} of {y['a key']} tokens")
use_part("softmax")
'''
    assert asked(code_in, source) == [
        "as it came", "What it does.\n\nx: the scores", "query", "orange", "two words", "{x:.2f} of {y['a key']} tokens", "a key",
    ]  # fmt: skip
    told = code_in(
        source,
        lambda text: {"What it does.\n\nx: the scores": "做什么。\n\nx: 分数", "two words": '两个"词"'}.get(text, text),
    )
    assert ast.get_docstring(ast.parse(told).body[0]) == "做什么。\n\nx: 分数"  # type: ignore[arg-type]
    assert r'print("两个\"词\""' in told and same_code(source, told)


def test_a_label_that_is_also_a_key_changes_in_both_places_and_a_name_of_the_code_in_neither() -> None:
    source = 'curve({"training loss": losses["training loss"], "value": inputs["value"]})\ntitle(f"{x[\'training loss\']:.1f}")'
    words = {"training loss": "训练损失", "value": "值"}
    told = code_in(source, lambda text: words.get(text, text), lambda text: words.get(text, text))
    assert told.count("训练损失") == 3 and 'inputs["value"]' in told


def test_the_words_inside_an_f_strings_fields_are_asked_for() -> None:
    source = """print(f"change by {'less' if x < 1 else 'more'} than 1")"""
    words = {
        "less": "小",
        "more": "大",
        "change by {'less' if x < 1 else 'more'} than 1": "变化{'less' if x < 1 else 'more'}于 1",
    }
    assert code_in(source, lambda text: words.get(text, text)) == """print(f"变化{'小' if x < 1 else '大'}于 1")"""


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"))))
def test_any_translation_of_a_string_leaves_the_code_as_it_was(words: str) -> None:
    source = 'print("some words here", x)  # and a comment\n'
    told = code_in(source, lambda text: words if text == "some words here" else text)
    assert same_code(source, told)
    assert ast.parse(told).body[0].value.args[0].value == words  # type: ignore[attr-defined]


@given(st.text())
def test_any_text_can_be_walked_over(source: str) -> None:
    markdown_in(source, lambda text: text)
    assert code_in(source, lambda text: text) == source


def test_formulas_and_code_hold_no_words() -> None:
    assert not has_words("$\\mathrm{softmax}(x)$, `a word`, 3 [x](../some/where.ipynb)") and has_words("`x` is it")
