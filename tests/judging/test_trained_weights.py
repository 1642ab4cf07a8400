"""Trained weights are judged by translating with them; what is wrong with a file or with its weights is named."""

import json
import pickle
import struct
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file, save_model

from autograder.formats.cases import (
    Call,
    ExerciseCases,
    Observation,
    Sighting,
    Tolerance,
    UnitCases,
    load_cases,
    save_cases,
)
from autograder.formats.values import to_plain
from autograder.judging.panel import as_html, as_text
from autograder.judging.probes.named import named_probes
from autograder.judging.verdict import Verdict, judge
from autograder.judging.weights import MAX_FILE_BYTES, file_trouble, told_by_file
from autograder.library import build_fixture
from autograder.observing.observe import observe
from tests.judging.tiny_translator import expectation, trained, weights_of

NAME = "translator.safetensors"
PROBES = ("has_course_weights", "translates(0.9)")
Weights = dict[str, torch.Tensor]


def weighing(known: int = 20, unknown: int = 0, **changes: object) -> ExerciseCases:
    """`trained_weights()`, 6 points, on sources of which the tiny translator knows the first ones."""
    fields: dict[str, object] = {
        "unit": "99_made_up", "name": "trained_weights", "kind": "function", "points": 6.0, "points_elsewhere": 4.0,
        "plan": {"0.0.0": Call("a few sources", {}, 0)},
        "expected": {"0.0.0": Observation(expectation(known, unknown))},
        "variants": (), "probes": PROBES, "tolerance": Tolerance(), "forbids": (), "replaces": (),
        "signature": "trained_weights()", "returns": (), "hints": ("train first",), "time_limit": 5.0, "files": (NAME,),
    }  # fmt: skip
    return ExerciseCases(**(fields | changes))  # type: ignore[arg-type]


def verdict_on(value: object, cases: ExerciseCases | None = None) -> Verdict:
    cases = cases or weighing()
    return judge(cases, named_probes(cases.probes), Sighting({"0.0.0": Observation(to_plain(value))}))


def good() -> Weights:
    return weights_of(trained())


@pytest.mark.parametrize(
    "changed",
    [
        lambda w: w,
        lambda w: {name: data.half() for name, data in w.items()},
        lambda w: {name: data.double() for name, data in w.items()},
        lambda w: w | {"output.weight": w["target_embedding.embedding.weight"].clone()},
        lambda w: (
            {n: d for n, d in w.items() if n != "target_embedding.embedding.weight"}
            | {"output.weight": w["target_embedding.embedding.weight"]}
        ),
        lambda w: w | {"source_embedding.positions": torch.zeros(64, 48)},
    ],
    ids=["as saved", "half", "double", "both tied", "tied under the other name", "with a table of positions"],
)
def test_weights_that_translate_earn_all_points_however_they_were_saved(changed) -> None:
    verdict = verdict_on(changed(good()))
    assert (verdict.passed, verdict.score, verdict.message) == (True, 6.0, "")


def test_post_norm_and_another_number_of_heads_are_found_out() -> None:
    assert verdict_on(weights_of(trained(norm_first=False))).passed
    assert verdict_on(weights_of(trained(num_heads=2))).passed


@pytest.mark.parametrize(
    ("known", "unknown", "score"), [(18, 2, 6.0), (17, 3, 5.5), (10, 10, 3.0), (6, 14, 1.5), (2, 18, 0.0), (0, 20, 0.0)]
)
def test_points_are_in_proportion_between_a_tenth_and_nine_tenths(known: int, unknown: int, score: float) -> None:
    verdict = verdict_on(good(), weighing(known, unknown))
    assert (verdict.score, verdict.passed) == (score, score == 6.0)
    assert type(verdict.score) is float
    if not verdict.passed:
        assert f"{known} of 20 sources are translated word for word ({5 * known} %)" in verdict.message
        assert verdict.diagnosis == "few-right"


def test_a_few_translations_stand_beside_the_expected_ones() -> None:
    verdict = verdict_on(good(), weighing(10, 10))
    assert len(verdict.examples) == 5
    wrong = [row for row in verdict.examples if row[1] != row[2]]
    assert len(wrong) == 4
    text, page = as_text(verdict), as_html(verdict)
    assert "◐ in part · trained_weights · 3 of 6 points" in text
    given, right, seen = wrong[0]
    assert f"{given} → {seen}   (expected: {right})" in text
    assert f"<td>{given}</td><td>{right}</td>" in page
    assert len(verdict_on(good()).examples) == 5


def without(name: str):
    return lambda w: {key: data for key, data in w.items() if name not in key}


