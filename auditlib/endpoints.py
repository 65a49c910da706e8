"""Findings by endpoint: how many there are, which, and what they mean for each other."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from auditlib.check import Finding, Severity, Status
from auditlib.language import marked, tr
from auditlib.schemas import SCHEMAS
from auditlib.summary import by_urgency, names, spoken
from auditlib.words import count, listed

if TYPE_CHECKING:
    from auditlib.audit import Audit

__all__ = [
    "NO_ENDPOINT",
    "UNLISTED",
    "Fault",
    "Story",
    "bearings",
    "by_endpoint",
    "ranks",
    "stories",
]

NO_ENDPOINT = marked("not tied to one endpoint")
"""Row of :func:`by_endpoint` for evidence that names no endpoint."""

UNLISTED = marked("endpoints could not be listed")
"""Row of :func:`by_endpoint` for a place whose endpoints AWS did not list."""


_JUDGED_BY_ENDPOINT = ("account", "region", "endpoint_id")


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What one check found at one endpoint: a phrase, and how many rows of evidence say so.

    ``kinds`` says in a clause which of them are of another kind; mostly it is empty.
    """

    check_id: str
    severity: Severity
    phrase: str
    rows: int
    kinds: str = ""


@dataclass(frozen=True, kw_only=True)
class Story:
    """All that was found at one endpoint.

    Attributes
    ----------
    endpoint_id
        Its id; one of ``NO_ENDPOINT`` and ``UNLISTED`` where there is none.
    faults
        What fails there, the most severe first; what is only information comes last.
    bearing
        What one of these findings means for the others, in sentences.
    lacking
        How many checks lacked an answer that concerns it.
    """

    account: str
    region: str
    endpoint_id: str
    name: str
    faults: tuple[Fault, ...]
    bearing: tuple[str, ...]
    lacking: int

    @property
    def by_severity(self) -> dict[Severity, tuple[Fault, ...]]:
        """The faults of each severity that there are any of, the worst first."""
        kinds = dict.fromkeys(fault.severity for fault in self.faults)
        return {kind: tuple(f for f in self.faults if f.severity is kind) for kind in kinds}


def stories(audit: "Audit") -> tuple[Story, ...]:
    """Return what was found at each endpoint, in the order of :func:`by_endpoint`."""
    rows = by_endpoint(audit).to_dict("records")
    keys = [(str(row["account"]), str(row["region"]), str(row["endpoint_id"])) for row in rows]
    found: dict[tuple[str, str, str], list[Finding]] = {key: [] for key in keys}
    for finding in by_urgency(f for f in audit.findings if f.status is Status.FAIL):
        for place in _places_of(finding, keys):
            found[place].append(finding)
    return tuple(
        Story(
            account=key[0],
            region=key[1],
            endpoint_id=key[2],
            name=str(row["name"] or ""),
            faults=tuple(_fault(audit, finding, key) for finding in found[key]),
            bearing=tuple(filter(None, (_bearing(audit, f, key) for f in found[key]))),
            lacking=int(row["not_assessed"]),
        )
        for key, row in zip(keys, rows, strict=True)
    )


def _fault(audit: "Audit", finding: Finding, place: tuple[str, str, str]) -> Fault:
    check = finding.check
    judged = tuple(SCHEMAS[check.population].key)
    here = _at(finding.evidence, place)
    if check.population == "client_vpn_endpoints":
        phrase = check.condition[0]
    elif judged == _JUDGED_BY_ENDPOINT:
        phrase = tr("its {noun} {singular}", noun=check.noun, singular=check.condition[0])
    else:
        phrase = _counted(finding, here)
    return Fault(
        check_id=check.id,
        severity=check.severity,
        phrase=phrase,
        rows=len(here),
        kinds=check.kinds_of(here) or _carried(audit, here),
    )


def _counted(finding: Finding, evidence: pd.DataFrame) -> str:
    """Return in a phrase how many of those judged are affected at a place.

    Not out of how many: the answer counts all places, and two totals for one thing confuse.
    """
    check = finding.check
    affected = len(evidence[list(SCHEMAS[check.population].key)].astype(str).drop_duplicates())
    return tr(
        "{things} {plural}",
        things=count(affected, check.noun),
        singular=check.condition[0],
        plural=check.condition[affected != 1],
    )


def _carried(audit: "Audit", evidence: pd.DataFrame) -> str:
    """Say which endpoints carry security groups that evidence without an endpoint names."""
    if "group_id" not in evidence or "endpoint_id" in evidence:
        return ""
    held = audit.tables.shared("endpoint_security_groups")
    ids = held.loc[held["effective"] & held["group_id"].isin(evidence["group_id"]), "endpoint_id"]
    if ids.empty:
        return ""
    who = listed(spoken(sorted(set(ids)), names(audit)), most=3)
    return tr("also on {endpoints}", endpoints=who)


