"""The audit as an Excel workbook: the sheets of ``sheets.py`` with filters, colours and links.

Nothing from the account becomes a formula or a link: every text is written as text, the links
between sheets are the workbook's own. The same snapshot makes the same bytes.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from typing import TYPE_CHECKING, Any
from unicodedata import east_asian_width

import pandas as pd

from auditlib import words
from auditlib.access import hop_shown
from auditlib.characters import visible
from auditlib.language import sentences, tr, tr_as
from auditlib.sheets import Sheet, sheets
from auditlib.summary import identity
from auditlib.summary import names as names_told

if TYPE_CHECKING:
    from auditlib.audit import Audit

__all__ = ["workbook_bytes"]

ROWS = 1_048_576
"""Rows of an Excel sheet."""

CHARACTERS = 32_767
"""Characters of an Excel cell, as UTF-16 counts them."""

NAME = 31
"""Characters of a sheet's name."""

HEAD = 3
"""Row of the column names, counted from zero: title, what it shows, and notes stand above."""

HIGHEST = 400
"""Points a row may be high: Excel takes 409."""

LINE_HEIGHT = 13.5
"""Points of a line of text."""

LINE = 140
"""Characters of a line that can still be read."""

PRINTED = 200
"""Characters across a printed page: A4 on its side, at some 70 per cent."""


_NO_TIME = datetime(1980, 1, 1, tzinfo=UTC)
_COLOURS = {
    "critical": ("#5C0F1E", "#FFFFFF"),
    "high": ("#A3281F", "#FFFFFF"),
    "medium": ("#F2C79B", "#3D2003"),
    "low": ("#F3E7B8", "#3B2E05"),
    "info": ("#E4E7EA", "#1D2329"),
    "fail": ("#FBECEB", "#A3281F"),
    "not_met": ("#FBECEB", "#A3281F"),
    "findings_bear": ("#E4E7EA", "#1D2329"),
    "choice": ("#E4E7EA", "#1D2329"),
    "not_assessed": ("#FDF5E3", "#7A5200"),
    "unknown": ("#FDF5E3", "#7A5200"),
    "expired": ("#FDF5E3", "#7A5200"),
    "pass": ("#EAF4EC", "#22633A"),
    "met": ("#EAF4EC", "#22633A"),
    "accepted": ("#EDEFF1", "#56606A"),
}
_COLOURED = {"severity", "status", "answer", "certainty", "standing"}
_WIDE = {
    "acceptance", "answer", "checks", "outage", "reason", "remedy", "says", "step", "title", "value",
    "via", "what_to_do", "where", "who", "why",
}  # fmt: skip


def workbook_bytes(audit: "Audit") -> bytes:
    """Return the audit as an .xlsx file."""
    import xlsxwriter

    file = BytesIO()
    book = xlsxwriter.Workbook(
        file,
        {
            "in_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
        },
    )
    said = identity(audit)
    read = (said.finished or said.started or _NO_TIME).astimezone(UTC).replace(tzinfo=None)
    book.set_properties(
        {
            "title": tr("Client VPN audit of {accounts}", accounts=", ".join(said.accounts)),
            "comments": f"auditlib {said.kit_version}, snapshot sha256:{said.digest}",
            "created": read,
        }
    )
    called = names_told(audit)
    made = tuple(replace(sheet, frame=_with_names(sheet, called)) for sheet in sheets(audit))
    names = _names(made)
    book_sheets = {sheet.name: book.add_worksheet(names[sheet.name]) for sheet in made}
    formats = _formats(book)
    for sheet in made:
        _fill(book_sheets[sheet.name], sheet, made, names, formats)
    book.close()
    return file.getvalue()


def _with_names(sheet: Sheet, called: Mapping[str, str]) -> pd.DataFrame:
    """Return a sheet's frame with the names of things beside their ids, where it wants them."""
    frame = sheet.frame
    for column in sheet.named:
        at = list(frame.columns).index(column) + 1
        beside = {
            id: called[id].removeprefix(f"{id} ") for id in frame[column].unique() if id in called
        }
        names = frame[column].map(beside)
        frame = pd.concat(
            [
                frame.iloc[:, :at],
                names.rename(f"{column.removesuffix('_id')}_name"),
                frame.iloc[:, at:],
            ],
            axis=1,
        )
    return frame


def _names(made: Iterable[Sheet]) -> dict[str, str]:
    """Return a sheet name for each sheet: short enough, and no two alike whatever their case."""
    taken: set[str] = set()
    names = {}
    for sheet in made:
        whole = sheet.check_id or sheet.title
        name, number = whole[:NAME], 1
        if len(whole) > NAME:
            name = f"{whole[: NAME - 1]}…"
        while name.lower() in taken:
            number += 1
            end = f"…{number}"
            name = whole[: NAME - len(end)] + end
        taken.add(name.lower())
        names[sheet.name] = name
    return names


