"""What each page answers, in two or three sentences: they stand below its title, before all else.

Everything is worked out from findings, rows of reach and previews; nothing here judges anew. What
the page on published controls answers is :func:`auditlib.controls.in_short`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from auditlib import summary
from auditlib.check import Finding, Status
from auditlib.checks.reach import sensitive_ports_of
from auditlib.endpoints import ranks
from auditlib.frames import rows_of
from auditlib.language import marked, sentences, tr, tr_as
from auditlib.reached import EVERYONE, group_word
from auditlib.words import count, listed

if TYPE_CHECKING:
    from auditlib.audit import Audit

__all__ = ["of_fixes", "of_groups", "of_reach", "of_settings"]

MOST = 3
"""Things of a kind that a sentence names; the page below has all of them."""

_OF_GROUPS = "endpoint_groups"
_OF_SETTINGS = (
    "addressing",
    "authentication",
    "availability",
    "cedar_policies",
    "connect_handler",
    "dead_configuration",
    "device_posture",
    "idle",
    "limits",
    "logging",
    "sessions",
    "unused",
)
"""Subjects whose cards the page on settings shows."""


def of_groups(audit: "Audit") -> list[str]:
    """Return whose security groups are as they should be, and what is worst about the others.

    An endpoint is as it should be where every check of endpoints' groups could be judged for it
    and has no evidence against it, accepted evidence included. What other checks that the page shows
    find at such an endpoint is told with it.
    """
    held = [f for f in audit.findings if f.check.subject == _OF_GROUPS]
    judged = next(f for f in held if f.check.id == "vpn-sg-is-default")
    population = judged.check.population_in(audit.tables)
    order = ranks(audit)
    ids = sorted(population["endpoint_id"], key=lambda one: order.get(one, len(order)))
    against = {id for f in held if not summary.is_note(f) for id in _named(f)}
    unsure = _unsure(held, population)
    names = summary.names(audit)

    def called(wanted: Iterable[str]) -> str:
        return listed((names.get(id, id) for id in wanted), most=6)

    told = []
    if bad := [id for id in ids if id in against]:
        told.append(
            tr(
                "The security groups of {endpoints} are not as they should be.",
                endpoints=called(bad),
            )
        )
        told += _worst(held)
    right = [id for id in ids if id not in against and id not in unsure]
    beside = {id: _found_beside(audit, id) for id in right}
    if good := [id for id in right if not beside[id]]:
        told.append(
            tr("Those of {endpoints} are as they should be.", endpoints=called(good))
            if bad
            else tr(
                "The security groups of {endpoints} are as they should be.", endpoints=called(good)
            )
        )
    told += [
        tr(
            "The security groups of {endpoint} itself are as they should be, but it {what}.",
            endpoint=called([id]),
            what=listed(beside[id]),
        )
        for id in right
        if beside[id]
    ]
    if open_ones := [id for id in ids if id not in against and id in unsure]:
        told.append(
            tr(
                "Nothing was found against those of {endpoints}, but not all that decides could be read.",
                endpoints=called(open_ones),
            )
        )
    if not ids:
        told.append(
            tr("Whether an endpoint has security groups could not be read.")
            if len(judged.gaps)
            else tr("No endpoint has security groups of its own to look at.")
        )
    return told


_BESIDE = (
    "receiver-allows-address-not-group",
    "authorization-allows-everyone",
    "authentication-is-certificate-only",
    "connection-logging-is-off",
)
"""Checks that the page on groups shows beside those of the endpoints' groups themselves."""


def _found_beside(audit: "Audit", id: str) -> list[str]:
    """Return in clauses what the checks beside those of groups find at an endpoint, and how often."""
    found = []
    for finding in audit.findings:
        if finding.check.id in _BESIDE and _fails(finding):
            rows = int((finding.evidence["endpoint_id"] == id).sum())
            said = finding.check.condition[0]
            if rows > 1:
                said = tr("{condition} ({number:,} times)", condition=said, number=rows)
            found += [said] if rows else []
    return found


