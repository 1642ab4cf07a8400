"""Library-backed parts of unit 16_kernels, built from the library blocks of its lesson. Edit those."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from autograder.library.unit_10_training import SmallTranslator, label_smoothed_loss
from autograder.library.unit_12_gpu import queries_under_watch

_ONLY_IN_KERNELS = frozenset(
    "exp exp2 expm1 pow sum amax max logsumexp cumsum logcumsumexp softmax log_softmax mm bmm addmm baddbmm mv dot".split()
)


def softmax_rows(x: Tensor) -> Tensor:
    """PyTorch's own."""
    return x.softmax(dim=-1)


def given_to_a_kernel(x: Tensor, results: int, powers: int, most: int = 0, turned: bool = False) -> Any:
    """`x`, and after the call a look at what was launched meanwhile, and what PyTorch computed beside it.

    results: so many numbers are to be written; powers: so many exponentials does it take at the least; most: so many may one load read at the most, 0 for any number
    turned:  `x` is a view, whose rows are the columns of what lies in memory
    """
    from autograder.formats.fixtures import NotAsked, Watched
    from autograder.library.kernels import watching_launches, why_no_kernels
    from autograder.library.operator_log import noting

    if why := why_no_kernels():
        raise NotAsked(why.rstrip("."))
    facts = {"launches a kernel": False, "computes outside the kernel": False, "calls tl.softmax": False}
    facts |= {"takes exponentials elsewhere": True, "leaves places unwritten": True}
    if most:
        facts["loads more than a block"] = False

    def note(operator: str, args: tuple[Any, ...], result: Any) -> None:
        if operator in _ONLY_IN_KERNELS:
            facts["computes outside the kernel"] = True

    @contextlib.contextmanager
    def during() -> Iterator[None]:
        with watching_launches() as seen, noting(note):
            yield
        facts["launches a kernel"] = seen.count > 0
        facts["takes exponentials elsewhere"] = seen.exponentials < powers
        facts["leaves places unwritten"] = seen.stored < results
        facts["calls tl.softmax"] = "softmax" in seen.ready_made
        if most:
            facts["loads more than a block"] = seen.most_loaded > most

    return Watched(x.mT.contiguous().mT if turned else x, lambda: facts, during)


def flash_attention(query: Tensor, key: Tensor, value: Tensor, is_causal: bool = False) -> Tensor:
    """PyTorch's fused attention."""
    return F.scaled_dot_product_attention(query, key, value, is_causal=is_causal)


def flash_attention_backward(
    query: Tensor, key: Tensor, value: Tensor, output: Tensor, logsumexp: Tensor, grad_output: Tensor, is_causal: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """PyTorch's autograd through PyTorch's attention."""
    with torch.enable_grad():
        q, k, v = (x.detach().requires_grad_(True) for x in (query, key, value))
        made = F.scaled_dot_product_attention(q, k, v, is_causal=is_causal)
        grad_query, grad_key, grad_value = torch.autograd.grad(made, (q, k, v), grad_output)
    return grad_query, grad_key, grad_value


def queries_in_blocks(query: Tensor, table: int) -> Any:
    """`query`, watched as in unit 12: whether any operator makes an array of `table` numbers."""
    return queries_under_watch(query, table)


def packed_mask(lengths: Sequence[int]) -> Tensor:
    """PyTorch's block-diagonal matrix, of blocks of ones."""
    return torch.block_diag(*(torch.ones(int(n), int(n)) for n in lengths)).bool()


def pack(sequences: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor, Tensor]:
    """By PyTorch's padding: rows of ids and of places are padded, and read off where no padding is."""
    rows = [torch.tensor(list(sequence), dtype=torch.long) for sequence in sequences]
    table = nn.utils.rnn.pad_sequence(rows, batch_first=True)
    mask = packed_mask([len(row) for row in rows])
    counted = torch.arange(table.shape[1]).expand_as(table)
    real = counted < torch.tensor([len(row) for row in rows]).unsqueeze(1)
    return table[real], counted[real], mask


def accumulated_step(
    model: nn.Module, micro_batches: Sequence[tuple[Tensor, Tensor]], optimizer: torch.optim.Optimizer
) -> float:
    """Gradients by PyTorch's functional `grad`, weighted by tokens, averaged with `torch.stack`."""
    weights = [weight for weight in model.train().parameters() if weight.requires_grad]
    counts = torch.tensor([float((target != 0).sum()) for _, target in micro_batches])
    losses, gradients = [], [torch.zeros_like(weight) for weight in weights]
    for (source, target), share in zip(micro_batches, counts / counts.sum(), strict=True):
        loss = label_smoothed_loss(model(source, F.pad(target, (1, -1), value=1)), target)
        losses.append(share * loss.detach())
        found = torch.autograd.grad(loss, weights, allow_unused=True, materialize_grads=True)
        torch._foreach_add_(gradients, torch._foreach_mul(found, share.item()))
    norm = torch.stack(torch._foreach_norm(gradients)).norm()
    torch._foreach_mul_(gradients, (1.0 / (norm + 1e-6)).clamp(max=1.0))
    for weight, gradient in zip(weights, gradients, strict=True):
        weight.grad = gradient
    optimizer.step()
    return torch.stack(losses).sum().item()


_LATEST: list[nn.Module] = []


def translator_in_turns(
    state: dict[str, Tensor], rows: list[int], left_over: dict[str, Tensor] | None = None, evaluated: bool = False
) -> Any:
    """A small translator, and after the call a look at its weights.

    left_over: gradients that it comes with; evaluated: whether it comes in evaluation mode
    """
    from autograder.formats.fixtures import Watched

    model = SmallTranslator(state)
    model.train(not evaluated)
    for name, gradient in (left_over or {}).items():
        model.get_parameter(name).grad = gradient.clone()
    _LATEST[:] = [model]
    return Watched(model, lambda: {name: weight.detach().clone() for name, weight in model.named_parameters()})


def optimizer_in_turns(kind: str, rate: float, rows: list[int]) -> Any:
    """An optimizer over the model that was made last, and a look at how that model was used.

    rows: how many sentences each micro-batch has
    """
    from autograder.formats.fixtures import Watched

    model = _LATEST[-1]
    weights = list(model.parameters())
    make = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}[kind]
    calls: list[int] = []
    backs = [0]
    facts = {"joins the pieces": False, "goes back only at the end": False, "reads a piece twice": False}

    def went_back(gradient: Tensor) -> None:
        backs[0] += 1

    def called(layer: nn.Module, given: tuple[Any, ...], made: Tensor) -> None:
        if made.requires_grad:
            if backs[0] < len(calls):
                facts["goes back only at the end"] = True
            made.register_hook(went_back)
        calls.append(len(given[0]) if given else max(rows))
        facts["joins the pieces"] |= calls[-1] > max(rows)
        facts["reads a piece twice"] = len(calls) > len(rows)

    model.register_forward_hook(called)
    return Watched(make(weights, lr=rate), lambda: facts)


