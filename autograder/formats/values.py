"""Plain values that cross a process boundary: trees of arrays, packed without pickle.

A *tree* is what a case hands to a learner's function or what comes back from it: NumPy arrays, PyTorch
tensors, Python scalars, and tuples, lists and dicts of these. `pack` writes a tree as bytes (an npz file with
one JSON entry) and `unpack` reads it back. Reading never runs code that the bytes name: whatever is neither an
array nor a scalar arrives as an `Opaque`, its type's name and nothing else.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import sys
import zipfile
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
_MAX_UNPACKED_BYTES = 512 * 1024 * 1024
_MAX_DEPTH = 24
_MAX_NAME = 200
"""Characters of a type's name that are kept: its author chooses it."""
_TREE_ENTRY = "tree"
_HEAP_ENTRY = "heap"


class UnreadableValues(ValueError):
    """Bytes that are no packed tree, or one that would unpack to more than the limit."""


@dataclass(frozen=True)
class Tensor:
    """A PyTorch tensor's numbers, free of PyTorch: bfloat16 is carried as float32, its name in `dtype`."""

    data: Array
    dtype: str


@dataclass(frozen=True)
class Opaque:
    """Something that is not data: all that is known of it is its type's name."""

    type_name: str


@dataclass(frozen=True)
class Fixture:
    """An argument that is no array (a model, a function, a generator), named here and built where it is observed.

    `unit` names the unit whose library block defines the builder, `name` the builder, and `given` its arguments.
    """

    unit: str
    name: str
    given: dict[str, Any] = field(default_factory=dict)


def to_plain(value: Any) -> Any:
    """The same tree with every PyTorch tensor turned into a `Tensor` and every foreign object into an `Opaque`."""
    return _plain(value, 0)


def _plain(value: Any, depth: int) -> Any:
    if depth > _MAX_DEPTH:
        return Opaque("a structure nested too deeply")
    kind = type(value)
    if value is None or kind in (bool, int, float, str):
        return value
    if kind in (Tensor, Opaque):
        return value
    if isinstance(value, Fixture):
        return Fixture(value.unit, value.name, _plain(value.given, depth + 1))
    if isinstance(value, np.generic):
        return np.asarray(value)
    if isinstance(value, np.ndarray):
        if value.dtype.kind in "biuf":
            return np.array(value, copy=True, subok=False)
        return Opaque(f"a NumPy array of dtype {value.dtype}")
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        return _plain_tensor(value, torch)
    if isinstance(value, (tuple, list)):
        items = [_plain(item, depth + 1) for item in value]
        return tuple(items) if isinstance(value, tuple) else items
    if isinstance(value, dict):
        return {str(key): _plain(item, depth + 1) for key, item in value.items()}
    return Opaque(f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")[:_MAX_NAME])


def _plain_tensor(value: Any, torch: Any) -> Tensor | Opaque:
    dtype = str(value.dtype).removeprefix("torch.")
    if value.dtype.is_complex or value.is_sparse or value.is_quantized:
        return Opaque(f"a PyTorch tensor of dtype {dtype}")
    if value.device.type == "meta":  # it has no numbers
        kind = "booleans" if value.dtype == torch.bool else "floats" if value.dtype.is_floating_point else "integers"
        return Opaque(f"a PyTorch tensor of {kind}, shape {tuple(value.shape)}, on the device meta")
    dense = value.detach().to("cpu")
    if value.dtype == torch.bfloat16:
        dense = dense.float()
    return Tensor(np.array(dense.contiguous().numpy(), copy=True), dtype)


def shapes_of(tree: Any) -> Any:
    """The tree with the shape of each array, as a list, in the array's place; None for whatever has none."""
    if isinstance(tree, (Fixture, Tensor)):
        return shapes_of(tree.given if isinstance(tree, Fixture) else tree.data)
    if isinstance(tree, dict):
        return tuple((name, shapes_of(value)) for name, value in tree.items())
    if isinstance(tree, (tuple, list)):
        return tuple(map(shapes_of, tree))
    return list(getattr(tree, "shape", ())) or None


def to_live(value: Any) -> Any:
    """The tree as a learner's function takes it: every `Tensor` as a fresh PyTorch tensor, arrays copied."""
    if isinstance(value, Tensor):
        import torch

        return torch.from_numpy(np.array(value.data, copy=True)).to(getattr(torch, value.dtype))
    if isinstance(value, np.ndarray):
        return np.array(value, copy=True)
    if isinstance(value, tuple):
        return tuple(to_live(item) for item in value)
    if isinstance(value, list):
        return [to_live(item) for item in value]
    if isinstance(value, dict):
        return {key: to_live(item) for key, item in value.items()}
    return value


def pack(tree: Any, *, small: bool = False) -> bytes:
    """One tree as bytes; equal trees give equal bytes. Equal arrays are written once.

    small: packed as tightly as can be, which takes longer: for what is written once and kept
    """
    text, heap = _text_and_heap(tree)
    entries = {_TREE_ENTRY: np.frombuffer(text, dtype=np.uint8), _HEAP_ENTRY: np.frombuffer(heap, dtype=np.uint8)}
    buffer = io.BytesIO()
    if not small:
        np.savez_compressed(buffer, allow_pickle=False, **entries)
        return buffer.getvalue()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_LZMA) as archive:
        for name, array in entries.items():
            written = io.BytesIO()
            np.lib.format.write_array(written, array, allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), written.getvalue(), zipfile.ZIP_LZMA)
    return buffer.getvalue()


