"""What a run over many accounts found: frames over all of them, made from one column at a time.

A run leaves ``<output>/overview/<date>/accounts.json`` with a summary per account, and beside each
account's report its findings as Parquet. Of those only the columns a question needs are read, an
account after the other, and only counts are kept: a thousand accounts need no thousand reports in
memory. A snapshot on its own is an overview of one.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from auditlib.check import Severity, Status, checks
from auditlib.errors import ParameterError
from auditlib.language import sentences, tr
from auditlib.summary import Identity
from auditlib.words import listed

if TYPE_CHECKING:
    from os import PathLike

    from auditlib.audit import Audit

__all__ = ["ACCOUNTS", "Overview", "identity_of", "overview"]

ACCOUNTS = "accounts.json"

SEVERITIES = tuple(severity.value for severity in reversed(Severity))

_IDS = ("endpoint_id", "group_id", "rule_id", "eni_id")
_OWN = re.compile(r"\b[a-z]+(?:-[a-z]+)*-[0-9a-f]{8,17}\b|\b\d{12}\b")
_LISTED = 4
"""Accounts named in a cell before the rest is counted."""


@dataclass(frozen=True, kw_only=True)
class Overview:
    """The accounts of a run.

    Attributes
    ----------
    entries
        The summary of each, in the order of the run.
    folder
        Where the run left what it found; ``None`` for a snapshot on its own.
    """

    entries: tuple[Mapping[str, Any], ...]
    folder: Path | None = None
    _rows: pd.DataFrame | None = field(default=None, repr=False)

    # -- what was looked at -------------------------------------------------------------------

    @property
    def read(self) -> tuple[Mapping[str, Any], ...]:
        """The accounts that were read, if only in part."""
        return tuple(entry for entry in self.entries if entry["status"] == "done")

    @property
    def coverage(self) -> tuple[str, ...]:
        """How many accounts were asked for, and what became of them, in sentences."""
        states = Counter(str(entry["status"]) for entry in self.entries)
        blind = [entry for entry in self.read if entry["unlisted"]]
        part = [entry for entry in self.read if entry["gaps"] and not entry["unlisted"]]
        total, read = len(self.entries), len(self.read)
        if total == 1:
            told = (
                tr("One account was asked for, and it was read.")
                if read
                else tr("One account was asked for, and it was not read.")
            )
        else:
            told = tr(
                "{total:,} accounts were asked for and {read:,} of them read.",
                total=total,
                read=read,
            )
        more = []
        if states["failed"]:
            more.append(
                tr(
                    "Nothing is known of {number:,}: they refused, or the work on them failed.",
                    number=states["failed"],
                )
            )
        if blind:
            more.append(
                tr(
                    "Of {number:,} AWS did not even list the endpoints, somewhere or everywhere.",
                    number=len(blind),
                )
            )
        if part:
            more.append(tr("Of {number:,} some calls were not answered.", number=len(part)))
        if states["left_out"]:
            more.append(
                tr("{number:,} are not active, and were left out.", number=states["left_out"])
            )
        if len(more) == 0:
            more.append(tr("All calls were answered."))
        return (sentences(told, *more),)

    def unread(self) -> pd.DataFrame:
        """Return a row per account that could not be read, or only in part: what, and why."""
        made = [
            {"account": _name(entry), "outcome": self._outcome(entry)}
            for entry in self.entries
            if entry["status"] != "done" or entry["gaps"]
        ]
        return pd.DataFrame(made, columns=["account", "outcome"])

    def _outcome(self, entry: Mapping[str, Any]) -> str:
        if entry["status"] == "left_out":
            return str(entry["error"])
        if entry["status"] != "done":
            return tr("Not read: {why}", why=entry["error"])
        told = [
            tr(
                "{gaps:,} gaps; {checks:,} checks could not be assessed.",
                gaps=entry["gaps"],
                checks=entry["not_assessed"],
            )
        ]
        if entry["unlisted"]:
            told.insert(
                0,
                tr(
                    "The endpoints in {regions} are not known.",
                    regions=listed(entry["unlisted"], most=_LISTED),
                ),
            )
        return sentences(*told)

    # -- accounts and checks ------------------------------------------------------------------

    @cached_property
    def cells(self) -> pd.DataFrame:
        """One row per account and check: severity, status, pieces of evidence, gaps."""
        columns = ["account", "check", "severity", "status", "gaps", "evidence"]
        parts = []
        for entry, rows in self._frames(["check", "severity", "status", "gaps", "identity"]):
            by = rows.groupby(["check", "severity", "status", "gaps"], sort=False)["identity"]
            parts.append(by.count().rename("evidence").reset_index().assign(account=_name(entry)))
        if not parts:
            return pd.DataFrame(columns=columns)
        return pd.concat(parts, ignore_index=True)[columns]

    def accounts(self) -> pd.DataFrame:
        """Return a row per account that was read, the worst first.

        Columns: account, pieces of evidence by severity, checks not assessed, gaps, how many
        findings are new and how many are gone since the run before, and the file of its report.
        """
        failing = self.cells[self.cells["status"] == Status.FAIL.value]
        counts = failing.groupby(["account", "severity"])["evidence"].sum()
        made = [
            {
                "account": _name(entry),
                **{s: int(counts.get((_name(entry), s), 0)) for s in SEVERITIES},
                "not_assessed": int(entry["not_assessed"]),
                "gaps": int(entry["gaps"]),
                "new": _changed(entry, "worsened", "new", "reappeared", "first_seen"),
                "resolved": _changed(entry, "resolved"),
                "report": self._link(entry),
            }
            for entry in self.read
        ]
        columns = ["account", *SEVERITIES, "not_assessed", "gaps", "new", "resolved", "report"]
        frame = pd.DataFrame(made, columns=columns)
        worst = [*SEVERITIES, "not_assessed"]
        order = frame.sort_values(worst, ascending=False, kind="stable")
        return order.reset_index(drop=True)

    def _link(self, entry: Mapping[str, Any]) -> str:
        """Return where the account's report is, seen from the overview's own."""
        return f"../../../{entry['report']}" if self.folder else ""

    def checks(self) -> pd.DataFrame:
        """Return a row per check that does not pass everywhere: what fails first, the worst of it first.

        Columns: check, title, severity, and the numbers of accounts in which it fails, could not
        be assessed, is accepted, passes, does not apply, and of which nothing is known.
        """
        titles = {check.id: check.title for check in checks()}
        held = self.cells.groupby(["check", "severity", "status"])["account"].nunique()
        known = self.cells.drop_duplicates("check")[["check", "severity"]]
        made = [
            {
                "check": check,
                "title": titles.get(check, check),
                "severity": severity,
                **{s.value: int(held.get((check, severity, s.value), 0)) for s in Status},
                "unread": len(self.entries) - len(self.read),
            }
            for check, severity in known.itertuples(index=False, name=None)
        ]
        columns = ["check", "title", "severity", *(s.value for s in Status), "unread"]
        frame = pd.DataFrame(made, columns=columns)
        frame = frame[frame[["fail", "not_assessed", "accepted"]].sum(axis=1) > 0]
        ranks = [-Severity(severity).rank for severity in frame["severity"]]
        frame = frame.assign(rank=ranks, open=frame["fail"] == 0, failing=-frame["fail"])
        order = frame.sort_values(["open", "rank", "failing", "check"], kind="stable")
        return order[columns].reset_index(drop=True)

    # -- what accounts share ------------------------------------------------------------------

    def shared(self) -> pd.DataFrame:
        """Return the findings that say the same in two accounts or more, the most spread first.

        Ids and accounts are left out of what is compared: the same sentence about another group
        has the same source, mostly: a module, a template, a StackSet.
        """
        spread: dict[tuple[str, str, str], dict[str, None]] = defaultdict(dict)
        pieces: Counter[tuple[str, str, str]] = Counter()
        for entry, rows in self._failing():
            for check, severity, reason in rows[["check", "severity", "reason"]].itertuples(
                index=False, name=None
            ):
                key = str(check), str(severity), _OWN.sub("…", str(reason))
                spread[key][_name(entry)] = None
                pieces[key] += 1
        made = [
            {
                "severity": severity,
                "reason": reason,
                "check": check,
                "accounts": len(names),
                "evidence": pieces[check, severity, reason],
                "in": listed(names, most=_LISTED),
            }
            for (check, severity, reason), names in spread.items()
            if len(names) > 1
        ]
        columns = ["severity", "reason", "check", "accounts", "evidence", "in"]
        frame = pd.DataFrame(made, columns=columns)
        frame["rank"] = [-Severity(severity).rank for severity in frame["severity"]]
        frame["spread"] = -frame["accounts"]
        order = frame.sort_values(["spread", "rank", "check", "reason"], kind="stable")
        return order[columns].reset_index(drop=True)

    def objects(self) -> pd.DataFrame:
        """Return the objects, by id, that findings of two accounts or more are about."""
        seen: dict[str, tuple[dict[str, None], set[str]]] = defaultdict(lambda: ({}, set()))
        for entry, rows in self._failing(["check", *_IDS]):
            for column in _IDS:
                for check, id in (
                    rows[["check", column]].dropna().itertuples(index=False, name=None)
                ):
                    names, ids = seen[str(id)]
                    names[_name(entry)] = None
                    ids.add(str(check))
        made = [
            {
                "object_id": id,
                "accounts": len(names),
                "in": listed(names, most=_LISTED),
                "checks": tuple(sorted(found)),
            }
            for id, (names, found) in seen.items()
            if len(names) > 1
        ]
        frame = pd.DataFrame(made, columns=["object_id", "accounts", "in", "checks"])
        return frame.sort_values("accounts", ascending=False, kind="stable").reset_index(drop=True)

    # -- rows, an account after the other ------------------------------------------------------

    def _failing(
        self, columns: Iterable[str] = ("check", "severity", "reason")
    ) -> Iterator[tuple[Mapping[str, Any], pd.DataFrame]]:
        yield from self._frames(list(columns), failing=True)

    def _frames(
        self, columns: list[str], *, failing: bool = False
    ) -> Iterator[tuple[Mapping[str, Any], pd.DataFrame]]:
        """Yield each account's rows, of which only these columns are read."""
        from auditlib import history
        from auditlib.visit import FINDINGS

        if self._rows is not None:
            rows = self._rows
            if failing:
                rows = rows[(rows["status"] == Status.FAIL.value) & rows["reason"].notna()]
            yield self.entries[0], rows[columns]
            return
        assert self.folder is not None  # noqa: S101 # without rows there is a folder
        output = self.folder.parent.parent
        for entry in self.read:
            file = output / str(entry["account"]) / str(entry["date"]) / FINDINGS
            where = [("status", "==", Status.FAIL.value)] if failing else None
            yield entry, history.columns_of(file, columns, where)


