"""Findings and tables for machines and spreadsheets."""

import json
import re
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from auditlib import summary
from auditlib.accepted import COLUMNS
from auditlib.characters import is_unseen, visible
from auditlib.check import Finding
from auditlib.errors import AuditError, ParameterError
from auditlib.language import tr
from auditlib.words import gap

if TYPE_CHECKING:
    from os import PathLike

    from auditlib.audit import Audit
    from auditlib.comparison import Comparison

__all__ = [
    "FORMATS",
    "comparison_json",
    "csv_text",
    "export_audit",
    "export_tables",
    "findings_csv",
    "findings_json",
    "json_text",
    "records",
    "text_of",
]

FORMATS = ("xlsx", "csv", "json", "ocsf", "asff", "junit")
"""The formats of :func:`export_audit`."""

CSV_IDS = ("account", "region", "endpoint_id", "group_id", "rule_id", "eni_id")
CSV_COLUMNS = (
    "check",
    "status",
    "severity",
    "title",
    "answer",
    *CSV_IDS,
    "reason",
    "source",
    "record",
    *COLUMNS,
)


def findings_json(audit: "Audit") -> dict[str, Any]:
    """Return every check with its evidence and gaps, in the kit's public JSON form.

    Returns
    -------
    dict
        ``snapshot`` (accounts, regions, times, digest, versions) and ``findings``: one entry per
        check, all checks present, each with ``check, status, severity, title, answer, evidence, gaps,
        controls, accepted, information``; ``information`` marks what fails at severity ``info``,
        which people are shown apart. ``counts`` holds the numbers people are shown: checks by how
        they came out, information and warnings that have come true apart, and pieces of evidence. Where accepted risks were named, also ``accepted_risks``: every
        entry with how it stands.
    """
    said = summary.identity(audit)
    manifest = audit.snapshot.manifest
    document: dict[str, Any] = {
        "snapshot": {
            "accounts": list(said.accounts),
            "regions": list(said.regions),
            "started": _plain(said.started),
            "finished": _plain(said.finished),
            "caller_arn": said.caller_arn,
            "digest": said.digest,
            "collected_with": {
                "auditlib": manifest.kit_version,
                "botocore": manifest.botocore_version,
            },
            "audited_with": {"auditlib": said.kit_version},
        },
        "findings": [_entry(finding) for finding in audit.findings],
        "counts": {
            **summary.tally(audit.findings),
            "evidence": sum(len(finding.evidence) for finding in audit.findings),
        },
    }
    if audit.accepted is not None:
        document["accepted_risks"] = {
            "day": audit.accepted.day.isoformat(),
            "entries": records(audit.accepted.standing(audit.findings)),
        }
    return document


def _entry(finding: Finding) -> dict[str, Any]:
    check = finding.check
    return {
        "check": check.id,
        "status": finding.status.value,
        "severity": check.severity.value,
        "title": check.title,
        "answer": finding.answer,
        "evidence": records(finding.evidence),
        "gaps": records(finding.gaps),
        "controls": {framework: list(ids) for framework, ids in check.controls.items()},
        "accepted": records(finding.accepted),
        "information": summary.is_note(finding),
    }


def comparison_json(found: "Comparison") -> dict[str, Any]:
    """Return what changed, in the kit's public JSON form.

    Returns
    -------
    dict
        ``old`` and ``new`` (as ``snapshot`` of :func:`findings_json`), ``said`` (sentences), and the
        frames of :class:`auditlib.drift.Drift` as lists of rows.
    """
    drift = found.drift
    return {
        "old": findings_json(found.old)["snapshot"] if found.old else None,
        "new": findings_json(found.new)["snapshot"],
        "said": list(found.sentences),
        **{
            part: [] if drift is None else records(getattr(drift, part))
            for part in ("findings", "checks", "access", "objects", "recreated", "gaps")
        },
    }


def json_text(document: object) -> str:
    r"""Return a document as JSON text for a file: readable, with a final line break.

    Characters that nobody sees, and those a terminal would obey, are JSON's escapes of them.

    >>> print(json_text(["a" + chr(0x202e), "高"]), end="")
    [
      "a\u202e",
      "高"
    ]
    """
    text = json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False)
    return _NOT_PLAIN.sub(_in_json, text) + "\n"


_NOT_PLAIN = re.compile(r"[^\n -~]")


