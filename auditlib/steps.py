"""What to do first: the steps that an audit asks for, the most urgent first."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

import pandas as pd

from auditlib import words
from auditlib.access import EVERYONE, TABLES
from auditlib.changes import ModifyLogging
from auditlib.changes.difference import difference
from auditlib.changes.fixes import (
    FIXES,
    configured_groups,
    gives_own_group,
    let_into_told,
    narrowing,
    rules_left_behind,
    waiting_groups,
)
from auditlib.changes.preview import applied
from auditlib.changes.remarks import extent
from auditlib.check import Finding, Severity, Status, checks, filled_in
from auditlib.checks.idle import endless_log
from auditlib.checks.reach import SENSITIVE_PORTS, sensitive_ports_of
from auditlib.errors import ParameterError
from auditlib.former import LOG_OFF, former_logs, new_openings, waited
from auditlib.frames import rows_of
from auditlib.language import current, filled, marked, sentences, tr, tr_as
from auditlib.outages import Outage, live_sessions
from auditlib.previewed import ready
from auditlib.reached import group_word, without_own
from auditlib.summary import (
    asked,
    blocked_checks,
    by_urgency,
    disguised,
    down,
    identity,
    is_note,
    names,
    refused_calls,
    severities_of,
    short,
    spoken,
    when,
    where,
)
from auditlib.words import clean, count, first_sentence, listed, opening

if TYPE_CHECKING:
    from auditlib.audit import Audit

__all__ = ["Step", "first_steps"]

_IDLE = "endpoint-is-idle"
_FOR_EVERYONE = "authorization-allows-everyone"
_BY_CERTIFICATE = "authentication-is-certificate-only"
_SHARED = "vpn-sg-is-shared"
_ENDLESS = "connection-log-is-kept-for-ever"


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing to do.

    Attributes
    ----------
    what
        What to do, which begins with a verb.
    where
        The endpoints and groups it concerns, by name; a Region where a call was refused.
    how
        The rest of the remedy's first sentence, and what to see to with it.
    parts
        What it takes, in the order of doing; empty where ``how`` says it.
    why
        Why it comes before others.
    check_id
        The finding it answers; empty for "grant and read again".
    ends
        When what it is about ended, or ends; empty where nothing does.
    sessions
        Which live sessions it ends; empty where it ends none for certain.
    has_fix
        Whether the kit has a fix for it, whose card says what that opens and closes.
    fixes
        The fixes that do it: pairs of a check and of an endpoint it is about.
    decides
        The checks, of those in ``fixes`` or ``check_id``, whose fix leaves something to people.
    waits
        Whether the account is to be read again before it.
    names
        Whether it is about suspicious names, which a report lists.
    who, by
        Proposals: who might do it, by what it touches, and by when, by what ends or how severe it is.
    """

    what: str
    where: str = ""
    how: str = ""
    parts: tuple[str, ...] = ()
    why: str
    check_id: str = ""
    ends: str = ""
    sessions: str = ""
    has_fix: bool = False
    fixes: tuple[tuple[str, str], ...] = ()
    decides: tuple[str, ...] = ()
    waits: bool = False
    names: bool = False
    who: str = ""
    by: str = ""


_NETWORK, _IDENTITY = marked("the network administrators"), marked("the identity administrators")
_OWNERS = marked("the owners of the receivers")
_WHO = {
    "authentication": _IDENTITY,
    "cedar_policies": _IDENTITY,
    "connect_handler": _IDENTITY,
    "device_posture": _IDENTITY,
    "idle": marked("the endpoint's owner"),
    "reach": _OWNERS,
    "receivers": _OWNERS,
}
"""Who might do what checks of a subject ask for, by what that touches; for the others who runs the network."""

_TODAY = marked("today")
_WITHIN = {
    Severity.CRITICAL: marked("this week"),
    Severity.HIGH: marked("this week"),
    Severity.MEDIUM: marked("this month"),
    Severity.LOW: marked("this quarter"),
    Severity.INFO: marked("when it suits"),
}
"""By when something of a severity might be done, where nothing ends before."""


