"""Chinese labels: drawn where a font can, in other words where none can, never as empty boxes."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import font_manager
from matplotlib.font_manager import FontEntry

from autograder.lab import fonts

pytestmark = pytest.mark.quick

NO_FONT = "no Chinese font is installed here (Debian and Ubuntu: apt-get install fonts-noto-cjk)"


@pytest.fixture(autouse=True)
def asked_anew() -> Iterator[None]:
    fonts._chinese_family.cache_clear()
    yield
    fonts._chinese_family.cache_clear()


@pytest.fixture
def only_matplotlibs_fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    manager = font_manager.fontManager
    monkeypatch.setattr(manager, "ttflist", [entry for entry in manager.ttflist if "mpl-data" in entry.fname])
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda *_: [])


@pytest.fixture
def chinese_font() -> str:
    family = fonts.chinese_family()
    if family is None:
        pytest.skip(NO_FONT)
    return family


def test_an_installed_chinese_font_draws_chinese_as_it_is(chinese_font: str) -> None:
    assert fonts.families() == [fonts.BASE_FAMILY, chinese_font]
    assert fonts.drawable("机器学习，昨天 → machine learning")
    assert fonts.label("机器学习", gloss="machine learning") == "机器学习"


def test_a_font_installed_after_matplotlib_wrote_its_list_is_found(
    chinese_font: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = font_manager.fontManager
    monkeypatch.setattr(manager, "ttflist", [entry for entry in manager.ttflist if "mpl-data" in entry.fname])
    fonts._chinese_family.cache_clear()
    assert fonts.chinese_family() == chinese_font


def test_without_a_font_the_gloss_stands_in(only_matplotlibs_fonts: None) -> None:
    assert fonts.chinese_family() is None
    assert fonts.label("机器学习", gloss="jīqì xuéxí") == "jīqì xuéxí"


def test_without_a_font_and_a_gloss_a_number_stands_in_and_the_legend_explains_it(
    only_matplotlibs_fonts: None,
) -> None:
    labels = fonts.Labels()
    assert labels.labels(["昨天", "我 (I)", "昨天", "<eos>"]) == ["[1]", "[2] (I)", "[1]", "<eos>"]
    assert labels.legend == "[1] 昨天   [2] 我"


def test_a_gloss_that_cannot_be_drawn_either_is_numbered_like_the_rest(only_matplotlibs_fonts: None) -> None:
    assert fonts.label("机器", gloss="学习") == "[1]"


def test_no_legend_where_everything_can_be_drawn() -> None:
    labels = fonts.Labels()
    assert labels.labels(["q¹", "α₁₂", "x̂", "→"]) == ["q¹", "α₁₂", "x̂", "→"]
    assert labels.legend == ""


def test_a_font_whose_file_is_gone_is_not_chosen(only_matplotlibs_fonts: None, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = FontEntry(fname="gone/SimHei.ttf", name="SimHei")
    monkeypatch.setattr(font_manager.fontManager, "ttflist", [*font_manager.fontManager.ttflist, gone])
    assert fonts.chinese_family() is None


def test_a_font_with_a_chinese_name_and_no_chinese_is_not_chosen(
    only_matplotlibs_fonts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    latin = next(entry for entry in font_manager.fontManager.ttflist if entry.name == fonts.BASE_FAMILY)
    subset = FontEntry(fname=latin.fname, name="SimHei")
    fonts._covers.cache_clear()
    monkeypatch.setattr(font_manager.fontManager, "ttflist", [*font_manager.fontManager.ttflist, subset])
    font_manager.fontManager._findfont_cached.cache_clear()
    assert fonts.chinese_family() is None
    fonts._covers.cache_clear()
    font_manager.fontManager._findfont_cached.cache_clear()


def test_one_gloss_for_each_text_is_demanded() -> None:
    with pytest.raises(ValueError, match="shorter"):
        fonts.Labels().labels(["a", "b"], ["one"])


@given(st.lists(st.text(max_size=8), max_size=6))
def test_every_label_can_be_drawn_whatever_the_text(texts: list[str]) -> None:
    shown = fonts.Labels().labels(texts)
    assert all(fonts.drawable(label) for label in shown)
    assert len(set(zip(texts, shown, strict=True))) == len(set(texts))
