"""Typed frames: columns of Python values become a DataFrame exactly as its schema says."""

import weakref
from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, wraps
from itertools import compress
from typing import Any, TypeVar, cast

import numpy as np
import pandas as pd

from auditlib.schemas import Column, Schema

__all__ = [
    "DTYPES",
    "empty_frame",
    "frame_of",
    "frame_of_rows",
    "kept",
    "named_rows",
    "rows_of",
    "rows_where",
]

DTYPES: dict[str, Any] = {
    "str": "str",
    "int": "Int64",
    "bool": "bool",
    "flag": "boolean",
    "time": "datetime64[us, UTC]",
    "list": "object",
    "pairs": "object",
    "category": "category",
}
"""The pandas type of each kind of column."""

# Text is kept as Python's strings: in tables of the usual size Arrow's take longer to reach than to
# compare, and in large ones they save nothing. It is set for the process, as frames that pandas
# makes on the way, and the labels of their columns, must not be of the other kind.
pd.set_option("mode.string_storage", "python")

# Found once: pandas takes longer to understand a name than to make most columns.
_DTYPES: dict[str, Any] = {kind: pd.api.types.pandas_dtype(name) for kind, name in DTYPES.items()}


def frame_of(schema: Schema, columns: Mapping[str, Any] | pd.DataFrame) -> pd.DataFrame:
    """Return a frame with exactly the schema's columns and types.

    Parameters
    ----------
    columns
        A list, array or Series per column name; all of one length. ``None`` is a missing value.
    """
    arrays = [_array(column, columns[column.name]) for column in schema.columns]
    frame = pd.DataFrame(dict(enumerate(arrays)), copy=False)
    frame.columns = _labels(schema.names)
    return frame


@cache
def _labels(names: tuple[str, ...]) -> Any:
    """Return the labels of columns; frames that share them share how they are found."""
    return pd.Index(names, dtype=_DTYPES["str"])