def first_steps(audit: "Audit", number: int = 6) -> tuple[Step, ...]:
    """Return the things to do first.

    What has ended comes first, then what may be an incident (who switched a log off, who set names
    that look like something else), then what ends soon, then failing findings by severity. Before the
    first that would have somebody build for an endpoint nobody uses, its owner is asked. Where a
    check could not be assessed, granting what was refused comes before what waits for it, and
    before anything of medium severity or below, for it may hide something worse; it is told even
    where more than ``number`` things are worse, and so is what may be an incident. A question comes
    last, beyond that number: whether named groups should reach ports for administration.
    """
    asking = _Asking(audit)
    ended = [step for f in asking.failing if asking.has_ended(f) for step in asking.steps(f)]
    urgent = [step for f in asking.failing if asking.is_urgent(f) for step in asking.steps(f)]
    others = (step for f in asking.failing if not asking.is_urgent(f) for step in asking.steps(f))
    again = _read_again(audit)
    steps = [*urgent, *islice(others, max(0, number - len(again) - len(urgent)))][:number]
    waiting = (at for at, step in enumerate(steps) if step.waits)
    at = next(waiting, min(len(urgent), number))
    if at < len(steps) and steps[at].waits:
        again = [replace(step, by=steps[at].by) for step in again]
    first = min(len(ended), number)
    return (
        *steps[:first],
        *_incident(audit),
        *steps[first:at],
        *again,
        *steps[at:],
        *_opened_since(audit),
        *_ports_asked_for(audit),
    )


