"""Rows of frames: those chosen are the same however they are taken."""

import pandas as pd
import pytest

from auditlib import frames


@pytest.mark.parametrize("few", [0, 1000])
@pytest.mark.parametrize(
    "on",
    [
        pd.Series([True, False, True], index=[7, 3, 5]),
        pd.Series([True, None, False], index=[7, 3, 5], dtype="boolean"),
        pd.Series([True, None, False], index=[7, 3, 5], dtype="object"),
        pd.Series([False, False, False], index=[7, 3, 5]),
    ],
)
def test_rows_where_something_holds_are_those_of_the_smaller_frame(on, few, monkeypatch):
    monkeypatch.setattr(frames, "_FEW", few)
    frame = pd.DataFrame({"a": ["x", None, "z"], "n": [1, 2, 3]}, index=[7, 3, 5])
    chosen = frame[[value is True for value in on.astype(object)]]
    assert list(frames.rows_where(frame, on)) == list(frames.rows_of(chosen))
    assert list(frames.rows_where(frame.head(0), on.head(0))) == []
