"""Grade on a cluster: dask's workers behind `concurrent.futures`, so that the pipeline is the same.

Submissions travel as bytes and grades come back as text: workers need this package, not the course's disk. A worker
that dies has its submissions given to another by the scheduler.
"""

from __future__ import annotations

from functools import partial

from .pipeline import MakeExecutor

_CONNECT_SECONDS = 15


class NoCluster(RuntimeError):
    """The scheduler cannot be reached, or has no workers; one line says which."""


def cluster_executor(address: str) -> tuple[MakeExecutor, int]:
    """Connect to the scheduler at `address`; give a maker of executors and the number of workers. Raises NoCluster."""
    try:
        from distributed import Client
    except ImportError as error:
        raise NoCluster('--scheduler needs dask: run `pip install "distributed"`.') from error
    try:
        client = Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise NoCluster(f"no dask scheduler answers at {address}: start one with `dask scheduler`.") from error
    workers = len(client.scheduler_info(n_workers=-1)["workers"])
    if workers == 0:
        client.close()
        raise NoCluster(
            f"the scheduler at {address} has no workers: start some with `dask worker {address} --nthreads 1`."
        )
    # A graded submission is no pure function of its bytes: never take an answer from an earlier run.
    return partial(client.get_executor, pure=False), workers
