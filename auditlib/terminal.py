"""What a person reads in a terminal: findings as text, frames as tables.

Text from AWS is made visible first, so that nothing in a name can move the cursor, colour the
screen or turn the line round. In a pipe nothing is cut and nothing is coloured.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pandas as pd

from auditlib import summary, words
from auditlib.characters import visible
from auditlib.check import Severity, checks
from auditlib.frames import rows_of
from auditlib.language import sentences, tr, tr_as
from auditlib.words import acceptance, count, deciding, gap, listed, traffic, value

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from auditlib.audit import Audit
    from auditlib.changes.preview import Preview
    from auditlib.check import Finding
    from auditlib.comparison import Comparison
    from auditlib.found import Found

__all__ = [
    "print_audit",
    "print_checks",
    "print_comparison",
    "print_controls",
    "print_findings",
    "print_found",
    "print_frame",
    "print_gaps",
    "print_lines",
    "print_permissions",
    "print_preview",
    "print_reach",
]

_WIDE = 100_000
_COLOURS = {
    "fail": "bold red",
    "information": "",
    "not_assessed": "bold yellow",
    "accepted": "dim",
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


def print_audit(audit: "Audit", *, file: IO[str] | None = None) -> None:
    """Print what was audited, each finding, what could not be read, and the findings counted."""
    about = summary.identity(audit)
    accounts = (
        tr("account {account}", account=about.accounts[0])
        if len(about.accounts) == 1
        else tr("{number} accounts", number=len(about.accounts))
    )
    print_lines(
        [
            sentences(
                tr(
                    "Audit of {accounts} in {regions}, read on {when}.",
                    accounts=accounts,
                    regions=listed(about.regions) or tr("no Region"),
                    when=summary.when(about.started),
                ),
                summary.coverage_sentence(audit),
            ),
            "",
        ],
        file=file,
    )
    print_findings(audit.findings, file=file)
    print_lines([""], file=file)
    if audit.accepted is not None and (notices := audit.accepted.notices(audit.findings)):
        print_lines([tr("Accepted risks to look at:"), *_bulleted(notices, 20), ""], file=file)
    _print_unread(audit, file)
    print_lines([_counted(audit.findings)], file=file)


def _print_unread(audit: "Audit", file: IO[str] | None) -> None:
    """Print each call that gave no answer, once, and how many checks it leaves open."""
    concerned: dict[str, set[str]] = {}
    for finding in audit.findings:
        for row in finding.gaps.itertuples():
            concerned.setdefault(gap(row), set()).add(finding.check.id)
    # Checks know of more than the tables do: what AWS names and no call was made for.
    every = pd.concat([audit.gaps, *(finding.gaps for finding in audit.findings)])
    lines: dict[str, None] = {}
    for row in summary.refused_calls(every).itertuples():
        line = gap(row)
        checks = len(concerned.get(line, ()))
        if row.status == "denied" and row.iam_action:
            line = tr("{line}; allow {action}", line=line, action=row.iam_action)
        if checks:
            line = tr("{line} (leaves {checks} open)", line=line, checks=count(checks, "check"))
        lines[line] = None
    if lines:
        print_lines([tr("Could not be read:"), *_bulleted(lines, 20), ""], file=file)


def _counted(findings: Sequence["Finding"]) -> str:
    """Return how many checks came out how, and how many of them only in part."""
    counts = summary.tally(findings)
    failed = [f.check.severity for f in findings if summary.outcome(f) == "fail"]
    severities = tr_as("list", ", ").join(
        tr("{number} {severity}", number=failed.count(severity), severity=tr(severity.value))
        for severity in reversed(Severity)
        if severity in failed
    )
    part = sum(summary.outcome(f) == "fail" and len(f.gaps) > 0 for f in findings)
    fails = counts["fail"]
    told = [
        tr("{number} fail ({severities})", number=fails, severities=severities)
        if severities
        else tr("{number} fail", number=fails),
        *([tr("{number} for information", number=n)] if (n := counts["information"]) else []),
        tr("{number} pass", number=counts["pass"]),
        *(
            [tr("{number} pass in part or are overtaken", number=n)]
            if (n := counts["passes_elsewhere"] + counts["has_come"])
            else []
        ),
        tr("{number} not assessed", number=counts["not_assessed"]),
        tr("{number} not applicable", number=counts["not_applicable"]),
    ]
    if counts["accepted"]:
        told.append(tr("{number} accepted", number=counts["accepted"]))
    line = tr_as("list", ", ").join(told)
    if part:
        return tr(
            "{list}; {number} of those that fail could be assessed only in part.",
            list=line,
            number=part,
        )
    return tr("{list}.", list=line)


def print_findings(
    findings: Iterable["Finding"], *, rows: int = 5, file: IO[str] | None = None
) -> None:
    """Print each finding: its status, its answer, and the first rows of evidence."""
    from rich.padding import Padding
    from rich.text import Text

    console = _console(file)
    for finding in findings:
        head = Text()
        outcome = summary.outcome(finding)
        head.append(_padded(outcome, 15), style=_COLOURS[outcome])
        head.append(_padded(finding.check.severity.value, 9))
        head.append(finding.check.id, style="bold")
        console.print(head)
        for line in (finding.answer, *_bulleted(finding.evidence.get("reason", ()), rows)):
            console.print(Padding(Text(visible(line)), (0, 0, 0, 4), expand=False))
        for struck in _waived(finding, rows):
            console.print(Padding(struck, (0, 0, 0, 4), expand=False))


def _padded(word: str, wide: int) -> str:
    """Return one of the kit's words with the room it has in its column."""
    from rich.cells import cell_len

    said = value(word)
    return said + " " * (wide - cell_len(said))


