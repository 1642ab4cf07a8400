"""A translator that is trained in a second or two: it knows two dozen pairs by heart, and nothing else."""

import functools

import numpy as np
import torch

from autograder import library
from autograder.judging.probes.translation import wanted
from autograder.judging.translator import vocabularies
from autograder.lab.corpus import Pair, sample
from autograder.lab.training import by_length

PAIRS = 24
SIZE = {"d_model": 48, "num_heads": 4, "num_layers": 1, "d_ff": 64, "dropout": 0.0, "max_len": 64}


def known_pairs() -> list[Pair]:
    return sample(["numbers", "measures"], PAIRS, seed=3, unique=True)


def unknown_pairs(count: int) -> list[Pair]:
    return sample(["sentences"], count, seed=4, split="test", unique=True)


@functools.cache
def trained(norm_first: bool = True, num_heads: int = 4) -> torch.nn.Module:
    """Knows `known_pairs()` word for word."""
    both = vocabularies()
    torch.manual_seed(0)
    made = library.part("Transformer")(
        len(both.source), len(both.target), **(SIZE | {"num_heads": num_heads}), norm_first=norm_first
    )
    optimizer = torch.optim.Adam(made.parameters(), lr=4e-3)
    ids = by_length([both.ids(pair) for pair in known_pairs()], PAIRS)[0]
    source, target = (
        torch.nn.utils.rnn.pad_sequence([torch.tensor(pair[side]) for pair in ids], batch_first=True) for side in (0, 1)
    )
    shifted = torch.nn.functional.pad(target[:, :-1], (1, 0), value=1)
    for _ in range(150):
        loss = torch.nn.functional.cross_entropy(made(source, shifted).flatten(0, 1), target.flatten(), ignore_index=0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if float(loss.detach()) < 0.005:
            break
    return made.eval()


def weights_of(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


def expectation(known: int, unknown: int = 0) -> dict[str, list[str]]:
    """Sources of which the tiny translator knows the first ones."""
    return wanted([*known_pairs()[:known], *unknown_pairs(unknown)])


def plain(weights: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
    return {name: weight.float().numpy() for name, weight in weights.items()}
