"""A clone stays light: the cases of units 00 to 12 together are smaller than two megabytes, those of all 17 than two and a half."""

from pathlib import Path

from autograder.formats.cases import CASES_FILE

COURSE = Path(__file__).resolve().parents[2]


def test_all_cases_together_stay_small() -> None:
    sizes = {path.parent.name: path.stat().st_size for path in COURSE.glob(f"solutions/*/{CASES_FILE}")}
    assert sum(size for unit, size in sizes.items() if unit < "13") < 2_000_000, sizes
    assert sum(sizes.values()) < 2_500_000, sizes
    assert max(sizes.values()) < 500_000, sizes


def test_learners_get_the_same_cases() -> None:
    for path in COURSE.glob(f"solutions/*/{CASES_FILE}"):
        assert path.read_bytes() == (COURSE / "notebooks" / path.parent.name / CASES_FILE).read_bytes(), (
            path.parent.name
        )