def shard(batch: Tensor, rank: int, world_size: int) -> Tensor:
    """By PyTorch's `index_select`."""
    places = torch.arange(len(batch), device=batch.device)
    return batch.index_select(0, places[places % world_size == rank])


def average_gradients(model: nn.Module, all_reduce: Callable[[Tensor], None], world_size: int) -> None:
    """All gradients in one long vector, reduced at once, by PyTorch's helpers."""
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    gradients = [torch.zeros_like(weight) if weight.grad is None else weight.grad for weight in weights]
    long = nn.utils.parameters_to_vector(gradients)
    all_reduce(long)
    for weight, piece in zip(weights, long.div(world_size).split([weight.numel() for weight in weights]), strict=True):
        weight.grad = piece.view_as(weight)


def several_processes(gradients: list[dict[str, Any]], frozen: list[str]) -> Any:
    """`average_gradients` in several processes, played one after the other: the gradients that each has afterwards.

    gradients: for each process those that its weights come with, None for none; frozen: weights that are not trained
    A sum needs what all hand in. So all run again and again: each time one call more gets its sum.
    """
    from autograder.formats.fixtures import Driver

    def process(rank: int) -> nn.Module:
        model = nn.Module()
        for name, gradient in gradients[rank].items():
            like = next(one[name] for one in gradients if one[name] is not None)
            weight = nn.Parameter(torch.ones_like(like), requires_grad=name not in frozen)
            weight.grad = None if gradient is None else gradient.clone()
            model.register_parameter(name, weight)
        return model

    def run(average: Any, rank: int, sums: list[Tensor]) -> tuple[nn.Module, list[Tensor]]:
        """One process, whose first calls get these sums. Also what it hands in, call by call."""
        model = process(rank)
        handed: list[Tensor] = []

        def all_reduce(tensor: Tensor) -> None:
            if not isinstance(tensor, Tensor):
                raise TypeError(f"all_reduce takes a tensor, and got {tensor!r}")
            place = len(handed)
            handed.append(tensor.detach().clone())
            if place < len(sums):
                with torch.no_grad():
                    tensor.copy_(sums[place])

        average(model, all_reduce, len(gradients))
        return model, handed

    def drive(average: Any) -> dict[str, Any]:
        sums: list[Tensor] = []
        while True:  # each round one more sum is known
            ran = [run(average, rank, sums) for rank in range(len(gradients))]
            shapes = {tuple(tuple(tensor.shape) for tensor in handed) for _, handed in ran}
            calls = len(ran[0][1])
            if len(shapes) > 1 or len(sums) == calls or calls > 100:
                break
            sums.append(torch.stack([handed[len(sums)] for _, handed in ran]).sum(dim=0))
        told: dict[str, Any] = {"all processes call `all_reduce` alike": len(shapes) == 1}
        for rank, (model, _) in enumerate(ran if len(shapes) == 1 else []):
            told[f"process {rank}: weights as they were"] = all(bool((weight == 1).all()) for weight in model.parameters())
            for name, weight in model.named_parameters():
                if name not in frozen:
                    told[f"process {rank}: gradient of {name}"] = torch.zeros_like(weight) if weight.grad is None else weight.grad
        return told

    return Driver(drive)
