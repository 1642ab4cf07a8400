"""Executors for tests: one that works at once in this process, and one whose worker a certain student ends."""

from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future
from typing import Any

from autograder.grading.record import Failure


class Inline(Executor):
    def submit(self, function: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(function(*args, **named))
        return future


class Fragile(Executor):
    """Breaks, with all that it has in hand, when it comes to one of `killers`; answers without grading anything."""

    def __init__(self, killers: set[str], seen: list[list[str]]) -> None:
        self._killers = killers
        self._in_hand: list[str] = []
        self._futures: list[Future[Failure]] = []
        self._broken = False
        seen.append(self._in_hand)

    def submit(self, function: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:
        if self._broken:
            raise BrokenExecutor("a worker has ended")
        task = args[1]
        self._in_hand.append(task.student)
        future: Future[Failure] = Future()
        if task.student in self._killers:
            self._broken = True
            future.set_exception(BrokenExecutor("a worker has ended"))
        else:
            future.set_result(Failure(task.student, task.unit, "answered"))
        return future
