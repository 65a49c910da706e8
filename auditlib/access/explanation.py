"""Why a packet gets through, or everything that stops it: one way, hop by hop."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from heapq import nsmallest
from typing import Any, Literal

import pandas as pd

from auditlib.access.network import Exit, Passage, Source, answerable, standing, status_word
from auditlib.access.saying import shown
from auditlib.access.ways import EVERYONE, Certainty, Kind, Step, Way
from auditlib.addresses import ALL_IPV4, ALL_IPV6, Ranges, addresses, cidrs, port_rows, port_text
from auditlib.language import marked, tr, tr_as
from auditlib.words import clean, listed, named

__all__ = ["Explanation", "Hop", "Path", "path_of", "step_word"]

State = Literal["open", "closed", "unknown"]
Reachable = Literal["yes", "no", "unknown"]


_STEPS = (
    marked("endpoint"),
    marked("source"),
    marked("association"),
    marked("authorization"),
    marked("endpoint route"),
    marked("egress"),
    marked("network ACL"),
    marked("network ACL out"),
    marked("network ACL back"),
    marked("VPC route"),
    marked("peering"),
    marked("transit gateway"),
    marked("receiver"),
    marked("receiver network ACL"),
    marked("receiver network ACL in"),
    marked("receiver network ACL back"),
    marked("return route"),
    marked("ingress"),
)


def step_word(step: str) -> str:
    """Return what to call a step of a hop.

    >>> step_word("endpoint route")
    'endpoint route'
    """
    return tr(step) if step in _STEPS else step


@dataclass(frozen=True, kw_only=True)
class Hop:
    """One thing a packet has to pass.

    Attributes
    ----------
    step
        Which hop: source, association, authorization, endpoint route, egress, network ACL out, network ACL
        back, VPC route, peering, receiver, receiver network ACL in, receiver network ACL back,
        return route, ingress.
    object_id, object_name
        What decides here: a security group, network ACL, route table …, and its name.
    state
        ``open``, ``closed``, or ``unknown`` where part of it could not be read.
    rules
        Ids of the rules, entries or routes that admit the packet.
    reason
        Why, in words.
    change
        The smallest change that would open it; empty where nothing needs to change, and where no
        change would help (nobody has the address).
    """

    step: str
    object_id: str
    object_name: str = ""
    state: State
    rules: tuple[str, ...] = ()
    reason: str
    change: str = ""


@dataclass(frozen=True, kw_only=True)
class Path:
    """The way of the packet from one association.

    Attributes
    ----------
    subnet_id
        The association's subnet; ``None`` for an endpoint on a transit gateway.
    source
        The endpoint's interface, or the range its address is taken from.
    eni_id, eni_name
        The receiver; ``None`` where none was read.
    reachable, certainty
        ``yes``, ``no`` or ``unknown``; how sure a ``yes`` is: ``reliable`` or ``fragile``.
    hops
        Every hop, in order, the open ones too.
    """

    subnet_id: str | None
    subnet_name: str = ""
    source: str = ""
    eni_id: str | None = None
    eni_name: str = ""
    reachable: Reachable
    certainty: Certainty | None
    hops: tuple[Hop, ...]

    @property
    def blockers(self) -> tuple[Hop, ...]:
        """Everything that stops the packet, not only the first thing."""
        return tuple(hop for hop in self.hops if hop.state == "closed")


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """Whether a user reaches an address on a port, and why.

    Attributes
    ----------
    endpoint_id, endpoint_name, group, to, protocol, port
        The question; ``group`` is ``*`` for a user in no group.
    answer
        One sentence that can stand alone.
    paths
        One per association of the endpoint: a client lands on any of them.
    notes
        What the reader should know beside it.
    """

    endpoint_id: str
    endpoint_name: str
    group: str
    to: str
    protocol: str
    port: int | None
    answer: str
    paths: tuple[Path, ...]
    notes: tuple[str, ...] = ()

    @property
    def reachable(self) -> Reachable:
        """``yes`` when some session gets through, ``unknown`` when that cannot be told."""
        found = {path.reachable for path in self.paths}
        return "yes" if "yes" in found else "unknown" if "unknown" in found else "no"

    @property
    def certainty(self) -> Certainty | None:
        """The best certainty of any association; ``None`` where nothing is reached."""
        found = {path.certainty for path in self.paths}
        return next((c for c in ("reliable", "fragile", "unknown") if c in found), None)

    @property
    def blockers(self) -> tuple[Hop, ...]:
        """Everything that stops the packet on any association, each thing once."""
        return tuple(dict.fromkeys(hop for path in self.paths for hop in path.blockers))

    def to_frame(self) -> pd.DataFrame:
        """Return the hops of every association as rows: ``subnet_id`` and the fields of a hop."""
        rows = [
            {"subnet_id": path.subnet_id, **asdict(hop)} for path in self.paths for hop in path.hops
        ]
        return pd.DataFrame(rows, columns=["subnet_id", *Hop.__dataclass_fields__])

    def to_dict(self) -> dict[str, Any]:
        """Return everything in plain types, for JSON."""
        return {
            "endpoint_id": self.endpoint_id,
            "endpoint_name": self.endpoint_name,
            "group": self.group,
            "to": self.to,
            "protocol": self.protocol,
            "port": self.port,
            "reachable": self.reachable,
            "certainty": self.certainty,
            "answer": self.answer,
            "paths": [asdict(path) for path in self.paths],
            "blockers": [asdict(hop) for hop in self.blockers],
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        lines = [self.answer]
        for path in self.paths:
            where = named(path.subnet_id, path.subnet_name) or tr("the transit gateway")
            verdict = tr(_VERDICTS[path.reachable])
            to = named(path.eni_id, path.eni_name)
            lines += [
                "",
                tr("From {where} to {to}: {verdict}", where=where, to=to, verdict=verdict)
                if to
                else tr("From {where}: {verdict}", where=where, verdict=verdict),
            ]
            for hop in path.hops:
                what = named(hop.object_id, hop.object_name)
                lines.append(f"  {_MARKS[hop.state]} {step_word(hop.step)}: {what}: {hop.reason}")
                if hop.change:
                    lines.append(f"      {tr('to open it: {change}', change=hop.change)}")
        return "\n".join([*lines, *(("", *self.notes) if self.notes else ())])

    def _repr_html_(self) -> str | None:
        from auditlib import display

        html = getattr(display, "explanation_html", None)
        return None if html is None else str(html(self))


_VERDICTS = {"yes": marked("reached"), "no": marked("not reached"), "unknown": marked("not known")}
_MARKS = {"open": "✓", "closed": "✗", "unknown": "?"}


def path_of(way: Way, group: str, address: int, on: Ranges) -> Path:
    """Return the way of a packet from one association.

    Parameters
    ----------
    address
        The destination, as a number on the line of addresses.
    on
        Its protocol and port, one number on the line of ports.
    """
    walk = _Walk(way, group, address, on)
    association = way.association
    network = way.network
    subnet = network.subnets.get(association.subnet_id or "", {})
    found = walk.path()
    reachable: Reachable = "yes"
    certainty: Certainty | None = found.certainty
    if any(hop.state == "closed" for hop in found.hops):
        reachable, certainty = "no", None
    elif certainty not in {"reliable", "fragile"} or any(h.state == "unknown" for h in found.hops):
        reachable, certainty = "unknown", "unknown"
    hops = found.hops
    if reachable == "unknown" and all(hop.state == "open" for hop in hops):
        hops = (*hops, walk.doubt(found.source))
    return Path(
        subnet_id=association.subnet_id,
        subnet_name=clean(subnet.get("name")),
        source=walk.text_of(found.source),
        eni_id=found.eni_id,
        eni_name=clean(network.eni_names.get(found.eni_id or "")),
        reachable=reachable,
        certainty=certainty,
        hops=hops,
    )


@dataclass(frozen=True)
class _Found:
    hops: tuple[Hop, ...]
    certainty: Certainty | None
    source: Source | None = None
    eni_id: str | None = None


class _Walk:
    """One packet on its way from one association."""

    def __init__(self, way: Way, group: str, address: int, on: Ranges) -> None:
        self.way, self.network, self.association = way, way.network, way.association
        self.group, self.address, self.on = group, address, on
        self.point = on.spans[0][0]
        self.ip = cidrs(Ranges(((address, address),)))[0]
        self.one = f"{self.ip}/{32 if address < 2**32 else 128}"
        self.what = port_text(on)

    def path(self) -> _Found:
        """Return the hops; of several receivers with the address, the nearest to being reached."""
        first = [*self._family(), self._authorization(), *self._endpoint_route()]
        if self._is_client():
            return self._to_client(first)
        exit = self.way.vpc_route(self.address)
        vpc, references, leaves = self.way.destination(exit)
        everywhere = self.association.transit_gateway_id is not None
        step = self._step(exit, vpc, references, leaves)
        found = [
            self._with_receiver(first, step, eni_id, kind)
            for eni_id, kind in self._receivers(vpc, everywhere)
        ]
        if not found or (leaves and all(_closed(f.hops) for f in found)):
            found.append(self._without_receiver(first, step, found))
        return min(found, key=lambda f: _cost(f.hops))

    def text_of(self, source: Source | None) -> str:
        """Return where packets come from."""
        if source is not None and source.eni_id is not None and source.address is not None:
            return f"{source.eni_id} ({cidrs(Ranges(((source.address, source.address),)))[0]})"
        if self.association.transit_gateway_id:
            return tr(
                "the client's address, of {ranges}",
                ranges=tr_as("list", ", ").join(cidrs(self.association.range)),
            )
        return tr("an address of the association's subnet")

    def doubt(self, source: Source | None) -> Hop:
        """Return the hop that says why nothing is certain although each hop for itself is open."""
        why = tr(
            "no interface of the endpoint was seen there, and not all its addresses get through"
        )
        doubt = shown(self.association.doubt)
        return Hop(
            step="source",
            object_id=(source and source.eni_id) or str(self.association.subnet_id),
            state="unknown",
            reason=doubt or why,
        )

    # -- hops -----------------------------------------------------------------------------------

    def _hop(
        self,
        step: str,
        object_id: str,
        passage: Passage,
        *,
        name: object = None,
        opened: str,
        shut: str,
        change: str,
    ) -> Hop:
        state = self._state(passage)
        rules = tuple(label for label, on in passage.admits if label and self.point in on)
        why = shown(passage.why)
        unread = why or tr("part of it could not be read")
        reason = {"open": opened, "closed": shut or why, "unknown": unread}[state]
        return Hop(
            step=step,
            object_id=object_id,
            object_name=clean(name),
            state=state,
            rules=rules if state != "closed" else (),
            reason=reason,
            change=change if state == "closed" else "",
        )

    def _state(self, passage: Passage) -> State:
        if self.point in passage.sure:
            return "open"
        return "unknown" if self.point in passage.maybe else "closed"

    def _family(self) -> Iterator[Hop]:
        """Yield the endpoint itself where it carries no packets of this address's kind at all."""
        endpoint = self.way.endpoint
        kind, other = ("IPv4", "IPv6") if self.address < 2**32 else ("IPv6", "IPv4")
        if not any(self.address in family for family in self.association.families):
            yield Hop(
                step="endpoint",
                object_id=endpoint["endpoint_id"],
                object_name=clean(endpoint["name"]),
                state="closed",
                reason=tr(
                    "it carries {other} traffic only, and {ip} is an {kind} address",
                    other=other,
                    ip=self.ip,
                    kind=kind,
                ),
                change=(
                    tr(
                        "Make another endpoint whose traffic address type is dual-stack: AWS offers no way to "
                        "change the type of one that exists."
                    )
                ),
            )

    def _authorization(self) -> Hop:
        way, endpoint = self.way, self.way.endpoint
        passage = way.authorization(self.address, self.group)
        winning = way.winning(self.address)
        who = tr("everyone") if self.group == EVERYONE else self.group
        shut = [tr("no active authorization rule holds {ip}", ip=self.ip)]
        change = tr(
            "Add an authorization rule for {one}, or its network, for {who}.", one=self.one, who=who
        )
        if winning:
            cidr = winning[0]["destination_cidr"]
            owners = listed(sorted({str(row["group_id"]) for row in winning}))
            shut = [
                tr(
                    "{cidr}, the narrowest rule that holds {ip}, is for {owners} only",
                    cidr=cidr,
                    ip=self.ip,
                    owners=owners,
                )
            ]
            wider = self._wider_rule()
            if wider:
                shut.append(tr("it takes the address from the wider rule {wider}", wider=wider))
            if self.group != EVERYONE and cidr != self.one:
                change = tr(
                    "Add an authorization rule for {one}, or its network, for {who}, and one for "
                    "{owners}, who would lose it otherwise.",
                    one=self.one,
                    who=who,
                    owners=owners,
                )
        waiting = self._waiting(self.network.authorization_rules, "destination_cidr")
        if waiting:
            shut.append(
                tr(
                    "a rule for {network} is there but {status}",
                    network=waiting[0],
                    status=waiting[1],
                )
            )
        return self._hop(
            "authorization",
            endpoint["endpoint_id"],
            passage,
            name=endpoint["name"],
            opened=tr("authorized by {rules}", rules=_labels(passage)),
            shut=_together(shut),
            change=change,
        )

    def _wider_rule(self) -> str:
        levels = list(self.way.authorization_levels(self.address))[1:]
        for row in (row for level in levels for row in level):
            if row["access_all"] or row["group_id"] == self.group:
                return str(row["destination_cidr"])
        return ""

    def _waiting(self, rows: dict[str, list[dict[str, Any]]], key: str) -> tuple[str, str] | None:
        """Return the network and status of a rule or route that would match but is not active."""
        for row in rows.get(self.way.endpoint["endpoint_id"], ()):
            if standing(row["status"]) != "in force" and self.address in addresses(row[key]):
                return str(row[key]), shown(status_word(row))
        return None

    def _endpoint_route(self) -> Iterator[Hop]:
        endpoint, subnet = self.way.endpoint, self.association.subnet_id
        passage = self._route()
        waiting = self._waiting(self.network.endpoint_routes, "destination_cidr")
        target = subnet or self.association.transit_gateway_id or tr("its subnet")
        block = endpoint["client_cidr_block"]
        if block and self.address in addresses(block):
            target = "local"
        shut = [tr("no active route to {target} holds {ip}", target=target, ip=self.ip)]
        if waiting:
            shut.append(
                tr("one for {network} is there but {status}", network=waiting[0], status=waiting[1])
            )
        yield self._hop(
            "endpoint route",
            endpoint["endpoint_id"],
            passage,
            name=endpoint["name"],
            opened=tr("routed by {routes}", routes=_labels(passage)),
            shut=_together(shut),
            change=tr(
                "Add a route for {one}, or its network, to {target} to the endpoint.",
                one=self.one,
                target=target,
            ),
        )

    def _outward(self, source: Source, groups: tuple[str, ...] | None, step: Step) -> Iterator[Hop]:
        association = self.association
        if association.transit_gateway_id:
            return
        references = step.references
        to = listed(self._called(groups)) if groups and references else self.one
        passage = self.way.egress(source, self.address, groups, references)
        yield self._hop(
            "egress",
            ", ".join(source.groups),
            passage,
            name=listed(self._names(source.groups)),
            opened=tr("let out by {rules}", rules=_ids(passage, self.point)),
            shut=tr("no outbound rule lets {what} out to {ip}", what=self.what, ip=self.ip),
            change=tr(
                "Allow outbound {what} to {to} in {group}.",
                what=self.what,
                to=to,
                group=source.groups[0] if source.groups else tr("its group"),
            ),
        )

    def _acl(self, title: str, subnet: str | None, remote: int, *, out: bool) -> Iterator[Hop]:
        """Yield the two hops of a network ACL: the packet, and its answer."""
        id = self.network.acl(subnet)
        if id is None:
            why = tr("the network ACL of {subnet} could not be read", subnet=subnet)
            yield Hop(step=title, object_id=str(subnet), state="unknown", reason=why)
            return
        name = self.network.names.get(id)
        ip = cidrs(Ranges(((remote, remote),)))[0]
        forth, admits = self.network.acl_lets(id, is_egress=out, remote=remote)
        yield self._hop(
            f"{title} {'out' if out else 'in'}",
            id,
            Passage(forth, forth, admits),
            name=name,
            opened=tr("let through by {ids}", ids=_ids(Passage(forth, forth, admits), self.point)),
            shut=tr(
                "no entry lets outbound {what} to {ip} through before one denies it"
                if out
                else "no entry lets inbound {what} from {ip} through before one denies it",
                what=self.what,
                ip=ip,
            ),
            change=tr(
                "Allow outbound {what} to {ip}, numbered before the entry that denies it."
                if out
                else "Allow inbound {what} from {ip}, numbered before the entry that denies it.",
                what=self.what,
                ip=ip,
            ),
        )
        back, _ = self.network.acl_lets(id, is_egress=not out, remote=remote)
        sure, maybe = answerable(back)
        protocol = port_rows(self.on)[0][0]
        answers = (
            f"{protocol} 1024–65535"
            if protocol in {"tcp", "udp"}
            else tr("{protocol} answers", protocol=protocol)
        )
        why = tr(
            "only some of {answers} from {ip} are let back: it depends on the port"
            if out
            else "only some of {answers} to {ip} are let back: it depends on the port",
            answers=answers,
            ip=ip,
        )
        yield self._hop(
            f"{title} back",
            id,
            Passage(sure, maybe, (), why),
            name=name,
            opened=tr("the answer is let through"),
            shut=tr(
                "inbound {answers} from {ip} are not let through: answers are stopped"
                if out
                else "outbound {answers} to {ip} are not let through: answers are stopped",
                answers=answers,
                ip=ip,
            ),
            change=tr(
                "Allow inbound {what} from {ip}, numbered before the entry that denies it."
                if out
                else "Allow outbound {what} to {ip}, numbered before the entry that denies it.",
                what=answers,
                ip=ip,
            ),
        )

    def _vpc_route(self, exit: Exit, vpc: str | None, leaves: str, wanted: str | None) -> list[Hop]:
        """Return the hop of the association's route table, and of the peering where there is one."""
        if self.association.transit_gateway_id:
            return [
                Hop(
                    step="transit gateway",
                    object_id=exit.target_id,
                    state="unknown",
                    reason=tr("its route tables were not read"),
                )
            ]
        subnet = self.association.subnet_id
        table = self.network.route_table(subnet, self.association.vpc_id) or str(subnet)
        change = tr(
            "Add a route for {one}, or its network, to local to {table}."
            if wanted == self.association.vpc_id
            else "Add a route for {one}, or its network, to a way to {wanted} to {table}.",
            one=self.one,
            wanted=wanted,
            table=table,
        )

        def hop(state: State, reason: str) -> Hop:
            return Hop(
                step="VPC route",
                object_id=table,
                object_name=clean(self.network.names.get(table)),
                state=state,
                rules=(exit.label,) if state != "closed" else (),
                reason=reason,
                change=change if state == "closed" else "",
            )

        if exit.kind == "none":
            return [hop("closed", tr("{table} has no route for {ip}", table=table, ip=self.ip))]
        if exit.kind == "blackhole":
            gone = exit.target_id or tr("a target")
            return [
                hop(
                    "closed",
                    tr(
                        "{route} leads to {gone}, which is gone", route=shown(exit.label), gone=gone
                    ),
                )
            ]
        if exit.kind == "vpc_peering_connection":
            reason = shown(exit.why) or tr("leads to {target}", target=exit.target_id)
            return [
                hop("open" if exit.sure else "unknown", reason),
                self._peering(exit, vpc, leaves),
            ]
        if leaves:
            return [hop("unknown", shown(leaves))]
        if wanted not in {None, vpc}:
            return [
                hop(
                    "closed",
                    tr(
                        "{route} keeps {ip} inside {vpc}, not {wanted}",
                        route=shown(exit.label),
                        ip=self.ip,
                        vpc=vpc,
                        wanted=wanted,
                    ),
                )
            ]
        if exit.label.startswith("inside "):
            inside = tr("{inside}: no route table is asked", inside=shown(exit.label))
            return [hop("open", inside)]
        return [hop("open", tr("routed by {routes}", routes=shown(exit.label)))]

    def _peering(self, exit: Exit, vpc: str | None, leaves: str) -> Hop:
        peering = self.network.peerings.get((exit.target_id, self.association.vpc_id or ""))
        state: State = "open"
        reason, change = tr("active, leads to {vpc}", vpc=vpc), ""
        if leaves or exit.doubt:
            state, reason = "unknown", shown(leaves or exit.doubt)
        elif vpc is None:
            state = "closed"
            reason = tr(
                "{peering} is not active" if peering else "{peering} does not exist for this VPC",
                peering=exit.target_id,
            )
            change = tr(
                "Have {peering} accepted, or make a new peering and route to it.",
                peering=exit.target_id,
            )
        return Hop(
            step="peering",
            object_id=exit.target_id,
            object_name=clean(self.network.names.get(exit.target_id)),
            state=state,
            reason=reason,
            change=change,
        )

    def _arrival(
        self, eni_id: str, kind: Kind, source: Source, step: Step, at: int
    ) -> Iterator[Hop]:
        vpc, subnet, groups = kind
        if subnet != self.association.subnet_id:
            yield from self._acl("receiver network ACL", subnet, at, out=False)
            route = self.way.return_route(subnet, vpc, at, step.exit)
            table = self.network.route_table(subnet, vpc) or subnet
            back = cidrs(Ranges(((at, at),)))[0]
            if self.association.subnet_id:
                block = self.network.subnets.get(self.association.subnet_id, {}).get("cidr_block")
                back = block or back
            over = (
                "local" if step.exit.kind == "local" else step.exit.target_id or tr("the same way")
            )
            yield self._hop(
                "return route",
                table,
                route,
                name=self.network.names.get(table),
                opened=tr("answers go back by {routes}", routes=_labels(route)),
                shut=shown(route.why),
                change=tr(
                    "Add a route for {back} to {over} to {table}.",
                    back=back,
                    over=over,
                    table=table,
                ),
            )
        passage = self.way.ingress(groups, source, at, step.references)
        sources = cidrs(self.association.range)
        by = (
            (listed(self._called(source.groups)) or sources[0])
            if step.references and not self.association.transit_gateway_id
            else tr_as("list", ", ").join(sources)
        )
        yield self._hop(
            "ingress",
            ", ".join(groups) or eni_id,
            passage,
            name=listed(self._names(groups)) if groups else self.network.names.get(eni_id),
            opened=tr("let in by {rules}", rules=_ids(passage, self.point)),
            shut=tr("no inbound rule lets {what} in from the endpoint", what=self.what),
            change=tr(
                "Allow inbound {what} from {by} in {group}.",
                what=self.what,
                by=by,
                group=groups[0] if groups else tr("its group"),
            ),
        )

    def _names(self, groups: Iterable[str]) -> list[str]:
        rows = (self.network.group_rows.get(group, {}) for group in groups)
        return [clean(row.get("group_name")) for row in rows if row]

    def _called(self, groups: Iterable[str]) -> list[str]:
        rows = self.network.group_rows
        return [named(group, rows.get(group, {}).get("group_name")) for group in groups][:1]

    # -- together -------------------------------------------------------------------------------

    def _receivers(self, vpc: str | None, everywhere: bool) -> list[tuple[str, Kind]]:
        """Return the interfaces with the address: those the way leads to, or else all."""
        receivers = self.network.receivers
        found = [
            (receivers.eni_ids[eni], receivers.kinds[kind])
            for eni, kind in receivers.at(self.address)
        ]
        led = [one for one in found if everywhere or one[1][0] == vpc]
        near = [one for one in found if self._assumed(one[1]) is not None]
        return led or near or found

    def _assumed(self, kind: Kind) -> tuple[Exit, bool | None] | None:
        """Return the way that would lead to a receiver, were the routes right."""
        if kind[0] == self.association.vpc_id:
            return Exit("local", "local"), True
        found = [
            peering
            for (_, here), peering in self.network.peerings.items()
            if here == self.association.vpc_id and peering.vpc_id == kind[0]
        ]
        if not found:
            return None
        best = max(found, key=lambda peering: peering.active)
        return Exit("vpc_peering_connection", best.id), best.same_region

    def _with_receiver(self, first: Sequence[Hop], step: Step, eni_id: str, kind: Kind) -> _Found:
        way, association = self.way, self.association
        route = self._vpc_route(step.exit, step.vpc_id, step.leaves, kind[0])
        if step.vpc_id != kind[0] and association.transit_gateway_id is None:
            # What comes after a closed hop is judged as if that hop were open.
            if step.exit.kind == "vpc_peering_connection":
                exit: Exit = step.exit
                references: bool | None = True
            else:
                exit, references = self._assumed(kind) or (Exit("vpc_peering_connection"), None)
                peering = self.network.peerings.get((exit.target_id, association.vpc_id or ""))
                if peering is not None and not peering.active:
                    route = [*route, self._peering(exit, None, "")]
            step = self._step(exit, step.vpc_id, references, step.leaves)
        family = ALL_IPV4 if self.address < 2**32 else ALL_IPV6
        found = []
        for source in self._sources():
            before = [*first, *self._outward(source, kind[2], step)]
            if kind[1] != association.subnet_id and association.transit_gateway_id is None:
                before += self._acl("network ACL", association.subnet_id, self.address, out=True)
            parts = way.inbound(kind, source, step, family).parts
            starts = [where.spans[0][0] for where, _ in parts]
            if source.address is not None and family is ALL_IPV4:
                starts = [source.address]
            for at in starts:
                hops = (*before, *route, *self._arrival(eni_id, kind, source, step, at))
                found.append(_Found(hops, None, source, eni_id))
        best = min(found, key=lambda f: _cost(f.hops))
        verdict = way.verdict(step, kind, self.address)
        certainty = next((c for c, on in verdict.by_certainty() if self.point in on), None)
        return _Found(best.hops, certainty, best.source, eni_id)

    def _without_receiver(
        self, first: Sequence[Hop], step: Step, shut: Iterable[_Found] = ()
    ) -> _Found:
        source = self._sources()[0]
        vpc = step.vpc_id
        hops = [*first, *self._outward(source, None, step)]
        # Inside one subnet no network ACL is asked.
        if self.association.transit_gateway_id is None and not self.way.inside(self.address):
            hops += self._acl("network ACL", self.association.subnet_id, self.address, out=True)
        hops += self._vpc_route(step.exit, vpc, step.leaves, None)
        for one in shut:
            who = named(one.eni_id, self.network.eni_names.get(one.eni_id or ""))
            why = listed(h.reason for h in one.hops if h.state == "closed" and h not in hops)
            reason = tr(
                "{who} has this address, and nothing gets in there ({why}); whether packets end "
                "there or elsewhere was not read"
                if why
                else "{who} has this address, and nothing gets in there; whether packets end there "
                "or elsewhere was not read",
                who=who,
                why=why,
            )
            hops.append(
                Hop(
                    step="receiver",
                    object_id=str(one.eni_id),
                    object_name=clean(self.network.eni_names.get(one.eni_id or "")),
                    state="unknown",
                    reason=reason,
                )
            )
        if vpc is not None and not step.leaves:
            near = self._nearest(vpc)
            reason = tr(
                "no interface of {vpc} that was read has the address {ip}; the nearest read: {near}"
                if near
                else "no interface of {vpc} that was read has the address {ip}",
                vpc=vpc,
                ip=self.ip,
                near=listed(near),
            )
            # No change: nothing in the way is shut, there is nobody to answer.
            hops.append(Hop(step="receiver", object_id=self.ip, state="closed", reason=reason))
        return _Found(tuple(hops), "unknown", source)

    def _nearest(self, vpc: str) -> list[str]:
        """Return the addresses of the VPC nearest to the one asked about, with whose they are."""
        receivers = self.network.receivers
        if self.address >= 2**32 or vpc not in receivers.by_vpc:
            return []
        at = receivers.address
        near = nsmallest(
            2, receivers.by_vpc[vpc].tolist(), key=lambda place: abs(int(at[place]) - self.address)
        )
        owners = [receivers.eni_ids[int(receivers.eni[place])] for place in near]
        return [
            tr(
                "{address} of {interface}",
                address=receivers.texts[place],
                interface=named(eni, self.network.eni_names.get(eni)),
            )
            for place, eni in zip(near, owners, strict=True)
        ]

    def _route(self) -> Passage:
        """Return what the endpoint's routes say, to other clients where they may lead there."""
        clients = self.way.client_route(self.address)
        return clients if clients.maybe else self.way.endpoint_route(self.address)

    def _is_client(self) -> bool:
        """Tell whether the packet may go, or is meant to go, to another client."""
        if self.way.client_route(self.address).maybe:
            return True
        block = self.way.endpoint["client_cidr_block"]
        meant = bool(block) and self.address in addresses(block)
        return meant and not self.way.endpoint_route(self.address).maybe

    def _to_client(self, first: Sequence[Hop]) -> _Found:
        if not self.way.client_route(self.address).maybe:
            return _Found(tuple(first), None)
        step = self._step(Exit("client_vpn", "local", "local"), None, None, "", local=True)
        certainty = self.way.departure_certainty(step, self.group)
        state: State = "open" if certainty == "reliable" else "unknown"
        reason = tr(
            "client to client: no security group is crossed"
            if state == "open"
            else "client to client: no security group is crossed; AWS does not support group rules "
            "between clients"
        )
        hop = Hop(step="receiver", object_id=self.ip, state=state, reason=reason)
        return _Found((*first, hop), certainty)

    def _step(
        self,
        exit: Exit,
        vpc: str | None,
        references: bool | None,
        leaves: str,
        *,
        local: bool = False,
    ) -> Step:
        return Step(
            where=Ranges(((self.address, self.address),)),
            groups=(self.group,),
            authorization=self.way.authorization(self.address, self.group),
            route=self._route(),
            local=local,
            exit=exit,
            vpc_id=vpc,
            references=references,
            leaves=leaves,
        )

    def _sources(self) -> tuple[Source, ...]:
        association = self.association
        return association.present or association.possible or association.wide


def _ids(passage: Passage, point: int) -> str:
    return listed(shown(label) for label, on in passage.admits if point in on)


def _labels(passage: Passage) -> str:
    return tr_as("list", ", ").join(shown(label) for label, _ in passage.admits)


def _together(parts: Iterable[str]) -> str:
    return tr_as("list", "; ").join(parts)


def _closed(hops: Iterable[Hop]) -> bool:
    return any(hop.state == "closed" for hop in hops)


def _cost(hops: Iterable[Hop]) -> tuple[int, int]:
    states = [hop.state for hop in hops]
    return states.count("closed"), states.count("unknown")