def _waived(finding: "Finding", most: int) -> list["Text"]:
    """Return the accepted evidence, struck out, each with who accepted it and why."""
    from rich.text import Text

    lines = [
        Text.assemble(
            "- ", (visible(str(row.reason)), "strike dim"), visible(f" – {acceptance(row)}")
        )
        for row in finding.accepted.head(most).itertuples()
    ]
    rest = len(finding.accepted) - len(lines)
    return lines + (
        [Text(tr("- … and {rows}", rows=count(rest, "more accepted row")))] if rest > 0 else []
    )


def _bulleted(items: Iterable[Any], most: int) -> list[str]:
    all_items = [f"- {item}" for item in items]
    rest = len(all_items) - most
    return all_items[:most] + (
        [tr("- … and {rows}", rows=count(rest, "more row"))] if rest > 0 else []
    )


def print_gaps(gaps: pd.DataFrame, *, rows: int = 10, file: IO[str] | None = None) -> None:
    """Print what could not be read, each call once; nothing when all was read."""
    calls = list(dict.fromkeys(gap(row) for row in gaps.itertuples()))
    if calls:
        print_lines([tr("Could not be read:"), *_bulleted(calls, rows)], file=file)


def print_lines(lines: Iterable[str], *, file: IO[str] | None = None) -> None:
    """Print lines of text, wrapped under their own indent on a terminal."""
    from rich.padding import Padding
    from rich.text import Text

    console = _console(file)
    for line in lines:
        if not line.strip():
            console.print()
            continue
        indent = len(line) - len(line.lstrip())
        console.print(Padding(Text(visible(line.strip())), (0, 0, 0, indent), expand=False))


def print_permissions(rows: Sequence[Mapping[str, Any]], *, file: IO[str] | None = None) -> None:
    """Print which reads AWS would refuse and what that leaves open, then how many it allows."""
    by_action: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        by_action.setdefault((row["state"], row["iam_action"], row["why"]), []).append(row)
    lines = []
    told_of: set[str] = set()
    for (state, action, why), same in by_action.items():
        if state in {"refused", "unknown"}:
            left_open = [id for id in same[0]["leaves_open"] if id not in told_of]
            told_of |= set(left_open)
            cost = listed(left_open, most=99) if left_open else tr("no further check")
            where = listed([row["region"] for row in same], most=4)
            lines += [
                tr(
                    "{state}: {action} in {where}: {why}",
                    state=value(state),
                    action=action,
                    where=where,
                    why=why,
                ),
                "  " + tr("leaves open: {cost}", cost=cost),
            ]
    for state, told in (
        ("allowed", value("allowed")),
        ("not_needed", tr("nothing there to ask about")),
    ):
        actions = sorted({row["iam_action"] for row in rows if row["state"] == state})
        if actions:
            lines.append(f"{told}: {listed(actions, most=99)}")
    print_lines(lines, file=file)


def print_found(found: "Found", *, file: IO[str] | None = None) -> None:
    """Print what a search found: what it is, what names it, who reaches it, findings about it."""
    print_lines([found.answer], file=file)
    for heading, frame in (
        (tr("What it is"), found.things),
        (tr("What names it, or contains it"), found.mentions),
    ):
        if len(frame):
            print_lines(["", heading], file=file)
            print_frame(frame, file=file)
    if len(found.reached):
        print_lines(["", tr("Who reaches it, or what it reaches")], file=file)
        print_reach(found.reached, file=file)
    if len(found.findings):
        print_lines(["", tr("Findings about it")], file=file)
        print_frame(found.findings, file=file)