def digest(tree: Any) -> bytes:
    """Equal for equal trees; takes a fraction of the time of `pack`, which compresses."""
    text, heap = _text_and_heap(tree)
    return hashlib.sha256(hashlib.sha256(text).digest() + heap).digest()


def _text_and_heap(tree: Any) -> tuple[bytes, bytes]:
    heap = _Heap()
    text = json.dumps(_encode(to_plain(tree), heap), ensure_ascii=False, sort_keys=True, allow_nan=False)
    return text.encode("utf-8", "backslashreplace"), bytes(heap.data)


def unpack(data: bytes) -> Any:
    """The tree that `pack` wrote; its arrays are read-only. Raises UnreadableValues on anything else, however made."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > _MAX_UNPACKED_BYTES:
                raise UnreadableValues("the values unpack to more than the limit")
        with np.load(io.BytesIO(data), allow_pickle=False) as entries:
            text, heap = (entries[name].tobytes() for name in (_TREE_ENTRY, _HEAP_ENTRY))
        return _decode(json.loads(text.decode("utf-8")), heap, 0)
    except UnreadableValues:
        raise
    except Exception as error:
        raise UnreadableValues(f"not a file of values: {error}") from error


class _Heap:
    """The bytes of all arrays, end to end, each different array once."""

    def __init__(self) -> None:
        self.data = bytearray()
        self._places: dict[tuple[str, tuple[int, ...], bytes], int] = {}

    def add(self, array: Array) -> list[Any]:
        dtype = array.dtype.newbyteorder("<")
        raw = np.ascontiguousarray(array, dtype=dtype).tobytes()
        key = (dtype.str, array.shape, raw)
        if key not in self._places:
            self._places[key] = len(self.data)
            self.data += raw
        return [dtype.str, list(array.shape), self._places[key]]


def _from_heap(heap: bytes, dtype: Any, shape: Any, offset: Any) -> Array:
    kind = np.dtype(str(dtype))
    if kind.kind not in "biuf":
        raise UnreadableValues(f"arrays of dtype {kind} are not values")
    sides = tuple(int(side) for side in shape)
    if any(side < 0 for side in sides):
        raise UnreadableValues("an array with a negative side")
    flat = (
        np.frombuffer(heap, kind, count=math.prod(sides), offset=int(offset)) if math.prod(sides) else np.zeros(0, kind)
    )
    return flat.reshape(sides).astype(kind.newbyteorder("="), copy=False)


def _encode(value: Any, heap: _Heap) -> Any:
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return {"int": str(value)} if abs(value) < 10**400 else {"opaque": "an enormous int"}
    if isinstance(value, float):
        return value if math.isfinite(value) else {"float": str(value)}
    if isinstance(value, Opaque):
        return {"opaque": value.type_name}
    if isinstance(value, Fixture):
        return {"fixture": [value.unit, value.name, _encode(value.given, heap)]}
    if isinstance(value, (np.ndarray, Tensor)):
        place = heap.add(value if isinstance(value, np.ndarray) else value.data)
        return {"array": place} if isinstance(value, np.ndarray) else {"tensor": [*place, value.dtype]}
    if isinstance(value, tuple):
        return {"tuple": [_encode(item, heap) for item in value]}
    if isinstance(value, list):
        return [_encode(item, heap) for item in value]
    if isinstance(value, dict):
        return {"dict": [[key, _encode(item, heap)] for key, item in value.items()]}
    raise TypeError(f"not a plain value: {type(value).__name__}")


def _decode(node: Any, heap: bytes, depth: int) -> Any:
    if depth > 4 * _MAX_DEPTH:
        raise UnreadableValues("nested too deeply")
    if node is None or isinstance(node, (bool, int, float, str)):
        return node
    if isinstance(node, list):
        return [_decode(item, heap, depth + 1) for item in node]
    (kind, body), *rest = node.items()
    if rest:
        raise UnreadableValues("a node with two kinds")
    match kind:
        case "int":
            return int(body)
        case "float":
            return float(body)
        case "opaque":
            return Opaque(str(body)[:_MAX_NAME])
        case "array":
            return _from_heap(heap, *body)
        case "tensor":
            return Tensor(_from_heap(heap, *body[:3]), str(body[3]))
        case "tuple":
            return tuple(_decode(item, heap, depth + 1) for item in body)
        case "dict":
            return {str(key): _decode(item, heap, depth + 1) for key, item in body}
        case "fixture":
            unit, name, given = body
            return Fixture(str(unit), str(name), _decode(given, heap, depth + 1))
        case _:
            raise UnreadableValues(f"an unknown kind of value: {kind!r}")
