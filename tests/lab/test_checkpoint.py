"""A run that was stopped goes on as if it had never been."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from autograder.lab.checkpoint import Checkpoint
from autograder.lab.curves import LiveCurves

pytestmark = pytest.mark.quick

STEPS = 12


class Stopped(Exception):
    pass


def new_model(width: int = 4) -> nn.Module:
    torch.manual_seed(0)
    return nn.Linear(3, width)


def run(path: Path, stop_at: int | None = None, width: int = 4) -> tuple[nn.Module, LiveCurves, int]:
    model = new_model(width)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    watch = LiveCurves(STEPS, lambda: {"share": 0.5}, say=lambda: {"hello": "world"}, times=3)
    kept = Checkpoint(path, model, optimizer, watch)
    for step, batch in enumerate(data()[kept.done :], start=1):
        for group in optimizer.param_groups:
            group["lr"] = 0.1 / (kept.done + step)
        loss = model(batch).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        kept(step, loss.item())
        if kept.done + step == stop_at:
            raise Stopped
    return model, watch, kept.done


def data() -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(5, 3, generator=generator) for _ in range(STEPS)]


def test_an_interrupted_run_ends_where_the_whole_one_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole, seen, _ = run(tmp_path / "whole.pt")
    with pytest.raises(Stopped):
        run(tmp_path / "stopped.pt", stop_at=9)
    resumed, watch, done = run(tmp_path / "stopped.pt")
    assert done == 8  # the last measurement before it was stopped
    torch.testing.assert_close(resumed.state_dict(), whole.state_dict(), rtol=0, atol=0)
    assert (watch.losses, watch.measured, watch.said) == (seen.losses, seen.measured, seen.said)
    assert "Going on behind step 8" in capsys.readouterr().out


def test_a_run_that_has_ended_leaves_no_file_and_the_next_begins_anew(tmp_path: Path) -> None:
    run(tmp_path / "run.pt")
    assert list(tmp_path.iterdir()) == []
    assert run(tmp_path / "run.pt")[2] == 0


def test_a_file_of_a_model_of_another_size_is_left_aside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Stopped):
        run(tmp_path / "run.pt", stop_at=9)
    assert run(tmp_path / "run.pt", width=5)[2] == 0
    assert "another size" in capsys.readouterr().out


def test_the_minutes_left_are_those_of_the_steps_that_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 0.0, 100.0])  # made, gone on, asked
    monkeypatch.setattr("autograder.lab.curves.perf_counter", lambda: next(clock))
    watch = LiveCurves(100, dict)
    watch.go_on({"losses": [1.0] * 80, "measured": {}, "said": []})
    watch.losses.append(1.0)
    assert "about 1:40 left" in watch.words(90)  # ten steps took 100 seconds, and ten are left
