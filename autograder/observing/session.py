"""Run what was handed in, cell by cell or statement by statement, in an IPython session, and describe the outputs.

A notebook in JupyterLab runs in IPython too: so `check FILE`, `preflight` and `grade` say what the notebook says.
"""

from __future__ import annotations

import ast
import base64
import contextlib
import io
import symtable
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..formats.cases import Fault, Sighting
from ..formats.notebook_file import defined_names
from .clock import OutOfTime, limited
from .observe import fault_of

Emit = Callable[[dict[str, Any]], None]
_MODULE = "submission"
_MAX_STREAM = 100_000
_MAX_FIGURES = 8
_MAX_OUTPUTS = 40
_MAX_PICTURE = 500_000
_OTHER_LANGUAGES = ("bash", "sh", "script", "cmd", "ruby", "perl", "system")


@dataclass
class Ran:
    """What running the blocks has left."""

    namespace: Mapping[str, Any]
    missing: dict[str, Fault] = field(default_factory=dict)
    """Why a name is missing that a broken block would have given a value."""
    dead: Fault | None = None
    """Why nothing can be judged: the course's own first cell did not run."""


class Budget:
    """Seconds of computing for each block: `each`, until all together have used `together`; from then on one.

    patience: how many times as long it may wait
    """

    def __init__(self, each: float, together: float, patience: float) -> None:
        self.patience = patience
        self._each = each
        self._left = together

    def seconds(self) -> float:
        return min(self._each, max(self._left, 1.0))

    def spend(self, seconds: float) -> None:
        self._left -= seconds


def open_shell() -> Any:
    """An IPython shell without a database or threads; made once in the warm process, used in each fork of it."""
    from IPython.core.history import HistoryManager
    from IPython.core.interactiveshell import InteractiveShell

    HistoryManager.enabled = False  # type: ignore[assignment]
    module = types.ModuleType(_MODULE)
    sys.modules[_MODULE] = module
    shell = InteractiveShell.instance(user_module=module)
    shell.system = lambda *args, **kwargs: None  # type: ignore[method-assign]
    shell.getoutput = lambda *args, **kwargs: []  # type: ignore[method-assign]
    shell.ask_exit = lambda: None  # type: ignore[attr-defined]
    for name in ("pip", "conda", "matplotlib"):
        shell.register_magic_function(_nothing, "line", name)  # type: ignore[arg-type]
    for name in _OTHER_LANGUAGES:
        shell.register_magic_function(_nothing, "cell", name)  # type: ignore[arg-type]
    return shell


def _nothing(*given: str) -> None:
    """A magic that has no meaning here: what it would do outside Python decides nothing."""


def run_blocks(shell: Any, blocks: Sequence[Mapping[str, Any]], whole_file: bool, budget: Budget, emit: Emit) -> Ran:
    """Run blocks in the shell and emit a frame after each.

    A cell that raises loses its own rest, as in Jupyter. A Python file goes on with its next statement.
    """
    ran = Ran(shell.user_ns)
    for block in blocks:
        outputs: list[dict[str, Any]] = []
        pieces = _statements(block["source"]) if whole_file else [block["source"]]
        for piece in pieces:
            shown, fault = _run_piece(shell, piece, budget)
            outputs += shown
            if fault:
                note_missing(ran, piece, block["name"], fault)
                if block["is_setup"]:
                    ran.dead = fault
            else:
                for name in defined_names(piece):
                    ran.missing.pop(name, None)
        emit({"cell": block["name"], "outputs": outputs[:_MAX_OUTPUTS]})
        if ran.dead:
            break
    return ran


