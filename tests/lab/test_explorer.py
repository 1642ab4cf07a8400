"""The attention explorer: what it records from a model, and the still figure where nobody can choose."""

import importlib.util
from types import SimpleNamespace

import IPython
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from autograder.lab import explorer, fonts, front_end
from autograder.lab.explorer import explore, layer_name, picture, record, recording
from autograder.library import part

pytestmark = pytest.mark.quick

SOURCE, TARGET = ("我", "昨天", "学习"), ("I", "studied", "yesterday", ".")


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        attention = part("MultiHeadAttention")
        self.self_attention, self.cross_attention = attention(6, 2), attention(6, 2)
        self.attention_free = nn.Linear(6, 6)

    def forward(self, x: Tensor, memory: Tensor) -> Tensor:
        x = x + self.self_attention(x, x, x)[0]
        return self.attention_free(x + self.cross_attention(x, memory, memory)[0])


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.ModuleDict({"self_attention": part("MultiHeadAttention")(6, 2)})
        self.decoder = nn.ModuleDict({"blocks": nn.ModuleList([Block(), Block()])})

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        source = source + self.encoder["self_attention"](source, source, source)[0]
        for block in self.decoder["blocks"]:
            target = block(target, source)
        return target


@pytest.fixture
def recorded() -> explorer.Recording:
    torch.manual_seed(0)
    return record(Model(), torch.randn(2, 5, 6), torch.randn(2, 4, 6), tokens=SOURCE, written=TARGET, row=1)


def test_every_attention_layer_is_recorded_with_its_tokens_and_without_padding(recorded: explorer.Recording) -> None:
    shapes = {name: layer.weights.shape for name, layer in recorded.layers.items()}
    assert shapes == {
        "encoder, self-attention": (2, 3, 3),
        "decoder, block 1, self-attention": (2, 4, 4),
        "decoder, block 1, cross-attention": (2, 4, 3),
        "decoder, block 2, self-attention": (2, 4, 4),
        "decoder, block 2, cross-attention": (2, 4, 3),
    }
    assert recorded.name == "我 昨天 学习 → I studied yesterday ."


def test_a_decoders_rows_are_named_by_what_is_written_there_and_its_keys_by_what_is_read(
    recorded: explorer.Recording,
) -> None:
    cross = recorded.layers["decoder, block 1, cross-attention"]
    assert (cross.queries, cross.keys, cross.axes) == (TARGET, SOURCE, ("words written", "source tokens"))
    own = recorded.layers["decoder, block 1, self-attention"]
    assert (own.queries, own.keys) == (TARGET, ("<bos>", "I", "studied", "yesterday"))
    assert own.axes == ("words written", "words read")
    encoder = recorded.layers["encoder, self-attention"]
    assert (encoder.queries, encoder.keys, encoder.axes) == (SOURCE, SOURCE, ("queries", "keys"))
    assert "4 words written (rows) by 4 words read (columns)" in explorer.alt_text(
        picture(recorded, "decoder, block 1, self-attention", 1)
    )


def test_the_row_of_the_batch_is_the_one_that_was_asked_for() -> None:
    torch.manual_seed(0)
    model, source, target = Model(), torch.randn(2, 3, 6), torch.randn(2, 4, 6)
    expected = model.encoder["self_attention"](source, source, source)[1][1].detach().numpy()
    kept = record(model, source, target, tokens=SOURCE, written=TARGET, row=1)
    np.testing.assert_allclose(kept.layers["encoder, self-attention"].weights, expected, rtol=1e-6)


def test_recording_leaves_the_model_as_it_was() -> None:
    model = Model().train()
    record(model, torch.randn(1, 3, 6), torch.randn(1, 4, 6), tokens=SOURCE, written=TARGET)
    assert model.training
    assert not any(module._forward_hooks for module in model.modules())


def test_a_model_without_attention_is_refused() -> None:
    with pytest.raises(ValueError, match="no layer of this model is named"):
        record(nn.Linear(6, 6), torch.randn(1, 3, 6), tokens=SOURCE)


def test_plain_arrays_serve_as_well_and_a_wrong_shape_is_named() -> None:
    kept = recording({"cross-attention": np.full((2, 4, 3), 1 / 3)}, SOURCE, TARGET)
    assert kept.layers["cross-attention"].queries == TARGET
    with pytest.raises(ValueError, match=r"choose one sentence: \(num_heads, seq_q, seq_k\)"):
        recording({"self-attention": np.zeros((1, 2, 3, 3))}, SOURCE)
    with pytest.raises(ValueError, match=r"\(2, 2\) weights for 3 and 3 tokens"):
        recording({"self-attention": np.zeros((1, 2, 2))}, SOURCE)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("encoder.blocks.0.self_attention", "encoder, block 1, self-attention"),
        ("decoder.blocks.11.cross_attention", "decoder, block 12, cross-attention"),
        ("attention", "attention"),
        ("0.self_attention", "layer 1, self-attention"),
    ],
)
def test_layers_are_named_for_people(path: str, name: str) -> None:
    assert layer_name(path) == name


def test_one_head_or_all_of_them(recorded: explorer.Recording) -> None:
    layer = "decoder, block 2, cross-attention"
    assert "head 2:" in explorer.alt_text(picture(recorded, layer, None))
    assert f'"{layer}, head 2": 4 words written (rows) by 3 source tokens' in explorer.alt_text(
        picture(recorded, layer, 2)
    )


def test_where_nobody_can_choose_one_still_figure_is_shown(
    recorded: explorer.Recording, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    displayed: list[Figure] = []
    monkeypatch.setattr(explorer, "show", displayed.append)
    explore([recorded, recorded], layer="decoder, block 1, cross-attention")
    assert len(displayed) == 1
    assert "A still picture of 2 sentences, 5 layers, 2 heads" in capsys.readouterr().out


def test_a_layer_that_is_not_there_is_named(recorded: explorer.Recording) -> None:
    with pytest.raises(ValueError, match="no layer 'encoder'; there are: encoder, self-attention, decoder"):
        explore(recorded, layer="encoder")


@pytest.mark.parametrize(
    ("metadata", "environment", "installed", "live"),
    [
        ({"cellId": "a"}, {}, True, True),
        ({"deletedCells": []}, {}, True, True),
        ({}, {}, True, False),
        ({"cellId": "a"}, {}, False, False),
        ({"cellId": "a"}, {front_end.STILL: "1"}, True, False),
        ({"cellId": "a"}, {"NBGRADER_VALIDATING": "1"}, True, False),
    ],
)
def test_menus_are_for_a_page_that_asked_for_the_cell(
    monkeypatch: pytest.MonkeyPatch, metadata: dict, environment: dict, installed: bool, live: bool
) -> None:
    kernel = SimpleNamespace(get_parent=lambda: {"metadata": metadata})
    monkeypatch.setattr(IPython, "get_ipython", lambda: SimpleNamespace(kernel=kernel))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if installed else None)
    for name in front_end._PROGRAMS:
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert explorer.can_choose() is live


def test_the_picture_that_is_chosen_has_words_and_a_legend_where_there_is_no_font(
    recorded: explorer.Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = "encoder, self-attention"
    with_font = explorer._as_html(picture(recorded, layer, 1))
    monkeypatch.setattr(fonts, "chinese_family", lambda: None)
    without = explorer._as_html(picture(recorded, layer, 1))
    assert "<details><summary>In words</summary>" in without and ' alt="Attention map' in without
    assert "<p>[1] 我   [2] 昨天   [3] 学习</p>" in without
    assert with_font.startswith("<img ")