def print_reach(frame: pd.DataFrame, *, via: bool = False, file: IO[str] | None = None) -> None:
    """Print the rows of :func:`auditlib.access.reach` as a table, the traffic in words.

    Interfaces come first, then what leaves what was read, its networks put together.

    Parameters
    ----------
    via
        Show every hop; otherwise what grants the way (authorization and inbound rules) and what is
        doubted about it.
    """
    if frame.empty:
        print_lines([tr("Nothing is reached.")], file=file)
        return
    from auditlib.access import hop_shown, networks_in_words

    frame = networks_in_words(frame if via else _shortened(frame))
    columns = ("protocol", "from_port", "to_port")
    words = [traffic(*row) for row in frame[list(columns)].astype(object).itertuples(index=False)]
    subnets = "subnet_id" if "subnet_id" in frame.columns else "subnets"
    hops = [tuple(map(hop_shown, one)) for one in frame["via"]]
    shown = frame.assign(traffic=words, via=pd.Series(hops, index=frame.index, dtype=object))
    print_frame(
        shown,
        ["endpoint_id", subnets, "group", "eni_id", "ip", "traffic", "certainty", "via"],
        file=file,
    )


def print_controls(audit: "Audit", frame: pd.DataFrame, *, file: IO[str] | None = None) -> None:
    """Print answers to controls (``controls.answers``), framework by framework."""
    about = summary.identity(audit)
    print_lines(
        [
            tr(
                "As far as account {accounts} was read in {regions}, on {started}.",
                accounts=listed(about.accounts),
                regions=listed(about.regions),
                started=summary.when(about.started),
            ),
        ],
        file=file,
    )
    for name, rows in frame.groupby("framework", sort=False):
        print_lines(["", str(name)], file=file)
        for row in rows.to_dict("records"):
            what = f"{row['control']} {row['title']}".strip()
            answer = value(str(row["answer"])).replace("_", " ")
            _print_beside(f"  {answer}", what, file=file)
            if row["answer"] != "not_covered":
                told = {"says": row["says"], "rows": count(row["evidence"], "row")}
                line = (
                    tr(
                        "{says} ({rows} of evidence, {number} accepted)",
                        **told,
                        number=row["accepted"],
                    )
                    if row["accepted"]
                    else tr("{says} ({rows} of evidence)", **told)
                )
                print_lines([f"      {line}"], file=file)