def _statements(source: str) -> list[str]:
    """The statements of a file, each on the lines where it stands there; the whole text where it does not parse."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return [source]
    lines = source.splitlines(keepends=True)
    pieces = []
    for statement in tree.body:
        first = min([statement.lineno, *(one.lineno for one in getattr(statement, "decorator_list", ()))])
        pieces.append("\n" * (first - 1) + "".join(lines[first - 1 : statement.end_lineno]))
    return list(dict.fromkeys(pieces))  # statements that share a line run once, together


def note_missing(ran: Ran, source: str, place: str, fault: Fault) -> None:
    """Remember why the names are missing that `source` would have given a value, the first error first."""
    cause = _cause_of(fault, ran.missing, ran.namespace)
    for name in _bound_names(source):
        if name not in ran.namespace:
            ran.missing.setdefault(name, cause or _not_run(place, fault))


def _not_run(place: str, fault: Fault) -> Fault:
    what = f"{fault.type_name}: {fault.message}".rstrip(": ")
    line = f", line {fault.line}," if fault.line else ""
    did = "could not be read:" if fault.type_name == "SyntaxError" else "raised"
    return Fault("NotRun", f"{place}{line} {did} {what}", fault.line, fault.source_line, "define")


def _cause_of(fault: Fault, missing: Mapping[str, Fault], namespace: Mapping[str, Any]) -> Fault | None:
    """The earlier error that a missing name is the consequence of; None where there is none."""
    if fault.type_name != "NameError" or "'" not in fault.message:
        return None
    name = fault.message.split("'")[1]
    return missing.get(name) if name not in namespace else None


def explained(sighting: Sighting, ran: Ran) -> Sighting:
    """The sighting, a missing name in it told as the error that it is the consequence of."""
    causes = {
        key: cause
        for key, seen in sighting.observations.items()
        if seen.fault and (cause := _cause_of(seen.fault, ran.missing, ran.namespace))
    }
    changed = {key: replace(sighting.observations[key], fault=cause) for key, cause in causes.items()}
    return replace(sighting, observations={**sighting.observations, **changed})


def _bound_names(source: str) -> tuple[str, ...]:
    """Names to which a piece of source gives a value at its top level; by their look where it does not parse."""
    try:
        symbols = symtable.symtable(_without_magics(source), "<piece>", "exec").get_symbols()
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return defined_names(source)
    return tuple(symbol.get_name() for symbol in symbols if symbol.is_assigned() or symbol.is_imported())


def _run_piece(shell: Any, source: str, budget: Budget) -> tuple[list[dict[str, Any]], Fault | None]:
    from IPython.utils.capture import capture_output

    fault: Fault | None = None
    limit = budget.seconds()
    with capture_output() as captured:
        try:
            with limited(limit, budget.patience) as clock:
                result = shell.run_cell(source, store_history=True)
            budget.spend(clock.computed)
            error = result.error_before_exec or result.error_in_exec
        except BaseException as raised:  # an interrupt between two instructions of IPython's own
            budget.spend(limit)
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
            {"output_type": "error", "ename": fault.type_name, "evalue": fault.message, "traceback": [_where(fault)]}
        )
    return outputs, fault


def _fault(error: BaseException, source: str, limit: float) -> Fault:
    if isinstance(error, OutOfTime):
        line = fault_of(error, "define")
        what = f"it computed for more than {limit:g} seconds"
        if error.how == "waited":
            what = f"it waited, and had not computed for {limit:g} seconds when nobody waited for it any more"
        return Fault("a time-out", what, line.line, line.source_line, "define")
    if isinstance(error, SyntaxError):
        try:
            ast.parse(_without_magics(source))
        except SyntaxError as found:
            return Fault("SyntaxError", f"{found.msg}, line {found.lineno or '?'}", stage="define")
    return fault_of(error, "define")


def _without_magics(source: str) -> str:
    """Jupyter's magics as the Python calls they stand for; plain Python is returned as it is."""
    try:
        ast.parse(source)
        return source
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        pass
    try:
        from IPython.core.inputtransformer2 import TransformerManager

        return TransformerManager().transform_cell(source)
    except Exception:
        return source


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
