"""Code that two have in common is found under other names; what the course or the class wrote is no sign of anything."""

import pytest

from autograder.grading.likeness import Compared, alike, likeness_page

pytestmark = pytest.mark.quick

OWN = """
def softmax(x, axis=-1):
    top = x.max(axis=axis, keepdims=True)
    rest = np.where(x == top, 0, x - top)
    table = [np.exp(value) for value in rest.ravel()]
    total = np.array(table).reshape(x.shape).sum(axis=axis, keepdims=True)
    return np.array(table).reshape(x.shape) / total
"""
RENAMED = (
    OWN.replace("top", "biggest")
    .replace("rest", "moved")
    .replace("table", "e")
    .replace("    total", "    # the sum\n    s")
    .replace("total", "s")
)
ANOTHER = """
def softmax(x, axis=-1):
    moved = np.moveaxis(x, axis, 0)
    out = np.empty_like(moved)
    for index in np.ndindex(moved.shape[1:]):
        column = moved[(slice(None), *index)]
        out[(slice(None), *index)] = np.exp(column - np.logaddexp.reduce(column))
    return np.moveaxis(out, 0, axis)
"""


def test_the_same_code_under_other_names_is_found_and_marked() -> None:
    (pair,) = alike({"ada": OWN, "bob": RENAMED, "eve": ANOTHER})
    assert pair.students == ("ada", "bob")
    assert min(pair.shares) > 0.8
    for side, text in enumerate((OWN, RENAMED)):
        assert "".join(piece for piece, _ in pair.texts[side]).strip() == text.strip()
        assert "for value in" in "".join(piece for piece, same in pair.texts[side] if same)


def test_what_the_course_wrote_is_no_sign() -> None:
    assert alike({"ada": OWN, "bob": RENAMED}, forced=[OWN]) == []


def test_what_many_have_written_is_no_sign() -> None:
    few = {f"student {number}": OWN for number in range(4)}
    assert len(alike(few | {"eve": ANOTHER})) == 6
    many = {f"student {number}": OWN for number in range(5)}
    assert alike(many | {"eve": ANOTHER}) == []


def test_short_and_empty_answers_are_like_nothing() -> None:
    assert alike({"ada": "", "bob": "", "eve": "return x", "kim": "return x"}) == []


def test_the_page_shows_code_as_text_and_says_what_it_is_not() -> None:
    hostile = OWN.replace("# ", "") + "\n# <script>alert(1)</script>\n"
    page = likeness_page("02_x", Compared(tuple(alike({"<b>": hostile, "bob": RENAMED})), 2, ("zoe",)))
    assert "<script>" not in page and "<b>" not in page and "&lt;b&gt;" in page
    assert "not a verdict" in page and "<mark>" in page
    assert "cannot be read: zoe" in page