@dataclass(frozen=True)
class _Asking:
    """What an audit asks for, finding by finding."""

    audit: "Audit"
    _ended: frozenset[str] = field(
        default_factory=lambda: frozenset(made.ends_as for made in checks() if made.ends_as)
    )

    @cached_property
    def failing(self) -> tuple[Finding, ...]:
        """The failing findings: what has ended, what ends soon, then the severe ones first."""
        failing = by_urgency(f for f in self.audit.findings if f.status is Status.FAIL)
        return tuple(
            sorted(
                failing,
                key=lambda f: 0 if f.check.id in self._ended else 1 if f.check.ends_as else 2,
            )
        )

    @cached_property
    def down(self) -> dict[str, Outage]:
        """The outages, by endpoint."""
        return {outage.endpoint_id: outage for outage in down(self.audit)}

    def has_ended(self, finding: Finding) -> bool:
        """Tell whether what another check warns of has come with a finding."""
        return finding.check.id in self._ended

    def is_urgent(self, finding: Finding) -> bool:
        """Tell whether a finding comes before reading again."""
        return bool(
            finding.check.severity.rank >= Severity.HIGH.rank
            or self.has_ended(finding)
            or finding.check.ends_as
        )

    @cached_property
    def idle(self) -> dict[str, tuple[Finding, ...]]:
        """The endpoints that nobody uses, with what else fails there; those alone where anything does."""
        quiet = next((f for f in self.failing if f.check.id == _IDLE), None)
        others = {
            id: tuple(
                f
                for f in self.failing
                if f is not quiet and not is_note(f) and (_endpoints(f.evidence) == id).any()
            )
            for id in (() if quiet is None else quiet.evidence["endpoint_id"])
        }
        return {id: found for id, found in others.items() if found}

    @cached_property
    def waiting(self) -> dict[str, tuple[str, ...]]:
        """The endpoints whose settings name groups that wait to be applied, and those groups."""
        tables = self.audit.tables
        found = {
            id: waiting_groups(tables, id) for id in tables["client_vpn_endpoints"]["endpoint_id"]
        }
        return {id: groups for id, groups in found.items() if groups}

    def steps(self, finding: Finding) -> Iterator[Step]:
        """Yield what a finding asks for: one step, or several where endpoints need different things."""
        for id, others in self.idle.items():
            if others[0] is finding:
                yield self._asking_for(id, others)
        left, at = finding.evidence, _endpoints(finding.evidence)
        if finding.check.id == _IDLE:
            left = left[~at.isin(self.idle)]
        elif gives_own_group(finding.check.id):
            apart = [id for id in at.unique() if id in self.waiting]
            left = left[~at.isin(apart)]
            for id in apart:
                if len(left) == 0 or not self._is_applied_before(id, finding):
                    yield self._applying(replace(finding, evidence=finding.evidence[at == id]), id)
        else:
            apart = [id for id, one in self.down.items() if one.check_id == finding.check.id]
            for id in apart:
                yield self._restoring(replace(finding, evidence=left[at == id]), self.down[id])
            left = left[~at.isin(apart)]
        if len(left):
            yield self._step(replace(finding, evidence=left))

    def _is_applied_before(self, id: str, finding: Finding) -> bool:
        """Tell whether a step for a finding further up applies an endpoint's waiting groups already."""
        above = self.failing[: self.failing.index(finding)]
        return any(
            gives_own_group(f.check.id) and (_endpoints(f.evidence) == id).any() for f in above
        )

    def _step(self, finding: Finding) -> Step:
        what, how = _parted(filled_in(finding.advised[0], finding.evidence))
        if errand := self._errand(finding):
            what, how = errand, how or what
        soon = finding.check.ends_as or finding.check.id in self._ended
        return Step(
            what=what,
            where=where(
                finding,
                names(self.audit),
                dict.fromkeys(self.idle, tr("only if it is kept")),
            ),
            how=sentences(how, *self._left_behind(finding)),
            why=tr(
                "{severity}: {answer}",
                severity=opening(tr(finding.check.severity.value)),
                answer=sentences(short(finding), *self.audit.ended_by(finding.check.id)),
            ),
            check_id=finding.check.id,
            ends=_ends(self.audit, finding) if soon else "",
            sessions=self._sessions(finding),
            has_fix=finding.check.id in ready(),
            fixes=_fixes(finding.check.id, finding.evidence),
            decides=self._deciding({finding.check.id: finding.evidence}),
            who=tr(_WHO.get(finding.check.subject, _NETWORK)),
            by=self._by(finding),
        )

    def _by(self, finding: Finding) -> str:
        """Propose by when to do what a finding asks for."""
        if self.has_ended(finding):
            return tr(_TODAY)
        ends = _end_times(finding) if finding.check.ends_as else []
        if not ends:
            return tr(_WITHIN[finding.check.severity])
        said = identity(self.audit)
        moment = said.finished or said.started
        if moment is not None and min(ends) <= moment:
            return tr(_TODAY)
        return tr("before {day}", day=f"{min(ends):%Y-%m-%d}")

    def _left_behind(self, finding: Finding) -> Iterator[str]:
        """Say which rules stay on other interfaces of the groups that the endpoints of a finding leave."""
        if gives_own_group(finding.check.id):
            for id in dict.fromkeys(_endpoints(finding.evidence)):
                yield from rules_left_behind(self.audit.tables, id, self._named)

    def _deciding(self, found: Mapping[str, pd.DataFrame]) -> tuple[str, ...]:
        """Return the checks whose fix for some evidence leaves something to people."""
        return tuple(
            id
            for id, evidence in found.items()
            if id in FIXES and FIXES[id](self.audit.tables, evidence).decisions
        )

    def _errand(self, finding: Finding) -> str:
        """Say what a step is about by the names of the things it concerns; empty where it has no such head."""
        made = finding.check
        ends = _end_times(finding)
        if not made.errand or ("{day}" in made.errand and not ends):
            return ""
        about = {}
        for name, column in (("endpoints", "endpoint_id"), ("receivers", "eni_id")):
            ids = finding.evidence[column].dropna().unique() if column in finding.evidence else ()
            about[name] = listed(spoken(ids, names(self.audit)), most=3)
        day = f"{min(ends):%Y-%m-%d}" if ends else ""
        return filled(made.errand, {**about, "day": day})

    def _asking_for(self, id: str, others: Sequence[Finding]) -> Step:
        """Return the step that asks whether an endpoint is needed, before anybody builds for it."""
        quiet = self.audit.finding(_IDLE)
        (row,) = rows_of(quiet.evidence[quiet.evidence["endpoint_id"] == id])
        endpoints = self.audit.tables["client_vpn_endpoints"]
        (endpoint,) = rows_of(endpoints[endpoints["endpoint_id"] == id])
        log = endless_log(self.audit.tables, endpoint)
        ended = [f for f in others if not log or f.check.id != _ENDLESS]
        counted = severities_of([*ended, quiet])  # an endpoint that is gone is not idle either
        stays = (
            tr(
                "Its log stays in {group}, and is kept for ever ({check}).",
                group=log,
                check=_ENDLESS,
            )
            if log
            else ""
        )
        return replace(
            self._step(quiet),
            what=tr(
                "Ask the owner of {endpoint} whether anybody needs it.", endpoint=self._called(id)
            ),
            where="",
            how=""
            if row.associations
            else sentences(
                tr(
                    "If not, delete it: that ends its part in what {counted} checks found.",
                    counted=counted,
                ),
                stays,
            ),
            parts=(
                self._to_note(endpoint),
                tr(
                    "Take away its associations, so that nobody can connect: {calls}.",
                    calls="; ".join(self._disassociating(endpoint)),
                ),
                sentences(
                    tr(
                        "Delete it later: that ends its part in what {counted} checks found.",
                        counted=counted,
                    ),
                    stays,
                ),
            )
            if row.associations
            else (),
            why=row.reason,
            by=tr(_WITHIN[max((f.check.severity for f in others), key=lambda one: one.rank)]),
        )

    def _to_note(self, endpoint: Any) -> str:
        """Say what to note before an endpoint's associations are taken away, for the way back."""
        id, tables = endpoint.endpoint_id, self.audit.tables
        held, routes = tables["client_vpn_target_networks"], tables["client_vpn_routes"]
        subnets = held.loc[held["endpoint_id"] == id, "subnet_id"].dropna()
        by_hand = routes[(routes["endpoint_id"] == id) & routes["origin"].ne("associate")]
        noted = [
            *(tr("subnet {subnet}", subnet=subnet) for subnet in sorted(set(subnets))),
            *sorted(
                tr(
                    "route {network} through {target}",
                    network=row.destination_cidr,
                    target=row.target_subnet,
                )
                for row in rows_of(by_hand)
            ),
        ]
        return sentences(
            tr(
                "If nobody does, note its subnets and routes: AWS deletes the routes with the associations, "
                "those that were added by hand too, and associating a subnet again brings back only the one "
                "for the VPC."
            ),
            tr("As read: {noted}.", noted=listed(noted, most=8)) if noted else "",
            tr(
                "Its settings name no security group, so it would come back with the VPC's default one."
            )
            if not endpoint.security_group_ids and isinstance(endpoint.vpc_id, str)
            else "",
        )

    def _disassociating(self, endpoint: Any) -> Iterator[str]:
        """Yield the calls that take an endpoint's associations away."""
        held = self.audit.tables["client_vpn_target_networks"]
        for id in sorted(held.loc[held["endpoint_id"] == endpoint.endpoint_id, "association_id"]):
            words_of_it = (
                "aws ec2 disassociate-client-vpn-target-network --client-vpn-endpoint-id",
                shlex.quote(endpoint.endpoint_id),
                "--association-id",
                shlex.quote(id),
                "--region",
                shlex.quote(str(endpoint.region)),
            )
            yield " ".join(words_of_it)

    def _called(self, id: str) -> str:
        return clean(names(self.audit).get(id)) or id

    def _named(self, id: object, name: object) -> str:
        """Return what a thing is called in a sentence."""
        del name
        return spoken([str(id)], names(self.audit))[0]

    def _applying(self, finding: Finding, id: str) -> Step:
        """Return the step that applies the groups which an endpoint's settings name already."""
        called = names(self.audit)
        groups = self.waiting[id]
        gaps = self.audit.tables.gaps(*TABLES)
        gaps = gaps[gaps["region"].isin(set(finding.evidence["region"]))]
        effect, losing = self._effect(id)
        return replace(
            self._step(finding),
            what=tr(
                "Apply the security groups that the settings of {endpoint} name.",
                endpoint=self._called(id),
            ),
            how=sentences(
                tr(
                    "No new group is needed: as far as was read, nothing else carries {groups}, and it "
                    "has no inbound rules.",
                    groups=listed(clean(called.get(group)) or group for group in groups),
                ),
                self._waits_since(id),
                effect,
            ),
            parts=(
                *(
                    (
                        tr(
                            "Read the account again first: {calls} gave no answer in its Region.",
                            calls=listed(sorted(set(gaps["service"] + " " + gaps["operation"]))),
                        ),
                    )
                    if len(gaps)
                    else ()
                ),
                tr(
                    "Ask those who administer {receivers} which ports they need through {endpoint}, and add "
                    "rules to these receivers that name {groups} for them. It may be their only way in.",
                    receivers=listed(losing, most=3),
                    endpoint=self._called(id),
                    groups=listed(clean(called.get(group)) or group for group in groups),
                ),
                tr("Only then apply the group."),
            )
            if losing
            else (),
            ends="",
            sessions=tr("AWS does not name a change of groups among those that reset sessions."),
            waits=len(gaps) > 0,
            who=listed([tr(_NETWORK), tr(_OWNERS)]) if losing else tr(_NETWORK),
        )

    def _waits_since(self, id: str) -> str:
        """Say that groups waited to be applied in the earlier snapshot, where that was a day ago or more."""
        since = waited(self.audit, id)
        if since is None:
            return ""
        then, time = since
        days = int(time / pd.Timedelta(days=1))
        return tr(
            "The change waited already when the earlier snapshot was read ({when}, {nouns} before): AWS gives "
            "itself up to four hours, so it seems to be stuck.",
            when=when(then),
            nouns=count(days, "day"),
            days=days,
        )

    def _effect(self, id: str) -> tuple[str, list[str]]:
        """Say who gains and who loses what once the groups that an endpoint's settings name apply.

        The second are the receivers at which access is lost, by name.
        """
        tables = self.audit.tables
        fix = configured_groups(tables, pd.DataFrame({"endpoint_id": [id]}))
        try:
            access = difference(tables, applied(tables, fix.changes))
        except ParameterError:  # AWS would refuse it, as the card of the fix says
            return "", []
        access = access[access["part"] != "own_interface"]

        gained, lost = (
            extent(tables, access[access["change"] == change], self._named)
            for change in ("gained", "lost")
        )
        if gained and lost:
            text = marked("As far as was read, it opens {gained}, and closes {lost}.")
        elif gained:
            text = marked("As far as was read, it opens {gained}, and closes nothing.")
        elif lost:
            text = marked("As far as was read, it closes {lost}, and opens nothing.")
        else:
            text = marked("As far as was read, nobody gains or loses access by it.")
        losing = access.loc[access["change"].eq("lost"), "eni_id"].dropna().unique()
        return (
            tr(text, gained=gained, lost=lost),
            spoken([id for id in losing if id], names(self.audit)),
        )

    def _sessions(self, finding: Finding) -> str:
        """Say which live sessions end; nothing where none does for certain."""
        if not finding.check.ends_sessions:
            return ""
        live = self._live(finding.evidence)
        if live is None:
            return tr("Live sessions may end: plan a window.")
        if not live:
            return tr("No session was live there when it was read.")
        return tr(
            "{sessions} may end: plan a window.", sessions=opening(count(live, "live session"))
        )

    def _live(self, evidence: pd.DataFrame) -> int | None:
        """Return how many sessions were live at the endpoints of some evidence, if they were read."""
        if "endpoint_id" not in evidence or evidence["endpoint_id"].isna().any():
            return None
        places = evidence[["account", "region", "endpoint_id"]].drop_duplicates()
        held = [
            live_sessions(self.audit.tables, *place)
            for place in places.itertuples(index=False, name=None)
        ]
        read = [live for live in held if live is not None]
        return sum(map(len, read)) if len(read) == len(held) else None

    def _restoring(self, finding: Finding, outage: Outage) -> Step:
        """Return the step that lets users of an endpoint connect again."""
        name = clean(outage.name) or outage.endpoint_id
        here = {
            finding.check.id: finding.evidence[_endpoints(finding.evidence) == outage.endpoint_id]
            for finding in self.failing
            if finding.check.id in {LOG_OFF, _FOR_EVERYONE, _BY_CERTIFICATE, _SHARED}
        }
        here = {id: evidence for id, evidence in here.items() if len(evidence)}
        advised = (part for part in finding.advised if part not in finding.at_once.values())
        return replace(
            self._step(finding),
            what=tr("Restore {endpoint}.", endpoint=name),
            how="",
            parts=(
                *self._before_restoring(outage, here),
                *(filled_in(part, finding.evidence) for part in advised),
            ),
            ends=tr("Nobody can connect since {since}.", since=when(outage.since)),
            sessions=tr("Do it at once: {cost}.", cost=outage.cost),
            has_fix=bool(fixes := [id for id in (LOG_OFF, _SHARED) if id in here]),
            fixes=tuple((id, outage.endpoint_id) for id in fixes),
            decides=self._deciding({id: here[id] for id in fixes}),
            who=listed([tr(_NETWORK), tr(_IDENTITY)]),
            by=tr(_TODAY),
        )

    def _before_restoring(self, outage: Outage, here: Mapping[str, pd.DataFrame]) -> Iterator[str]:
        """Say what to see to before an endpoint takes sessions again, in the order of doing.

        Parameters
        ----------
        here
            What else is found at it, by check.
        """
        opens = []
        if _FOR_EVERYONE in here:
            networks = listed(here[_FOR_EVERYONE]["destination_cidr"].unique())
            opens.append(
                tr(
                    "whoever has a certificate that is not revoked gets into {networks}",
                    networks=networks,
                )
                if _BY_CERTIFICATE in here
                else tr("every user gets into {networks}", networks=networks)
            )
        elif _BY_CERTIFICATE in here:
            opens.append(tr("it asks for a certificate and nothing else"))
        if _SHARED in here:
            beside = here[_SHARED]["eni_id"].dropna().unique()
            opens.append(
                tr(
                    "its security group is shared with {interfaces}",
                    interfaces=listed(spoken(beside, names(self.audit)), most=3),
                )
                if len(beside)
                else tr("its security group is shared")
            )
        if LOG_OFF in here and (outage.live is None or len(outage.live)):
            yield tr(
                "Save who is connected, which no log keeps and AWS shows for an hour after a session has "
                "ended: {call}.",
                call="aws ec2 describe-client-vpn-connections --client-vpn-endpoint-id "
                f"{outage.endpoint_id} --region {outage.region} > connections.json",
            )
        if opens:
            yield sentences(
                tr("Decide whether it should open again as it was: {what}.", what=listed(opens)),
                tr(
                    "It should not as long as nobody can say who switched its log off, and whose the live "
                    "sessions are."
                    if outage.live is not None and len(outage.live)
                    else "It should not as long as nobody can say who switched its log off."
                )
                if outage.endpoint_id in former_logs(self.audit)
                else "",
                tr(
                    "If it should, go on with the log and then with the revocation list."
                    if LOG_OFF in here
                    else "If it should, go on with the revocation list."
                )
                if _FOR_EVERYONE in here or _SHARED in here
                else "",
            )
        if LOG_OFF in here:
            yield sentences(
                tr(
                    "Switch on its connection log, which AWS does not name among the changes that reset "
                    "sessions ({check}).",
                    check=LOG_OFF,
                ),
                self._logged_to(outage.endpoint_id),
            )
        if _FOR_EVERYONE in here:
            yield from self._narrowing(
                outage, here[_FOR_EVERYONE], groups=_BY_CERTIFICATE not in here
            )
        if _SHARED in here:
            yield sentences(
                tr(
                    "Only if it should not open as it was: give it a security group of its own ({check}). "
                    "Nobody can test that before users connect again.",
                    check=_SHARED,
                ),
                *rules_left_behind(self.audit.tables, outage.endpoint_id, self._named),
            )

    def _narrowing(self, outage: Outage, evidence: pd.DataFrame, *, groups: bool) -> Iterator[str]:
        """Say how to narrow what everyone is authorized for, and what users may lose by it.

        Parameters
        ----------
        groups
            Whether the endpoint knows groups of users.
        """
        networks = list(dict.fromkeys(evidence["destination_cidr"]))
        yield sentences(
            tr(
                "Only if it should not open as it was: narrow its authorization rules. That resets sessions "
                "too: done now, it ends no session that the import would not end, and nobody can test it "
                "before users connect again."
            ),
            *(
                let_into_told(self.audit.tables, outage.endpoint_id, network, self._named)
                for network in networks
            ),
            tr("The calls are in the fix of {check}.", check=_FOR_EVERYONE) if groups else "",
        )
        if not groups:
            for network in networks:
                yield from narrowing(self.audit.tables, outage.endpoint_id, outage.region, network)

    def _logged_to(self, id: str) -> str:
        """Say to which group an endpoint's log went before it was switched off, where that is known."""
        log = former_logs(self.audit).get(id)
        if log is None or not log.group:
            return ""
        change = ModifyLogging(
            account=log.account,
            region=log.region,
            endpoint_id=id,
            enabled=True,
            log_group=log.group,
        )
        return tr(
            "It wrote to {group} when the earlier snapshot was read ({when}). Look whether that is still there: "
            "{look}. If it is, its last entry tells when it was switched off; let the log go there again: "
            "{call}. If it is gone, CloudTrail says who deleted it (DeleteLogGroup), and another one is to be "
            "made first.",
            group=log.group,
            when=when(log.read_at),
            look=log.look,
            call=shlex.join(("aws", *change.cli())),
        )