def frame_of_rows(schema: Schema, rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return a frame from a few rows; columns that a row lacks are missing values."""
    rows = list(rows)
    return frame_of(schema, {name: [row.get(name) for row in rows] for name in schema.names})


def empty_frame(schema: Schema) -> pd.DataFrame:
    """Return a frame without rows that has all the schema's columns and types."""
    return frame_of(schema, dict.fromkeys(schema.names, ()))


def rows_of(frame: pd.DataFrame) -> Iterator[Any]:
    """Return the rows of a frame, each with the columns as attributes.

    As ``itertuples``, which takes several times as long on short and wide frames. Of a short frame
    the rows are kept as long as it is there, for checks ask for those of the same table again and
    again: so such a frame is not to be written into.
    """
    if frame.empty:
        return iter(())
    return iter(_held_rows(frame)) if len(frame) <= _SHORT else _rows(frame)


def rows_where(frame: pd.DataFrame, on: "pd.Series[bool]") -> Iterator[Any]:
    """Return the rows of a frame for which something holds: as ``rows_of(frame[on])``.

    A wide frame takes pandas longer to make smaller than a few rows take to be passed over.

    Parameters
    ----------
    on
        Yes or no, one for each row, in the order of the rows; what is missing is no.
    """
    chosen = on.fillna(False).astype(bool)
    if len(frame) > _FEW:
        return rows_of(frame[chosen])
    return compress(rows_of(frame), chosen.tolist())


_FEW, _SHORT = 1_000, 20_000
_Function = TypeVar("_Function", bound=Callable[..., Any])
_KEPT: dict[tuple[object, ...], tuple[tuple[weakref.ref[pd.DataFrame], ...], Any]] = {}


def kept(function: _Function) -> _Function:
    """Let what a function works out of frames be kept for as long as the frames are there.

    Checks ask the same of the same tables again and again. Arguments are given by position: frames,
    told apart by being the very same, and what can be hashed. Neither they nor what comes out are
    to be written into; what comes out must not hold one of the frames.
    """

    @wraps(function)
    def asked(*given: Any) -> Any:
        frames = [one for one in given if isinstance(one, pd.DataFrame)]
        key = (function, *(id(one) if isinstance(one, pd.DataFrame) else one for one in given))
        held = _KEPT.get(key)
        if held is None or any(ref() is not one for ref, one in zip(held[0], frames, strict=True)):
            forget = _forgetting(key)
            held = tuple(weakref.ref(one, forget) for one in frames), function(*given)
            _KEPT[key] = held
        return held[1]

    return cast(_Function, asked)


def _forgetting(key: tuple[object, ...]) -> Callable[[object], object]:
    pop = _KEPT.pop  # by then, at the end of the process, the module may have no names any more
    return lambda gone: pop(key, None)


def named_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a frame by the names of its columns, ``None`` for what is missing.

    Of a short frame they are kept, as those of :func:`rows_of`: neither it nor they are to be
    written into.
    """
    return _held_named(frame) if len(frame) <= _SHORT else _named(frame)


@kept
def _held_named(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return _named(frame)


def _named(frame: pd.DataFrame) -> list[dict[str, Any]]:
    columns = [
        [None if value is pd.NA or value != value else value for value in frame[name].tolist()]  # noqa: PLR0124 # only NaN differs from itself
        for name in frame.columns
    ]
    return [dict(zip(frame.columns, values, strict=True)) for values in zip(*columns, strict=True)]


@kept
def _held_rows(frame: pd.DataFrame) -> list[Any]:
    return list(_rows(frame))


def _rows(frame: pd.DataFrame) -> Iterator[Any]:
    made = _row_type(tuple(map(str, frame.columns)))
    return map(made._make, frame.to_numpy(dtype=object).tolist())


@cache
def _row_type(columns: tuple[str, ...]) -> Any:
    return namedtuple("Row", columns, rename=True)


def _array(column: Column, values: Any) -> Any:
    if isinstance(values, pd.Series):
        values = values.array
    if isinstance(values, pd.Categorical) and column.kind == "category":
        return values
    if isinstance(values, (pd.api.extensions.ExtensionArray, np.ndarray)):
        return (
            pd.array(values, dtype=_DTYPES[column.kind])
            if column.kind != "bool"
            else np.asarray(values, dtype=bool)
        )
    return _FROM_LIST[column.kind](values)


def _strings(values: Sequence[str | None]) -> Any:
    return pd.array(values, dtype=_DTYPES["str"])


def _is_missing(value: object) -> bool:
    return value is None or value is pd.NA or value != value  # noqa: PLR0124 # NaN is not itself


def _integers(values: Sequence[int | None]) -> Any:
    # Rows of other frames, from which views are made, hold pd.NA and NaN for what is missing.
    missing = np.fromiter((_is_missing(value) for value in values), dtype=bool, count=len(values))
    numbers = np.fromiter(
        (0 if gone else value for value, gone in zip(values, missing, strict=True)),
        dtype=np.int64,
        count=len(values),
    )
    return pd.arrays.IntegerArray(numbers, missing)


def _flags(values: Sequence[bool | None]) -> Any:
    missing = np.fromiter((value is None for value in values), dtype=bool, count=len(values))
    flags = np.fromiter((value is True for value in values), dtype=bool, count=len(values))
    return pd.arrays.BooleanArray(flags, missing)


def _booleans(values: Sequence[bool]) -> Any:
    return np.fromiter(values, dtype=bool, count=len(values))


def _times(values: Sequence[Any]) -> Any:
    return pd.array(values, dtype=_DTYPES["time"])


def _objects(values: Sequence[tuple[Any, ...]]) -> Any:
    array = np.empty(len(values), dtype=object)
    for position, value in enumerate(values):
        array[position] = value
    return array


def _categories(values: Sequence[str | None]) -> Any:
    known = sorted({value for value in values if isinstance(value, str)})
    return pd.Categorical(list(values), categories=pd.Index(known, dtype=_DTYPES["str"]))


_FROM_LIST: dict[str, Any] = {
    "str": _strings,
    "int": _integers,
    "bool": _booleans,
    "flag": _flags,
    "time": _times,
    "list": _objects,
    "pairs": _objects,
    "category": _categories,
}
