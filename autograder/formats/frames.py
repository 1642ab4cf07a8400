"""Read what a submission's process sends: frames of plain values, bounded in size, number and kind.

The sender may be hostile. Nothing here trusts a length, a count or a type that it names, and nothing it sends can
raise in the process that judges or use up its memory.
"""

from __future__ import annotations

import contextlib
import io
import queue
import struct
import threading
import zipfile
from collections.abc import Mapping
from typing import IO, Any

import numpy as np

from .cases import Call, Sighting, sighting_from
from .values import Array, Opaque, Tensor, UnreadableValues, unpack

FRAME = struct.Struct(">Q")
"""A frame is its length, then that many bytes of packed values."""
MAX_VALUES = 64 * 1024 * 1024
"""Bytes of all arrays in one frame; the sender keeps to it, the reader allows for twice as much."""
_MAX_FRAME = 64 * 1024 * 1024
_MAX_SENT = 256 * 1024 * 1024
_MAX_ENTRIES = 20_000
_MAX_TEXT = 8 * 1024 * 1024
_TEXT_ENTRY = "tree.npy"
_NEW_ENTRY = b"PK\x01\x02"
_AHEAD = 4


class NoFrame(TimeoutError):
    """No frame came in the time that was given."""


class Frames:
    """One process' frames as they come, read by a thread that never holds more than a few."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._queue: queue.Queue[dict[str, Any] | None] = queue.Queue(_AHEAD)
        self._closed = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()

    def next(self, wait: float) -> dict[str, Any] | None:
        """The next frame; None when there are no more, or when something else than a frame came. Raises NoFrame."""
        try:
            return self._queue.get(timeout=max(wait, 0.01))
        except queue.Empty:
            raise NoFrame from None

    def close(self) -> None:
        """No more is wanted. The thread ends when the process has."""
        self._closed.set()

    def _read(self) -> None:
        sent = 0
        # Whatever a submission's process sent, reading it ends here.
        with contextlib.suppress(Exception), self._stream as stream:
            while not self._closed.is_set() and (header := stream.read(FRAME.size)):
                (length,) = FRAME.unpack(header)
                sent += length
                if length > _MAX_FRAME or sent > _MAX_SENT:
                    break
                self._put(unpacked_frame(stream.read(length)))
        self._put(None)

    def _put(self, frame: dict[str, Any] | None) -> None:
        while not self._closed.is_set():
            with contextlib.suppress(queue.Full):
                self._queue.put(frame, timeout=0.5)
                return


def unpacked_frame(data: bytes) -> dict[str, Any]:
    """A frame's tree, read only after its parts' sizes were found to be within bounds. Raises UnreadableValues."""
    try:
        if data.count(_NEW_ENTRY) > _MAX_ENTRIES:
            raise UnreadableValues("more parts than the limit")
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            sizes = [(entry.filename, entry.file_size) for entry in archive.infolist()]
    except UnreadableValues:
        raise
    except Exception as error:
        raise UnreadableValues(f"not a file of values: {error}") from error
    if sum(size for name, size in sizes if name == _TEXT_ENTRY) > _MAX_TEXT:
        raise UnreadableValues("more text than the limit")
    if sum(size for _, size in sizes) > 2 * MAX_VALUES:
        raise UnreadableValues("the values unpack to more than the limit")
    tree = unpack(data)
    if not isinstance(tree, dict):
        raise UnreadableValues("no frame")
    return tree


def received_sighting(frame: Mapping[str, Any], key: str, plan: Mapping[str, Call]) -> Sighting | None:
    """The sighting that a frame holds, of the calls that were asked for; None where it is no sighting of `key`."""
    try:
        if frame["exercise"] != key:
            return None
        tree = _numbers_only(frame["sighting"])
        tree["observations"] = {call: tree["observations"][call] for call in plan if call in tree["observations"]}
        return sighting_from(tree)
    except Exception:  # a forged frame may fail in any way
        return None


def _numbers_only(value: Any) -> Any:
    """The same tree; an array of anything but booleans, integers and floats is no value that could be judged."""
    if isinstance(value, np.ndarray):
        return value if _is_numeric(value) else Opaque(f"a NumPy array of dtype {value.dtype}"[:200])
    if isinstance(value, Tensor):
        return value if _is_numeric(value.data) else Opaque("a PyTorch tensor of no numbers")
    if isinstance(value, dict):
        return {key: _numbers_only(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return type(value)(_numbers_only(item) for item in value)
    return value


def _is_numeric(array: Array) -> bool:
    return isinstance(array, np.ndarray) and array.dtype.kind in "biuf"
