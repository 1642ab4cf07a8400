"""What a hostile process may send, and what is made of it."""

import io
import json
import os
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.formats.cases import Call, Observation, Sighting, sighting_tree
from autograder.formats.frames import FRAME, Frames, received_sighting, unpacked_frame
from autograder.formats.values import Opaque, UnreadableValues, pack, unpack

pytestmark = pytest.mark.quick

PLAN = {"0.0.0": Call("one", {}, 0), "1.0.0": Call("two", {}, 0)}


def archive(**entries: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        for name, data in entries.items():
            file.writestr(f"{name}.npy", data)
    return buffer.getvalue()


def saved(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def text(tree: str) -> bytes:
    return saved(np.frombuffer(tree.encode(), dtype=np.uint8))


HEAP = saved(np.zeros(64, np.uint8))


def sent(*pieces: bytes) -> Frames:
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as stream:
        for piece in pieces:
            stream.write(piece)
    return Frames(os.fdopen(reading, "rb"))


def framed(tree: object) -> bytes:
    data = pack(tree)
    return FRAME.pack(len(data)) + data


def test_frames_come_in_order_and_then_none() -> None:
    frames = sent(framed({"a": 1}), framed({"b": np.ones(3)}))
    first, second = frames.next(5), frames.next(5)
    assert first == {"a": 1} and second is not None and second["b"].tolist() == [1, 1, 1]
    assert frames.next(5) is None


@pytest.mark.parametrize(
    "garbage",
    [
        b"\0" * 64,
        b"x" * 100,
        FRAME.pack(2**63),
        FRAME.pack(1000) + b"cut off",
        FRAME.pack(4) + b"PK\x03\x04",
        framed([1, 2]),
    ],
    ids=["zeros", "text", "huge", "cut-off", "no-archive", "no-dict"],
)
def test_after_something_that_is_no_frame_nothing_more_is_read(garbage: bytes) -> None:
    frames = sent(framed({"a": 1}), garbage, framed({"b": 2}))
    assert frames.next(5) == {"a": 1}
    assert frames.next(5) is None


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (archive(tree=text('{"dict": []}'), heap=saved(np.zeros(160 << 20, np.uint8))), "more than the limit"),
        (archive(tree=text("[" + "[]," * 4_000_000 + "0]"), heap=HEAP), "more text"),
        (archive(tree=text("[" * 100_000), heap=HEAP), "recursion"),
        (b"PK\x01\x02" * 50_000, "more parts"),
        (
            archive(tree=text('{"dict": [["a", {"array": ["<f8", [1000000000000], 0]}]]}'), heap=HEAP),
            "not a file of values",
        ),
        (archive(tree=text('{"dict": [["a", {"array": ["O", [1], 0]}]]}'), heap=HEAP), "not values"),
        (archive(tree=text('{"dict": [["a", {"int": "' + "9" * 10_000 + '"}]]}'), heap=HEAP), "digits"),
        (archive(tree=text('{"what": 1}'), heap=HEAP), "unknown kind"),
        (archive(tree=text("[1, 2]"), heap=HEAP), "no frame"),
    ],
    ids=["bomb", "text", "deep", "parts", "shape", "objects", "digits", "kind", "no-dict"],
)
def test_bombs_are_refused_before_they_unpack(data: bytes, why: str) -> None:
    tracemalloc.start()
    with pytest.raises(UnreadableValues, match=why):
        unpacked_frame(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 << 20


def test_an_object_array_is_never_unpickled() -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.array([print], dtype=object), allow_pickle=True)
    with pytest.raises(UnreadableValues):
        unpacked_frame(archive(tree=text('{"dict": []}'), heap=buffer.getvalue()))


@given(st.binary(max_size=300))
def test_no_bytes_at_all_raise_anything_else(data: bytes) -> None:
    with pytest.raises(UnreadableValues):
        unpacked_frame(data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    ["observations", "trouble", "forbidden", "printed", "0.0.0", "value", "fault", "changed", "facts", "line"]
)


@given(
    st.dictionaries(
        FIELDS, st.dictionaries(FIELDS, st.dictionaries(FIELDS, JSON, max_size=4) | JSON, max_size=4) | JSON
    )
)
def test_any_tree_is_a_sighting_or_none(tree: dict[str, object]) -> None:
    found = received_sighting(unpack(pack({"exercise": "a/visible", "sighting": tree})), "a/visible", PLAN)
    assert found is None or set(found.observations) <= set(PLAN)


def test_a_sighting_of_another_exercise_is_none() -> None:
    frame = {"exercise": "b/visible", "sighting": sighting_tree(Sighting({}))}
    assert received_sighting(frame, "a/visible", PLAN) is None


@pytest.mark.parametrize(
    "odd",
    [
        np.array(["x"]),
        np.array([b"x"]),
        np.array([1 + 2j]),
        np.zeros(2, dtype=[("a", "f4")]),
        np.array(["2026-01-01"], dtype="M8[D]"),
    ],
    ids=["text", "bytes", "complex", "fields", "dates"],
)
def test_an_array_of_no_numbers_is_no_value(odd: np.ndarray) -> None:
    tree = sighting_tree(Sighting({"0.0.0": Observation(value=[odd, np.ones(1)])}))
    found = received_sighting({"exercise": "a/visible", "sighting": tree}, "a/visible", PLAN)
    assert found is not None
    first, second = found.observations["0.0.0"].value
    assert isinstance(first, Opaque) and second.tolist() == [1]


def test_observations_that_nobody_asked_for_are_dropped() -> None:
    tree = sighting_tree(Sighting({key: Observation(value=1) for key in ("0.0.0", "9.9.9")}))
    found = received_sighting({"exercise": "a/visible", "sighting": tree}, "a/visible", PLAN)
    assert found is not None and list(found.observations) == ["0.0.0"]


def test_a_sender_that_is_faster_than_its_reader_fills_no_memory() -> None:
    reading, writing = os.pipe()
    frames = Frames(os.fdopen(reading, "rb"))
    os.set_blocking(writing, False)
    one, written = framed({"cell": "x" * 50_000, "n": json.dumps([0] * 9)}), 0
    with pytest.raises(BlockingIOError):
        while written < 64 << 20:
            written += os.write(writing, one)
            if written % (1 << 20) < len(one):
                frames.next(5)
        raise AssertionError("the reader never held the sender back")
    frames.close()
    os.close(writing)