def _fixes(id: str, evidence: pd.DataFrame) -> tuple[tuple[str, str], ...]:
    """Return the fixes of some evidence: one for each endpoint it names, or one for all of it."""
    if id not in ready():
        return ()
    return tuple((id, endpoint) for endpoint in dict.fromkeys(_endpoints(evidence)))


def _endpoints(evidence: pd.DataFrame) -> "pd.Series[str]":
    """Return the endpoint of each row of evidence; empty where it names none."""
    if "endpoint_id" not in evidence:
        return pd.Series("", index=evidence.index)
    return evidence["endpoint_id"].fillna("").astype(str)


def _ends(audit: "Audit", finding: Finding) -> str:
    """Return when what a finding is about ended, or ends, the first of them."""
    said = identity(audit)
    moment = said.finished or said.started
    ends = _end_times(finding)
    if moment is None or not ends:
        return ""
    first = min(ends)
    if first <= moment:
        return tr("Ended on {day}.", day=f"{first:%Y-%m-%d}")
    days = (first - moment).days
    return tr(
        "Ends on {day}, {nouns} after the snapshot.",
        day=f"{first:%Y-%m-%d}",
        nouns=count(days, "day"),
        days=days,
    )


def _end_times(finding: Finding) -> list[datetime]:
    """Return the times that evidence holds: when what it is about ends."""
    cells = finding.evidence.astype(object).to_numpy().ravel()
    return [one for one in cells if isinstance(one, datetime) and not pd.isna(one)]