def _print_beside(label: str, text: str, *, wide: int = 24, file: IO[str] | None = None) -> None:
    """Print a text beside a label, wrapped on its own side on a terminal."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid()
    grid.add_column(width=wide, no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(Text(visible(label)), Text(visible(text)))
    _console(file).print(grid)


def print_checks(*, file: IO[str] | None = None) -> None:
    """Print every check: severity, id, title."""
    every = pd.DataFrame([(c.severity.value, c.id, c.title) for c in checks()])
    print_frame(every.set_axis(["severity", "id", "title"], axis=1), file=file)
    print_lines(["", tr("One of them explained: auditlib checks ID")], file=file)


def _shortened(frame: pd.DataFrame) -> pd.DataFrame:
    """Return rows of reach with the deciding hops only, the same for all networks of a way out."""
    short = [deciding(via) for via in frame["via"]]
    # One way out is one row, however many authorization rules open parts of it.
    leaving = frame["eni_id"].isna()
    others = frame.drop(columns=["ip", "via"]).astype(str)
    keys = list(others.itertuples(index=False, name=None))
    together: dict[Any, dict[str, None]] = {}
    for key, hops in zip(keys, short, strict=True):
        together.setdefault(key, {}).update(dict.fromkeys(hops))
    shown = [
        _grants(together[key]) if leaves else hops
        for key, hops, leaves in zip(keys, short, leaving, strict=True)
    ]
    return frame.assign(via=pd.Series(shown, index=frame.index, dtype=object))


def _grants(hops: Iterable[str], most: int = 3) -> tuple[str, ...]:
    """Return the hops with the authorization rules told in one, the first few by name."""
    mark = "authorization: "
    all_hops = list(hops)
    rules = [hop.removeprefix(mark) for hop in all_hops if hop.startswith(mark)]
    rest = [hop for hop in all_hops if not hop.startswith(mark)]
    return ((mark + listed(rules, most=most),) if rules else ()) + tuple(rest)


def print_preview(preview: "Preview", *, file: IO[str] | None = None) -> None:
    """Print a preview: verdict, what changes for whom by which rules, the steps, the rollback.

    Access that only rests on other rules afterwards is counted; ``--format json`` has every row.
    """
    from auditlib import previewed
    from auditlib.changes.plans import cli_text

    resolved = preview.findings["state"].value_counts()
    counts = [
        tr(
            "{pieces} of evidence {state}",
            pieces=count(int(resolved.get(state, 0)), "piece"),
            state=value(state).replace("_", " "),
        )
        for state in ("resolved", "still_open", "newly_raised")
    ]
    print_lines(
        [_verdict(preview), tr("Findings: {counts}.", counts=tr_as("list", ", ").join(counts))],
        file=file,
    )
    print_lines(
        [
            tr(
                "{row.check}: {resolved} of evidence {stays}.",
                row=row,
                resolved=count(row.resolved, "piece"),
                stays=previewed.access_stays(row.access_stays, row.resolved),
            )
            for row in rows_of(previewed.findings(preview))
            if row.access_stays
        ],
        file=file,
    )
    for heading, lines in previewed.remarks(preview):
        print_lines([f"{heading}: {line}" for line in lines], file=file)
    new = preview.findings[preview.findings["state"] == "newly_raised"]
    print_lines(
        [tr("Newly raised: {row.check}: {row.reason}", row=row) for row in new.itertuples()],
        file=file,
    )
    access = previewed.access(preview)
    same = access["change"] == "ground"
    if len(told := access[~same]):
        print_lines([""], file=file)
        print_frame(told, [c for c in told.columns if c != "subnets"], file=file)
    if same.any():
        number = access.loc[same, "eni_id"].nunique()
        print_lines(
            [
                tr(
                    "Reached as before, by other rules: {receivers}.",
                    receivers=count(number, "receiver"),
                )
            ],
            file=file,
        )
    if preview.steps:
        print_lines(cli_text(preview).splitlines()[1:], file=file)


def print_written(
    preview: "Preview", paths: Iterable[Path], *, file: IO[str] | None = None
) -> None:
    """Print a preview in short where its scripts were written: verdict, steps, the files."""
    print_lines(
        [
            _verdict(preview),
            tr("Steps: {number}.", number=len(preview.steps)),
            tr("Written:"),
            *(f"  {path}" for path in paths),
        ],
        file=file,
    )


def _verdict(preview: "Preview") -> str:
    from auditlib import previewed

    judged = preview.steps or preview.doubts  # a doubt is told even where nothing is proposed
    return (
        tr("Verdict: {verdict}.", verdict=preview.verdict)
        if judged
        else previewed.sentence(preview)
    )


def print_comparison(found: "Comparison", *, file: IO[str] | None = None) -> None:
    """Print what changed: sentences, then a table of each part that has something to show."""
    print_lines([*found.sentences, ""], file=file)
    for title, part, *states in (
        (
            tr("Findings"),
            "findings",
            "new",
            "reappeared",
            "first_seen",
            "worsened",
            "narrowed",
            "resolved",
            "not_seen",
        ),
        (tr("Access through the VPN"), "access", "gained", "lost", "first_seen", "not_seen"),
        (
            tr("Access that is there as before, otherwise"),
            "access",
            "uncertain",
            "steadier",
            "weaker",
        ),
        (tr("Configuration"), "objects"),
        (tr("By whom, and when"), "authors"),
        (tr("Interfaces of endpoints that AWS recreated"), "recreated"),
        (tr("Could not be compared"), "gaps"),
    ):
        frame = found.frame(part, *states)
        if len(frame):
            print_lines([f"{title}:"], file=file)
            print_frame(frame, file=file)
            print_lines([""], file=file)


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
        table.add_column(words.column(str(name)), overflow="fold")
    for row in shown.astype(object).itertuples(index=False):
        told = (
            _spoken(str(name), _text(one)) for name, one in zip(shown.columns, row, strict=True)
        )
        table.add_row(*(Text(visible(text)) for text in told))
    _console(file).print(table)


_SPOKEN = {"certainty", "change", "severity", "standing", "state", "status"}


def _spoken(column: str, text: str) -> str:
    """Return what stands in a column; the kit's own words in the language spoken."""
    return value(text) if column in _SPOKEN else text


def _text(value: Any) -> str:
    if isinstance(value, tuple | list):
        return ", ".join(map(_text, value))
    return "" if value is None or value is pd.NA or value != value else str(value)  # noqa: PLR0124
