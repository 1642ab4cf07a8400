"""The report on a machine's GPU: parts in processes of their own, written down one by one; here on a CPU, at small sizes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from autograder.__main__ import main
from autograder.measuring import parts, report
from autograder.measuring.model import compiled_flash_attention
from autograder.measuring.parts import PARTS, Asked

COURSE = Path(__file__).resolve().parents[2]


@pytest.mark.quick
def test_rows_with_the_same_columns_stand_in_one_table() -> None:
    page = report.as_markdown(
        {
            "machine": {"date": "2026-11-30", "device": "a GPU"},
            "parts": {
                "attention": {
                    "rows": [
                        {"what": "ours", "length": 512, "ms": 0.25},
                        {"what": "theirs", "length": 512, "ms": 0.5},
                        {"what": "written out", "length": 512, "note": "out of memory"},
                        {"what": "shown", "text": "two lines\nof text\n"},
                    ],
                    "seconds": 12.3,
                    "note": "cut after 12 s",
                }
            },
        }
    )
    assert "date 2026-11-30, device a GPU." in page
    assert page.count("\n|-") == 2, "figures in one table, notes in another"
    assert "out of memory" in page
    assert "```\ntwo lines\nof text\n```" in page
    assert "12 s. cut after 12 s" in page


@pytest.mark.quick
def test_shares_of_the_time_make_one_whole() -> None:
    assert sum(share for _, share, _ in PARTS.values()) == pytest.approx(1)


@pytest.mark.quick
@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--parts", "attention,price"], "no part is named 'price'; they are training-step"),
        (["--data", "nowhere.tsv"], "nowhere.tsv is no file"),
        (["--device", "cuda"], "finds no GPU here"),
    ],
)
def test_what_cannot_be_measured_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, options: list[str], told: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main(["gpu-report", "--out", str(tmp_path / "gpu"), "--course", str(COURSE), *options]) == 2
    said = capsys.readouterr().err
    assert told in said
    assert said.count("\n") == 1


def test_what_a_device_cannot_hold_is_a_note_and_the_part_goes_on() -> None:
    with parts.one_line_for_trouble() as trouble:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB")
    assert trouble == ["out of memory"]
    with parts.one_line_for_trouble() as trouble:
        raise RuntimeError("\nno such kernel\nand much more")
    assert trouble == ["RuntimeError: no such kernel"]


def test_a_part_that_dies_or_lasts_too_long_costs_the_others_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are made by a part that is asked for under a name that its process does not know, or given no time."""
    monkeypatch.setitem(PARTS, "unknown", ("Unknown", 0.1, lambda asked: iter(())))
    wrote: list[int] = []
    found = report.measured(
        COURSE, "cpu", 1.0, ["unknown", "attention"], None, lambda so_far: wrote.append(len(so_far["parts"]))
    )
    assert wrote == [1, 2]
    assert found["parts"]["unknown"]["rows"] == [{"what": "stopped", "note": "KeyError: 'unknown'"}]
    assert {row["what"] for row in found["parts"]["attention"]["rows"]} >= {
        "SDPA, flash",
        "written out",
        "tiled, unit 12",
    }
    assert all(row["largest difference"] < 1e-5 for row in found["parts"]["attention"]["rows"] if "ms" in row)


def test_the_command_writes_figures_and_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "gpu"
    options = ["--device", "cpu", "--minutes", "2", "--parts", "training-step", "--course", str(COURSE)]
    assert main(["gpu-report", "--out", str(out), *options]) == 0
    rows = json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))["parts"]["training-step"]["rows"]
    assert {row["what"] for row in rows} == {"matrix peak in bfloat16, measured", "ours", "nn.Transformer"}
    assert all(0 < row["share of the peak"] < 1 for row in rows if "tokens/s" in row)
    assert "## A training step beside nn.Transformer" in out.with_suffix(".md").read_text(encoding="utf-8")
    assert "The report:" in capsys.readouterr().out


def test_known_mistakes_are_caught_and_references_hold_on_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the device that is imitated in the place of a GPU."""
    monkeypatch.setattr(parts, "units", lambda: ("07_masking",))
    rows = list(parts.checks(Asked(COURSE, "", 60.0)))
    assert {row["what"] for row in rows} >= {"padding_mask", "masked_attention"}
    assert all(row["reference differs on"] == 0 for row in rows)
    assert sum(row["wrong caught"] for row in rows) >= 0.7 * sum(row["wrong tried"] for row in rows)


def test_the_learner_part_trains_and_tells_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    rows: Iterator[parts.Row] = parts.learning(Asked(COURSE, "cpu", 60.0))
    first, second = list(rows)
    assert first["what"] == "unit 10's translator"
    assert 0 <= first["exact match"] <= 1
    assert second["note"] == "no file: name one with --data"


def test_the_kernel_of_unit_16_stands_by_itself_to_be_compiled() -> None:
    """Here it is interpreted, since the tests ask for that."""
    pytest.importorskip("triton")
    query, key, value = (torch.randn(1, 2, 20, 8) for _ in range(3))
    found = compiled_flash_attention(COURSE)(query, key, value, is_causal=True)
    wanted = torch.nn.functional.scaled_dot_product_attention(query, key, value, is_causal=True)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