def _name(entry: Mapping[str, Any]) -> str:
    """Return what an entry is called: its account, or how it was to be found."""
    if entry.get("account"):
        return str(entry["account"])
    if entry.get("profile"):
        return tr("profile {profile}", profile=entry["profile"])
    return tr("the organization")


def _changed(entry: Mapping[str, Any], *states: str) -> int | None:
    changes = entry.get("changes")
    return None if changes is None else sum(changes.get(state, 0) for state in states)


def overview(fleet: "str | PathLike[str]" = "", audit: "Audit | None" = None) -> Overview:
    """Return the overview of a run, or of one audit where no run is given.

    Parameters
    ----------
    fleet
        The folder that a run left of a day: ``<output>/overview/<date>``.

    Raises
    ------
    ParameterError
        When there is neither, or the folder is not what a run leaves.
    """
    if fleet:
        folder = Path(fleet).resolve()
        return Overview(entries=tuple(_record(folder)["accounts"]), folder=folder)
    if audit is None:
        raise ParameterError(
            tr("there is nothing to give an overview of: give a run or a snapshot")
        )
    from auditlib import history
    from auditlib.visit import unlisted

    entry = {
        "account": listed(sorted({account for account, _ in audit.snapshot.places})),
        "status": "done",
        "gaps": len(audit.gaps),
        "not_assessed": sum(f.status is Status.NOT_ASSESSED for f in audit.findings),
        "unlisted": unlisted(audit),
        "changes": None,
    }
    return Overview(entries=(entry,), _rows=history.rows_of(audit))


def _record(folder: Path) -> dict[str, Any]:
    try:
        record: dict[str, Any] = json.loads((folder / ACCOUNTS).read_text("utf-8"))
        record["accounts"]  # what else it may be is told below
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ParameterError(
            tr(
                "{folder} is not what a run over accounts leaves: give OUTPUT/overview/DATE",
                folder=folder,
            )
        ) from error
    return record


def identity_of(folder: Path) -> Identity:
    """Return which accounts an overview is about and when it was made, for its page's frame."""
    from auditlib import __version__

    record = _record(folder)
    return Identity(
        accounts=tuple(_name(entry) for entry in record["accounts"]),
        regions=(),
        started=None,
        finished=datetime.fromisoformat(record["made"]),
        caller_arn=None,
        kit_version=__version__,
        collected_with="",
        digest="",
        redacted=False,
    )
