"""One part, in a process of its own: `python -m autograder.measuring NAME DEVICE SECONDS COURSE [DATA]`.

It writes one line of JSON for each row as soon as it is measured, so that a part that is cut keeps what it has.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from .parts import PARTS, Asked, one_line_for_trouble


def main(name: str, device: str, seconds: str, course: str, data: str = "") -> None:
    asked = Asked(Path(course), device, float(seconds), Path(data) if data else None)
    with one_line_for_trouble() as trouble:
        for row in PARTS[name][2](asked):
            print(json.dumps(row), flush=True)
    if trouble:
        print(json.dumps({"what": "stopped", "note": trouble[0]}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
