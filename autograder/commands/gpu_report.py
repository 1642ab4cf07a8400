"""`python -m autograder gpu-report --out FILE`: everything that the course has to say about this machine's GPU, in minutes.

Each part runs in a process of its own, the most telling first, and the report is written after each: a run that is cut
keeps what it has. FILE.json holds the figures, FILE.md a page. Without a GPU it runs on the CPU, at small sizes.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from .arguments import UsageError, add_course, told_by_system


def add(parser: argparse.ArgumentParser) -> None:
    parser.description, parser.formatter_class = __doc__, argparse.RawDescriptionHelpFormatter
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="FILE.json and FILE.md are written")
    parser.add_argument("--minutes", type=float, default=10.0, help="for all parts together (default: 10)")
    parser.add_argument("--device", choices=("cuda", "cpu"), help="default: cuda where there is one")
    parser.add_argument(
        "--data", type=Path, metavar="FILE", help="sentence pairs, as real-data takes them, to train on too"
    )
    parser.add_argument("--parts", metavar="NAME,NAME", help="only these parts")
    add_course(parser)


def run(options: argparse.Namespace) -> int:
    import torch

    from ..measuring.parts import PARTS
    from ..measuring.report import as_markdown, measured

    device = options.device or ("cuda" if torch.cuda.is_available() else "cpu")
    if device == "cuda" and not torch.cuda.is_available():
        raise UsageError(
            f"PyTorch {torch.__version__} finds no GPU here: the driver may be missing or older than CUDA {torch.version.cuda} needs. "
            "Without --device the report is made on the CPU."
        )
    chosen = options.parts.split(",") if options.parts else list(PARTS)
    if unknown := [name for name in chosen if name not in PARTS]:
        raise UsageError(f"no part is named {unknown[0]!r}; they are {', '.join(PARTS)}.")
    if options.data is not None and not options.data.is_file():
        raise UsageError(f"{options.data} is no file: --data takes sentence pairs, English, a tab, Chinese.")
    target: Path = options.out.with_suffix("")

    def wrote(report: dict[str, Any]) -> None:
        target.with_suffix(".json").write_text(
            json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        target.with_suffix(".md").write_text(as_markdown(report), encoding="utf-8")
        name, part = list(report["parts"].items())[-1]
        print(
            f"{PARTS[name][0]}: {len(part['rows'])} rows in {part['seconds']:.0f} s {part['note']}".rstrip(), flush=True
        )

    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.with_suffix(".md").write_text("", encoding="utf-8")
        measured(options.course, device, options.minutes, chosen, options.data, wrote)
    except OSError as error:
        raise UsageError(f"{target.parent} cannot be written: {told_by_system(error)}.") from error
    except KeyboardInterrupt:
        print(f"\nStopped; what was measured stands in {target}.md")
        return 130
    print(f"The report: {target}.md and {target}.json")
    return 0
