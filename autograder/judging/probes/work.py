"""Probes for how work is done: in blocks, once only, in turns, in a kernel, in the number type that was asked for.

Their fixtures look while the code runs and leave yes-or-no facts behind. What such a fact says can take points away
and never give them, since it comes from the learner's own process.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .probe import Finding, Probe, Trial

_BLOCKS = {
    "makes a table of all scores": "somewhere your code makes an array with as many numbers as all scores together. Only the "
    "scores of one block may exist at a time: that is the point of working in blocks.",
    "makes a mask of all pairs": "somewhere your code makes a mask as large as all scores together. Make the part of it that "
    "belongs to a block.",
    "ignores block_size": "with a small `block_size` your code still makes arrays that are much larger. Its blocks do not "
    "follow `block_size`.",
    "takes more than a block of scores": "somewhere your code takes the exponential of more numbers at once than one block of "
    "queries and one block of keys have scores. Both go in blocks of `block_size`.",
    "takes exp of all scores": "your code takes the exponential of as many numbers at once as there are scores. Only one block of "
    "scores may be looked at at a time.",
    "looks at all scores first": "your code takes a maximum over as many numbers as there are scores. Here each block is looked at "
    "once, in order: later scores are not known yet.",
}
_ONCE = {
    "reads the source again": "your code runs the encoder more than once. The source does not change while the target grows: "
    "encode it once, before the loop.",
    "computes old positions again": "in each step your code computes positions again that were computed in earlier steps. "
    "Only the newest position may go through the decoder's blocks; the others are in the cache.",
    "computes old keys and values again": "in each step your code makes the keys or values of earlier positions again. Make "
    "those of the newest position, and take the others from the cache.",
    "computes the source's keys again": "in each step your code makes the source's keys and values for cross-attention again. "
    "The encoder's output does not change: make them once, before the loop.",
    "runs in training mode": "the model is in training mode while it writes: dropout makes its words random. Put it into "
    "evaluation mode first.",
    "leaves the model in another mode": "after the call the model is not in the mode (training or evaluation) in which you got "
    "it. Put it back.",
}
_TURNS = {
    "joins the pieces": "the model is called with more rows than any micro-batch has: the micro-batches were joined again. One at a "
    "time goes through the model, so that the memory of one is enough.",
    "goes back only at the end": "when the next micro-batch goes through the model, the gradients of the one before it have not been "
    "computed yet. Then what all forward passes have kept is in memory at once: go back after each.",
    "reads a piece twice": "the model is called more often than there are micro-batches. Each of them goes through it once.",
}
_KERNEL = {
    "launches a kernel": "no kernel was launched while your function ran. The work belongs into a function under `@triton.jit`, and "
    "`kernel[grid](...)` launches it.",
    "computes outside the kernel": "your code takes exponentials, maxima, sums or products in PyTorch. These belong into the kernel; "
    "outside it, make the output and launch.",
    "leaves places unwritten": "your kernels have written fewer numbers than the result has, and what was not written holds whatever lay "
    "in memory. Does the grid have a program for each piece, and does each program store all of its numbers?",
    "takes exponentials elsewhere": "your kernels take fewer exponentials than the result needs. Each of them belongs into the kernel; outside "
    "it, make the output and launch.",
    "calls tl.softmax": "your kernel calls Triton's own `tl.softmax`, which does this exercise's work. Write it out.",
    "loads more than a block": "a single `tl.load` of your kernel reads more than 64 queries, keys or values of a head. One program "
    "looks at a block of them at a time: that is the point.",
}
_TYPES = {
    "multiplies in the type asked for": "while the model computes, autocast is off for `device_type`, or on with another number type "
    "than `dtype`. Is the forward pass inside `torch.autocast`, and do both arguments reach it?",
    "keeps its weights in float32": "after the step the model's weights are no longer float32. Autocast casts copies for the "
    "products; the weights themselves stay as they are.",
    "leaves autocast before the step": "autocast is still on when the optimizer takes its step. Only the forward pass and the "
    "loss belong inside it.",
    "leaves autocast before going backward": "autocast is still on while the gradients are computed. PyTorch wants the "
    "backward pass outside: each operator goes back in the type in which it went forward.",
    "is in training mode": "the model is not in training mode while it computes: dropout would stay off.",
}

_AS_IT_WAS = {
    "runs in training mode": "the model runs in training mode while your function measures, so dropout has a say in what it "
    "finds. Put the model into evaluation mode first.",
    "leaves a hook behind": "after your function has returned, a hook of its own (or a method that it has replaced) is still in "
    "the model: from now on the model computes something else. Remove it.",
    "leaves a hook behind when the model raises": "when the model raises an exception, your function leaves a hook of its own "
    "(or a method that it has replaced) in the model. What must be undone in any case belongs into a `finally`.",
    "leaves another mode": "the model is not in the mode (training or evaluation) in which it came. Put it back.",
    "leaves another mode when the model raises": "when the model raises an exception, it stays in another mode (training or "
    "evaluation) than it came in. What must be undone in any case belongs into a `finally`.",
    "swallows an exception": "the model raised an exception, and your function went on as if it had not. Undo what must be "
    "undone, and let the exception through to the caller.",
    "leaves other weights": "after the call some of the model's weights are not what they were before.",
    "leaves other gradients": "after the call the gradients (`.grad`) of the model's weights are not what they were before. "
    "Nothing is learnt here: measure inside `torch.no_grad()`.",
    "leaves weights that do not learn": "after the call some weights no longer ask for gradients (`requires_grad`). "
    "`torch.no_grad()` around the calls is enough.",
    "gives other logits": "after the call the model gives other logits for the same ids: something of the measurement is left "
    "in it.",
    "gives other logits when the model raises": "when the model raises an exception, it gives other logits from then on: "
    "something of the measurement is left in it. What must be undone in any case belongs into a `finally`.",
}


def _kept(name: str, title: str, sentences: Mapping[str, str]) -> Probe:
    def judge(trial: Trial) -> Finding | None:
        for fact, sentence in sentences.items():
            for seen, expected in _facts(trial):
                if fact in expected and seen.get(fact) != expected[fact]:
                    return Finding(sentence)
        return None

    return Probe(name, title, judge)


def _facts(trial: Trial) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """For each watched argument what was seen of it and what is expected."""
    seen, expected = trial.seen.facts.get("after"), trial.expected.facts.get("after")
    if not isinstance(expected, dict):
        return []
    seen = seen if isinstance(seen, dict) else {}
    pairs = ((seen.get(name), facts) for name, facts in expected.items() if isinstance(facts, dict))
    return [(mine if isinstance(mine, dict) else {}, facts) for mine, facts in pairs]


works_in_blocks = _kept("works_in_blocks", "holds the scores of one block at a time", _BLOCKS)
works_once = _kept("works_once", "computes nothing twice", _ONCE)
works_in_turns = _kept("works_in_turns", "works on one micro-batch at a time", _TURNS)
runs_in_a_kernel = _kept("runs_in_a_kernel", "computes in a kernel", _KERNEL)
computes_in_type = _kept("computes_in_type", "computes in the right number types", _TYPES)
leaves_the_model = _kept("leaves_the_model", "leaves the model as it was", _AS_IT_WAS)
