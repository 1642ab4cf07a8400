"""What a notebook of the course imports: checks that name the mistake, hints, and parts of earlier units.

The names stand in `vocabulary.py` and are imported when the first of them is asked for: a command that asks for none
starts in a fraction of the time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .judging.probes import *  # noqa: F403  once more: mypy follows a list of names, but not one that is added to it
    from .vocabulary import *  # noqa: F403
else:

    def __getattr__(name: str) -> object:
        from importlib import import_module
        from importlib.util import find_spec

        # The import system asks for a submodule as well, before it looks for its file.
        if (name.startswith("__") and name != "__all__") or find_spec(f"{__name__}.{name}"):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        vocabulary = import_module(f"{__name__}.vocabulary")
        names = {"__all__": vocabulary.__all__, **{word: getattr(vocabulary, word) for word in vocabulary.__all__}}
        globals().update(names)
        if name not in names:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return names[name]

    def __dir__() -> list[str]:
        return sorted({*globals(), *__getattr__("__all__")})
