"""A history: the findings of every run in one folder, a Parquet file each.

A run is told by the hash over its snapshot: repeated, it adds nothing; interrupted, it leaves
nothing, since its file appears whole or not at all. Files may lie in folders below: a run over many
accounts keeps one per account. Needs pyarrow (the extra ``parquet``).
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from auditlib.check import Identity, Severity, Status, identities
from auditlib.drift import Past
from auditlib.errors import AuditError, ParameterError
from auditlib.language import tr
from auditlib.snapshot import write_file

if TYPE_CHECKING:
    from auditlib.audit import Audit
    from auditlib.check import Finding

__all__ = [
    "COLUMNS",
    "RUNS",
    "append",
    "columns_of",
    "forget",
    "is_recorded",
    "parquet_of",
    "past",
    "read",
    "rows_of",
    "runs",
    "taken",
]

COLUMNS = (
    "run",
    "taken",
    "account",
    "region",
    "check",
    "severity",
    "status",
    "gaps",
    "identity",
    "endpoint_id",
    "group_id",
    "rule_id",
    "eni_id",
    "reason",
)
"""Columns of a history file: a row per piece of evidence, and one for each check without any.

``run`` is the hash over the snapshot, ``taken`` when it was read, ``gaps`` how many answers the
check lacked, ``identity`` (JSON) what the row is about; it is missing where there is no evidence.
"""

RUNS = (
    "run",
    "taken",
    "accounts",
    "regions",
    *(severity.value for severity in reversed(Severity)),
    "not_assessed",
)
"""Columns of :func:`runs`: a row per run, pieces of evidence by severity, checks not assessed."""

_ALWAYS = ("run", "taken", "check", "severity", "status")
_NAME = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{16}\.parquet")
_IDS = ("account", "region", "endpoint_id", "group_id", "rule_id", "eni_id")


def taken(audit: "Audit") -> datetime:
    """Return when a snapshot was read, in UTC.

    Raises
    ------
    ParameterError
        When it does not say.
    """
    manifest = audit.snapshot.manifest
    moment = manifest.finished or manifest.started
    if moment is None:
        raise ParameterError(
            tr(
                "{audit.snapshot.name} does not say when it was read, so it has no place in a history: "
                "collect it with auditlib collect, or with the script it prints",
                audit=audit,
            )
        )
    return moment.astimezone(UTC)


def append(folder: str | Path, audit: "Audit") -> bool:
    """Add the findings of an audit to a history; tell whether they are new to it.

    Raises
    ------
    ParameterError
        When pyarrow is not installed, or the snapshot does not say when it was read.
    AuditError
        When the folder cannot be written.
    """
    folder = Path(folder)
    if is_recorded(folder, audit.snapshot.digest):
        return False
    moment = taken(audit)
    data = parquet_of(audit)
    name = f"{moment:%Y%m%dT%H%M%SZ}-{audit.snapshot.digest[:16]}.parquet"
    try:
        write_file(folder / name, data)
    except OSError as error:
        raise _cannot_be_written(folder, error) from error
    return True


def parquet_of(audit: "Audit") -> bytes:
    """Return the findings of an audit as a Parquet file in the columns of ``COLUMNS``.

    Raises
    ------
    ParameterError
        When pyarrow is not installed, or the snapshot does not say when it was read.
    """
    import io

    arrow, parquet = _pyarrow()
    moment = taken(audit)
    rows = [{**row, "taken": moment} for row in _rows_of(audit)]
    columns = {name: [row.get(name) for row in rows] for name in COLUMNS}
    about = {
        "accounts": sorted({account for account, _ in audit.snapshot.places}),
        "regions": sorted({region for _, region in audit.snapshot.places}),
    }
    schema = _schema(arrow, COLUMNS).with_metadata(
        {"auditlib": json.dumps(about), "auditlib_format": "1"}
    )
    target = io.BytesIO()
    parquet.write_table(arrow.table(columns, schema=schema), target)
    return target.getvalue()


def rows_of(audit: "Audit") -> pd.DataFrame:
    """Return the findings of an audit in the columns of ``COLUMNS``; ``taken`` is left empty."""
    return pd.DataFrame(list(_rows_of(audit)), columns=list(COLUMNS))


def _rows_of(audit: "Audit") -> Iterator[dict[str, Any]]:
    for finding in audit.findings:
        for row in _rows(finding):
            yield {"run": audit.snapshot.digest, **row}


def columns_of(path: Path, columns: Iterable[str], where: Any = None) -> pd.DataFrame:
    """Return columns of one file, of the rows that a filter of pyarrow's lets through.

    Raises
    ------
    ParameterError
        When pyarrow is not installed.
    AuditError
        When the file cannot be read.
    """
    return _read(path, list(columns), where)[0]


def is_recorded(folder: str | Path, digest: str) -> bool:
    """Tell whether a history has the run of a snapshot already."""
    return any(path.name.endswith(f"-{digest[:16]}.parquet") for path in _files(Path(folder)))


def forget(folder: str | Path, run: str) -> None:
    """Take a run out of a history, which may not have it.

    Raises
    ------
    AuditError
        When the folder cannot be written.
    """
    for path in _files(Path(folder)):
        if path.name.endswith(f"-{run[:16]}.parquet"):
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise _cannot_be_written(folder, error) from error


def _cannot_be_written(folder: str | Path, error: OSError) -> AuditError:
    return AuditError(
        tr(
            "{folder} cannot be written ({why}): give another folder",
            folder=folder,
            why=error.strerror or error,
        )
    )


def _rows(finding: "Finding") -> Iterator[dict[str, Any]]:
    about = {
        "check": finding.check.id,
        "severity": finding.check.severity.value,
        "status": finding.status.value,
        "gaps": len(finding.gaps),
    }
    if finding.evidence.empty:
        yield about
    pairs = zip(identities(finding.evidence), finding.evidence["reason"], strict=True)
    for identity, reason in pairs:
        known = dict(identity)
        yield {
            **about,
            **{name: known[name] for name in _IDS if name in known},
            "identity": json.dumps(known, ensure_ascii=False),
            "reason": reason,
        }


def read(folder: str | Path, columns: Iterable[str] = COLUMNS) -> pd.DataFrame:
    """Return the rows of a history, the oldest run first.

    Raises
    ------
    ParameterError
        When there is no such folder, or pyarrow is not installed.
    AuditError
        When a file of it cannot be read.
    """
    wanted = list(columns)
    frames = [_read(path, wanted)[0] for path in _present(folder)]
    if not frames:
        return pd.DataFrame(columns=wanted)
    found: pd.DataFrame = pd.concat(frames, ignore_index=True)
    return found


def past(
    folder: str | Path, *, before: datetime, without: str = ""
) -> dict[tuple[str, Identity], Past]:
    """Return when each finding was seen, by check and identity, as of a moment.

    Parameters
    ----------
    before
        Runs read later do not count.
    without
        A run that does not count: the one that is being told about.
    """
    rows = read(folder, ("run", "taken", "check", "identity")).dropna(subset=["identity"])
    rows = rows[(rows["run"] != without) & (rows["taken"] <= before)]
    seen = rows.groupby(["check", "identity"], sort=False)["taken"].agg(["min", "max"])
    try:
        return {
            (check, _identity(identity)): Past(first_seen=first, last_seen=last)
            for (check, identity), first, last in seen.itertuples(name=None)
        }
    except (ValueError, RecursionError) as error:
        raise _damaged(folder) from error


def _identity(text: str) -> Identity:
    """Return what a row is about, as a file has it."""
    known = json.loads(text)
    if not isinstance(known, dict) or any(isinstance(v, dict | list) for v in known.values()):
        raise ValueError(text)
    return tuple(known.items())


def runs(folder: str | Path) -> pd.DataFrame:
    """Return the runs of a history, the oldest first, in the columns of ``RUNS``."""
    rows = []
    for path in _present(folder):
        frame, about = _read(path, ["run", "taken", "check", "severity", "status", "identity"])
        evidence = frame.loc[frame["identity"].notna(), "severity"].value_counts()
        rows.append(
            {
                "run": frame["run"].iloc[0],
                "taken": frame["taken"].iloc[0],
                "accounts": about["accounts"],
                "regions": about["regions"],
                **{severity.value: int(evidence.get(severity.value, 0)) for severity in Severity},
                "not_assessed": int((frame["status"] == Status.NOT_ASSESSED.value).sum()),
            }
        )
    return pd.DataFrame(rows, columns=list(RUNS))


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    found = (path for path in folder.rglob("*.parquet") if _NAME.fullmatch(path.name))
    return sorted(found, key=lambda path: path.name)


def _present(folder: str | Path) -> list[Path]:
    folder = Path(folder)
    if not folder.is_dir():
        raise ParameterError(
            tr(
                "there is no history at {folder}: auditlib history {folder} SNAPSHOT begins one",
                folder=folder,
            )
        )
    return _files(folder)


def _read(
    path: Path, columns: list[str], where: Any = None
) -> tuple[pd.DataFrame, Mapping[str, tuple[str, ...]]]:
    """Return columns of a file and the accounts and regions it is of, believing nothing."""
    arrow, parquet = _pyarrow()
    try:
        table = parquet.read_table(path, columns=columns, filters=where)
        # A run has at least one row; every row says of which, and when.
        if set(columns) <= set(table.column_names) and (table.num_rows or where):
            frame: pd.DataFrame = table.select(columns).cast(_schema(arrow, columns)).to_pandas()
            if frame[[name for name in _ALWAYS if name in columns]].notna().all(axis=None):
                return frame, _about(table.schema.metadata or {})
    except (OSError, ValueError, RecursionError, arrow.ArrowException) as error:
        raise _damaged(path) from error
    raise _damaged(path)


def _schema(arrow: Any, columns: Iterable[str]) -> Any:
    """Return the columns with their types."""
    types = dict.fromkeys(COLUMNS, arrow.string()) | {
        "taken": arrow.timestamp("us", tz="UTC"),
        "gaps": arrow.int64(),
    }
    return arrow.schema([(name, types[name]) for name in columns])


def _about(metadata: Mapping[bytes, bytes]) -> Mapping[str, tuple[str, ...]]:
    told = json.loads(metadata.get(b"auditlib", b"{}"))
    if not isinstance(told, dict):
        raise ValueError(told)  # as what is no JSON
    lists = {name: told.get(name, []) for name in ("accounts", "regions")}
    if not all(isinstance(one, list) for one in lists.values()):
        raise ValueError(told)
    return {name: tuple(map(str, one)) for name, one in lists.items()}


def _damaged(place: object) -> AuditError:
    return AuditError(
        tr(
            "{path} is no file of a history that can be read: restore it, or delete it and add its "
            "snapshot again",
            path=place,
        )
    )


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise ParameterError(
            tr("a history needs pyarrow, which is not installed: pip install 'auditlib[parquet]'")
        ) from None
    return pyarrow, pyarrow.parquet
