"""The whole model beside PyTorch's own: the lesson's solutions and the library's parts, on the same weights."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from autograder.authoring.parse import parse_lesson
from autograder.library import grading, part

LESSON = Path(__file__).resolve().parents[2] / "solutions" / "09_decoder" / "decoder.py"
HEADS, LAYERS, WIDTH, INNER = 4, 3, 16, 24


Pair = tuple[Any, nn.Transformer]
"""Our model, whose parts PyTorch's `nn.Module` cannot name, and PyTorch's."""


def close(one: Tensor, other: Tensor, rtol: float = 1e-4, atol: float = 1e-5, name: str = "") -> None:
    torch.testing.assert_close(one, other, rtol=rtol, atol=atol, msg=lambda text: f"{name} {text}")


def solved() -> dict[str, Any]:
    """The lesson's own setup and solution cells, run; its variants are not."""
    lesson = parse_lesson(LESSON)
    space: dict[str, Any] = {"__name__": "lesson"}
    with grading():
        for source in (lesson.setup, *(exercise.solution for exercise in lesson.exercises)):
            exec(compile(source, str(LESSON), "exec"), space)
    return space


@pytest.fixture(scope="module", params=["the lesson's solutions", "the library's parts"])
def parts(request: pytest.FixtureRequest) -> dict[str, Any]:
    names = ("Transformer", "Decoder", "DecoderBlock", "greedy_decode", "shift_right")
    if request.param == "the library's parts":
        return {name: part(name) for name in names}
    space = solved()
    return {name: space[name] for name in names}


@pytest.fixture(params=[False, True], ids=["post-norm", "pre-norm"])
def pair(parts: dict[str, Any], request: pytest.FixtureRequest) -> Pair:
    """Our model and PyTorch's with the same weights."""
    torch.manual_seed(7)
    ours = parts["Transformer"](
        11, 13, d_model=WIDTH, num_heads=HEADS, num_layers=LAYERS, d_ff=INNER, dropout=0.0, norm_first=request.param
    )
    with torch.no_grad():
        for weight in ours.parameters():  # biases and gains start at 0 and 1, where a mistake would not show
            weight.add_(0.1 * torch.randn_like(weight))
    theirs = nn.Transformer(WIDTH, HEADS, LAYERS, LAYERS, INNER, 0.0, batch_first=True, norm_first=request.param)
    if not request.param:
        theirs.encoder.norm = theirs.decoder.norm = None  # the paper's post-norm has no norm behind the stacks
    theirs.load_state_dict(renamed(ours))
    return ours, theirs


def renamed(ours: Any) -> dict[str, Tensor]:
    """Our weights under the names of `nn.Transformer`."""
    named: dict[str, Tensor] = {}
    for half in ("encoder", "decoder"):
        stack = getattr(ours, half)
        for number, block in enumerate(stack.blocks):
            place = f"{half}.layers.{number}"
            for mine, other in (("self_attention", "self_attn"), ("cross_attention", "multihead_attn")):
                if (layer := getattr(block, mine, None)) is None:
                    continue
                for kind in ("weight", "bias"):
                    three = [getattr(getattr(layer, f"{letter}_proj"), kind) for letter in "qkv"]
                    named[f"{place}.{other}.in_proj_{kind}"] = torch.cat(three)
                    named[f"{place}.{other}.out_proj.{kind}"] = getattr(layer.out_proj, kind)
            for name, weight in block.named_parameters():
                if "attention" not in name:
                    named[f"{place}.{name.removeprefix('feed_forward.')}"] = weight
        if stack.norm is not None:
            named |= {f"{half}.norm.{name}": weight for name, weight in stack.norm.named_parameters()}
    return {name: weight.detach().clone() for name, weight in named.items()}


def sources_and_targets() -> tuple[Tensor, Tensor]:
    source = torch.tensor([[4, 9, 7, 5, 10, 2], [6, 8, 2, 0, 0, 0], [5, 6, 4, 2, 0, 0]])
    target = torch.tensor([[1, 5, 7, 12], [1, 9, 0, 0], [1, 4, 8, 0]])
    return source, target


def of_pytorch(ours: Any, theirs: nn.Transformer, source: Tensor, target: Tensor) -> Any:
    states = theirs(
        ours.source_embedding(source), ours.target_embedding(target),
        tgt_mask=torch.ones(target.shape[1], target.shape[1], dtype=torch.bool).triu(1),
        src_key_padding_mask=source == 0, tgt_key_padding_mask=target == 0, memory_key_padding_mask=source == 0,
    )  # fmt: skip
    return ours.output(states)


def test_the_logits_are_those_of_pytorchs_transformer(pair: Pair) -> None:
    ours, theirs = pair
    source, target = torch.tensor([[4, 9, 7, 5, 2], [6, 8, 10, 4, 2]]), torch.tensor([[1, 5, 7], [1, 9, 12]])
    close(ours(source, target), of_pytorch(ours, theirs, source, target))


