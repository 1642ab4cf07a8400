"""A small model trained by one process or by several, for a look at whether their losses are the same.

    torchrun --nproc-per-node 2 -m autograder.lab.data_parallel

Each process draws the same batches, takes its own rows (`shard`), goes back, and averages (`average_gradients`): the learner's
own parts, where they have passed. Several GPUs talk by nccl, everything else by gloo on CPUs.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from autograder.formats.language import said

_SENTENCES, _TOKENS, _IDS, _WIDTH = 16, 12, 20, 32
_PATIENCE = 240


def losses_by_torchrun(processes: int) -> list[float] | None:
    """The losses of a training run by so many processes, started by `torchrun` on this machine; None where it cannot start.

    Says in a line which devices the processes use, or why they do not run.
    """
    if torch.cuda.is_available() and 1 <= torch.cuda.device_count() < processes:
        print(f"{torch.cuda.device_count()} GPU for {processes} processes: they run on the CPU (gloo).")
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        f"--nproc-per-node={processes}",
        "-m",
        __spec__.name,
    ]
    root = str(Path(__file__).resolve().parents[2])
    places = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": places, "TORCH_CPP_LOG_LEVEL": "ERROR"}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=_PATIENCE, check=True)
        told: dict[str, Any] = json.loads(
            next(line for line in done.stdout.splitlines() if line.startswith('{"losses"'))
        )
    except subprocess.CalledProcessError as error:
        told_by_it = [line for line in (error.stderr or "").splitlines() if "Error" in line]
        print(
            said(
                f"torchrun did not run here: {told_by_it[0].strip() if told_by_it else f'exit status {error.returncode}'}"
            )
        )
        return None
    except (subprocess.TimeoutExpired, OSError, StopIteration, ValueError) as error:
        print(said(f"torchrun did not run here: {type(error).__name__}."))
        return None
    losses: list[float] = told["losses"]
    return losses


def train(rank: int, world_size: int, all_reduce: Any, device: str = "cpu", steps: int = 8) -> list[float]:
    """The loss before each step, of the whole batch: the same on each process.

    all_reduce: replaces a tensor, in place, by its sum over all processes
    """
    from autograder import use_part

    shard, average_gradients = use_part("shard"), use_part("average_gradients")
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(_WIDTH, 4, 2 * _WIDTH, dropout=0.0, batch_first=True)
    model = nn.Sequential(nn.Embedding(_IDS, _WIDTH), layer, nn.Linear(_WIDTH, _IDS)).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    draws, losses = torch.Generator().manual_seed(1), []
    for _ in range(steps):
        ids = torch.randint(_IDS, (_SENTENCES, _TOKENS), generator=draws)
        mine: Tensor = shard(ids, rank, world_size).to(device)
        loss = F.cross_entropy(model(mine).flatten(0, 1), mine.flip(1).flatten())  # say the sentence backwards
        optimizer.zero_grad()
        loss.backward()
        average_gradients(model, all_reduce, world_size)
        optimizer.step()
        mean = loss.detach() / world_size
        all_reduce(mean)
        losses.append(mean.item())
    return losses


def _main() -> None:
    from torch import distributed

    rank, world_size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    on_gpus = torch.cuda.is_available() and torch.cuda.device_count() >= world_size
    distributed.init_process_group("nccl" if on_gpus else "gloo")
    with contextlib.redirect_stdout(sys.stdout if rank == 0 else io.StringIO()):
        losses = train(rank, world_size, distributed.all_reduce, f"cuda:{rank}" if on_gpus else "cpu")
        print(json.dumps({"losses": losses}), flush=True)
    distributed.destroy_process_group()


if __name__ == "__main__":
    _main()
