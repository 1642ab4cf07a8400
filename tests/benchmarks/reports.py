"""Reports and exports of a large class: seconds and memory against a class of a tenth of its size.

The class is made up: records on disk and rows in the gradebook are written as grading leaves them; nothing is graded.

    python tests/benchmarks/reports.py --learners 10000
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import sqlalchemy as sa
from nbgrader import api

from autograder.grading.assignment import open_assignment
from autograder.grading.files import write_text
from autograder.grading.gradebook import GradebookWriter
from tests.grading.plain import grade, record
from tests.grading.small_course import UNIT, write_small_course

MESSAGE = "Your weights sum to 1 along another axis than the last one, so each key shares its weight among all queries."


def make_class(course: Path, learners: int) -> None:
    """A course in which `learners` have been graded."""
    write_small_course(course)
    with GradebookWriter(course) as book:
        book.open_assignment(open_assignment(course, UNIT, 1))
    names = [f"learner{number:05}" for number in range(learners)]
    chance = random.Random(0)
    for name in names:
        rows = [
            grade(one, passed=chance.random() < 0.6, message=MESSAGE, diagnosis="axis")
            for one in ("centre", "softmax", "attend")
        ]
        folder = course / "autograded" / name / UNIT
        folder.mkdir(parents=True)
        (folder / "record.json").write_bytes(record(name, *rows).to_json())
        write_text(course / "feedback" / name / UNIT / "small.html", "<html><body><p>a page</p></body></html>")
    tables = api.Base.metadata.tables
    with sa.create_engine(f"sqlite:///{course}/gradebook.db").begin() as db:
        assignment = db.execute(sa.select(tables["assignment"].c.id)).scalar_one()
        notebook = db.execute(sa.select(tables["notebook"].c.id)).scalar_one()
        cells = [row[0] for row in db.execute(sa.select(tables["grade_cells"].c.id))]
        solutions = [row[0] for row in db.execute(sa.select(tables["solution_cells"].c.id))]

        def insert(table: str, rows: list[dict[str, object]]) -> None:
            db.execute(sa.insert(tables[table]), rows)

        insert("student", [{"id": name} for name in names])
        insert(
            "submitted_assignment",
            [{"id": f"s{name}", "assignment_id": assignment, "student_id": name} for name in names],
        )
        insert(
            "submitted_notebook",
            [{"id": f"n{name}", "assignment_id": f"s{name}", "notebook_id": notebook} for name in names],
        )
        insert(
            "grade",
            [
                {
                    "id": f"g{name}{cell}",
                    "notebook_id": f"n{name}",
                    "cell_id": cell,
                    "auto_score": 2.0,
                    "needs_manual_grade": False,
                }
                for name in names
                for cell in cells
            ],
        )
        insert(
            "comment",
            [
                {"id": f"c{name}{cell}", "notebook_id": f"n{name}", "cell_id": cell}
                for name in names
                for cell in solutions
            ],
        )


def report(course: Path) -> None:
    """Write the reports, and print the seconds of the processor and the peak of memory."""
    from autograder.grading.reports import write_reports

    before = most_held()
    begun = time.process_time()
    write_reports(course)
    print(json.dumps({"seconds": time.process_time() - begun, "before": before, "peak": most_held()}))


def most_held() -> float:
    """MiB that this process has held at the most, itself (Linux)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--learners", type=int, default=2000)
    parser.add_argument("--report", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.report:
        report(options.report)
        return
    told = {}
    for learners in (options.learners // 10, options.learners):
        with tempfile.TemporaryDirectory() as holder:
            course = Path(holder) / "course"
            make_class(course, learners)
            command = [sys.executable, __file__, "--report", str(course)]
            told[learners] = json.loads(
                subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
            )
    for learners, one in told.items():
        print(
            f"{learners:>6} learners: {one['seconds']:.2f} s of the processor ({1000 * one['seconds'] / learners:.2f} ms each), {one['peak']:.0f} MiB at the peak, {one['before']:.0f} before"
        )
    few, many = told.values()
    print(
        f"ten times the learners: {many['seconds'] / few['seconds']:.1f} times the seconds, {many['peak'] / few['peak']:.2f} times the memory"
    )


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    main()
