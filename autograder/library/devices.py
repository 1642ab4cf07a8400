"""A second device where there is only one: it computes as the CPU does, and refuses to meet the CPU's tensors.

Its tensors bear the name `meta`, which PyTorch knows everywhere, in the backward pass too. PyTorch's own tensors of that
name have no numbers, and a loop over ids ends at its first question; these have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_flatten, tree_map_only, tree_unflatten

NAME = "meta"
_true = ""
"""A device that this machine has, in the place of the one that is imitated; empty but inside `true_device(...)`."""
_BETWEEN_DEVICES = ("aten::copy_", "aten::_to_copy", "aten::set_")
"""What PyTorch lets tensors of two devices meet in."""
_CPU_INDICES = ("aten::index", "aten::index_put", "aten::index_put_", "aten::_index_put_impl_", "aten::_unsafe_index")
"""What takes places in another device's tensor from the CPU."""


class MixedDevices(RuntimeError):
    """Tensors of two devices have met. The message is a clause that says how."""


class _There(Tensor):
    """A tensor of the second device. `numbers` is the CPU's tensor that it stands for."""

    numbers: Tensor

    @staticmethod
    def __new__(cls: type[_There], numbers: Tensor) -> _There:
        made = Tensor._make_wrapper_subclass(
            cls, numbers.shape, strides=numbers.stride(), storage_offset=numbers.storage_offset(), dtype=numbers.dtype, device=NAME
        )  # fmt: skip
        made.numbers = numbers
        return made

    def __repr__(self) -> str:  # type: ignore[override]
        return f"{self.numbers!r} on the second device"

    def numpy(self, *, force: bool = False) -> Any:
        if force:
            return self.numbers.numpy(force=True)
        raise MixedDevices("your code makes a NumPy array of one, which only a tensor of the CPU can become")

    def __array__(self, *_: Any, **__: Any) -> Any:
        return self.numpy()

    def __getitem__(self, places: Any) -> Any:
        return super().__getitem__(_as_tensors(places))

    def __setitem__(self, places: Any, value: Any) -> None:
        if not isinstance(value, Tensor):
            value = _There(torch.tensor(value, dtype=self.dtype, device="cpu"))
        super().__setitem__(_as_tensors(places), value)

    def tolist(self) -> Any:
        return self.numbers.tolist()

    def new_tensor(self, data: Any, **options: Any) -> Tensor:  # type: ignore[override]
        return torch.tensor(data, **{"dtype": self.dtype, "device": self.device, **options})

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return _computed(func, args, kwargs or {})


def _as_tensors(places: Any) -> Any:
    """Lists of places as the CPU's tensors: PyTorch would make tensors of this name of them, without the numbers."""
    if isinstance(places, tuple):
        return tuple(map(_as_tensors, places))
    return torch.tensor(places, device="cpu") if isinstance(places, list) else places


