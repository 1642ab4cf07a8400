"""A guess is written down before the experiment, and stands beside what was measured; nothing of it is graded."""

import json
from pathlib import Path

import ipywidgets as widgets
import pytest

from autograder import outcome, predict
from autograder.notebook import guesses, my_transformer

COLOURS = ("red", "green", "blue")


@pytest.fixture(autouse=True)
def notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A unit's folder, in which nothing has been guessed yet."""
    folder = tmp_path / "notebooks" / "17_my_topic"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    monkeypatch.delenv("AUTOGRADER_KEEP_NOTHING", raising=False)
    monkeypatch.setattr(guesses, "_said", {})
    return folder


def a_new_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guesses, "_said", {})


def test_without_a_page_the_question_says_how_a_guess_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    predict("17-colour", "Which colour?", choices=COLOURS)
    told = capsys.readouterr().out
    assert told.startswith("Which colour?\n  - red\n  - green\n  - blue\n")
    assert 'mine="..."' in told


@pytest.mark.parametrize(
    ("asked", "mine", "measured", "guess", "found"),
    [
        ({"choices": COLOURS}, "green", "blue", "green", "blue"),
        ({"unit": "times"}, 8, 7.9123, "8 times", "7.91 times"),
        ({"unit": ""}, "0.5", 0.25, "0.5", "0.25"),
        ({"order": COLOURS}, "blue > red>green", ["red", "green", "blue"], "blue > red > green", "red > green > blue"),
    ],
)
def test_a_guess_stands_beside_what_was_measured_also_in_another_kernel(
    asked, mine, measured, guess, found, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    predict("17-it", "What will it be?", mine=mine, **asked)
    assert capsys.readouterr().out == f"Written down: {guess}.\n"
    a_new_kernel(monkeypatch)
    outcome("17-it", measured, asked.get("unit", ""))
    told = capsys.readouterr().out
    assert f"your guess:    {guess}\n" in told
    assert f"measured here: {found}" in told


def test_a_choice_is_told_whether_it_came_so_and_a_number_is_not_judged(capsys: pytest.CaptureFixture[str]) -> None:
    predict("17-colour", "Which colour?", choices=COLOURS, mine="red")
    predict("17-number", "How many?", mine=3)
    capsys.readouterr()
    outcome("17-colour", "red")
    assert "as you guessed" in capsys.readouterr().out
    outcome("17-colour", "blue")
    assert "not as you guessed" in capsys.readouterr().out
    outcome("17-number", 4)
    assert "guessed" not in capsys.readouterr().out


def test_who_has_not_guessed_is_shown_the_measurement_alone(capsys: pytest.CaptureFixture[str]) -> None:
    outcome("17-colour", "red")
    assert capsys.readouterr().out == "your guess:    none written down\nmeasured here: red\n"


@pytest.mark.parametrize(
    ("asked", "mine", "says"),
    [
        ({"choices": COLOURS}, "pink", "none of the choices: red; green; blue"),
        ({"order": COLOURS}, "red > green", "each of these once"),
        ({"order": COLOURS}, "red > red > blue", "each of these once"),
        ({}, "many", "could not convert"),
    ],
)
def test_a_guess_that_answers_another_question_is_refused(asked, mine, says) -> None:
    with pytest.raises(ValueError, match=says):
        predict("17-it", "What will it be?", mine=mine, **asked)


@pytest.mark.parametrize("text", ["{", "[]", '"x"', "3"])
def test_a_broken_file_of_guesses_is_begun_anew(
    notebook: Path, text: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = notebook.parent / my_transformer.PACKAGE / "guesses.json"
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    predict("17-colour", "Which colour?", choices=COLOURS, mine="red")
    assert json.loads(path.read_text(encoding="utf-8")) == {"17-colour": "red"}


def test_where_nothing_is_kept_a_guess_lasts_as_long_as_the_kernel(
    notebook: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AUTOGRADER_KEEP_NOTHING", "1")
    predict("17-colour", "Which colour?", choices=COLOURS, mine="red")
    outcome("17-colour", "red")
    assert "as you guessed" in capsys.readouterr().out
    assert not (notebook.parent / my_transformer.PACKAGE).exists()


class Page:
    """What a live page was given to show, and the fields in it."""

    def __init__(self) -> None:
        self.box: widgets.VBox

    def __call__(self, box: widgets.VBox) -> None:
        self.box = box

    def fields(self, kind: type) -> list:
        return [child for child in self.box.children if isinstance(child, kind)]

    @property
    def state(self) -> str:
        return self.fields(widgets.Label)[0].value


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Page:
    shown = Page()
    monkeypatch.setattr(guesses, "is_live", lambda: True)
    monkeypatch.setattr("IPython.display.display", shown)
    return shown


def test_on_a_page_a_choice_is_one_click(page: Page) -> None:
    predict("17-colour", "Which colour?", choices=COLOURS)
    assert page.state.startswith("Nothing written down yet.")
    (buttons,) = page.fields(widgets.RadioButtons)
    buttons.value = "blue"
    assert page.state == "Written down: blue."
    predict("17-colour", "Which colour?", choices=COLOURS)
    assert page.fields(widgets.RadioButtons)[0].value == "blue", "the guess is forgotten when the cell runs again"


def test_on_a_page_a_number_is_typed_and_anything_else_is_sent_back(page: Page) -> None:
    predict("17-growth", "By which factor?", unit="times")
    (field,) = page.fields(widgets.Text)
    field.value = "eight"
    assert page.state == "Write a number, such as 2.5."
    field.value = "8"
    assert page.state == "Written down: 8 times."
    predict("17-growth", "By which factor?", unit="times")
    assert page.fields(widgets.Text)[0].value == "8"


def test_on_a_page_an_order_has_a_menu_for_each_place(page: Page) -> None:
    predict("17-order", "From the fastest to the slowest?", order=COLOURS)
    menus = page.fields(widgets.Dropdown)
    for menu, colour in zip(menus, ("blue", "blue", "red"), strict=True):
        menu.value = colour
    assert page.state == "Use each of them once."
    menus[1].value = "green"
    assert page.state == "Written down: blue > green > red."
    predict("17-order", "From the fastest to the slowest?", order=COLOURS)
    assert [menu.value for menu in page.fields(widgets.Dropdown)] == ["blue", "green", "red"]


def test_an_outcome_that_is_no_choice_is_its_author_s_to_mend(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(guesses.my_transformer, "is_on", lambda: False)
    guesses.predict("a-guess", "Which?", choices=("一", "二"))
    with pytest.raises(ValueError, match="none of the choices"):
        guesses.outcome("a-guess", "one")
    monkeypatch.setattr(guesses.my_transformer, "is_on", lambda: True)
    guesses.outcome("a-guess", "one")
    assert "one" in capsys.readouterr().out
