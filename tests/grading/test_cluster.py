"""Grading on a real dask scheduler with two workers, one of which is killed in the middle."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from autograder.grading.sample_class import make_class

pytest.importorskip("distributed")

COURSE = Path(__file__).resolve().parents[2]
UNIT = "02_attention_scores"
STUDENTS = 10


def dask(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "distributed.cli." + arguments[0], *arguments[1:]],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd=COURSE,
    )


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    contact = tmp_path / "scheduler.json"
    scheduler = dask(
        "dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(contact)
    )
    workers: list[subprocess.Popen[bytes]] = []
    try:
        deadline = time.monotonic() + 60
        while not contact.is_file() or not contact.read_text():
            assert time.monotonic() < deadline, "the scheduler did not start"
            time.sleep(0.1)
        address = json.loads(contact.read_text())["address"]
        workers += [
            dask(
                "dask_worker",
                address,
                "--nthreads",
                "1",
                "--no-nanny",
                "--no-dashboard",
                "--local-directory",
                str(tmp_path),
            )
            for _ in range(2)
        ]
        yield address, workers
    finally:
        for process in [*workers, scheduler]:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_for_workers(address: str, count: int) -> None:
    from distributed import Client

    with Client(address, set_as_default=False) as client:
        client.wait_for_workers(count, timeout=60)


def grading(course: Path, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "autograder", "grade", "--course", str(course), *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_worker_that_is_killed_costs_nobody_a_grade(
    tmp_path: Path, cluster: tuple[str, list[subprocess.Popen[bytes]]]
) -> None:
    address, workers = cluster
    course = tmp_path / "class"
    made = make_class(COURSE, course, (UNIT,), students=STUDENTS)
    wait_for_workers(address, 2)
    run = grading(course, "--scheduler", address, "--seed", "5")
    deadline = time.monotonic() + 90
    while not list(course.glob(f"autograded/*/{UNIT}/record.json")):
        assert time.monotonic() < deadline, "nothing was graded"
        assert run.poll() is None, run.communicate()
        time.sleep(0.05)
    os.killpg(workers[0].pid, signal.SIGKILL)
    _, err = run.communicate(timeout=180)
    assert run.returncode == 0, err
    assert points(course) == {one.student: one.expected for one in made}


def points(course: Path) -> dict[str, float]:
    """What the checks gave; written answers are for a person."""
    records = [json.loads(path.read_text()) for path in course.glob(f"autograded/*/{UNIT}/record.json")]
    return {record["student"]: sum(row["score"] for row in record["exercises"]) for record in records}


def test_a_scheduler_that_does_not_answer_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from autograder.grading import cluster as module

    monkeypatch.setattr(module, "_CONNECT_SECONDS", 1)
    with pytest.raises(module.NoCluster, match="no dask scheduler answers"):
        module.cluster_executor("tcp://127.0.0.1:9")