def _formats(book: Any) -> dict[str, Any]:
    cell = {"text_wrap": True, "valign": "top", "font_name": "Arial", "font_size": 10}
    head = {**cell, "bold": True, "bg_color": "#1D2329", "font_color": "#FFFFFF"}
    formats = {
        "title": {"bold": True, "font_size": 14, "font_name": "Arial"},
        "about": {
            "font_color": "#56606A",
            "font_name": "Arial",
            "font_size": 10,
            "text_wrap": True,
            "valign": "top",
        },
        "note": {"bold": True, "font_color": "#A3281F", "font_name": "Arial", "font_size": 10},
        "head": head,
        "text": cell,
        "number": {**cell, "num_format": "0", "align": "right", "indent": 1},
        "number head": {**head, "align": "right", "indent": 1},
        "struck": {**cell, "font_strikeout": True, "font_color": "#56606A"},
        "link": {**cell, "font_color": "#0B5394", "underline": 1},
        "plain link": {
            "font_color": "#0B5394",
            "underline": 1,
            "font_name": "Arial",
            "font_size": 10,
        },
    }
    for word, (ground, ink) in _COLOURS.items():
        formats[word] = {**cell, "bg_color": ground, "font_color": ink, "bold": True}
    return {name: book.add_format(described) for name, described in formats.items()}


def _fill(
    page: Any,
    sheet: Sheet,
    made: Iterable[Sheet],
    names: Mapping[str, str],
    formats: Mapping[str, Any],
) -> None:
    columns = [str(name) for name in sheet.frame.columns]
    frame = sheet.frame.head(ROWS - HEAD - 1)
    links = {one.check_id: names[one.name] for one in made if one.check_id}
    notes = []
    if len(frame) < len(sheet.frame):
        notes.append(
            tr(
                "The first {number:,} of {total:,} rows: the JSON and CSV exports have all of it.",
                number=len(frame),
                total=len(sheet.frame),
            )
        )
    page.write_string(0, 0, _cell(sheet.title)[0], formats["title"])
    cut = 0
    widest = [_room(words.head(column)) for column in columns]
    heights: list[list[int]] = []
    for number, record in enumerate(frame.itertuples(index=False, name=None), HEAD + 1):
        struck = "counts" in columns and record[columns.index("counts")] != "yes"
        heights.append([0] * len(columns))
        for at, (column, value) in enumerate(zip(columns, record, strict=True)):
            style = _style(column, value, struck)
            if _is_number(value):
                page.write_number(number, at, value, formats[style])
                continue
            text, whole = _cell(_shown(column, value))
            cut += not whole
            widest[at] = max(widest[at], min(_room(text), 200))
            heights[-1][at] = _room(text)
            if column == "check" and sheet.name == "findings" and text in links:
                page.write_url(number, at, _inside(links[text]), formats["link"], string=text)
            elif text:
                page.write_string(number, at, text, formats[style])
            else:
                page.write_blank(number, at, None, formats[style])
    if cut:
        notes.append(
            tr(
                "{number:,} text was too long for a cell and cut: "
                "the JSON and CSV exports have all of it."
                if cut == 1
                else "{number:,} texts were too long for a cell and cut: "
                "the JSON and CSV exports have all of it.",
                number=cut,
            )
        )
    page.write_string(
        2, 1, sentences(*notes) or _empty(frame), formats["note" if notes else "about"]
    )
    widths = [
        max(9, min(most_told + 2, 70 if column in _WIDE else 34))
        for column, most_told in zip(columns, widest, strict=True)
    ]
    for at, wide in enumerate(widths):
        page.set_column(at, at, wide)
    _head(page, frame, formats)
    _about(page, _cell(sheet.about)[0], widths, formats["about"])
    for number, lengths in enumerate(heights, HEAD + 1):
        points = max(map(_height, lengths, widths), default=LINE_HEIGHT)
        if points > LINE_HEIGHT:
            page.set_row(number, points)
    page.freeze_panes(HEAD + 1, 1)
    if columns and sheet.name != "summary":
        page.autofilter(HEAD, 0, HEAD + max(len(frame), 1), len(columns) - 1)
    page.hide_gridlines(2)
    page.set_landscape()
    page.set_paper(9)
    page.set_margins(left=0.4, right=0.4, top=0.5, bottom=0.6)
    across = max(1, round(sum(widths) / PRINTED))
    page.fit_to_pages(across, 0)
    if across > 1:
        page.print_across()
        page.repeat_columns(0)
    page.repeat_rows(HEAD)
    page.set_footer("&L&A&R&P / &N")
    if sheet.name == "summary":
        _contents(page, made, names, formats, HEAD + 2 + len(frame))
    elif back := names.get("summary" if sheet.name == "findings" else "findings"):
        page.write_url(2, 0, _inside(back), formats["plain link"], string=back)