def _in_json(found: re.Match[str]) -> str:
    return json.dumps(found[0])[1:-1] if is_unseen(found[0]) else found[0]


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a frame's rows as JSON values: missing is ``null``, a tuple a list, a time ISO 8601."""
    if frame.empty:  # as most are; pandas takes long to find that out row by row
        return []
    columns = [str(column) for column in frame.columns]
    return [
        {column: _plain(value) for column, value in zip(columns, row, strict=True)}
        for row in frame.itertuples(index=False, name=None)
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, tuple | list | set | frozenset):
        return [_plain(item) for item in value]
    if value is None or value is pd.NA or value is pd.NaT or value != value:  # noqa: PLR0124 # NaN
        return None
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str | bool | int | float):
        return value
    return value.item() if hasattr(value, "item") else str(value)


def findings_csv(findings: Iterable[Finding]) -> str:
    """Return findings as CSV: a row per piece of evidence, accepted or not, and per gap.

    A finding without any has one row. Accepted evidence tells in the last columns who accepted it.

    A cell that a spreadsheet would take for a formula gets a leading apostrophe.
    """
    rows = []
    for finding in findings:
        head = {
            "check": finding.check.id,
            "status": finding.status.value,
            "severity": finding.check.severity.value,
            "title": finding.check.title,
            "answer": finding.answer,
        }
        found = [*_evidence_rows(finding), *_accepted_rows(finding), *_gap_rows(finding)] or [{}]
        rows += [{**head, **row} for row in found]
    frame = pd.DataFrame(rows, columns=list(CSV_COLUMNS))
    text = [name for name in CSV_COLUMNS if name != "record"]
    return csv_text(frame.astype(dict.fromkeys(text, "str")).astype({"record": "Int64"}))


def csv_text(frame: pd.DataFrame) -> str:
    """Return a frame as CSV, its lists set apart by spaces, safe for spreadsheets."""
    text: str = _flat(frame).to_csv(index=False, lineterminator="\r\n")
    return text


def _evidence_rows(finding: Finding) -> list[dict[str, Any]]:
    wanted = (*CSV_IDS, "reason", "source", "record")
    return [{c: row[c] for c in wanted if c in row} for row in records(finding.evidence)]


def _accepted_rows(finding: Finding) -> list[dict[str, Any]]:
    wanted = (*CSV_IDS, "reason", "source", "record", *COLUMNS)
    return [{c: row[c] for c in wanted if c in row} for row in records(finding.accepted)]


def _gap_rows(finding: Finding) -> list[dict[str, Any]]:
    calls = summary.refused_calls(finding.gaps)
    return [
        {
            "account": call.account,
            "region": call.region,
            "reason": tr("Not read: {call}.", call=gap(call)),
        }
        for call in calls.itertuples()
    ]


def export_tables(
    audit: "Audit", out: "str | PathLike[str]", format: Literal["csv", "parquet"] = "csv"
) -> tuple[Path, ...]:
    """Write every table and view into a folder, and the gaps beside them.

    CSV files are UTF-8 with a byte order mark, so that spreadsheets read them right. Text that a
    spreadsheet would take for a formula (it begins with ``=``, ``+``, ``-``, ``@``, their
    full-width forms, a tab or a line break), and text that begins with an apostrophe, gets an
    apostrophe in front: take one leading apostrophe away to have the text as AWS gave it.
    Characters that nobody sees are written out, ``[U+202E]``. Lists are set apart by spaces, tags
    are a JSON object. Parquet keeps text and lists as they are.

    Returns
    -------
    tuple of Path
        The files, in the order of the data dictionary.

    Raises
    ------
    ParameterError
        When the format is unknown, or Parquet is asked for and pyarrow is not installed.
    """
    if format not in {"csv", "parquet"}:
        raise ParameterError(
            tr('The export format is csv or parquet, not "{format}".', format=format)
        )
    if format == "parquet":
        try:
            import pyarrow  # noqa: F401 # asked for here so that the message can say what to do
        except ImportError:
            raise ParameterError(
                tr(
                    "Parquet needs pyarrow, which is not installed: pip install 'auditlib[parquet]', or "
                    "export CSV."
                )
            ) from None
    folder = Path(out)
    frames = {name: audit.tables[name] for name in audit.tables.names} | {"gaps": audit.gaps}
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, frame in frames.items():
            file = folder / f"{name}.{format}"
            if format == "csv":
                _flat(frame).to_csv(file, index=False, encoding="utf-8-sig", lineterminator="\r\n")
            else:
                _nested(frame).to_parquet(file, index=False)
            written.append(file)
    except OSError as error:
        raise AuditError(
            tr("{folder} cannot be written: {why}.", folder=folder, why=error.strerror or error)
        ) from None
    return tuple(written)


