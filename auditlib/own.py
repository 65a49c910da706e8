"""What makes a process faster that is the kit's own; never for one that the kit is a guest in."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["own_process"]

_GRAMMAR = "rfc3987_syntax"
_SELDOM = 50_000


@contextmanager
def own_process(*without: str) -> Iterator[None]:
    """Hold settings that change no result.

    Python looks for garbage in cycles seldom: what is imported and read from a snapshot is none, and
    looking through it after every few hundred objects is a tenth of what a short command takes.
    jsonschema, which comes with notebooks, does without a grammar of IRIs, which takes seconds to
    build and which no notebook's schema asks for.

    Parameters
    ----------
    without
        Names of further optional modules that are not to be imported where they are not yet.
    """
    often = gc.get_threshold()
    gc.set_threshold(_SELDOM, *often[1:])
    spared = [name for name in (_GRAMMAR, *without) if name not in sys.modules]
    sys.modules.update(dict.fromkeys(spared))  # type: ignore[arg-type] # None: not to be had
    try:
        yield
    finally:
        for name in spared:
            sys.modules.pop(name, None)
        gc.set_threshold(*often)
