"""A launch as a picture, what is kept for the way back, and two processes that train as one."""

import pytest
import torch

from autograder.lab import data_parallel
from autograder.lab.kernels import kernel_grid
from autograder.lab.speed import kept_for_backward
from autograder.lab.style import alt_text


@pytest.mark.quick
def test_the_picture_names_every_address_once() -> None:
    figure = kernel_grid(rows=3, length=5, block=8)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert [text for text in texts if text.isdigit()] == [str(place) for place in range(15)]
    assert texts.count("masked") == 9
    assert "3 programs" in alt_text(figure)


@pytest.mark.quick
def test_what_is_kept_for_the_way_back_is_counted_once_and_without_weights() -> None:
    layer, x = torch.nn.Linear(4, 8, bias=False), torch.ones(2, 4)
    assert kept_for_backward(lambda: layer(x), layer.parameters()) == 2 * 4 * 4
    a = torch.ones(10, requires_grad=True)
    assert kept_for_backward(lambda: a.exp() * a.detach()) == 2 * 10 * 4  # exp's result, and a: once


def test_two_processes_have_the_losses_of_one() -> None:
    two = data_parallel.losses_by_torchrun(2)
    one = data_parallel.train(0, 1, lambda tensor: None)
    assert two is not None
    assert two == pytest.approx(one, abs=1e-4)


@pytest.mark.quick
def test_where_torchrun_cannot_start_one_line_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*command: object, **options: object) -> None:
        raise OSError("no process")

    monkeypatch.setattr(data_parallel.subprocess, "run", refuse)
    assert data_parallel.losses_by_torchrun(2) is None
    assert capsys.readouterr().out == "torchrun did not run here: OSError.\n"
