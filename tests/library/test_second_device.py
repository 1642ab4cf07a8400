"""A second device where there is only one; and all references and library-backed parts on it: ready for a GPU without one."""

from __future__ import annotations

import copy
import subprocess
import sys
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from autograder.authoring.unusual import ELSEWHERE
from autograder.formats.cases import CASES_FILE, load_cases
from autograder.lab import real_training
from autograder.lab.corpus import sample
from autograder.lab.real_data import SentencePair
from autograder.lab.real_translator import Recipe, translate
from autograder.lab.training import (
    RECIPE,
    batches,
    course_vocabularies,
    exact_match,
    new_model,
    new_optimizer,
    teacher_forced_accuracy,
)
from autograder.library import grading, part
from autograder.library.devices import MixedDevices, moved, second_device, works_on_another_device
from autograder.library.unit_09_decoder import Transformer, greedy_decode
from autograder.library.unit_10_training import label_smoothed_loss, train_step
from autograder.library.unit_11_decoding import beam_search
from autograder.library.unit_12_gpu import cached_greedy_decode, training_step_autocast
from autograder.measuring.model import solutions
from autograder.observing.observe import sighting_of

COURSE = Path(__file__).resolve().parents[2]
UNITS = [path.parent.name for path in sorted(COURSE.glob(f"solutions/*/{CASES_FILE}"))]


@pytest.mark.parametrize(
    "work",
    [
        lambda x: x + torch.ones(3),
        lambda x: torch.cat([x, torch.zeros(2, 1)], dim=1),
        lambda x: x @ torch.eye(3),
        lambda x: torch.where(torch.ones(2, 3, dtype=torch.bool), x, 0.0),
        lambda x: x.masked_fill(torch.zeros(2, 3, dtype=torch.bool), 0.0),
        lambda x: x.numpy(),
        lambda x: torch.zeros(2, 3),
        lambda x: (x, [torch.arange(4)]),
        lambda x: nn.Linear(3, 2)(x),
    ],
)
def test_what_leaves_its_device_is_seen(work: Callable[[Tensor], Any]) -> None:
    assert not works_on_another_device(lambda device: work(torch.ones(2, 3, device=device)))


@pytest.mark.parametrize(
    "work",
    [
        lambda x: x + torch.ones(3, device=x.device),
        lambda x: x + 2.0 * torch.tensor(0.5),
        lambda x: x * torch.tensor([1.0, 2.0, 3.0], device=x.device) + x.new_tensor([1.0, 2.0, 3.0]),
        lambda x: x[torch.tensor([1, 0])],
        lambda x: x.cpu().to(x.device),
        lambda x: float(x.sum()),
        lambda x: torch.zeros_like(x).copy_(torch.ones(2, 3)),
        lambda x: torch.tensor(x.sum().item()),
        lambda x: x.softmax(-1).unbind(0),
        lambda x: 1 / 0,
    ],
)
def test_what_keeps_to_its_device_or_fails_otherwise_is_believed(work: Callable[[Tensor], Any]) -> None:
    assert works_on_another_device(lambda device: work(torch.ones(2, 3, device=device)))


def test_numbers_there_are_the_cpus_numbers_and_loops_see_them() -> None:
    x = torch.arange(6.0).reshape(2, 3)
    with second_device() as device:
        there = x.to(device)
        view = there[0]
        there.add_(1)
        there[1, 2] = 5.5
        assert float(there[1, 2]) == 5.5
        there[1, 2] = 6
        there[:, [0, 2]] = there[:, [0, 2]] + 0
        assert view.tolist() == [1.0, 2.0, 3.0]
        assert int((there > 3).sum()) == 3
        assert torch.equal(torch.tensor([[1, 2, 3]], device=device).cpu(), torch.tensor([[1, 2, 3]]))
        weight = nn.Parameter(torch.ones(3, device=device))
        (there * weight).sum().backward()
        assert weight.grad is not None
        assert weight.grad.cpu().tolist() == [5.0, 7.0, 9.0]
    assert torch.ones(1, device="meta").is_meta, "outside, PyTorch's own device is as it was"
    assert torch.tensor.__module__ != "autograder.library.devices"


def model_and_ids() -> tuple[nn.Module, Tensor, Tensor]:
    torch.manual_seed(0)
    model = Transformer(11, 13, d_model=8, num_heads=2, num_layers=1, d_ff=16, max_len=32, dropout=0.0)
    return model, torch.randint(4, 11, (2, 5)), torch.randint(4, 13, (2, 4))