def of_settings(audit: "Audit") -> list[str]:
    """Return how the checks of endpoints' settings came out, and the most severe of what fails."""
    held = [f for f in audit.findings if f.check.subject in _OF_SETTINGS]
    tally = summary.tally(held)
    if not any(tally[outcome] for outcome in _TOLD):
        return [tr("What was read holds nothing that the checks of settings could judge.")]
    parts = [
        tr(_TOLD[outcome], number=number)
        for outcome, number in tally.items()
        if number and outcome in _TOLD
    ]
    told = [tr("Of {number} checks of settings, {parts}.", number=len(held), parts=listed(parts))]
    return told + _worst(held)


_TOLD = {
    "fail": marked("{number} fail"),
    "information": marked("{number} tell of choices"),
    "not_assessed": marked("{number} could not be assessed"),
    "accepted": marked("{number} are accepted"),
    "pass": marked("{number} pass"),
    "passes_elsewhere": marked("{number} pass in part"),
    "has_come": marked("{number} are overtaken: what they warn of has come"),
}


def of_reach(audit: "Audit", rows: pd.DataFrame) -> list[str]:
    """Return who reaches most, who reaches machines on every port, and who ports for administration.

    What is reached by ways that are unknown only is counted apart; the endpoints they belong to are
    named.

    Parameters
    ----------
    rows
        Rows of :func:`auditlib.access.reach`.
    """
    names = summary.names(audit)
    inside = rows[rows["eni_id"].notna()]
    sure = inside[inside["certainty"].ne("unknown")]
    told = []
    if sure.empty:
        told.append(tr("Nothing is reached, as far as could be read."))
    else:
        most = _ranked(inside, names)[0]
        told.append(
            tr("Most is reached by {who}: {receivers}.", who=most.who, receivers=most.receivers)
        )
        if everything := _ranked(inside[inside["protocol"].eq("all")], names):
            told.append(tr("On every port: {list}.", list=_told(everything)))
        # What no security group filters, as a NAT gateway, is none that anybody administers.
        filtered = inside["eni_id"].isin(audit.tables["network_interface_groups"]["eni_id"])
        for_admins = inside[
            [
                bool(on and sensitive_ports_of(row))
                for on, row in zip(filtered, rows_of(inside), strict=True)
            ]
        ]
        told.append(
            tr("On ports for administration or databases: {list}.", list=_told(found))
            if (found := _ranked(for_admins, names, unsure=True))
            else tr(
                "No port for administration or databases that the checks know is reached, as far as could be "
                "read."
            )
        )
    if unknown := dict.fromkeys(rows.loc[rows["certainty"].eq("unknown"), "endpoint_id"]):
        told.append(
            tr(
                "Part of what is reached through {endpoints} is not known.",
                endpoints=listed((names.get(id, id) for id in unknown), most=6),
            )
        )
    return told


@dataclass(frozen=True)
class _Reached:
    """How many receivers somebody reaches for certain, and how many more perhaps."""

    who: str
    surely: int
    perhaps: int

    @property
    def receivers(self) -> str:
        surely = count(self.surely, "receiver")
        if not self.perhaps:
            return surely
        if not self.surely:
            return tr("perhaps {receivers}", receivers=count(self.perhaps, "receiver"))
        return tr(
            "{surely} for certain and {perhaps} perhaps",
            surely=surely,
            perhaps=count(self.perhaps, "receiver"),
        )