def _opened_since(audit: "Audit") -> list[Step]:
    """Return the step that asks who opened what to VPN users since the earlier snapshot was read."""
    rules = new_openings(audit)
    if rules.empty:
        return []
    held = audit.tables["network_interface_groups"]
    own = set(audit.tables["endpoint_network_interfaces"]["eni_id"])
    on = held[held["group_id"].isin(rules["group_id"]) & ~held["eni_id"].isin(own)]
    receivers = spoken(sorted(set(on["eni_id"])), names(audit))
    told = []
    for row in rows_of(rules.sort_values("rule_id")):
        said = clean(row.description)
        strange = row.rule_id in disguised(audit)
        told.append(
            tr(
                '{rule} ({id}, described as "{text}")',
                rule=words.rule(row),
                id=row.rule_id,
                text=said,
            )
            if said and not strange
            else tr("{rule} ({id})", rule=words.rule(row), id=row.rule_id)
        )
    return [
        Step(
            what=tr(
                "Ask who added rules that let VPN users into {receivers}, and whether they should stay.",
                receivers=listed(receivers, most=3),
            ),
            how=sentences(
                tr(
                    "New since the earlier snapshot: {rules}.",
                    rules=tr_as("list", "; ").join(_bounded(told, 5)),
                ),
                tr(
                    "In CloudTrail the event is AuthorizeSecurityGroupIngress; its event history goes back "
                    "90 days."
                ),
            ),
            why=tr(
                "They were not there when the account was looked at before. They may repeat what other rules "
                "open."
            ),
            who=tr(_OWNERS),
            by=tr(_WITHIN[Severity.MEDIUM]),
        )
    ]


