"""What makes a process faster that is the kit's own; never for one that the kit is a guest in."""

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["ONE_THREAD", "own_process"]

_GRAMMAR = "rfc3987_syntax"
_PARQUET = ("pyarrow",)
_SELDOM = 50_000
ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""Variables of the environment by which numpy is told to start no threads."""


@contextmanager
def own_process(*, brief: bool = False) -> Iterator[None]:
    """Hold settings that change no result.

    Python looks for garbage in cycles seldom: what is imported and read from a snapshot is none, and
    looking through it after every few hundred objects is a tenth of what a short command takes.
    jsonschema, which comes with notebooks, does without a grammar of IRIs, which takes seconds to
    build and which no notebook's schema asks for.

    Parameters
    ----------
    brief
        Whether it neither reads nor writes Parquet and runs no other program. Then pandas, if it is not
        imported yet, is so without pyarrow, and numpy without threads for matrices, which there are none of.
    """
    often = gc.get_threshold()
    gc.set_threshold(_SELDOM, *often[1:])
    spared = [n for n in (_GRAMMAR, *(_PARQUET if brief else ())) if n not in sys.modules]
    alone = {name: "1" for name in (ONE_THREAD if brief else ()) if name not in os.environ}
    os.environ.update(alone)
    sys.modules.update(dict.fromkeys(spared))  # None: not to be had
    try:
        yield
    finally:
        for name in spared:
            sys.modules.pop(name, None)
        for name in alone:
            os.environ.pop(name, None)
        gc.set_threshold(*often)
