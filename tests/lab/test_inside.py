"""Looking inside a decoder-only model: the weights that it does not return, and the table of likeliest tokens."""

import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from autograder.lab.explorer import alt_text
from autograder.lab.inside import causal_recording, causal_weights, top_tokens
from autograder.library import part

pytestmark = pytest.mark.quick


@pytest.fixture(params=[4, 2], ids=["keys of their own", "shared keys"])
def model(request: pytest.FixtureRequest) -> nn.Module:
    torch.manual_seed(0)
    made = part("DecoderOnly")(11, 16, 4, request.param, 2, 12)
    for weight in made.parameters():
        if weight.ndim > 1:
            nn.init.normal_(weight, std=0.5)  # far from uniform weights
    return made


TURN = part("apply_rope")
IDS = torch.tensor([[3, 1, 4, 1, 5, 9, 2], [6, 5, 3, 5, 8, 9, 7]])


def test_weights_times_values_are_what_each_layer_gives(model: nn.Module) -> None:
    given: list[Tensor] = []
    for block in model.blocks:
        block.self_attention.register_forward_hook(lambda _layer, inputs, output: given.extend((inputs[0], output)))
    with torch.no_grad():
        model(IDS)
        rows = list(given)
        for number, weights in enumerate(causal_weights(model, IDS, TURN)):
            layer, x, output = model.blocks[number].self_attention, rows[2 * number], rows[2 * number + 1]
            values = layer.v_proj(x).unflatten(-1, (layer.num_kv_heads, -1)).transpose(1, 2)
            values = values.repeat_interleave(layer.num_heads // layer.num_kv_heads, dim=1)
            mixed = (weights @ values).transpose(1, 2).flatten(2)
            torch.testing.assert_close(layer.out_proj(mixed), output, rtol=1e-4, atol=1e-5)


def test_weights_sum_to_one_and_none_is_on_the_future(model: nn.Module) -> None:
    for weights in causal_weights(model, IDS, TURN):
        assert weights.shape == (2, 4, 7, 7)
        torch.testing.assert_close(weights.sum(dim=-1), torch.ones(2, 4, 7))
        assert not weights.triu(diagonal=1).any()
        assert not weights.requires_grad


def test_the_model_is_left_as_it_was_even_if_it_fails(model: nn.Module) -> None:
    model.train()
    causal_weights(model, IDS, TURN)
    with pytest.raises(IndexError):
        causal_weights(model, IDS + 11, TURN)
    assert model.training
    assert not any(module._forward_hooks for module in model.modules())


def test_a_recording_holds_each_layer_for_the_explorer(model: nn.Module) -> None:
    kept = causal_recording(model, IDS[:1], TURN, list("abcdefg"), name="letters")
    assert kept.name == "letters"
    assert {name: layer.weights.shape for name, layer in kept.layers.items()} == {
        "block 1, self-attention": (4, 7, 7),
        "block 2, self-attention": (4, 7, 7),
    }


def test_the_table_says_the_likeliest_token_after_each_layer() -> None:
    logits = torch.zeros(2, 3, 4)
    logits[0, :, 1], logits[1, 0, 2], logits[1, 1, 3], logits[1, 2, 0] = 5.0, 2.0, 3.0, 9.0
    figure = top_tokens(logits, ["w", "x", "y", "z"], ["a", "b", "c"])
    assert isinstance(figure, Figure)
    assert "layer 2: y z w; layer 1: x x x" in alt_text(figure)


@pytest.mark.parametrize("shape", [(2, 3, 5), (2, 4, 4), (3, 4)])
def test_logits_that_do_not_fit_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"choose one sentence: \(num_layers, seq, vocab_size\)"):
        top_tokens(torch.zeros(shape), ["w", "x", "y", "z"], ["a", "b", "c"])
