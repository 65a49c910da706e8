"""What makes a process faster that is the kit's own; never for one that the kit is a guest in."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["own_process"]

_GRAMMAR = "rfc3987_syntax"


@contextmanager
def own_process() -> Iterator[None]:
    """Hold settings that change no result.

    Texts are Python's own in frames, as where pyarrow is not installed: pandas takes them out of
    Arrow's one by one, and checks look at few rows. jsonschema, which comes with notebooks, does
    without a grammar of IRIs, which takes seconds to build and which no notebook's schema asks for.
    """
    import pandas as pd

    spared = sys.modules.setdefault(_GRAMMAR, None) is None  # type: ignore[arg-type] # None: not to be had
    try:
        with pd.option_context("mode.string_storage", "python"):
            yield
    finally:
        if spared:
            sys.modules.pop(_GRAMMAR, None)