def swapped(w: Weights) -> Weights:
    sides = {"encoder": "decoder", "decoder": "encoder"}
    return {
        ".".join([sides.get(name.split(".")[0], name.split(".")[0]), *name.split(".")[1:]]): d for name, d in w.items()
    }


def untrained(w: Weights) -> Weights:
    from autograder import library
    from autograder.judging.translator import vocabularies
    from tests.judging.tiny_translator import SIZE

    both = vocabularies()
    return weights_of(library.part("Transformer")(len(both.source), len(both.target), **SIZE, norm_first=True))


MISTAKES = {
    "no-weights": (list, "no dict of tensors by name"),
    "no-weights ": (lambda w: {}, "an empty dict"),
    "no-tensor": (lambda w: w | {"step": "last"}, "`step` is no tensor of numbers"),
    "checkpoint": (lambda w: {"model": w, "step": 3}, "a whole checkpoint"),
    "no-floats": (lambda w: {name: data.int() for name, data in w.items()}, "holds int32 and no floats"),
    "prefix": (lambda w: {f"module.{name}": data for name, data in w.items()}, "every name begins with `module.`"),
    "no-prefix": (
        lambda w: {name.removeprefix("encoder.blocks.0."): d for name, d in w.items() if name.startswith("encoder.b")},
        "the names lack their beginnings",
    ),
    "one-part": (
        lambda w: {name.removeprefix("encoder."): d for name, d in w.items() if name.startswith("encoder.")},
        "an encoder or a decoder alone",
    ),
    "swapped-sides": (swapped, "encoder and decoder have changed names"),
    "other-names": (
        lambda w: {name.replace("blocks", "layers"): data for name, data in w.items()}, "the names of `torch.nn.Transformer`"
    ),
    "missing-names": (without("decoder.blocks.0.norm3.bias"), "there is no weight `decoder.blocks.0.norm3.bias` among yours"),
    "missing-names ": (without("source_embedding"), "there is no weight `source_embedding.embedding.weight`"),
    "more-names": (lambda w: w | {"encoder.gate": torch.zeros(3)}, "`encoder.gate` is no weight of a Transformer"),
    "layers": (lambda w: w | {"encoder.blocks.1.norm1.bias": torch.zeros(48)}, "yours have 2 and 1"),
    "swapped-vocabularies": (
        lambda w: w
        | {
            "source_embedding.embedding.weight": w["target_embedding.embedding.weight"],
            "target_embedding.embedding.weight": w["source_embedding.embedding.weight"],
        },
        "the source embedding has the target's vocabulary",
    ),
    "other-vocabulary": (
        lambda w: w | {"source_embedding.embedding.weight": torch.zeros(500, 48)}, "your vocabularies have 500 and 819"
    ),
    "transposed": (
        lambda w: {name: d.T.contiguous() if "linear1.weight" in name and "decoder" in name else d for name, d in w.items()},
        "has shape (48, 64), expected (64, 48): it is transposed",
    ),
    "transposed ": (
        lambda w: {name: d.T.contiguous() if d.ndim == 2 and d.shape[0] == d.shape[1] else d for name, d in w.items()},
        "its square matrices are transposed",
    ),
    "wrong-shapes": (lambda w: w | {"output.bias": torch.zeros(7)}, "`output.bias` has shape (7,), expected (819,)"),
    "not-finite": (lambda w: w | {"output.bias": w["output.bias"] * float("nan")}, "`output.bias` holds nan or inf"),
    "too-large": (lambda w: w | {"encoder.huge": torch.zeros(3_000_000)}, "larger than 3 million numbers"),
    "untrained": (untrained, "before its first training step"),
    "empty": (
        lambda w: w | {"output.bias": torch.full((819,), -1e3).index_fill(0, torch.tensor([2]), 1e3)},
        "ends every sentence at once",
    ),
    "repeats": (
        lambda w: w | {"output.bias": torch.full((819,), -1e3).index_fill(0, torch.tensor([77]), 1e3)},
        "writes the same word again and again",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("name", "mistake"), MISTAKES.items(), ids=[name.strip() for name in MISTAKES])
def test_a_mistake_in_the_weights_is_named(name: str, mistake: tuple) -> None:
    change, words = mistake
    verdict = verdict_on(change(good()))
    assert (verdict.score, verdict.diagnosis) == (0.0, name.strip())
    assert words.lower() in verdict.message.lower()


def test_a_model_of_too_many_layers_is_refused_before_it_is_built() -> None:
    block = {name: data for name, data in good().items() if ".blocks.0." in name}
    many = {name.replace(".0.", f".{i}."): data for i in range(7) for name, data in block.items()}
    verdict = verdict_on(good() | many)
    assert "7 layers; at most 256, 1024 and 6 are judged" in verdict.message


def test_the_largest_model_that_is_judged_takes_seconds() -> None:
    from autograder import library
    from autograder.judging.translator import vocabularies

    both = vocabularies()
    torch.manual_seed(0)
    model = library.part("Transformer")(
        len(both.source), len(both.target), d_model=128, num_heads=4, num_layers=6, d_ff=512, norm_first=True
    )
    begun = time.process_time()
    verdict_on(weights_of(model), weighing(20, 100))
    assert time.process_time() - begun < 60


# The file


def cell(folder: Path):
    def trained_weights() -> Weights:
        return load_file(folder / NAME)

    return trained_weights


def handed_in(folder: Path) -> Verdict:
    cases = weighing()
    sighting = observe(cell(folder), cases.plan, build=build_fixture, time_limit=5)
    return judge(cases, named_probes(cases.probes), told_by_file(sighting, cases, folder))


def test_what_save_model_and_save_file_write_is_read(tmp_path: Path) -> None:
    save_model(trained(), tmp_path / NAME)
    assert file_trouble(tmp_path / NAME) == ""
    assert handed_in(tmp_path).passed
    save_file(good(), tmp_path / NAME)
    assert handed_in(tmp_path).passed


def header(length: int, text: bytes = b"") -> bytes:
    return struct.pack("<Q", length) + text


FILES = {
    "a pickle": (pickle.dumps({"a": 1}), "written by `torch.save` or `pickle`"),
    "what torch.save writes": (b"PK\x03\x04" + b"0" * 99, "written by `torch.save` or `pickle`"),
    "text": (b"not weights at all", "is no safetensors file"),
    "nothing": (b"", "is no safetensors file"),
    "a header of 10 GB": (header(10 * 2**30, b"{}"), "is no safetensors file"),
    "a long header": (header(2 * 2**20, b" " * (2 * 2**20 + 1)), "has a header of more than 1 MB"),
    "a header that is no JSON": (header(4, b"nope" + b"0" * 9), "is no safetensors file"),
    "a list for a header": (header(2, b"[]" + b"0" * 9), "is no safetensors file"),
    "deep nesting": (header(200_000, b"[" * 200_000), "is no safetensors file"),
    "too many bytes": (b"\x08" + b"\0" * MAX_FILE_BYTES, "is larger than 16 MB"),
}


@pytest.mark.parametrize(("data", "words"), FILES.values(), ids=FILES)
def test_what_is_wrong_with_a_file_is_one_clear_sentence(tmp_path: Path, data: bytes, words: str) -> None:
    (tmp_path / NAME).write_bytes(data)
    verdict = handed_in(tmp_path)
    assert (verdict.score, verdict.diagnosis) == (0.0, "file")
    assert words in verdict.message
    assert verdict.message.startswith(NAME)
    assert "\n" not in verdict.message


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    assert "There is no file translator.safetensors beside the notebook" in handed_in(tmp_path).message


def test_a_link_or_a_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / NAME).symlink_to("/dev/zero")
    assert "no plain file" in file_trouble(tmp_path / NAME)
    (tmp_path / "other").mkdir()
    assert "no plain file" in file_trouble(tmp_path / "other")


