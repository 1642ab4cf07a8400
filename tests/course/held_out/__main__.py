"""Print how the checks do with what they were not made from: by exercise, and what is judged wrongly."""

import argparse

from . import judge_unit, read_pieces, units_with_pieces

KINDS = ("cause", "property", "exception", "numbers")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.course.held_out", description=__doc__)
    parser.add_argument("units", nargs="*", help="the beginnings of units' names (default: all)")
    parser.add_argument("--exercise", help="only this one")
    parser.add_argument("--messages", action="store_true", help="also say what each wrong piece is told")
    options = parser.parse_args()
    chosen = [unit for unit in units_with_pieces() if unit.startswith(tuple(options.units) or "")]
    rows: list[tuple[str, ...]] = []
    faults: list[str] = []
    totals = [0] * (len(KINDS) + 4)
    for unit in chosen:
        pieces = [piece for piece in read_pieces(unit) if options.exercise in (None, piece.exercise)]
        by_exercise: dict[str, list[int]] = {}
        for judged in judge_unit(unit, pieces):
            counts = by_exercise.setdefault(judged.piece.exercise, [0] * len(totals))
            if judged.fault:
                faults.append(f"{judged.piece}\n    {judged.fault}")
            if judged.piece.right:
                counts[-2] += 1
                counts[-1] += judged.score == judged.full
                continue
            counts[0] += 1
            counts[1] += judged.score == 0
            counts[2 + KINDS.index(judged.kind)] += 1
            if options.messages or judged.kind == "numbers":
                print(f"{judged.piece}\n    [{judged.diagnosis or judged.kind}] {judged.message}")
        for exercise, counts in by_exercise.items():
            rows.append((unit, exercise, *map(str, counts)))
            totals = [total + count for total, count in zip(totals, counts, strict=True)]
    print(
        "\n| unit | exercise | wrong | no points | by cause | by property | by exception | numbers only | right | full points |"
    )
    print("|---|---|" + "---:|" * len(totals))
    for row in (*rows, ("all", "", *map(str, totals))):
        print(f"| {' | '.join(row)} |")
    print("\n".join(["", f"{len(faults)} judged wrongly", *faults]))
    return bool(faults)


if __name__ == "__main__":
    raise SystemExit(main())
