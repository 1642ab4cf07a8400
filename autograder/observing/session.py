"""Run a notebook's cells in an IPython shell and describe their outputs. This runs inside the sandbox."""

from __future__ import annotations

import ast
import base64
import contextlib
import io
import sys
import types
from collections.abc import Sequence
from typing import Any

from ..formats.cases import Fault
from ..formats.submission import defined_names
from .observe import OutOfTime, fault_of, limited
from .serve import MODULE, CellClock, Emit, Run, not_defined, syntax_text, without_magics

_MAX_STREAM = 100_000
_MAX_FIGURES = 8
_MAX_OUTPUTS = 40
_MAX_PICTURE = 500_000


def open_shell() -> Any:
    """An IPython shell without history or threads; made once in the warm process, used in each fork of it."""
    from IPython.core.history import HistoryManager
    from IPython.core.interactiveshell import InteractiveShell

    HistoryManager.enabled = False  # type: ignore[assignment]
    module = types.ModuleType(MODULE)
    sys.modules[MODULE] = module
    shell = InteractiveShell.instance(user_module=module)
    shell.system = lambda *args, **kwargs: None  # type: ignore[method-assign]
    for name in ("pip", "conda", "matplotlib"):
        shell.register_magic_function(_nothing, "line", name)  # type: ignore[arg-type]
    return shell


def _nothing(line: str) -> None:
    """A magic that has no meaning while grading."""


def run_in(shell: Any, emit: Emit) -> Run:
    """A way of running blocks for `serve`: each cell in the shell, its outputs emitted as a frame."""

    def run(
        blocks: Sequence[Sequence[str]], whole_file: bool, clock: CellClock
    ) -> tuple[dict[str, Any], dict[str, Fault]]:
        broken: dict[str, Fault] = {}
        for source, name in blocks:
            outputs, fault = _run_cell(shell, source, clock.seconds())
            emit({"cell": name, "outputs": outputs})
            if fault:
                missing = [defined for defined in defined_names(source) if defined not in shell.user_ns]
                broken |= not_defined(missing, name, fault)
            else:
                for defined in defined_names(source):
                    broken.pop(defined, None)
        return shell.user_ns, broken

    return run


def _run_cell(shell: Any, source: str, limit: float) -> tuple[list[dict[str, Any]], Fault | None]:
    from IPython.utils.capture import capture_output

    fault: Fault | None = None
    with capture_output() as captured:
        try:
            with limited(limit):
                result = shell.run_cell(source, store_history=False)
            error = result.error_before_exec or result.error_in_exec
        except BaseException as raised:  # an interrupt between two instructions of IPython's own
            error = raised
        figures = _figures(limit)
    outputs: list[dict[str, Any]] = []
    for name, text in (("stdout", captured.stdout), ("stderr", captured.stderr)):
        if text and not (error and name == "stdout" and "Traceback" in text[:400]):
            outputs.append({"output_type": "stream", "name": name, "text": text[:_MAX_STREAM]})
    outputs += [_described(output.data) for output in captured.outputs[:_MAX_OUTPUTS]]
    outputs += figures
    if error is not None:
        fault = _fault(error, source, limit)
        outputs.append(
            {
                "output_type": "error",
                "ename": fault.type_name,
                "evalue": fault.message,
                "traceback": [_where(fault)],
            }
        )
    return outputs, fault


def _fault(error: BaseException, source: str, limit: float) -> Fault:
    if isinstance(error, OutOfTime):
        return Fault("a time-out", f"it ran for more than {limit:g} seconds", stage="define")
    if isinstance(error, SyntaxError):
        try:
            ast.parse(without_magics(source))
        except SyntaxError as found:
            return Fault(type(found).__name__, syntax_text(found).split(": ", 1)[-1], stage="define")
    return fault_of(error, "define")


def _where(fault: Fault) -> str:
    line = f"  line {fault.line}: {fault.source_line}\n" if fault.line else ""
    return f"{line}{fault.type_name}: {fault.message}"


def _described(data: Any) -> dict[str, Any]:
    kept = {kind: data[kind] for kind in ("text/plain", "image/png") if isinstance(data, dict) and kind in data}
    if isinstance(kept.get("image/png"), bytes):
        kept["image/png"] = base64.b64encode(kept["image/png"]).decode("ascii")
    if len(str(kept.get("image/png", ""))) > _MAX_PICTURE:
        kept["image/png"] = None
        kept["text/plain"] = "(A picture too large for the feedback page.)"
    if isinstance(kept.get("text/plain"), str):
        kept["text/plain"] = kept["text/plain"][:_MAX_STREAM]
    return {"output_type": "display_data", "data": kept}


def _figures(limit: float) -> list[dict[str, Any]]:
    """What Matplotlib has open, as PNG; closed afterwards, as a notebook does."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is None:
        return []
    outputs = []
    # A broken figure costs the figure.
    with contextlib.suppress(Exception, OutOfTime):
        for number in pyplot.get_fignums()[:_MAX_FIGURES]:
            buffer = io.BytesIO()
            with limited(limit):
                pyplot.figure(number).savefig(buffer, format="png", dpi=80)
            outputs.append(_described({"image/png": buffer.getvalue()}))
    with contextlib.suppress(Exception):
        pyplot.close("all")
    return outputs