def test_the_logits_of_padded_sentences_are_those_of_pytorchs_transformer(
    pair: Pair,
) -> None:
    ours, theirs = pair
    source, target = sources_and_targets()
    close(ours(source, target), of_pytorch(ours, theirs, source, target))


def test_every_gradient_is_that_of_pytorchs_transformer(pair: Pair) -> None:
    ours, theirs = pair
    source, target = sources_and_targets()
    logits = ours(source, target)
    direction = torch.randn(logits.shape, generator=torch.Generator().manual_seed(1))
    (logits * direction).sum().backward()
    mine = {name: weight.grad.clone() for name, weight in ours.named_parameters()}
    ours.zero_grad()
    (of_pytorch(ours, theirs, source, target) * direction).sum().backward()
    for name, weight in ours.named_parameters():  # embeddings and output: reached through PyTorch's model now
        if weight.grad is not None:
            close(mine[name], weight.grad)
    with torch.no_grad():
        for name, weight in ours.named_parameters():
            weight.copy_(mine[name])
    wanted = {name: weight.grad for name, weight in theirs.named_parameters() if weight.grad is not None}
    gradients = renamed(ours)
    assert gradients.keys() == wanted.keys()
    for name, gradient in gradients.items():
        close(gradient, wanted[name], rtol=1e-3, atol=2e-5, name=name)


def test_decoder_alone_is_pytorchs_decoder(pair: Pair) -> None:
    ours, theirs = pair
    x, memory = torch.randn(2, 5, WIDTH), torch.randn(2, 7, WIDTH)
    real = torch.arange(7) < torch.tensor([[7], [4]])
    future = torch.ones(5, 5, dtype=torch.bool).triu(1)
    mine = ours.decoder(x, memory, ~future, real[:, None, None, :])
    close(mine, theirs.decoder(x, memory, tgt_mask=future, memory_key_padding_mask=~real))


def test_no_output_before_a_changed_token_moves(pair: Pair) -> None:
    ours, _ = pair
    source, target = sources_and_targets()
    with torch.no_grad():
        before = ours(source, target)
        for place in range(target.shape[1]):
            changed = target.clone()
            changed[:, place] = torch.where(target[:, place] == 6, 7, 6)
            moved = (ours(source, changed) - before).abs()
            assert moved[:, :place].max() == 0 if place else True
            assert moved[:, place].max() > 1e-3


def test_a_sentence_gives_the_same_alone_and_in_a_padded_batch(parts: dict[str, Any], pair: Pair) -> None:
    ours, _ = pair
    source, target = sources_and_targets()
    with torch.no_grad():
        together = ours(source, target)
        sentences = parts["greedy_decode"](ours, source, 6)
        for row in range(len(source)):
            read, written = int((source[row] != 0).sum()), int((target[row] != 0).sum())
            alone = ours(source[row : row + 1, :read], target[row : row + 1, :written])
            close(alone[0], together[row, :written])
            sentence = parts["greedy_decode"](ours, source[row : row + 1, :read], 6)[0]
            assert sentence.tolist() == sentences[row, : len(sentence)].tolist()
            assert not sentences[row, len(sentence) :].any()


def test_tied_weights_are_one_tensor_and_stay_it(parts: dict[str, Any]) -> None:
    sizes = {"d_model": 8, "num_heads": 2, "num_layers": 1, "d_ff": 6}
    tied, free = parts["Transformer"](7, 9, **sizes), parts["Transformer"](7, 9, tie_weights=False, **sizes)
    assert tied.output.weight is tied.target_embedding.embedding.weight
    assert free.output.weight is not free.target_embedding.embedding.weight
    tied.load_state_dict(parts["Transformer"](7, 9, **sizes).state_dict())
    assert tied.output.weight is tied.target_embedding.embedding.weight
    count = {model: sum(weight.numel() for weight in model.parameters()) for model in (tied, free)}
    assert count[free] - count[tied] == 9 * 8


def test_embeddings_start_as_large_as_the_positions(parts: dict[str, Any]) -> None:
    model = parts["Transformer"](500, 600, d_model=64)
    for embedding in (model.source_embedding, model.target_embedding):
        assert embedding.embedding.weight.std().item() == pytest.approx(64**-0.5, rel=0.05)


def test_hooks_hear_the_weights_of_every_head(parts: dict[str, Any]) -> None:
    model = parts["Transformer"](11, 13, d_model=WIDTH, num_heads=HEADS, num_layers=2, d_ff=INNER).eval()
    heard: dict[str, tuple[int, ...]] = {}
    for number, block in enumerate(model.decoder.blocks):
        for name in ("self_attention", "cross_attention"):
            layer = getattr(block, name)
            layer.register_forward_hook(
                lambda layer, given, output, key=f"{name} {number}": heard.update({key: tuple(output[1].shape)})
            )
    model(*sources_and_targets())
    assert heard == {
        "self_attention 0": (3, HEADS, 4, 4), "cross_attention 0": (3, HEADS, 4, 6),
        "self_attention 1": (3, HEADS, 4, 4), "cross_attention 1": (3, HEADS, 4, 6),
    }  # fmt: skip
