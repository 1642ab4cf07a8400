"""Library-backed parts of unit 06_positional_encoding, built from the library blocks of its lesson. Edit those."""

import copy
import math
from typing import Any

import torch
from torch import Tensor, nn


def sinusoidal_positions(max_len: int, d_model: int) -> Tensor:
    """The points of PyTorch's `polar` on the unit circle, one turning hand for each pair of columns."""
    pairs = (d_model + 1) // 2
    slowness = torch.logspace(0, 8 * (pairs - 1) / d_model, pairs, dtype=torch.float64)
    angles = torch.outer(torch.arange(max_len, dtype=torch.float64), 1 / slowness)
    hands = torch.view_as_real(torch.polar(torch.ones_like(angles), angles))
    return hands.flip(-1).flatten(1)[:, :d_model].float()


def shift_matrix(offset: int, d_model: int) -> Tensor:
    """PyTorch's matrix exponential of the matrix that says how an encoding changes from place to place."""
    pairs = d_model // 2
    speeds = torch.zeros(d_model - 1, dtype=torch.float64)  # every other one is 0: nothing flows between pairs
    speeds[0::2] = torch.logspace(0, -8 * (pairs - 1) / d_model, pairs, dtype=torch.float64)
    return torch.matrix_exp(offset * (torch.diag(speeds, -1) - torch.diag(speeds, 1))).float()


class LearnedPositions(nn.Module):
    """PyTorch's embedding lookup, by place instead of by token."""

    def __init__(self, max_len: int, d_model: int) -> None:
        super().__init__()
        self.table = nn.Parameter(0.02 * torch.randn(max_len, d_model))

    def forward(self, x: Tensor) -> Tensor:
        seq, max_len = x.shape[-2], len(self.table)
        if seq > max_len:
            raise ValueError(f"a sequence of {seq} tokens is longer than the table of {max_len} positions (max_len)")
        return x + nn.functional.embedding(torch.arange(seq, device=x.device), self.table)


def called_before(batches: list[Tensor], x: Tensor) -> Any:
    """`x`, given to a module that has been given other batches already."""
    from autograder.formats.fixtures import Driver

    def drive(module: Any) -> Any:
        for batch in batches:
            module(batch)
        return module(x)

    return Driver(drive)

def first_weights(weights: str, spread: float) -> Any:
    """How wide the weights of a new module are spread, in units of `spread`: the nearest power of 2."""
    from autograder.formats.fixtures import Driver

    def drive(module: Any) -> float:
        wide = module.get_parameter(weights).std().item() / spread
        return 2.0 ** round(math.log2(wide)) if wide else 0.0

    return Driver(drive)


class TransformerEmbedding(nn.Module):
    """PyTorch's embedding lookup and scaled addition. The table is a buffer that is not saved."""

    positions: Tensor

    def __init__(self, vocab_size: int, d_model: int, max_len: int) -> None:
        super().__init__()
        self.d_model = d_model
        self.embedding = nn.Embedding(vocab_size, d_model)
        nn.init.normal_(self.embedding.weight, std=d_model**-0.5)
        self.register_buffer("positions", sinusoidal_positions(max_len, d_model), persistent=False)

    def forward(self, ids: Tensor) -> Tensor:
        seq, max_len = ids.shape[-1], len(self.positions)
        if seq > max_len:
            raise ValueError(f"a sequence of {seq} tokens is longer than the table of {max_len} positions (max_len)")
        return torch.add(self.positions.narrow(0, 0, seq), self.embedding(ids), alpha=math.sqrt(self.d_model))


def ids_under_watch(ids: Tensor) -> Any:
    """`ids`, and after the call a look at the module that they were given to.

    The look tells how many weights the module learns, whether a copy of it still works on another device (PyTorch's
    "meta" device, which computes shapes only), and whether further calls give what a first call would.
    """
    from autograder.formats.fixtures import Watched
    from autograder.library.devices import works_on_another_device

    met: list[nn.Module] = []

    def notice(module: nn.Module, given: tuple[Any, ...]) -> None:
        if not met and given and given[0] is ids:
            met.append(module)

    while _WATCHING:  # of a module that could not be called
        _WATCHING.pop().remove()
    _WATCHING.append(nn.modules.module.register_module_forward_pre_hook(notice))

    def look() -> dict[str, Any]:
        while _WATCHING:
            _WATCHING.pop().remove()
        if not met:
            return {"learned tensors": 0, "works on another device": True, "further calls are like the first": True}
        module = met[0]
        return {
            "learned tensors": len(list(module.parameters())),
            "works on another device": works_on_another_device(lambda device: copy.deepcopy(module).to(device)(ids.to(device))),
            "further calls are like the first": _remembers_nothing(module, ids),
        }

    return Watched(ids, look)


_WATCHING: list[Any] = []


def _remembers_nothing(module: nn.Module, ids: Tensor) -> bool:
    """Whether a longer batch, the same again, and a shorter one agree where they hold the same tokens."""
    seq = ids.shape[1]
    with torch.no_grad():
        try:
            longer, again, shorter = module(torch.cat([ids, ids[:, :2]], dim=1)), module(ids), module(ids[:, :2])
            return torch.allclose(longer[:, :seq], again, atol=1e-4) and torch.allclose(again[:, :2], shorter, atol=1e-4)
        except Exception:
            return False


def one_hot_view(x: Tensor, W_input: Tensor, W_position: Tensor) -> Tensor:
    """PyTorch's fused multiply and add."""
    return torch.addmm(W_position.narrow(0, 0, len(x)), x, W_input)
