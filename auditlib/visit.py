"""One account's part of a run: read, judged, reported on, compared with its last run, put away.

What a visit leaves (everything appears whole or not at all)::

    <output>/<account>/<date>/snapshot/          AWS's answers
    <output>/<account>/<date>/report/            the pages
    <output>/<account>/<date>/exports/           what else was asked for
    <output>/<account>/<date>/findings.parquet   what was found, for the overview
    <output>/<account>/<date>/run.json           the summary line; there last of all
    <output>/<account>/latest                    the date of the last complete run

Both halves are plain functions of a :class:`Visit`, which can be sent to another process or
machine; what they return is a few words, never what was read. Here all is folders of this machine:
where output or history is a place in S3, :mod:`auditlib.mirror` stands between.
"""

import json
import logging
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditlib.branding import Branding
from auditlib.errors import AuditError, ParameterError
from auditlib.language import tr, use
from auditlib.prefix import Prefix
from auditlib.schedule import SEVERITIES, Account
from auditlib.snapshot import write_file

if TYPE_CHECKING:
    from auditlib.audit import Audit
    from auditlib.comparison import Comparison
    from auditlib.snapshot import Snapshot

__all__ = [
    "DONE",
    "FINDINGS",
    "LATEST",
    "Interrupted",
    "Visit",
    "kept",
    "pointer",
    "read",
    "reported",
    "unlisted",
]

LOG = logging.getLogger("auditlib.fleet")

FINDINGS = "findings.parquet"
DONE = "run.json"
LATEST = "latest"


class Interrupted(Exception):  # noqa: N818 # not an error: someone pressed Ctrl-C
    """Raised when Ctrl-C ended a run."""


@dataclass(frozen=True, kw_only=True)
class Visit:
    """An account on a day, and what is to be made of it.

    Attributes
    ----------
    kernels
        Notebooks run at once.
    """

    account: Account
    output: Path | Prefix
    date: str
    language: str = "en"
    notebooks: tuple[str, ...] | None = None
    accepted: Path | None = None
    history: Path | Prefix | None = None
    exports: tuple[str, ...] = ()
    fail_on: str | None = None
    branding: Branding | None = None
    endpoint_url: str | None = None
    kernels: int | None = None
    trail: int | None = None

    @property
    def home(self) -> Path:
        """The folder of the account."""
        return _folder(self.output) / self.account.account

    @property
    def folder(self) -> Path:
        """The folder of the day."""
        return self.home / self.date

    @property
    def head(self) -> dict[str, Any]:
        """How its summary begins."""
        return {"account": self.account.account, "date": self.date}

    @property
    def pages(self) -> tuple[str, ...] | None:
        """The notebooks of its report; ``None`` for all that are about one account."""
        return self.notebooks if self.account.notebooks is None else self.account.notebooks

    @property
    def own_history(self) -> Path | None:
        """The account's part of the history: what others did is not read to tell what it did."""
        return _folder(self.history) / self.account.account if self.history else None


def _folder(place: Path | Prefix) -> Path:
    assert isinstance(place, Path)  # noqa: S101 # auditlib.mirror gave folders in place of S3
    return place


def kept(visit: Visit) -> dict[str, Any] | None:
    """Return the summary of a visit that was completed before; ``None`` where there is none.

    One whose calls did not all get through (throttling, time-outs) is to be made again: it is taken
    for begun, and so is one whose summary is damaged or another's. What AWS refused stays so.
    """
    done = visit.folder / DONE
    if not done.exists():
        return None
    summary = _summary_in(done)
    if summary.get("read_again") or not visit.head.items() <= summary.items():
        done.unlink()
        return None
    write_file(visit.home / LATEST, pointer(visit.date))  # one may have been killed before it
    return summary


def _summary_in(file: Path) -> dict[str, Any]:
    """Return the summary in a file; an empty one where it holds none."""
    try:
        summary = json.loads(file.read_bytes())
    except (ValueError, RecursionError):
        return {}
    return summary if isinstance(summary, dict) else {}


def pointer(date: str) -> bytes:
    """Return what the file of the last run's date holds."""
    return f"{date}\n".encode()


# -- reading --------------------------------------------------------------------------------------


def read(visit: Visit) -> None:
    """Read the account, unless that was done to its end before; then only what failed.

    Raises
    ------
    AwsError, SnapshotError, ParameterError
        When it cannot be read at all, or is another account than was meant.
    Interrupted
        When Ctrl-C ended it.
    """
    use(visit.language)
    if not _is_read(visit.folder / "snapshot"):
        LOG.info("reading", extra=visit.head)
        _collect(visit, visit.folder / "snapshot")


def _is_read(snapshot: Path) -> bool:
    """Whether a collection into a folder got all answers it may get; what AWS refused is one."""
    from auditlib.snapshot import MANIFEST, load

    return (snapshot / MANIFEST).exists() and not _missed(load(snapshot))


def _missed(snapshot: "Snapshot") -> int:
    """Return how many calls did not get through and may another time."""
    from auditlib.aws.outcomes import passes

    return sum(call.status == "failed" and passes(call.error_code or "") for call in snapshot.calls)