def text_of(audit: "Audit", format: str) -> str:
    """Return the findings as text in a format: ``json``, ``csv``, ``ocsf``, ``asff`` or ``junit``."""
    if format == "json":
        return json_text(findings_json(audit))
    if format == "csv":
        return findings_csv(audit.findings)
    if format == "ocsf":
        from auditlib.ocsf import ocsf_events

        return json_text(ocsf_events(audit))
    if format == "asff":
        from auditlib.asff import asff_findings

        return json_text({"Findings": asff_findings(audit)})
    from auditlib.junit import junit_xml

    return junit_xml(audit)


def export_audit(
    audit: "Audit", out: "str | PathLike[str]", formats: Iterable[str] = FORMATS
) -> tuple[Path, ...]:
    """Write an audit into a folder for the places where clients keep findings.

    ``findings.xlsx``, ``findings.json``, ``findings.ocsf.json`` and ``findings.junit.xml``;
    ``csv/`` holds a file per sheet of the workbook and ``csv/tables/`` one per table; ``asff/``
    an input of Security Hub's ``BatchImportFindings`` per account, Region and hundred findings.

    Raises
    ------
    ParameterError
        When a format is unknown, or a snapshot without an account is wanted as ASFF.
    """
    wanted = list(dict.fromkeys(formats))
    if unknown := [name for name in wanted if name not in FORMATS]:
        raise ParameterError(
            tr(
                'There is no format "{name}": {formats}.',
                name=unknown[0],
                formats=", ".join(FORMATS),
            )
        )
    folder = Path(out)
    files: dict[str, bytes] = {}
    for name in wanted:
        files |= _files(audit, name)
    from auditlib.snapshot import write_file

    try:
        for name, data in files.items():
            write_file(folder / name, data)
    except OSError as error:
        raise AuditError(
            tr("{folder} cannot be written: {why}.", folder=folder, why=error.strerror or error)
        ) from None
    written = [folder / name for name in files]
    if "csv" in wanted:
        written += export_tables(audit, folder / "csv" / "tables")
    return tuple(written)


def _files(audit: "Audit", format: str) -> dict[str, bytes]:
    """Return the files of a format by their names in the folder."""
    if format == "xlsx":
        from auditlib.workbook import workbook_bytes

        return {"findings.xlsx": workbook_bytes(audit)}
    if format == "csv":
        from auditlib.sheets import sheets

        return {
            f"csv/{sheet.name}.csv": csv_text(sheet.frame).encode("utf-8-sig")
            for sheet in sheets(audit)
        }
    if format == "asff":
        from auditlib.asff import asff_batches

        return {
            f"asff/{name}.json": json_text(batch).encode()
            for name, batch in asff_batches(audit).items()
        }
    ending = {"json": "json", "ocsf": "ocsf.json", "junit": "junit.xml"}[format]
    return {f"findings.{ending}": text_of(audit, format).encode()}


_FORMULA = r"\A(?=[=+\-@＝＋－＠\t\r\n'])"


def _flat(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame of plain text and numbers that no spreadsheet takes for a formula."""
    flat = {}
    for name, values in frame.items():
        kind = str(values.dtype)
        if kind == "object":
            lists = [_joined(value) for value in values]
            text = pd.Series(lists, index=frame.index, dtype="str")
        elif kind in {"str", "category"}:
            text = values.astype("str")
        else:
            flat[str(name)] = values
            continue
        odd = {one: shown for one in text.dropna().unique() if (shown := visible(one)) != one}
        if odd:
            text = text.map(lambda one, odd=odd: odd.get(one, one), na_action="ignore")
        flat[str(name)] = text.astype("str").str.replace(_FORMULA, "'", regex=True)
    return pd.DataFrame(flat)


def _joined(value: Any) -> str | None:
    """Return a list as text, its items set apart by spaces; tags as a JSON object."""
    if not isinstance(value, tuple | list):
        return None if pd.isna(value) else str(value)
    if value and not isinstance(value[0], str):
        return json.dumps(dict(value), ensure_ascii=False)
    return " ".join(value)


def _nested(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame whose lists are Parquet's own and whose tags are ``key=value`` texts."""
    lists: dict[str, Any] = {
        str(name): [
            [item if isinstance(item, str) else "=".join(item) for item in v] for v in values
        ]
        for name, values in frame.items()
        if str(values.dtype) == "object"
    }
    return frame.assign(**lists)
