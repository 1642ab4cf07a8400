"""The picture of the whole machine says in words what it shows, and fits the page."""

import pytest

from autograder.lab.machine import whole_machine
from autograder.lab.style import alt_text

pytestmark = pytest.mark.quick


def test_todays_boxes_and_those_that_have_passed_are_named() -> None:
    words = alt_text(whole_machine("08", {"05", "06"}))
    assert "Today: add & norm (unit 08); feed-forward (unit 08)." in words
    assert words.endswith("Passed so far: units 05, 06.")


def test_without_a_unit_it_shows_the_machine_alone() -> None:
    words = alt_text(whole_machine())
    assert "Encoder:" in words and "Decoder:" in words
    assert "Today" not in words and "Passed" not in words


@pytest.mark.parametrize("shapes", [False, True])
def test_no_words_of_a_box_are_wider_than_the_box(shapes: bool) -> None:
    from matplotlib.patches import FancyBboxPatch

    figure = whole_machine("09", {"05"}, shapes=shapes)
    axes = figure.axes[0]
    boxes = [
        patch.get_window_extent() for patch in axes.patches if isinstance(patch, FancyBboxPatch) and patch.zorder == 3
    ]
    texts = [text for text in axes.texts if text.zorder == 4]
    assert len(texts) >= 2 * len(boxes)
    for text in texts:
        extent = text.get_window_extent()
        (box,) = [box for box in boxes if box.contains(extent.x0 + 1, (extent.y0 + extent.y1) / 2)]
        assert extent.x1 <= box.x1, text.get_text()
        others = [other.get_window_extent() for other in texts if other is not text]
        assert not any(extent.overlaps(other) for other in others), text.get_text()


@pytest.mark.parametrize("number", range(1, 13))
def test_each_unit_but_the_first_builds_something_of_it(number: int) -> None:
    assert " Today: " in alt_text(whole_machine(f"{number:02}"))


@pytest.mark.parametrize(
    ("today", "passed", "explained"),
    [
        ("00", {"00"}, set()),  # unit 00 has no box
        ("01", {"00"}, {"orange"}),
        ("00", {"01"}, {"green"}),
        ("01", {"01"}, {"orange"}),  # its only box is today's
        ("08", {"01"}, {"orange", "green"}),
    ],
)
def test_the_key_explains_the_colours_that_are_there_and_no_others(
    today: str, passed: set[str], explained: set[str]
) -> None:
    words = {text.get_text() for text in whole_machine(today, passed).axes[0].texts}
    key = "\n".join(each for each in words if "the unit that builds it" in each)
    assert {colour for colour in ("orange", "green") if f"{colour}:" in key} == explained