def _ports_asked_for(audit: "Audit") -> list[Step]:
    """Return the step that asks whether user groups should reach ports for administration.

    What everyone reaches is a finding, and left out here. What is reached perhaps is told as that.
    """
    rows = without_own(audit, audit.reach())
    # What no security group filters, as a NAT gateway, is none that anybody administers.
    filtered = set(audit.tables["network_interface_groups"]["eni_id"])
    held = [
        (row, port)
        for row in rows_of(rows[rows["eni_id"].isin(filtered)])
        for port in sensitive_ports_of(row)
    ]
    held.sort(key=lambda one: SENSITIVE_PORTS.index(one[1]))
    sure = {
        (row.endpoint_id, row.group, row.eni_id, port)
        for row, port in held
        if row.certainty != "unknown"
    }
    reached: dict[tuple[bool, str, str], dict[str, set[str]]] = {}
    for row, port in held:
        perhaps = (row.endpoint_id, row.group, row.eni_id, port) not in sure
        if (row.endpoint_id, EVERYONE, row.eni_id, port) in sure:
            continue
        protocol, number, service = port
        named = f"{tr(service)} ({words.traffic(protocol, number, number)})"
        of_group = reached.setdefault((perhaps, row.endpoint_id, row.group), {})
        of_group.setdefault(named, set()).add(row.eni_id)
    alike: dict[tuple[str, str], list[str]] = {}
    for (perhaps, endpoint, group), services in sorted(reached.items()):
        enis = sorted(set().union(*services.values()))
        what = tr(
            "perhaps {services} on {receivers}" if perhaps else "{services} on {receivers}",
            services=listed(services, most=4),
            receivers=listed(spoken(enis, names(audit)), most=3)
            if perhaps
            else count(len(enis), "receiver"),
        )
        alike.setdefault((endpoint, what), []).append(group_word(clean(group)))
    if not alike:
        return []
    lines = [
        tr(
            "{groups} through {endpoint}: {what}",
            groups=listed(groups, most=4),
            endpoint=spoken([endpoint], names(audit))[0],
            what=what,
        )
        for (endpoint, what), groups in alike.items()
    ]
    return [
        Step(
            what=tr("Ask whether these user groups should reach administration or database ports."),
            how=sentences(
                tr("{list}.", list=tr_as("list", "; ").join(_bounded(lines, 5))),
                tr("Perhaps: what decides there could not be read, or AWS does not say it.")
                if any(perhaps for perhaps, *_ in reached)
                else "",
            ),
            why=tr(
                "Whether the members of a group administer these receivers, its name does not tell: no "
                "check judges that."
            ),
            who=tr(_OWNERS),
            by=tr(_WITHIN[Severity.MEDIUM]),
        )
    ]


