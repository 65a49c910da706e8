"""What a person reads in a terminal: findings as text, frames as tables.

Text from AWS is made visible first, so that nothing in a name can move the cursor, colour the
screen or turn the line round. In a pipe nothing is cut and nothing is coloured.
"""

import sys
from collections.abc import Iterable, Sequence
from typing import IO, TYPE_CHECKING, Any

import pandas as pd

from auditlib.characters import visible
from auditlib.words import count, gap, traffic

if TYPE_CHECKING:
    from rich.console import Console

    from auditlib.check import Finding
    from auditlib.preview import Preview

__all__ = [
    "print_findings",
    "print_frame",
    "print_gaps",
    "print_lines",
    "print_preview",
    "print_reach",
]

_WIDE = 100_000
_COLOURS = {
    "fail": "bold red",
    "not_assessed": "bold yellow",
    "not_applicable": "dim",
    "pass": "green",
}


def _console(file: IO[str] | None = None) -> "Console":
    from rich.console import Console

    stream = file or sys.stdout
    return Console(
        file=stream,
        width=None if stream.isatty() else _WIDE,
        highlight=False,
        markup=False,
        emoji=False,
    )


def print_findings(
    findings: Iterable["Finding"], *, rows: int = 5, file: IO[str] | None = None
) -> None:
    """Print each finding: its status, its answer, and the first rows of evidence and gaps."""
    from rich.padding import Padding
    from rich.text import Text

    console = _console(file)
    for finding in findings:
        head = Text()
        head.append(f"{finding.status.value:<15}", style=_COLOURS[finding.status.value])
        head.append(f"{finding.check.severity.value:<9}")
        head.append(finding.check.id, style="bold")
        console.print(head)
        lines = [finding.answer]
        lines += _bulleted(finding.evidence.get("reason", ()), rows)
        lines += _bulleted((gap(row) for row in finding.gaps.itertuples()), rows)
        for line in lines:
            console.print(Padding(Text(visible(line)), (0, 0, 0, 4), expand=False))


def _bulleted(items: Iterable[Any], most: int) -> list[str]:
    all_items = [f"- {item}" for item in items]
    rest = len(all_items) - most
    return all_items[:most] + ([f"- … and {count(rest, 'more row')}"] if rest > 0 else [])


def print_gaps(gaps: pd.DataFrame, *, rows: int = 10, file: IO[str] | None = None) -> None:
    """Print what could not be read, each call once; nothing when all was read."""
    calls = list(dict.fromkeys(gap(row) for row in gaps.itertuples()))
    if calls:
        print_lines(["Could not be read:", *_bulleted(calls, rows)], file=file)


def print_lines(lines: Iterable[str], *, file: IO[str] | None = None) -> None:
    """Print lines of text, wrapped under their own indent on a terminal."""
    from rich.padding import Padding
    from rich.text import Text

    console = _console(file)
    for line in lines:
        indent = len(line) - len(line.lstrip())
        console.print(Padding(Text(visible(line.strip())), (0, 0, 0, indent), expand=False))


def print_reach(frame: pd.DataFrame, *, file: IO[str] | None = None) -> None:
    """Print the rows of :func:`auditlib.access.reach` as a table, the traffic in words."""
    if frame.empty:
        print_lines(["Nothing is reached."], file=file)
        return
    from auditlib.access import networks_in_words

    frame = networks_in_words(frame)
    columns = ("protocol", "from_port", "to_port")
    words = [traffic(*row) for row in frame[list(columns)].astype(object).itertuples(index=False)]
    subnets = "subnet_id" if "subnet_id" in frame.columns else "subnets"
    shown = frame.assign(traffic=words)
    print_frame(
        shown,
        ["endpoint_id", subnets, "group", "eni_id", "ip", "traffic", "certainty", "via"],
        file=file,
    )


def print_preview(preview: "Preview", *, file: IO[str] | None = None) -> None:
    """Print a preview: verdict, steps with their AWS CLI text, what changes, the rollback."""
    from auditlib.plans import cli_text

    resolved = preview.findings["state"].value_counts()
    counts = [
        f"{count(int(resolved.get(state, 0)), 'piece')} of evidence {state.replace('_', ' ')}"
        for state in ("resolved", "still_open", "newly_raised")
    ]
    print_lines([f"Verdict: {preview.verdict}.", f"Findings: {', '.join(counts)}."], file=file)
    for title, lines in (("Note", preview.warnings), ("Left to you", preview.decisions)):
        print_lines([f"{title}: {line}" for line in lines], file=file)
    new = preview.findings[preview.findings["state"] == "newly_raised"]
    print_lines([f"Newly raised: {row.check}: {row.reason}" for row in new.itertuples()], file=file)
    if len(preview.access):
        columns = ("protocol", "from_port", "to_port")
        told = [
            traffic(*r)
            for r in preview.access[list(columns)].astype(object).itertuples(index=False)
        ]
        shown = ["change", "part", "endpoint_id", "subnet_id", "group", "eni_id", "ip", "traffic"]
        frame = preview.access.assign(traffic=told)
        print_frame(frame, [*shown, "via_before", "via_after"], file=file)
    if preview.steps:
        print_lines(cli_text(preview).splitlines()[1:], file=file)


def print_frame(
    frame: pd.DataFrame, columns: Sequence[str] | None = None, *, file: IO[str] | None = None
) -> None:
    """Print a frame as a table, all rows; missing values stay empty."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    shown = frame if columns is None else frame[list(columns)]
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in shown.columns:
        table.add_column(str(name).replace("_", " "), overflow="fold")
    for row in shown.astype(object).itertuples(index=False):
        table.add_row(*(Text(visible(_text(value))) for value in row))
    _console(file).print(table)


def _text(value: Any) -> str:
    if isinstance(value, tuple | list):
        return ", ".join(map(_text, value))
    return "" if value is None or value is pd.NA or value != value else str(value)  # noqa: PLR0124