def _ranked(
    rows: pd.DataFrame, names: Mapping[str, str], *, unsure: bool = False
) -> list[_Reached]:
    """Return how many receivers are reached and by whom, the most first; groups alike together.

    Parameters
    ----------
    unsure
        Whether those are told too who reach something by unknown ways only.
    """
    reached: dict[tuple[str, frozenset[str], frozenset[str]], list[str]] = {}
    for (endpoint, group), part in rows.groupby(["endpoint_id", "group"]):
        sure = frozenset(part.loc[part["certainty"].ne("unknown"), "eni_id"])
        if sure or unsure:
            perhaps = frozenset(part["eni_id"]) - sure
            reached.setdefault((str(endpoint), sure, perhaps), []).append(str(group))
    found = [
        _Reached(_users(groups, names.get(endpoint, endpoint)), len(sure), len(perhaps))
        for (endpoint, sure, perhaps), groups in reached.items()
    ]
    return sorted(found, key=lambda one: (-one.surely, one.who))


def _users(groups: Sequence[str], endpoint: str) -> str:
    if EVERYONE in groups:
        return tr("every user of {endpoint}", endpoint=endpoint)
    return tr(
        "{groups} through {endpoint}",
        groups=listed(sorted(map(group_word, groups)), most=4),
        endpoint=endpoint,
    )


def _told(ranked: Sequence[_Reached]) -> str:
    parts = [tr("{receivers} for {who}", receivers=one.receivers, who=one.who) for one in ranked]
    between = tr_as("list", "; ")
    if (rest := len(parts) - MOST) > 0:
        parts = [*parts[:MOST], tr("and {number} more", number=rest)]
    return between.join(parts)


def of_fixes(audit: "Audit") -> list[str]:
    """Return how many failing checks have a fix that is ready, what these do, and which have none."""
    failing = [f for f in summary.by_urgency(audit.findings) if _fails(f)]
    if not failing:
        return [tr("No check fails, so there is nothing to fix.")]
    ready = {id for one in audit.fixes if one.steps for id in one.checks}
    with_fix = [f for f in failing if f.check.id in ready]
    told = [
        tr(
            "Checks that fail: {failing}; a fix is ready for {number} of them, for the others people "
            "decide.",
            failing=len(failing),
            number=len(with_fix),
        )
    ]
    worst = [f for f in failing if f.check.severity is failing[0].check.severity]
    lacking = [f for f in worst if f.check.id not in ready]
    about = {"severity": tr(worst[0].check.severity.value)}
    if lacking:
        told.append(
            tr(
                "Of the most severe ({severity}), no fix is ready for: {titles}",
                **about,
                titles=sentences(
                    *(
                        part
                        for f in lacking[:MOST]
                        for part in (summary.headline(f), *audit.ended_by(f.check.id))
                    )
                ),
            )
        )
    else:
        told.append(tr("The most severe ({severity}) have one.", **about))
    return told


def _fails(finding: Finding) -> bool:
    return finding.status is Status.FAIL and not summary.is_note(finding)


def _worst(findings: Iterable[Finding]) -> list[str]:
    """Return what the most severe of failing findings say, in a sentence each."""
    failing = [f for f in summary.by_urgency(findings) if _fails(f)]
    worst = [f for f in failing if f.check.severity is failing[0].check.severity]
    if not worst:
        return []
    return [
        tr(
            "The most severe is {severity}: {answer}"
            if len(worst) == 1
            else "The most severe are {severity}: {answer}",
            severity=tr(worst[0].check.severity.value),
            answer=sentences(*map(summary.short, worst[:MOST])),
        )
    ]


def _named(finding: Finding) -> set[str]:
    """Return the endpoints that evidence names, accepted evidence included."""
    held = (finding.evidence, finding.accepted)
    return {
        str(id) for rows in held if "endpoint_id" in rows for id in rows["endpoint_id"].dropna()
    }


def _unsure(findings: Iterable[Finding], population: pd.DataFrame) -> set[str]:
    """Return the endpoints that a missing answer of these findings concerns."""
    found = set()
    for finding in findings:
        for gap in rows_of(finding.gaps):
            resource = gap.resource if isinstance(gap.resource, str) else ""
            of_one = resource.startswith("cvpn-endpoint-")
            for one in rows_of(population):
                if one.region == gap.region and (not of_one or one.endpoint_id == resource):
                    found.add(str(one.endpoint_id))
    return found
