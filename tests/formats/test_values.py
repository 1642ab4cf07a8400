"""Plain values survive the way through bytes, and bytes that are none are refused."""

import io
import zipfile

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autograder.formats import values
from autograder.formats.values import Fixture, Opaque, Tensor, UnreadableValues, pack, to_live, to_plain, unpack

pytestmark = pytest.mark.quick

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
arrays = hnp.arrays(
    st.sampled_from(["float64", "float32", "float16", "int64", "uint8", "bool"]),
    hnp.array_shapes(min_dims=0, min_side=0),
)
trees = st.recursive(
    scalars | arrays,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)


def same(a: object, b: object) -> bool:
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, (list, tuple)) and type(a) is type(b):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    return type(a) is type(b) and (a == b or (a != a and b != b))


@given(trees)
def test_a_tree_comes_back_as_it_was(tree: object) -> None:
    try:
        repr(tree).encode()
    except UnicodeEncodeError:  # lone surrogates are replaced, not kept
        return
    assert same(unpack(pack(tree)), to_plain(tree))


@given(trees)
def test_packing_twice_gives_the_same_bytes(tree: object) -> None:
    assert pack(tree) == pack(tree)


@given(st.binary(max_size=300))
def test_other_bytes_are_refused_in_words(data: bytes) -> None:
    with pytest.raises(UnreadableValues):
        unpack(data)


@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.bool]
)
def test_a_tensor_comes_back_as_a_tensor_of_its_dtype(dtype: torch.dtype) -> None:
    tensor = torch.tensor([[0, 1], [1, 1]]).to(dtype)
    back = to_live(unpack(pack(tensor)))
    assert back.dtype == dtype
    assert torch.equal(back, tensor)


def test_a_fixture_keeps_its_unit_name_and_arguments() -> None:
    back = unpack(pack(Fixture("04_attention_gradients", "quadratic", {"a": np.arange(3.0)})))
    assert (back.unit, back.name, back.given["a"].tolist()) == ("04_attention_gradients", "quadratic", [0.0, 1.0, 2.0])


def test_an_object_that_is_no_data_arrives_as_the_name_of_its_type() -> None:
    assert unpack(pack({"a": object()})) == {"a": Opaque("object")}
    assert unpack(pack(np.array([None]))) == Opaque("a NumPy array of dtype object")


def test_a_subclass_of_float_does_not_pass_for_a_float() -> None:
    class Sly(float):
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = None  # type: ignore[assignment]

    assert isinstance(to_plain(Sly(1.0)), Opaque)


def test_a_bomb_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(values, "_MAX_UNPACKED_BYTES", 10 << 20)
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("a.npy", "w", force_zip64=True) as entry,
    ):
        for _ in range(11):
            entry.write(bytes(1 << 20))
    with pytest.raises(UnreadableValues, match="more than the limit"):
        unpack(buffer.getvalue())


def test_pickled_objects_are_not_loaded(tmp_path: object) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, a=np.array([print], dtype=object))
    with pytest.raises(UnreadableValues):
        unpack(buffer.getvalue())


def test_a_tensor_with_gradients_is_only_its_numbers() -> None:
    plain = to_plain(torch.ones(2, requires_grad=True) * 2)
    assert isinstance(plain, Tensor)
    assert plain.data.tolist() == [2.0, 2.0]
