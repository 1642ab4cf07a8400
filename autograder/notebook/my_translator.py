"""A learner's own translator: what `python -m my_transformer TEXT` does with the parts and weights in that package."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from .. import library
from ..formats.language import said
from ..judging.weights import UnusableWeights, arrays_of, file_trouble
from . import my_transformer
from .parts import learners_part

WEIGHTS = "translator.safetensors"
NEEDED = ("build_vocabulary", "Transformer", "greedy_decode")
USAGE = f'What should I translate? python -m {my_transformer.PACKAGE} "三百二十五"'
_TRIED_ON = 24


class NotReady(Exception):
    """A part or the weights are missing; one line that says which, and where they come from."""


class Answering(Protocol):
    """A learner's own model, made from the folder of the package."""

    def trouble(self, text: str) -> str:
        """Why a text cannot be answered, in one line; empty where it can."""

    def show(self, text: str) -> None:
        """Print the answer."""


def main(folder: Path, arguments: Sequence[str] | None = None) -> int:
    """Translate each argument and print it; return the exit status."""
    texts = list(sys.argv[1:] if arguments is None else arguments)
    option = texts.pop(0) if texts[:1] in (["--fill"], ["--continue"]) else ""
    usage: str = USAGE
    kind: Callable[[Path], Answering] = Translator
    if option == "--fill":
        from . import my_filler

        usage, kind = my_filler.USAGE, my_filler.Filler
    elif option:
        from . import my_gpt

        usage, kind = my_gpt.USAGE, my_gpt.Writer
    if not texts:
        print(said(usage), file=sys.stderr)
        return 2
    try:
        model = kind(folder)
    except NotReady as reason:
        print(said(str(reason)), file=sys.stderr)
        return 1
    status = 0
    for text in texts:
        if trouble := model.trouble(text):
            print(said(trouble), file=sys.stderr)
            status = 1
        else:
            model.show(text)
    return status


def own_parts(folder: Path, needed: Sequence[str], work: str) -> dict[str, Any]:
    """The learner's own parts by name. Raises NotReady where one of them, or of those they use, is not kept or does not pass.

    work: what needs them, behind "cannot"
    """
    missing: list[str] = []
    wanted, seen = list(needed), set(needed)
    with my_transformer.at(folder):
        while wanted:
            name = wanted.pop(0)
            text = my_transformer.read(folder, name)
            if text is None or learners_part(name) is None:
                missing.append(name)
                continue
            inner = [used for used in my_transformer.uses(text) if used not in seen]
            wanted += inner
            seen.update(inner)
        if not missing:
            return {name: learners_part(name) for name in needed}
    named = ", ".join(f"{name} (unit {library.unit_of(name)[:2]})" for name in missing)
    if len(missing) == 1:
        raise NotReady(f"{my_transformer.PACKAGE} cannot {work} yet: {named} is missing. Pass its check.")
    raise NotReady(f"{my_transformer.PACKAGE} cannot {work} yet: {named} are missing. Pass their checks.")


class Translator:
    """The learner's model from the learner's own parts and weights. Raises NotReady."""

    def __init__(self, folder: Path) -> None:
        parts = own_parts(folder, NEEDED, "translate")
        if trouble := file_trouble(folder / WEIGHTS):
            there = (folder / WEIGHTS).exists()
            why = trouble if there else f"there are no weights ({WEIGHTS}) in it"
            raise NotReady(
                f"{my_transformer.PACKAGE} cannot translate yet: {why.rstrip('.')}. Pass the check of trained_weights in unit 10."
            )
        from ..lab.training import course_vocabularies

        self.vocabularies = course_vocabularies(parts["build_vocabulary"])
        self.greedy_decode = parts["greedy_decode"]
        self.model = _model(folder / WEIGHTS, parts["Transformer"])

    def trouble(self, text: str) -> str:
        """Why a text cannot be translated, in one line; empty where it can."""
        from ..lab.corpus import chinese_tokens

        tokens = chinese_tokens(text)
        shown = f"“{text.strip()[:20]}{'…' if len(text.strip()) > 20 else ''}”"
        most = len(self.model.source_embedding.positions) - 1
        if not tokens:
            return "There is nothing to translate: the text is empty."
        if len(tokens) > most:
            return f"{shown} is too long: it has {len(tokens)} tokens, and your model reads {most} at most. Translate it in pieces."
        if not any("\u4e00" <= character <= "\u9fff" for character in text):
            return f"{shown} contains no Chinese, and your model has learned from Chinese only."
        return ""

    def show(self, text: str) -> None:
        """Print English for a Chinese text."""
        from ..lab.corpus import chinese_tokens
        from ..lab.training import translate_text

        print(translate_text(self.model, text, self.vocabularies, self.greedy_decode))
        unknown = [token for token in dict.fromkeys(chinese_tokens(text)) if token not in self.vocabularies.source]
        if unknown:
            print(said(f"(not in the vocabulary, and read as unknown: {' '.join(unknown)})"), file=sys.stderr)


@contextmanager
def kept_weights(path: Path, work: str, made_by: str) -> Iterator[tuple[dict[str, Any], dict[str, str]]]:
    """The weights by name, and what the file says of them. What cannot be read, or built from them in the block, raises
    NotReady.

    work:    what needs them, behind "cannot"
    made_by: the cells that write them
    """
    from safetensors import SafetensorError, safe_open

    if not path.exists():
        raise NotReady(
            f"{my_transformer.PACKAGE} cannot {work} yet: there are no weights ({path.name}) in it. Run {made_by}."
        )
    try:
        with safe_open(path, framework="pt") as file:
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  it is no dict
            about = dict(file.metadata() or {})
        yield weights, about
    except (SafetensorError, OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise NotReady(f"{path.name} cannot be used: {error}") from error


def _model(path: Path, transformer: Any) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from ..formats.values import to_plain
    from ..judging.probes.translation import wanted
    from ..judging.translator import best_heads, build
    from ..lab.corpus import sample

    pairs = wanted(sample(None, _TRIED_ON, seed=0, split="test", unique=True))
    try:
        weights = arrays_of(to_plain(load_file(path)))
        return build(weights, best_heads(weights, pairs["sources"], pairs["targets"], 24), transformer)
    except (UnusableWeights, SafetensorError, OSError) as error:
        raise NotReady(f"{path.name} cannot be used: {error}") from error