def _computed(function: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """The operator on the CPU's tensors, its results on the device where PyTorch would have them."""
    flat, shape = tree_flatten((args, kwargs))
    there = [value for value in flat if isinstance(value, _There)]
    name = function._schema.name
    asked = kwargs.get("device")
    if any(isinstance(v, Tensor) and v.device.type == NAME and not isinstance(v, _There) for v in flat):
        raise NotImplementedError("a tensor of the second device without numbers")
    if there and name not in _BETWEEN_DEVICES:
        here = [v for v in flat if isinstance(v, Tensor) and not isinstance(v, _There) and v.dim()]
        if name in _CPU_INDICES and isinstance(flat[0], _There):
            here = [v for v in here if v.dtype.is_floating_point]
        if here:
            operator = name.removeprefix("aten::").strip("_")
            raise MixedDevices(f"a tensor that your code has made on the CPU meets them, in `{operator}`")
    goes = torch.device(asked).type == NAME if asked is not None else bool(there)
    if name == "aten::copy_":
        goes = isinstance(args[0], _There)
    inner_args, inner_kwargs = tree_unflatten(
        [v.numbers if isinstance(v, _There) else torch.device("cpu") if _is_there(v) else v for v in flat], shape
    )
    if "pin_memory" in inner_kwargs:
        inner_kwargs["pin_memory"] = False
    result = function(*inner_args, **inner_kwargs)
    if not goes:
        return result
    result = tree_map_only(Tensor, lambda value: value if isinstance(value, _There) else _There(value), result)
    return return_and_correct_aliasing(function, args, kwargs, result)


def _is_there(value: Any) -> bool:
    return isinstance(value, torch.device) and value.type == NAME


class _Factories(TorchDispatchMode):
    """Tensors that are made on the second device have numbers."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _computed(func, args, kwargs or {})


def _from_data(make: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """PyTorch leaves the data out on a device of this name: here the tensor is made on the CPU, and moved."""

    def made(data: Any, *args: Any, **options: Any) -> Tensor:
        device = options.get("device", data.device if isinstance(data, Tensor) else None)
        if device is None or torch.device(device).type != NAME:
            return make(data, *args, **options)
        return make(data, *args, **{**options, "device": "cpu"}).to(NAME) if not isinstance(data, _There) else data

    return made


@contextmanager
def true_device(name: str) -> Iterator[None]:
    """Inside the block, the second device is one that this machine has, such as "cuda"."""
    global _true
    before, _true = _true, name
    try:
        yield
    finally:
        _true = before


@contextmanager
def second_device() -> Iterator[str]:
    """Inside the block, tensors of the device that is given are those of the second device."""
    if _true:
        yield _true
        return
    with ExitStack() as stack:
        for name in ("tensor", "as_tensor", "asarray"):
            stack.enter_context(mock.patch.object(torch, name, _from_data(getattr(torch, name))))
        stack.enter_context(_Factories())
        yield NAME


def _move(module: nn.Module) -> None:
    """As `module.to(device)`, and as between true devices a weight that two modules share stays one."""
    if _true:
        module.to(_true)
        return
    there: dict[Tensor, Tensor] = {}
    for inner in module.modules():
        for tensors in (inner._parameters, inner._buffers):
            for name, value in tensors.items():
                if value is None:
                    continue
                if value not in there:
                    copied = value.detach().to(NAME)
                    is_parameter = isinstance(value, nn.Parameter)
                    there[value] = nn.Parameter(copied, value.requires_grad) if is_parameter else copied
                tensors[name] = there[value]


def moved(tree: Any) -> Any:
    """A tree's tensors on the second device; modules are moved themselves. Inside `second_device()`."""
    if isinstance(tree, nn.Module):
        _move(tree)
        return tree
    if isinstance(tree, Tensor):
        return tree.detach().to(_true or NAME).requires_grad_(tree.requires_grad)
    if isinstance(tree, dict):
        return {key: moved(value) for key, value in tree.items()}
    if isinstance(tree, (tuple, list)):
        return type(tree)(map(moved, tree))
    return tree


def brought_back(result: Any) -> Any:
    """A result's tensors on the CPU. Raises MixedDevices where one of them lies there already, unless it is one number."""
    if isinstance(result, _There):
        return result.numbers
    if isinstance(result, Tensor) and _true and result.device.type == torch.device(_true).type:
        return result.cpu()
    if isinstance(result, Tensor) and result.dim():
        raise MixedDevices("your result lies on the CPU")
    if isinstance(result, dict):
        return {key: brought_back(value) for key, value in result.items()}
    if type(result) in (tuple, list):
        return type(result)(map(brought_back, result))
    return result


def works_on_another_device(use: Callable[[str], Any]) -> bool:
    """Whether `use(device)` works with tensors of the second device, and gives one of it.

    What fails in another way than by two devices that meet fails for another reason, which other cases show, and is
    believed.
    """
    with second_device() as device:
        try:
            brought_back(use(device))
        except MixedDevices:
            return False
        except Exception:
            return True
    return True
