"""Judging an account takes seconds, and many tests judge the same: it is judged once a process."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pandas as pd

from auditlib.accepted import AcceptedRisks
from auditlib.check import Check, Finding, audit, checks
from auditlib.language import current
from auditlib.tables import Tables

__all__ = ["Judged"]

KEPT = 60
"""How many accounts are remembered, of which each takes a megabyte or two."""


class Judged:
    """Stands for ``auditlib.audit.findings_of``, and remembers what it found.

    What it returns is the caller's own: frames are copied on write, and no cell of them can be
    written into. Tables are told apart by their snapshot, as an audit's can be, so those that have
    other frames than their snapshot has are not for it.
    """

    def __init__(self) -> None:
        self._found: dict[Any, tuple[tuple[Finding, ...], tuple[Check, ...]]] = {}

    def __call__(
        self, tables: Tables, *, accept: AcceptedRisks | None = None
    ) -> tuple[Finding, ...]:
        of, made = tables.snapshot, checks()
        ids = tuple(map(id, made))  # theirs for good, for they are kept
        key = of.digest, repr(of.manifest), of.name, of.has_manifest, ids, current()
        found, _ = self._found.pop(key, (None, made))
        if found is None:
            found = audit(tables)
            for one in found:
                _refuse_what_can_be_written_into(one.evidence)
        self._found[key] = found, made  # the newest is the last
        if len(self._found) > KEPT:
            del self._found[next(iter(self._found))]
        findings = map(_copied, found)
        return tuple(findings if accept is None else _accepting(findings, tables, accept))


def _accepting(
    findings: Iterator[Finding], tables: Tables, accept: AcceptedRisks
) -> Iterator[Finding]:
    """Judge only what an entry is about anew: of the rest nothing is accepted."""
    about = {entry.check for entry in accept.entries}
    anew = {found.check.id: found for found in audit(tables, only=about, accept=accept)}
    for one in findings:
        if one.check.id in anew:
            yield anew[one.check.id]
        elif one.evidence.empty:
            yield one
        else:
            none = accept(one.check, one.evidence).reset_index(drop=True)
            assert none.empty
            yield replace(one, accepted=none)


def _copied(one: Finding) -> Finding:
    frames: dict[str, pd.DataFrame] = {
        name: getattr(one, name).copy(deep=False) for name in ("evidence", "gaps", "accepted")
    }
    return replace(one, **frames)


def _refuse_what_can_be_written_into(frame: pd.DataFrame) -> None:
    for name in frame:
        list(map(hash, frame[name].tolist()))