def _bearing(audit: "Audit", finding: Finding, place: tuple[str, str, str]) -> str:
    return finding.check.bearing_of(audit.tables, _at(finding.evidence, place))


def _at(rows: pd.DataFrame, place: tuple[str, str, str]) -> pd.DataFrame:
    """Return the rows of one account, Region and endpoint."""
    here = (rows["account"] == place[0]) & (rows["region"] == place[1])
    if "endpoint_id" in rows:
        here &= rows["endpoint_id"].fillna(NO_ENDPOINT) == place[2]
    return rows[here]


def bearings(audit: "Audit") -> dict[str, tuple[str, ...]]:
    """Return what findings mean for all else that is said of their endpoint, by endpoint id."""
    return {story.endpoint_id: story.bearing for story in stories(audit) if story.bearing}


def ranks(audit: "Audit") -> dict[str, int]:
    """Return the place of each endpoint by its id, the worst first: the order of every table."""
    return {id: at for at, id in enumerate(by_endpoint(audit)["endpoint_id"])}


def by_endpoint(audit: "Audit") -> pd.DataFrame:
    """Return, per endpoint, how many checks fail at each severity and how many lack an answer.

    One row per endpoint that could be read, one for evidence that names no endpoint (if there is
    any), and one per place whose endpoints could not be listed.

    Returns
    -------
    DataFrame
        ``account``, ``region``, ``endpoint_id``, ``name``, a column of counts per severity (the
        worst first), and ``not_assessed``: checks that lacked an answer which concerns this row.
    """
    severities = [severity.value for severity in reversed(Severity)]
    endpoints = audit.tables["client_vpn_endpoints"]
    unseen = audit.tables.gaps("client_vpn_endpoints")
    rows: dict[tuple[str, str, str], dict[str, object]] = {}

    def row(account: str, region: str, endpoint: str, name: str = "") -> dict[str, object]:
        blank = dict.fromkeys([*severities, "not_assessed"], 0)
        place = {"account": account, "region": region, "endpoint_id": endpoint, "name": name}
        return rows.setdefault((account, region, endpoint), {**place, **blank})

    known = endpoints[["account", "region", "endpoint_id", "name"]].astype(object).fillna("")
    for account, region, endpoint, name in known.itertuples(index=False, name=None):
        row(account, region, endpoint, name)
    for account, region in unseen[["account", "region"]].itertuples(index=False, name=None):
        row(account, region, UNLISTED)
    for finding in audit.findings:
        for place in _places_of(finding, rows):
            found = row(*place)
            found[finding.check.severity.value] += 1  # type: ignore[operator]
    for finding in audit.findings:  # now that every row is there
        for place in _unassessed(finding, rows):
            rows[place]["not_assessed"] += 1  # type: ignore[operator]
    columns = ["account", "region", "endpoint_id", "name", *severities, "not_assessed"]
    frame = pd.DataFrame(rows.values(), columns=columns)
    no_endpoint = frame["endpoint_id"].isin([NO_ENDPOINT, UNLISTED])
    return (
        frame.assign(no_endpoint=no_endpoint)
        .sort_values(
            ["no_endpoint", *severities, "account", "region", "endpoint_id"],
            ascending=[True, *[False] * len(severities), True, True, True],
            ignore_index=True,
        )
        .drop(columns="no_endpoint")
    )


def _places_of(finding: Finding, rows: Iterable[tuple[str, str, str]]) -> set[tuple[str, str, str]]:
    """Return the rows a finding's evidence belongs to."""
    evidence = finding.evidence
    if evidence.empty:
        return set()
    endpoint = (
        evidence["endpoint_id"].astype(object).fillna(NO_ENDPOINT)
        if "endpoint_id" in evidence
        else pd.Series(NO_ENDPOINT, index=evidence.index)
    )
    return set(
        zip(evidence["account"].astype(str), evidence["region"].astype(str), endpoint, strict=True)
    )


def _unassessed(
    finding: Finding, rows: Iterable[tuple[str, str, str]]
) -> set[tuple[str, str, str]]:
    """Return the rows that a missing answer of this finding concerns."""
    gaps = finding.gaps[["account", "region", "resource"]].astype(object).fillna("")
    of_endpoints = "endpoint_id" in SCHEMAS[finding.check.population].names
    touched = set()
    for account, region, resource in gaps.itertuples(index=False, name=None):
        of_one_endpoint = str(resource).startswith("cvpn-endpoint-")
        touched |= {
            row
            for row in rows
            if row[:2] == (account, region)
            and (row[2] != NO_ENDPOINT or not of_endpoints)
            and (not of_one_endpoint or row[2] == resource)
        }
    return touched