def _head(page: Any, frame: pd.DataFrame, formats: Mapping[str, Any]) -> None:
    """Write the names of the columns, those of numbers over their numbers."""
    for at, column in enumerate(map(str, frame.columns)):
        values = [value for value in frame.iloc[:, at] if _text(value)]
        style = "number head" if values and all(map(_is_number, values)) else "head"
        page.write_string(HEAD, at, words.head(column), formats[style])


def _about(page: Any, text: str, widths: list[int], style: Any) -> None:
    """Write what a sheet shows, over as many columns as make a line that can be read."""
    last = 0
    while last < len(widths) - 1 and sum(widths[: last + 2]) <= LINE:
        last += 1
    if last:
        page.merge_range(1, 0, 1, last, "", style)
    page.write_string(1, 0, text, style)
    page.set_row(1, _height(_room(text), sum(widths[: last + 1])))


def _height(characters: int, wide: int) -> float:
    """Return how high a row must be for a text to be seen in a cell so many characters wide."""
    # Not every program makes a row as high as its wrapped text.
    return min(LINE_HEIGHT * max(math.ceil(characters * 1.1 / wide), 1), HIGHEST)


def _contents(
    page: Any,
    made: Iterable[Sheet],
    names: Mapping[str, str],
    formats: Mapping[str, Any],
    row: int,
) -> None:
    """Write what the workbook holds, each sheet linked."""
    page.write_string(row, 0, tr("Sheets"), formats["title"])
    others = (sheet for sheet in made if sheet.name != "summary")
    for number, sheet in enumerate(others, row + 1):
        name = names[sheet.name]
        page.write_url(number, 0, _inside(name), formats["plain link"], string=name)
        page.write_string(number, 1, _cell(sheet.title)[0], formats["text"])


def _inside(name: str) -> str:
    """Return the link to a sheet of this workbook."""
    quoted = name.replace("'", "''")
    return f"internal:'{quoted}'!A1"


def _style(column: str, value: object, struck: bool) -> str:
    if struck and column == "reason":
        return "struck"
    if column in _COLOURED and value in _COLOURS:
        return str(value)
    return "number" if _is_number(value) else "text"


def _empty(frame: pd.DataFrame) -> str:
    return "" if len(frame) else tr("Nothing to show.")


def _is_number(value: object) -> bool:
    """Tell whether a value is a number that Excel holds exactly."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        return False
    return abs(int(value)) < 2**53 and type(value).__name__ != "bool"


_SPOKEN = {*_COLOURED, "counts", "extent", "kind", "state", "why"}


def _shown(column: str, value: Any) -> str:
    """Return one value as text, the kit's own words in the language spoken."""
    if column == "via":
        return _text(tuple(map(hop_shown, value)))
    text = _text(value)
    if column in _SPOKEN or isinstance(value, bool):
        return words.value(text)
    return words.value(text) if column == "protocol" and text == "all" else text


def _room(text: str) -> int:
    """Return how many characters' room a text takes: those of East Asia take that of two."""
    return sum(2 if east_asian_width(one) in "WF" else 1 for one in text)


def _text(value: Any) -> str:
    """Return one value as text; missing is empty."""
    if isinstance(value, tuple | list):
        pairs = ["=".join(map(str, one)) if isinstance(one, tuple) else str(one) for one in value]
        between = tr_as("list", "; ")
        return between.join(pairs) if all(" " in one for one in pairs) else " ".join(pairs)
    if value is None or value is pd.NA or value is pd.NaT or value != value:  # noqa: PLR0124 # NaN
        return ""
    if isinstance(value, bool) or type(value).__name__ == "bool":
        return "yes" if value else "no"
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _cell(text: str) -> tuple[str, bool]:
    """Return a text as a cell can hold it, unseen characters written out, and whether all of it."""
    shown = visible(text)
    if _length(shown) <= CHARACTERS:
        return shown, True
    end = " " + tr("… (cut: {number:,} characters)", number=len(text))
    kept = shown[: CHARACTERS - len(end)]
    while _length(kept) > CHARACTERS - len(end):
        kept = kept[: -(_length(kept) - CHARACTERS + len(end))]
    return kept + end, False


def _length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2