def test_the_whole_model_learns_and_decodes_there_as_here() -> None:
    model, source, target = model_and_ids()
    there = copy.deepcopy(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    loss = train_step(model, (source, target), optimizer)
    here = [
        greedy_decode(model.eval(), source, 6),
        cached_greedy_decode(model, source, 6),
        *beam_search(model, source, 3, 6),
    ]
    with second_device():
        moved(there)
        batch = moved((source, target))
        optimizer = torch.optim.Adam(there.parameters(), lr=0.01)
        assert train_step(there, batch, optimizer) == pytest.approx(loss, rel=1e-5)
        there.eval()
        found = [
            greedy_decode(there, batch[0], 6),
            cached_greedy_decode(there, batch[0], 6),
            *beam_search(there, batch[0], 3, 6),
        ]
        for one, other in zip(here, found, strict=True):
            torch.testing.assert_close(other.cpu(), one.cpu())
        training_step_autocast(there, batch, optimizer, "cpu", torch.bfloat16)


def test_a_tensor_made_on_the_cpu_is_found_in_the_whole_model() -> None:
    """The means of this module can fail: a device is broken on purpose."""

    class Broken(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x + torch.arange(x.shape[-1])

    model, source, target = model_and_ids()
    model.encoder.blocks[0].feed_forward = Broken()
    with second_device(), pytest.raises(MixedDevices, match="`add`"):
        moved(model)(*moved((source, target)))


def keep_to_cuda() -> None:
    """The whole model on PyTorch's fake tensors, which bear the name cuda: autocast and fused paths for that device."""
    model, source, target = model_and_ids()
    with FakeTensorMode(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="CUDA is not available")
        for module in model.modules():
            for tensors in (module._parameters, module._buffers):
                for name, value in tensors.items():
                    if value is not None:
                        fake = torch.empty(value.shape, dtype=value.dtype, device="cuda")
                        tensors[name] = nn.Parameter(fake) if isinstance(value, nn.Parameter) else fake
        on_cuda = [torch.zeros(ids.shape, dtype=ids.dtype, device="cuda") for ids in (source, target)]
        for dtype in (torch.float32, torch.bfloat16):
            with torch.autocast("cuda", dtype=dtype, enabled=dtype != torch.float32):
                logits = model(*on_cuda)
            assert logits.device.type == "cuda"
            assert label_smoothed_loss(logits.float(), on_cuda[1]).device.type == "cuda"
        with pytest.raises(Exception, match="same device"):
            model(torch.zeros(source.shape, dtype=source.dtype), on_cuda[1])


def test_the_whole_model_keeps_to_cuda_as_far_as_shapes_go() -> None:
    """In a process of its own: without a driver PyTorch may abort the whole process over a device that is not there."""
    command = "from tests.library.test_second_device import keep_to_cuda; keep_to_cuda()"
    done = subprocess.run([sys.executable, "-c", command], cwd=COURSE, capture_output=True, text=True, check=False)
    if done.returncode < 0:
        pytest.skip(f"PyTorch itself ended with signal {-done.returncode} here")
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("unit", UNITS)
def test_references_and_parts_keep_to_the_device_of_their_inputs(unit: str) -> None:
    exercises = [
        one for one in load_cases(COURSE / "solutions" / unit / CASES_FILE).exercises if ELSEWHERE in one.unusual
    ]
    references = solutions(COURSE, [cases.name for cases in exercises])
    with grading():
        for cases in exercises:
            first = next(
                key for key in cases.base_keys if cases.plan[key].given.keys() == cases.unusual[ELSEWHERE].given.keys()
            )
            asked = replace(cases, plan={first: cases.plan[first]}, unusual={ELSEWHERE: cases.unusual[ELSEWHERE]})
            for target in (references[cases.name], part(cases.name)):
                assert sighting_of(target, asked).observations[ELSEWHERE].fault is None, (cases.name, target)


def test_what_lessons_train_and_measure_with_keeps_to_a_device() -> None:
    """`autograder.lab`, whose loops units 10, 11 and the open project run on a GPU where there is one."""
    recipe = replace(RECIPE, d_model=16, num_heads=2, num_layers=1, d_ff=16, steps=2, batch_size=4)
    vocabularies = course_vocabularies(part("build_vocabulary"))
    pairs = sample(None, 3, 7)
    with second_device() as device:
        model = moved(new_model(Transformer, vocabularies, recipe, device="cpu"))
        data = batches(vocabularies, part("collate"), recipe, device=device)
        assert all(ids.device.type == device for batch in data for ids in batch)
        losses = part("train")(model, data, new_optimizer(model, recipe), recipe.rate)
        assert len(losses) == recipe.steps
        assert 0 <= teacher_forced_accuracy(model, data[0], part("shift_right")) <= 1
        assert 0 <= exact_match(model, pairs, vocabularies, greedy_decode) <= 1


def test_the_translator_of_real_sentences_keeps_to_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # which knows no device of this name
    pairs = [
        SentencePair(f"我看{one}。", f"I see {other}.")
        for one, other in zip("猫狗鱼鸟", ("cats", "dogs", "fish", "birds"), strict=True)
    ]
    monkeypatch.setattr(real_training, "_optimizer", lambda model, recipe: torch.optim.AdamW(model.parameters()))
    recipe = Recipe(minutes=0.2, d_model=16, num_heads=2, num_layers=1, d_ff=16, batch_size=2, pieces=280, rarest=1)
    seconds = iter(range(1000))
    with second_device() as device:
        trained = real_training.train_translator(
            Transformer, pairs, recipe, validation=pairs, device=device, clock=lambda: float(next(seconds))
        )
        assert trained.steps > 3
        assert len(translate(trained.model, trained.vocabulary, ["我看猫。"], device=device)) == 1
