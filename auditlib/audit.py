"""An audit: a snapshot, its tables, what could not be read, and what the checks found."""

from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from auditlib.check import Finding
from auditlib.check import audit as findings_of
from auditlib.errors import AuditError
from auditlib.language import marked, tr, tr_as
from auditlib.schemas import SCHEMAS
from auditlib.snapshot import Snapshot
from auditlib.tables import Tables, nearest

if TYPE_CHECKING:
    from os import PathLike

    from auditlib.accepted import AcceptedRisks
    from auditlib.access.explanation import Explanation
    from auditlib.changes.preview import Preview
    from auditlib.found import Found

__all__ = ["Audit", "open_audit", "tables_overview"]


class Audit:
    """What one snapshot says, from the raw answers to the findings.

    Attributes
    ----------
    snapshot
        AWS's answers and the outcome of every call.
    tables
        Its tables and views: ``audit.tables.security_group_rules``.
    accepted
        The accepted risks its findings take into account; ``None`` for none.
    """

    def __init__(self, snapshot: Snapshot, accepted: "AcceptedRisks | None" = None) -> None:
        self.snapshot = snapshot
        self.tables = Tables(snapshot)
        self._proposals: dict[str, Preview] = {}
        self.accepted = accepted

    @cached_property
    def gaps(self) -> pd.DataFrame:
        """What could not be read, one row per table and call, in ``schemas.GAPS`` columns."""
        return self.tables.gaps()

    @cached_property
    def coverage(self) -> pd.DataFrame:
        """One row per read and place: calls made, answered, refused, missing."""
        return self.tables.coverage()

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """What every check found, the most severe check first."""
        return findings_of(self.tables, accept=self.accepted)

    def finding(self, id: str) -> Finding:
        """Return what one check found.

        Raises
        ------
        ParameterError
            When there is no check of this id; names the nearest.
        """
        by_id = {finding.check.id: finding for finding in self.findings}
        if id not in by_id:
            raise nearest(id, by_id, noun=marked("check"))
        return by_id[id]

    def proposal(self, id: str) -> "Preview":
        """Return the preview of one check's fix; where it makes no change, its decisions say why.

        Raises
        ------
        ParameterError
            When there is no check of this id; names the nearest.
        """
        if id not in self._proposals:
            from auditlib.changes.preview import proposal

            self._proposals[id] = proposal(self.tables, [id], known=self.findings)
        return self._proposals[id]

    def reach(
        self,
        endpoint: str | None = None,
        group: str | None = None,
        to: str | None = None,
        port: int | None = None,
        *,
        protocol: str | None = None,
        summary: bool = False,
    ) -> pd.DataFrame:
        """Return who reaches what; parameters and columns are :func:`auditlib.access.reach`'s."""
        from auditlib.access import reach

        return reach(self.tables, endpoint, group, to, port, protocol=protocol, summary=summary)

    def explain(
        self,
        endpoint: str,
        to: str,
        port: int | None = None,
        *,
        protocol: str = "tcp",
        group: str | None = None,
    ) -> "Explanation":
        """Return why an address is reached or not, hop by hop; see :func:`auditlib.access.explain`."""
        from auditlib.access import explain

        return explain(self.tables, endpoint, to, port, protocol=protocol, group=group)

    def find(self, text: str) -> "Found":
        """Return all that is known about an id, an address, a network or part of a name.

        See :func:`auditlib.found.find`.
        """
        from auditlib.found import find

        return find(self, text)

    def __repr__(self) -> str:
        try:
            return self._summary()
        except AuditError as error:
            return tr("Audit of {name}: {error}", name=self.snapshot.name, error=error)

    def _summary(self) -> str:
        places = [f"{account}/{region}" for account, region in self.snapshot.places]
        shown = tr_as("list", ", ").join(places[:5]) or tr("nothing was looked at")
        if len(places) > 5:
            shown = tr("{places} and {more} more", places=shown, more=len(places) - 5)
        calls = len(self.gaps.drop_duplicates(["account", "region", "operation", "resource"]))
        read = (
            tr("{calls} calls could not be read, see .gaps", calls=calls)
            if calls
            else tr("everything was read")
        )
        judged = (
            tr("{number} findings", number=len(self.findings))
            if "findings" in self.__dict__
            else tr("see .findings")
        )
        return tr(
            "Audit of {name}: {places}\n  {endpoints} Client VPN endpoints; {read}\n"
            "  {tables} tables, see .tables; {judged}",
            name=self.snapshot.name,
            places=shown,
            endpoints=len(self.tables["client_vpn_endpoints"]),
            read=read,
            tables=len(SCHEMAS),
            judged=judged,
        )

    def _repr_html_(self) -> str | None:
        from auditlib.display import audit_html

        return audit_html(self)


def open_audit(
    path: "str | PathLike[str] | None" = None,
    accepted: "str | PathLike[str] | None" = None,
    *,
    today: str | date = "",
) -> Audit:
    """Open a snapshot for auditing.

    Parameters
    ----------
    path
        A snapshot folder or .zip; the bundled sample when none is given.
    accepted
        A YAML file of accepted risks (docs/accepted-risks.md).
    today
        The day on which accepted risks must hold, as a date or as ``2027-03-31``; today, in UTC,
        when not given.

    Raises
    ------
    SnapshotError
        When it is no readable snapshot.
    ParameterError
        When the file of accepted risks cannot be read, or an entry in it is wrong.
    """
    from auditlib.snapshot import load

    loaded = load(Path(__file__).with_name("sample") if path is None else Path(path))
    if not accepted:
        return Audit(loaded)
    from auditlib.accepted import accepted_risks, day_of

    day = day_of(today) if isinstance(today, str) else today
    return Audit(loaded, accepted_risks(accepted, day))


def tables_overview(audit: Audit) -> pd.DataFrame:
    """Return every table and view with its number of rows, columns and gaps."""
    tables = audit.tables
    return pd.DataFrame(
        {
            "table": list(tables.names),
            "kind": ["view" if SCHEMAS[name].inputs else "table" for name in tables.names],
            "rows": [len(tables[name]) for name in tables.names],
            "columns": [len(SCHEMAS[name].columns) for name in tables.names],
            "gaps": [len(tables.gaps(name)) for name in tables.names],
            "row": [SCHEMAS[name].row for name in tables.names],
        }
    )
