"""What the fixes of findings end of others that have no fix of their own: tried, not guessed."""

from collections.abc import Sequence
from dataclasses import dataclass

from auditlib.changes.change import Change
from auditlib.changes.endpoints import AddAuthorizationRule
from auditlib.changes.fixes import FIXES
from auditlib.changes.preview import applied
from auditlib.check import Finding, Status, evidence_in, identities
from auditlib.errors import ParameterError
from auditlib.language import sentences, tr
from auditlib.tables import Tables

__all__ = ["Ending", "endings", "endings_told"]


@dataclass(frozen=True, kw_only=True)
class Ending:
    """What the fix of another finding ends of one.

    Attributes
    ----------
    check_id
        The check whose fix it is.
    gone, of
        How many pieces of the evidence are gone with it, of how many.
    by_group
        Whether that fix lets a group in, in place of everyone: its members keep the access.
    """

    check_id: str
    gone: int
    of: int
    by_group: bool


def endings(tables: Tables, known: Sequence[Finding]) -> dict[str, tuple[Ending, ...]]:
    """Return, for each failing check without a fix, which fixes of others end some of what it found.

    Asked are checks whose evidence names receivers, and of the fixes those that mean to close access at
    an endpoint there: each is made on the tables by itself, and the check is asked again.

    Parameters
    ----------
    known
        What checks found with these tables.
    """
    failing = [f for f in known if f.status is Status.FAIL]
    without = [
        f
        for f in failing
        if f.check.id not in FIXES and {"endpoint_id", "eni_id"} <= set(f.evidence)
    ]
    found: dict[str, list[Ending]] = {}
    for other in failing if without else ():
        if other.check.id not in FIXES:
            continue
        fix = FIXES[other.check.id](tables, other.evidence)
        closed_at = {named.endpoint_id for named in fix.named if named.change == "lost"}
        asked = [f for f in without if not closed_at.isdisjoint(f.evidence["endpoint_id"])]
        if not asked or (after := _after(tables, fix.changes)) is None:
            continue
        by_group = any(isinstance(c, AddAuthorizationRule) and c.group_id for c in fix.changes)
        for finding in asked:
            left = set(identities(evidence_in(finding.check, after)))
            old = identities(finding.evidence)
            if gone := sum(one not in left for one in old):
                found.setdefault(finding.check.id, []).append(
                    Ending(check_id=other.check.id, gone=gone, of=len(old), by_group=by_group)
                )
    return {id: tuple(ended) for id, ended in found.items()}


def _after(tables: Tables, changes: Sequence[Change]) -> Tables | None:
    """Return the tables with changes made; ``None`` where there is none, or AWS would refuse one."""
    try:
        return applied(tables, sorted(changes, key=lambda one: one.phase)) if changes else None
    except ParameterError:
        return None


def endings_told(ended: Sequence[Ending]) -> tuple[str, ...]:
    """Say which fixes of others end how much of a finding, a part each; what ends most first."""
    return tuple(_told(one) for one in sorted(ended, key=lambda one: -one.gone))


def _told(ending: Ending) -> str:
    about = {"gone": ending.gone, "all": ending.of, "check": ending.check_id}
    return sentences(
        tr("All of it goes with the fix of {check}.", **about)
        if ending.gone == ending.of
        else tr("One of its {all:,} rows goes with the fix of {check}.", **about)
        if ending.gone == 1
        else tr("{gone:,} of its {all:,} rows go with the fix of {check}.", **about),
        tr(
            "That fix lets in a group that you choose, in place of everyone: its members keep this access."
        )
        if ending.by_group
        else "",
    )
