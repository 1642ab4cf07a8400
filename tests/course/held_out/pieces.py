"""Read the held-out implementations of a unit."""

import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "answers"
HEADER = re.compile(r"^# %% (?:(before)|(\w+) (wrong|right)(?: \[([^\]]+)\])? · (.+))$")


@dataclass(frozen=True)
class Piece:
    """One implementation of one exercise."""

    unit: str
    exercise: str
    right: bool
    diagnosis: str
    """The name it is to get; empty where none is asked for."""
    what: str
    source: str
    line: int
    """Of its header, in the unit's file."""

    def __str__(self) -> str:
        return f"{self.unit}.txt:{self.line}: {self.exercise} {'right' if self.right else 'wrong'} · {self.what}"


def units_with_pieces() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("[0-9][0-9]_*.txt"))


def read_pieces(unit: str) -> list[Piece]:
    """All pieces of a unit's file. Raises ValueError, with file and line, for a header that cannot be read."""
    path = FOLDER / f"{unit}.txt"
    found: list[tuple[re.Match[str], int, list[str]]] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if line.startswith("# %%"):
            header = HEADER.match(line)
            if header is None:
                raise ValueError(f"{path.name}:{number}: no header of a piece: {line}")
            found.append((header, number, []))
        elif found:
            found[-1][2].append(line)
    before = "\n".join(line for header, _, lines in found if header[1] for line in lines)
    pieces = [
        Piece(unit, header[2], header[3] == "right", header[4] or "", header[5], "\n".join([before, *lines]), number)
        for header, number, lines in found
        if not header[1]
    ]
    for piece in pieces:
        if not re.search(rf"^(def|class) {piece.exercise}\b", piece.source, flags=re.MULTILINE):
            raise ValueError(f"{piece}: it does not define {piece.exercise} by def or class")
    return pieces