def test_a_header_with_absurd_shapes_costs_its_maker_the_points_and_nothing_else(tmp_path: Path) -> None:
    entry = {"dtype": "F32", "shape": [2**40, 2**20], "data_offsets": [0, 4]}
    text = json.dumps({"output.weight": entry}).encode()
    (tmp_path / NAME).write_bytes(header(len(text), text + b"\0" * 4))
    verdict = handed_in(tmp_path)
    assert verdict.score == 0.0
    assert not verdict.passed


def test_code_that_is_not_written_is_told_so_whatever_the_file(tmp_path: Path) -> None:
    def trained_weights() -> Weights:
        raise NotImplementedError

    cases = weighing()
    sighting = observe(trained_weights, cases.plan, build=build_fixture)
    assert judge(cases, named_probes(PROBES), told_by_file(sighting, cases, tmp_path)).diagnosis == "not-written"


def test_forged_values_are_judged_like_any_other() -> None:
    for value in (
        None,
        3,
        "weights",
        {"output.weight": np.zeros(0)},
        {"source_embedding.embedding.weight": np.zeros((609, 0))},
    ):
        assert verdict_on(value).score == 0.0


def test_the_cases_file_holds_sources_and_targets_and_no_weights(tmp_path: Path) -> None:
    save_cases(UnitCases("99_made_up", "made up", (weighing(),)), tmp_path / "cases.npz")
    read = load_cases(tmp_path / "cases.npz").exercise("trained_weights")
    assert read.files == (NAME,)
    assert read.expected["0.0.0"].value == weighing().expected["0.0.0"].value
    assert (tmp_path / "cases.npz").stat().st_size < 20_000