def _collect(visit: Visit, snapshot: Path) -> None:
    from auditlib.aws.collect import collect

    account = visit.account
    collected = collect(
        snapshot,
        profile=account.profile,
        regions=account.regions,
        all_regions=account.all_regions,
        role_arn=account.role_arn,
        external_id=account.external_id,
        endpoint_url=visit.endpoint_url,
        resume=True,
        trail=visit.trail,
    )
    if collected.interrupted:
        raise Interrupted
    if others := {id for id, _ in collected.manifest.places} - {account.account}:
        shutil.rmtree(snapshot)
        raise ParameterError(
            tr(
                "account {account} was asked for, and the credentials are of {other}: give the "
                "right profile or role",
                account=account.account,
                other=min(others),
            )
        )


# -- judging and reporting ------------------------------------------------------------------------


def reported(visit: Visit, before_done: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """Judge what was read, write all that is to be left, and return the summary.

    Repeated, it leaves the same once: what a killed one began is taken away.

    Parameters
    ----------
    before_done
        Called when only the summary is still to be written.

    Raises
    ------
    AuditError
        When the snapshot cannot be judged, or a notebook fails, or there is no room.
    """
    from auditlib import history
    from auditlib.comparison import compare
    from auditlib.report import report

    use(visit.language)
    folder, past = visit.folder, visit.own_history
    for pattern in (".report-*", ".exports-*"):
        for left in folder.glob(pattern):
            shutil.rmtree(left, ignore_errors=True)
    if past and (former := _former_run(folder)):
        history.forget(past, former)
    earlier = _last(visit.home, visit.date)
    places = {} if earlier is None else {"earlier": visit.home / earlier / "snapshot"}
    known = past if past and past.is_dir() else None
    made = report(
        folder / "snapshot",
        folder / "report",
        visit.pages,
        places=_taken(visit, {**places, **({"history": known} if known else {})}),
        accepted=visit.accepted,
        branding=visit.branding,
        kernels=visit.kernels,
    )
    found = compare(made.audit, places.get("earlier"), known)
    if visit.exports:
        _export(made.audit, folder, visit.exports)
    if past:
        history.append(past, made.audit)
    write_file(folder / FINDINGS, history.parquet_of(made.audit))
    summary = visit.head | _summary(visit, found, earlier)
    before_done()
    write_file(folder / DONE, (json.dumps(summary, ensure_ascii=False) + "\n").encode())
    write_file(visit.home / LATEST, pointer(visit.date))
    return summary


def _former_run(folder: Path) -> str:
    """Return the run a day's findings are of where its account was read again since; else nothing.

    What was found in answers that are replaced is no run of the account's.
    """
    from auditlib import history
    from auditlib.snapshot import load

    try:
        (run,) = history.columns_of(folder / FINDINGS, ["run"])["run"].unique()
    except (AuditError, ValueError):  # none yet, or no whole one
        return ""
    return "" if run == load(folder / "snapshot").digest else str(run)


def _summary(visit: Visit, found: "Comparison", earlier: str | None) -> dict[str, Any]:
    from auditlib.check import Status

    audit = found.new
    failing = [f for f in audit.findings if f.status is Status.FAIL]
    return {
        "status": "done",
        "exit": _exit(visit.fail_on, audit),
        "snapshot": f"{visit.account.account}/{visit.date}/snapshot",
        "report": f"{visit.account.account}/{visit.date}/report/index.html",
        "digest": audit.snapshot.digest,
        "fail": {s: sum(f.check.severity == s for f in failing) for s in SEVERITIES},
        "not_assessed": sum(f.status is Status.NOT_ASSESSED for f in audit.findings),
        "gaps": len(audit.gaps),
        "read_again": _missed(audit.snapshot),
        "unlisted": unlisted(audit),
        "compared_with": earlier,
        "changes": None
        if found.drift is None
        else {
            state: int(count)
            for state, count in found.drift.findings["state"].value_counts().items()
        },
    }


def unlisted(audit: "Audit") -> list[str]:
    """Return the Regions whose endpoints AWS did not list: nothing at all is known of them."""
    gaps = audit.tables.gaps("client_vpn_endpoints")
    return sorted({str(region) for region in gaps["region"]})


def _exit(fail_on: str | None, audit: "Audit") -> int:
    from auditlib.check import Severity, Status

    if fail_on is None:
        return 3 if unlisted(audit) else 0
    worst = Severity(fail_on).rank
    findings = audit.findings
    if any(f.status is Status.FAIL and f.check.severity.rank >= worst for f in findings):
        return 1
    return 3 if any(len(f.gaps) for f in findings) else 0


def _taken(visit: Visit, places: Mapping[str, Path]) -> dict[str, Path]:
    """Return those parameters that some notebook of the report takes."""
    from auditlib.report import notebooks_of

    known = {p.name for notebook in notebooks_of(visit.pages) for p in notebook.parameters}
    return {name: path for name, path in places.items() if name in known}


def _export(audit: "Audit", folder: Path, formats: tuple[str, ...]) -> None:
    import tempfile

    from auditlib.export import export_audit

    aside = Path(tempfile.mkdtemp(prefix=".exports-", dir=folder))
    export_audit(audit, aside / "new", formats)
    shutil.rmtree(folder / "exports", ignore_errors=True)
    (aside / "new").rename(folder / "exports")
    shutil.rmtree(aside)


def _last(home: Path, date: str) -> str | None:
    """Return the date of the last complete run before one."""
    dates = [path.parent.name for path in home.glob("*/run.json") if path.parent.name < date]
    return max(dates, default=None)
