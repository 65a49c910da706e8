"""An audit: a snapshot, its tables, what could not be read, and what the checks found."""

from dataclasses import replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from auditlib.check import Finding, Status, checks
from auditlib.check import audit as findings_of
from auditlib.errors import AuditError
from auditlib.language import marked, tr, tr_as
from auditlib.schemas import SCHEMAS
from auditlib.snapshot import Snapshot
from auditlib.tables import Tables, nearest
from auditlib.words import told

if TYPE_CHECKING:
    from os import PathLike

    from auditlib.accepted import AcceptedRisks
    from auditlib.access.explanation import Explanation
    from auditlib.changes.endings import Ending
    from auditlib.changes.preview import Preview
    from auditlib.found import Found
    from auditlib.parts import Parts
    from auditlib.steps import Step

__all__ = ["Audit", "open_audit", "tables_overview"]


class Audit:
    """What one snapshot says, from the raw answers to the findings.

    Ask it in this order: ``audit`` (what was read), ``audit.findings``,
    ``audit["vpn-sg-is-shared"]`` (one check, with its evidence), ``audit.proposal("vpn-sg-is-shared")``
    (what its fix would change), ``audit.reach(...)`` and ``audit.explain(...)`` (who reaches what, and
    why), ``audit.find("10.0.1.5")`` (all about one thing). ``audit.frames`` has each part of the
    report as a frame, ``auditlib.grid.grid(frame)`` sorts and filters one.

    Attributes
    ----------
    snapshot
        AWS's answers and the outcome of every call.
    tables
        Its tables and views: ``audit.tables.security_group_rules``; ``audit.tables`` lists them.
    accepted
        The accepted risks its findings take into account; ``None`` for none.
    earlier
        The tables of the snapshot before it, as far as a report knows one; ``None`` for none.

    Examples
    --------
    >>> audit = open_audit()  # the bundled sample
    >>> audit["vpn-sg-is-shared"].status.value, len(audit["vpn-sg-is-shared"].evidence)
    ('fail', 8)
    """

    def __init__(self, snapshot: Snapshot, accepted: "AcceptedRisks | None" = None) -> None:
        self.snapshot = snapshot
        self.tables = Tables(snapshot)
        self._proposals: dict[str, Preview] = {}
        self.accepted = accepted
        self.earlier: Tables | None = None

    @cached_property
    def gaps(self) -> pd.DataFrame:
        """What could not be read, one row per table and call, in ``schemas.GAPS`` columns.

        ``iam_action`` is what to allow. Which checks a call leaves open: ``audit.frames.not_read``.
        """
        return self.tables.gaps()

    @cached_property
    def coverage(self) -> pd.DataFrame:
        """One row per read and place: calls made, answered, refused, missing.

        Where ``answered`` is less than ``calls``, ``audit.gaps`` says what is lacking.
        """
        return self.tables.coverage()

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """What every check found, the most severe check first.

        Each has ``.status``, ``.answer`` (a sentence), ``.evidence``, ``.gaps`` and ``.check`` (why it
        matters, what to do, how to verify). One by its id: ``audit["its-id"]``. All as a table:
        ``audit.frames.findings``; all evidence: ``audit.frames.evidence``.
        """
        return findings_of(self.tables, accept=self.accepted)

    @cached_property
    def names(self) -> dict[str, str]:
        """What people call the things behind ids: a Name tag, a group's name, a rule's description.

        All that is known of one thing: ``audit.find("sg-…")``.
        """
        from auditlib.summary import names_in

        return names_in(self.tables)

    @cached_property
    def names_told(self) -> dict[str, str]:
        """The names as pages repeat them: what has a suspicious one is called by its id, not as in ``audit.names``."""
        return {id: told(id, name) for id, name in self.names.items()}

    def finding(self, id: str) -> Finding:
        """Return what one check found; ``audit["its-id"]`` is the same, with completion.

        Raises
        ------
        ParameterError
            When there is no check of this id; names the nearest.

        Examples
        --------
        >>> open_audit().finding("connection-logging-is-off").answer
        'One of the 6 Client VPN endpoints has connection logging switched off.'
        """
        by_id = {finding.check.id: finding for finding in self.findings}
        if id not in by_id:
            raise nearest(id, by_id, noun=marked("check"))
        return by_id[id]

    def __getitem__(self, id: str) -> Finding:
        return self.finding(id)

    def _ipython_key_completions_(self) -> list[str]:
        return [made.id for made in checks()]

    @property
    def frames(self) -> "Parts":
        """Every part of the report as a frame; ``audit.frames`` lists them."""
        from auditlib.parts import Parts

        return Parts(self)

    def proposal(self, id: str) -> "Preview":
        """Return the preview of one check's fix; where it makes no change, its decisions say why.

        It tries the fix on the tables of the snapshot, never on AWS. ``.steps`` has the changes with
        their AWS CLI and Terraform, ``.access`` who loses or gains what, ``.findings`` what is
        resolved or newly raised, ``.doubts`` what could not be judged, ``.rollback`` the way back.

        Raises
        ------
        ParameterError
            When there is no check of this id; names the nearest.
        """
        if id not in self._proposals:
            from auditlib.changes.preview import proposal
            from auditlib.former import LOG_OFF, with_former_logs

            made = proposal(self.tables, [id], known=self.findings)
            self._proposals[id] = (
                with_former_logs(self, made)
                if id == LOG_OFF and self.earlier
                else replace(made, decisions=(*made.decisions, *self.ended_by(id)))
            )
        return self._proposals[id]

    @cached_property
    def steps(self) -> "tuple[Step, ...]":
        """What to do first, as a report's first page has it; ``audit.frames.first_steps`` has all as a frame."""
        from auditlib.steps import first_steps

        return first_steps(self)

    def ended_by(self, id: str) -> tuple[str, ...]:
        """Return in sentences which fixes of other findings end how much of one that has none.

        ``audit.proposal(id)`` of each shows what else it does.
        """
        from auditlib.changes.endings import endings_told

        return endings_told(self._endings.get(id, ()))

    @cached_property
    def _endings(self) -> "dict[str, tuple[Ending, ...]]":
        from auditlib.changes.endings import endings

        return endings(self.tables, self.findings)

    @cached_property
    def fixes(self) -> tuple["Preview", ...]:
        """The previews of all failing findings' fixes, the most severe first; some make no change.

        Those that give endpoints other groups are one endpoint at a time, and those of them that make
        the very same changes are one: its ``.checks`` names what it is the fix of.
        """
        apart = {id for one in self.at_endpoints for id in one.checks}
        return tuple(
            preview
            for finding in self.findings
            if finding.status is Status.FAIL
            for id in [finding.check.id]
            for preview in (
                [one for one in self.at_endpoints if one.checks[0] == id]
                if id in apart
                else [self.proposal(id)]
            )
        )

    @cached_property
    def at_endpoints(self) -> tuple["Preview", ...]:
        """Those of ``audit.fixes`` that give an endpoint other groups."""
        from auditlib.changes.preview import at_endpoints

        return at_endpoints(self.tables, self.findings)

    def proposals(self, id: str) -> tuple["Preview", ...]:
        """Return the previews of one failing check's fix, as they are among ``audit.fixes``.

        Raises
        ------
        ParameterError
            When there is no check of this id; names the nearest.
        """
        from auditlib.changes.fixes import switches_groups

        if switches_groups(id) and self.finding(id).status is Status.FAIL:
            return tuple(one for one in self.at_endpoints if id in one.checks)
        return (self.proposal(id),)

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
        """Return what VPN users reach: a row per endpoint, association, group, address and ports.

        Parameters
        ----------
        endpoint
            An id, or a Name tag that no other endpoint has; every endpoint when not given.
        group
            A group that an authorization rule names, or ``*`` for a user in no group; all when not
            given. A group's rows include what everyone has.
        to
            An interface's id, or an address.
        port, protocol
            Only rows that hold this port; without a protocol, TCP or UDP.
        summary
            Fold the associations of an endpoint into one row, with ``subnets``.

        Returns
        -------
        pandas.DataFrame
            ``certainty`` is ``reliable``, ``fragile`` (only with the endpoint's present address) or
            ``unknown`` (part of the way could not be read); ``via`` names the hops and what admits.
            An empty frame is "nothing" only where ``audit.gaps`` is empty too. Why a row is there,
            or is not: :meth:`explain`.

        Raises
        ------
        ParameterError
            When the endpoint, the group or the address is unknown; names the nearest.

        Examples
        --------
        >>> rows = open_audit().reach("corp-vpn", to="10.20.11.40", port=3000)
        >>> sorted(set(rows["group"])), sorted(set(rows["certainty"]))
        (['engineering', 'hr'], ['reliable'])

        See Also
        --------
        auditlib.access.reach : the same, on tables, with every column told.
        """
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
        """Return why an address is reached through an endpoint or not, hop by hop, all blockers named.

        Parameters
        ----------
        endpoint
            An id, or a Name tag that no other endpoint has.
        to
            An interface's id or an address; a network is not one address.
        port
            A port; with ``icmp`` a type; none for every other protocol.
        protocol
            ``tcp``, ``udp``, ``icmp``, ``icmpv6`` or an IANA number.
        group
            The user's group; a user in no group when not given.

        Returns
        -------
        Explanation
            ``.answer`` is the sentence, ``.paths`` one way per association with its hops,
            ``.to_frame()`` all hops as rows. In a notebook it shows as a card.

        Raises
        ------
        ParameterError
            When the endpoint, the group or the address is unknown; names the nearest.
        """
        from auditlib.access import explain

        return explain(self.tables, endpoint, to, port, protocol=protocol, group=group)

    def find(self, text: str) -> "Found":
        """Return all that is known about an id, an address, a network or part of a name.

        Returns
        -------
        Found
            ``.things`` what it is and where it stands, ``.mentions`` who refers to it, ``.reached``
            who reaches it, ``.findings`` the evidence about it, ``.gaps`` what may say more.

        Raises
        ------
        ParameterError
            When nothing holds it; names the nearest.

        Examples
        --------
        >>> open_audit().find("corp-vpn").things[["what", "name"]].values.tolist()
        [['a Client VPN endpoint', 'corp-vpn']]
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

    if (kept := _KEPT.get((path or "", accepted or "", today))) is not None:
        return kept
    loaded = load(Path(__file__).with_name("sample") if path is None else Path(path))
    if not accepted:
        return Audit(loaded)
    from auditlib.accepted import accepted_risks, day_of

    day = day_of(today) if isinstance(today, str) else today
    return Audit(loaded, accepted_risks(accepted, day))


_KEPT: dict[tuple[object, object, object], Audit] = {}


def keep_open(path: str, accepted: str, today: str, earlier: str = "") -> None:
    """Open an audit and judge it; from now on :func:`open_audit` returns it for these arguments.

    For processes that see one state of a snapshot in all their life, as the kernels of a report.
    ``earlier`` is the snapshot before it.
    """
    audit = open_audit(path or None, accepted or None, today=today)
    audit.earlier = open_audit(earlier).tables if earlier else None
    _ = audit.findings, audit.reach()
    _KEPT[path, accepted, today] = audit


def keep_proposals() -> None:
    """Work out the fixes of all failing findings of the audits that are kept open."""
    for audit in _KEPT.values():
        _ = audit.fixes, audit.steps


def tables_overview(audit: Audit) -> pd.DataFrame:
    """Return every table and view with its number of rows, columns and gaps."""
    tables = audit.tables
    return pd.DataFrame(
        {
            "table": list(tables.names),
            "kind": [tr("view") if SCHEMAS[name].inputs else tr("table") for name in tables.names],
            "rows": [len(tables[name]) for name in tables.names],
            "columns": [len(SCHEMAS[name].columns) for name in tables.names],
            "gaps": [len(tables.gaps(name)) for name in tables.names],
            "row": [tr(SCHEMAS[name].row) for name in tables.names],
        }
    )