def _bounded(lines: list[str], most: int) -> list[str]:
    """Return lines, and beyond so many how many there are more."""
    if len(lines) <= most:
        return lines
    return [*lines[:most], tr("and {number} more", number=len(lines) - most)]


def _incident(audit: "Audit") -> list[Step]:
    """Return the step that asks who did what an intruder does: logs switched off, names that mislead."""
    logs, strange = former_logs(audit), disguised(audit)
    if not logs and not strange:
        return []
    off = listed(spoken(logs, names(audit)), most=3)
    named = (
        tr("a suspicious name")
        if len(strange) == 1
        else tr("{number} suspicious names", number=len(strange))
    )
    if logs and strange:
        what = tr(
            "Find out who switched off the connection log of {endpoints}, and who set {names}.",
            endpoints=off,
            names=named,
        )
    elif logs:
        what = tr("Find out who switched off the connection log of {endpoints}.", endpoints=off)
    else:
        what = tr("Ask who set {names}.", names=named)
    read = [log.read_at for log in logs.values() if not pd.isna(log.read_at)]
    return [
        Step(
            what=what,
            names=bool(strange),
            where=tr_as("list", "; ").join(
                part
                for part in (
                    tr("endpoint {name}", name=off) if logs else "",
                    tr("{ids}, by their names", ids=listed(strange, most=6)) if strange else "",
                )
                if part
            ),
            how=sentences(
                tr(
                    "The log was on when the earlier snapshot was read ({when}). In CloudTrail the event "
                    "is ModifyClientVpnEndpoint; its event history goes back 90 days.",
                    when=when(min(read)),
                )
                if read
                else "",
                tr(
                    "A Name tag is set by CreateTags, or when the thing is made; a group's own name when it is "
                    "made (CreateSecurityGroup); a rule's description when it is made or described anew."
                )
                if strange
                else "",
            ),
            why=sentences(
                tr(
                    "Without the log nobody sees who connects. As a setting that is of {severity} severity; that "
                    "it was on makes it a question.",
                    severity=tr(audit.finding(LOG_OFF).check.severity.value),
                )
                if logs
                else "",
                tr(
                    "The names look like markup, links, formulas or disguised file names, as attackers use "
                    "against whoever opens a report."
                )
                if strange
                else "",
                tr("Treat it as a possible incident until it is explained."),
            ),
            check_id=LOG_OFF if logs else "",
            who=tr("those in charge of security"),
            by=tr(_TODAY),
        )
    ]


