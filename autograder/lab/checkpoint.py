"""Keep a training run in a file as it goes, and go on where it was stopped."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from ..formats.language import said
from .curves import LiveCurves


class Checkpoint:
    """A watcher that saves the run at each measurement, and takes an interrupted one up again.

        run = Checkpoint("checkpoint.pt", model, optimizer, LiveCurves(...))
        train(model, data[run.done:], optimizer, lambda step: rate(run.done + step), run)

    done: steps that the interrupted run had taken; 0 for a new one

    What a step needs is in the file: the weights, the optimizer's memory of earlier gradients, and how many batches were
    seen. Behind the last step the file is removed, so that the next run begins anew.
    """

    def __init__(self, path: str | Path, model: nn.Module, optimizer: torch.optim.Optimizer, watch: LiveCurves) -> None:
        self.path, self.model, self.optimizer, self.watch = Path(path), model, optimizer, watch
        self.done = self._resumed() if self.path.exists() else 0

    def __call__(self, step: int, loss: float) -> None:
        step += self.done
        self.watch(step, loss)
        if step == self.watch.steps:
            self.path.unlink(missing_ok=True)
        elif self.watch.measures_at(step):
            self._save(step)

    def _save(self, step: int) -> None:
        kept = {
            "step": step,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "watch": self.watch.state(),
        }
        fresh = self.path.with_name(self.path.name + ".new")
        torch.save(kept, fresh)
        fresh.replace(self.path)  # a run that is stopped while it writes leaves the older file whole

    def _resumed(self) -> int:
        kept = torch.load(self.path, weights_only=True, map_location="cpu")
        if _shapes(kept["model"]) != _shapes(self.model.state_dict()):
            print(said(f"{self.path} holds a model of another size, so this run begins anew."))
            return 0
        self.model.load_state_dict(kept["model"])
        self.optimizer.load_state_dict(kept["optimizer"])
        self.watch.go_on(kept["watch"])
        print(said(f"Going on behind step {kept['step']:,}, from {self.path}. To begin anew, delete that file first."))
        return int(kept["step"])


def _shapes(weights: dict[str, torch.Tensor]) -> dict[str, torch.Size]:
    return {name: weight.shape for name, weight in weights.items()}
