"""A frame to sort, filter and search in JupyterLab, all rows of it; everywhere else a plain table.

The widget is itables' (the extra ``lab``): its script lives in JupyterLab's own extensions and in
the kernel, never in an output. What a page, a handed-over notebook or another viewer shows of a
grid is the kit's plain table.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import pandas as pd

from auditlib.characters import visible
from auditlib.display import Html, is_number, table, text_of
from auditlib.language import tr

__all__ = ["WIDGET", "Grid", "grid"]

WIDGET = "application/vnd.jupyter.widget-view+json"
"""The output that makes JupyterLab draw a widget; it names one in a kernel, and holds no script."""

MOST = 50_000
"""Rows a browser is given; more are told, never left out in silence."""

PAGE = [15, 50, 200]


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A frame as a widget, with the plain table that stands for it elsewhere."""

    widget: Any
    plain: Html

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        data, about = self.plain._repr_mimebundle_()
        shown = self.widget._repr_mimebundle_()
        bundle = shown[0] if isinstance(shown, tuple) else shown
        return {**data, WIDGET: bundle[WIDGET]}, about

    def __repr__(self) -> str:
        return self.plain.text


def grid(
    frame: pd.DataFrame,
    *,
    columns: Sequence[str] | None = None,
    names: Mapping[str, str] | None = None,
    caption: str = "",
) -> "Grid | Html":
    """Return a frame that can be sorted, filtered by column and searched in JupyterLab.

    A click on a head sorts (with Shift by several), the field below a column filters by it, the one
    above searches all rows. Where the widget is not installed the first rows are shown, and
    what to install.

    Parameters
    ----------
    frame
        Any frame: a table of ``audit.tables``, evidence of a finding, rows of ``audit.reach()``.
    columns
        Which columns, in this order; all of them by default.
    names
        What people call the things behind the ids (:func:`auditlib.summary.names`), written before
        them, so that both are found.
    caption
        What it is.

    Examples
    --------
    In a notebook: ``grid(audit.tables.security_group_rules)``.
    """
    if frame.index.name is not None:
        frame = frame.reset_index()
    wanted = list(columns or map(str, frame.columns))
    plain = table(frame, columns=wanted, names=names, caption=caption)
    if find_spec("itables") is None or find_spec("anywidget") is None:
        hint = tr("To sort and filter all rows in JupyterLab: pip install 'auditlib[lab]'.")
        return table(frame, columns=wanted, names=names, caption=" ".join((caption, hint)).strip())
    from itables.widget import ITable

    shown, total = min(MOST, len(frame)), len(frame)
    cut = tr("The first {shown} of {total:,} rows.", shown=shown, total=total)
    widget = ITable(
        _shown(frame[wanted].head(MOST), names or {}),
        caption=visible(" ".join((caption, cut if total > shown else "")).strip()),
        allow_html=False,
        column_filters="footer",
        layout={
            "topStart": "info",
            "topEnd": "search",
            "bottomStart": "pageLength",
            "bottomEnd": "paging",
        },
        classes="display compact",
        language={
            "info": tr("Rows _START_ to _END_ of _TOTAL_"),
            "infoEmpty": tr("No row."),
            "infoFiltered": tr("(_MAX_ in all)"),
            "lengthMenu": tr("_MENU_ rows per page"),
            "search": tr("Search:"),
            "zeroRecords": tr("No row fits."),
        },
        lengthMenu=PAGE,
        maxBytes=0,
        maxColumns=0,
        showIndex=False,
    )
    return Grid(widget=widget, plain=plain)


def _shown(frame: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """Return a frame of numbers and visible texts; numbers stay numbers, so that they sort as such."""
    return pd.DataFrame({column: _column(frame[column], names) for column in frame.columns})


def _column(values: "pd.Series[Any]", names: Mapping[str, str]) -> "pd.Series[Any]":
    if is_number(values) and not values.isna().any():
        return values.reset_index(drop=True)
    texts = (visible(text_of(value)) for value in values)
    named = (
        f"{visible(names[text])} ({text})" if names.get(text, text) != text else text
        for text in texts
    )
    return pd.Series(list(named), dtype=object)