def _read_again(audit: "Audit") -> list[Step]:
    blocked = blocked_checks(audit.findings)
    if not blocked:
        return []
    lacking = refused_calls(pd.concat([f.gaps for f in blocked]).drop_duplicates())
    was_asked = asked(audit, lacking)
    refused, open_questions = lacking[was_asked], lacking[~was_asked]
    actions = sorted(
        {
            a
            for a, s in zip(refused["iam_action"], refused["status"], strict=True)
            if s == "denied" and a
        }
    )
    old = bool((lacking["status"] == "unsupported").any())
    if refused.empty and not old:  # nothing that another reading of the account would answer
        grant = tr("Find out by hand what the snapshot cannot tell.")
    elif actions:
        grant = tr(
            "Allow {actions}, take a newer boto3 or AWS CLI and collect again."
            if old
            else "Allow {actions} and collect again.",
            actions=listed(actions),
        )
    elif old:
        grant = tr("Take a newer boto3 or AWS CLI and collect again.")
    else:
        grant = tr("Collect again.")
    whole = sum(f.status is Status.NOT_ASSESSED for f in blocked)
    part = len(blocked) - whole
    parts = []
    if whole:
        parts.append(tr("{checks} could not be assessed", checks=count(whole, "check")))
    if part:
        parts.append(tr("{checks} could be assessed only in part", checks=count(part, "check")))
    reasons = []
    if len(refused):
        reasons.append(tr("{calls} gave no answer", calls=count(len(refused), "call")))
    if len(open_questions):
        questions = count(len(open_questions), "more question")
        reasons.append(tr("the snapshot leaves {questions} open", questions=questions))
    about = refused if len(refused) else open_questions
    places_of = sorted(set(zip(about["region"], about["account"], strict=True)))
    return [
        Step(
            what=grant,
            where=listed(
                (
                    tr("{region} (account {account})", region=region, account=account)
                    for region, account in places_of
                ),
                most=3,
            ),
            why=tr(
                "{parts}: {reasons}.",
                parts=opening(listed(parts)),
                reasons=tr_as("list", ", and ").join(reasons),
            ),
            who=tr("who grants permissions and collects"),
            by=tr(_WITHIN[max((f.check.severity for f in blocked), key=lambda one: one.rank)]),
        )
    ]


def _parted(part: str) -> tuple[str, str]:
    """Return what to do, and how, of the part of a remedy that comes first: all that it says."""
    flat = " ".join(part.split())
    first = first_sentence(flat)
    rest = flat.removeprefix(first).strip()
    what, how = _headed(first) if current() == "en" else (first, "")
    return what, sentences(how, rest)


def _headed(sentence: str) -> tuple[str, str]:
    """Part a sentence at its first colon or semicolon, where it has one.

    >>> _headed("Make a new group: apply it.")
    ('Make a new group.', 'Apply it.')
    >>> _headed("Make a new group.")
    ('Make a new group.', '')
    """
    cuts = [at for at in (sentence.find(mark) for mark in (": ", "; ")) if at > 0]
    if not cuts:
        return sentence, ""
    return tr("{sentence}.", sentence=sentence[: min(cuts)]), opening(sentence[min(cuts) + 2 :])
