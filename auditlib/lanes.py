"""Processes side by side, of which one may die without harm to the others."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from typing import ParamSpec, TypeVar

__all__ = ["Lanes"]

_FOR_GOOD = ExitStack()

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Lanes(Executor):
    """An executor of so many processes, each in a pool of its own.

    A pool whose process dies gives up all that was in it, and cannot tell whose fault it was. In a
    lane there is one task: it is tried once more in a new process, and if that dies too, its future
    raises ``BrokenProcessPool``. Tasks must be safe to repeat.

    A process ends with the one that started it, also when that is killed.
    """

    def __init__(self, number: int) -> None:
        self._own = threading.local()
        self._pools: list[ProcessPoolExecutor] = []
        self._threads = ThreadPoolExecutor(number, thread_name_prefix="lane")

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """Carry out a function in the next free lane."""
        return self._threads.submit(self._carried_out, fn, *args, **kwargs)

    def _carried_out(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            return self._pool().submit(fn, *args, **kwargs).result()
        except BrokenProcessPool:
            self._own.pool = None
        try:
            return self._pool().submit(fn, *args, **kwargs).result()
        except BrokenProcessPool:
            self._own.pool = None
            raise

    def _pool(self) -> ProcessPoolExecutor:
        pool: ProcessPoolExecutor | None = getattr(self._own, "pool", None)
        if pool is None:
            pool = ProcessPoolExecutor(
                1,
                # Begun from nothing: a fork would take over locks that threads here hold.
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_begin,
            )
            self._own.pool = pool
            self._pools.append(pool)
        return pool

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the lanes; see :meth:`concurrent.futures.Executor.shutdown`."""
        self._threads.shutdown(wait=wait, cancel_futures=cancel_futures)
        for pool in self._pools:
            pool.shutdown(wait=wait, cancel_futures=cancel_futures)


def _begin() -> None:
    """Make a process the kit's own, leave Ctrl-C to the one that started it, and end with that one."""
    from auditlib.own import own_process

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _FOR_GOOD.enter_context(own_process())


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
