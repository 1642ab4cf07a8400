"""This processor with its newer instructions switched off: what others' processors have, here.

Libraries choose their routines when they are imported, by what the processor can do, and heed the environment in that.
So a process that is to compute as on an older processor is started with these variables.
"""

from __future__ import annotations

import platform
from typing import Literal

Instructions = Literal["avx2", "none"]
"""avx2: as most laptops have; no AVX-512, no bfloat16. none: what every 64-bit processor of the family has."""

_X86 = {
    "avx2": {"ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"},
    "none": {"ONEDNN_MAX_CPU_ISA": "SSE41", "MKL_CBWR": "COMPATIBLE", "OPENBLAS_CORETYPE": "Nehalem"},
}
_BEYOND_AVX2 = ("AVX512", "X86_V4")


def with_instructions(which: Instructions) -> dict[str, str]:
    """Environment variables for a process that is to do without the newer instructions.

    PyTorch, oneDNN, MKL, OpenBLAS and NumPy each have one of their own. On processors of another family (ARM) PyTorch's
    and NumPy's alone count.
    """
    capability = "default" if which == "none" or not _on_x86() else "avx2"
    found = {"ATEN_CPU_CAPABILITY": capability} | (_X86[which] if _on_x86() else {})
    disabled = [
        name for name in _numpy_features() if which == "none" or any(name.startswith(old) for old in _BEYOND_AVX2)
    ]
    return found | ({"NPY_DISABLE_CPU_FEATURES": " ".join(disabled)} if disabled else {})


def _on_x86() -> bool:
    return platform.machine().lower() in ("x86_64", "amd64")


def _numpy_features() -> list[str]:
    """Features that NumPy was built for beyond its baseline, and that this processor has. Others it refuses to disable."""
    import numpy as np

    module = np._core._multiarray_umath  # type: ignore[attr-defined]
    return [name for name in module.__cpu_dispatch__ if module.__cpu_features__.get(name)]
