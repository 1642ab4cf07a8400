"""What the library blocks of several units need."""

from __future__ import annotations

from typing import Any

import numpy as np


def doubles(*arrays: np.ndarray) -> tuple[Any, ...]:
    """Each array as a new float64 tensor, its entries in order."""
    import torch

    return tuple(torch.from_numpy(np.array(array, dtype=np.float64, order="C")) for array in arrays)


def watched_generator(seed: int) -> Any:
    """A generator of PyTorch's, and after the call a look at it: whether it was drawn from, and whether anything else was."""
    import random

    import torch

    from ..formats.fixtures import Watched

    generator = torch.Generator().manual_seed(seed)

    def elsewhere() -> str:
        numpys = np.random.get_state()  # noqa: NPY002  the one that code without a generator draws from
        return repr((torch.get_rng_state().tolist(), numpys, random.getstate()))

    own, others = generator.get_state(), elsewhere()

    def look() -> dict[str, bool]:
        return {"moved": not torch.equal(generator.get_state(), own), "others moved": elsewhere() != others}

    return Watched(generator, look)


def draws_at_random(*given: Any) -> Any:
    """`given` through a module: how many numbers are drawn at random. Each dropout draws one for each of those that it reads.

    None where nothing comes out.
    """
    from torch import Tag
    from torch.utils._python_dispatch import TorchDispatchMode

    from ..formats.fixtures import Driver

    class Counting(TorchDispatchMode):
        found = 0

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            result = func(*args, **(kwargs or {}))
            if Tag.nondeterministic_seeded in func.tags and "attention" not in func.__name__:
                self.found += (result[0] if isinstance(result, tuple) else result).numel()
            return result

    def drive(module: Any) -> int | None:
        with Counting() as counting:
            output = module(*given)
        return None if output is None else counting.found

    return Driver(drive)
