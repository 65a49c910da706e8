"""The questions about access: who reaches what, how many, and why or why not."""

import difflib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address
from typing import Any

import numpy as np
import pandas as pd

from auditlib.access.explanation import Explanation, Hop, Path, path_of, step_word
from auditlib.access.network import Network
from auditlib.access.saying import said, shown
from auditlib.access.ways import (
    EVERYONE,
    Case,
    Certainty,
    Leaving,
    Way,
    associations_of,
    may_hold,
    uncollected,
)
from auditlib.addresses import (
    NONE,
    Ranges,
    address_text,
    addresses,
    cidrs,
    port_rows,
    port_text,
    ports,
    protocol_number,
)
from auditlib.check import TableSource
from auditlib.errors import ParameterError
from auditlib.frames import named_rows
from auditlib.language import marked, tr, tr_as
from auditlib.words import clean, listed, named

__all__ = [
    "COLUMNS",
    "Access",
    "access_of",
    "endpoint_of",
    "explain",
    "networks_in_words",
    "reach",
    "reach_counts",
    "reach_rows",
]

COLUMNS = (
    "account",
    "region",
    "endpoint_id",
    "subnet_id",
    "group",
    "eni_id",
    "ip",
    "protocol",
    "from_port",
    "to_port",
    "certainty",
    "via",
)
"""Columns of :func:`reach`."""


def access_of(tables: TableSource) -> "Access":
    """Return what can be asked about these tables; made once and kept with them."""
    # Kept on the tables themselves: the two refer to each other and go together.
    kept = vars(tables)
    if "_access" not in kept:
        kept["_access"] = Access(tables)
    found: Access = kept["_access"]
    return found


class Access:
    """The ways of every endpoint, and what they lead to, worked out when first asked for."""

    def __init__(self, tables: TableSource) -> None:
        self.network = Network(tables)
        self._ways: dict[str, tuple[Way, ...]] = {}

    def ways(self, endpoint_id: str) -> tuple[Way, ...]:
        """Return one way per association of an endpoint."""
        found = self._ways.get(endpoint_id)
        if found is None:
            found = self._ways[endpoint_id] = tuple(
                Way(self.network, association)
                for association in associations_of(self.network, endpoint_id)
            )
        return found

    def every_way(self, endpoint_id: str | None = None) -> Iterator[Way]:
        """Yield the ways of one endpoint, or of all."""
        for id in sorted(self.network.endpoints) if endpoint_id is None else (endpoint_id,):
            yield from self.ways(id)

    def groups(self, endpoint_id: str | None = None) -> tuple[str, ...]:
        """Return the groups that authorization rules name that hold, or may, and ``*``."""
        ids = self.network.endpoints if endpoint_id is None else (endpoint_id,)
        found = {
            row["group_id"]
            for id in ids
            for row in self.network.authorization_rules.get(id, ())
            if may_hold(row)
        }
        return (EVERYONE, *sorted(found - {None}))

    def upper_bound(self, way: Way) -> tuple[str, ...]:
        """Return the hop that says a policy may refuse what the network allows."""
        endpoint = way.endpoint
        id, place = endpoint["endpoint_id"], (endpoint["account"], endpoint["region"])
        policy = self.network.policies.get(id)
        if policy is None:
            if self.network.reads("client_vpn_authorization_policies", place, id):
                return ()
            why = marked("upper bound: whether a Cedar policy narrows it could not be read")
            return (said(why),)
        if policy["status"] == "active" and policy["shadow_mode"] == "disabled":
            why = marked("upper bound: the Cedar policy of {endpoint} may refuse users")
            return (said(why, endpoint=id),)
        shadow = policy["shadow_mode"] == "enabled"
        return (
            said(
                marked(
                    "not narrowed: the Cedar policy of {endpoint} is not proven enforced ({why})"
                ),
                endpoint=id,
                why=said(marked("in shadow mode")) if shadow else policy["status"],
            ),
        )


def endpoint_of(tables: TableSource, text: str) -> str:
    """Return the id of the endpoint that is meant by an id, or by a Name tag that only it has.

    Raises
    ------
    ParameterError
        When there is none (names the nearest), or several have the name (names their ids).
    """
    endpoints = access_of(tables).network.endpoints
    if text in endpoints:
        return text
    called = [id for id, row in sorted(endpoints.items()) if text and row["name"] == text]
    if len(called) == 1:
        return called[0]
    if called:
        raise ParameterError(
            tr(
                '"{text}" is the name of {number} endpoints: give the id of one, {called}.',
                text=clean(text),
                number=len(called),
                called=listed(called),
            )
        )
    words: dict[str, list[str]] = defaultdict(list)
    for id, row in sorted(endpoints.items()):
        for word in (id, clean(row["name"])):
            words[word.lower()].append(id)
    asked = text.lower()
    close = difflib.get_close_matches(asked, words, n=3, cutoff=0.6)
    close = close or [word for word in words if asked and asked in word]
    near = list(dict.fromkeys(id for word in close for id in words[word]))
    held = listed((named(id, endpoints[id]["name"]) for id in near or sorted(endpoints)), most=3)
    what = tr('"{text}" is not an endpoint that was read', text=text)
    raise ParameterError(_hinted(what, held, near=bool(near)))


def reach(
    tables: TableSource,
    endpoint: str | None = None,
    group: str | None = None,
    to: str | None = None,
    port: int | None = None,
    *,
    protocol: str | None = None,
    summary: bool = False,
) -> pd.DataFrame:
    """Return what users of Client VPN endpoints reach: address by address, port by port.

    Parameters
    ----------
    tables
        The tables of a snapshot.
    endpoint
        An endpoint's id, or its Name tag where no other has it; every endpoint when not given.
    group
        A group an authorization rule names, or ``*`` for a user in no group; all when not given.
    to
        An interface id or an address.
    port, protocol
        Only rows that hold this port (an ICMP type with ``icmp`` and ``icmpv6``); a port without a
        protocol means TCP or UDP.
    summary
        Fold the associations of an endpoint into one row, with ``subnets`` for ``subnet_id``.

    Returns
    -------
    DataFrame
        A row per endpoint, association, group, address and range of ports, in ``COLUMNS``:
        ``subnet_id`` is the association the client landed on; a group's rows include what everyone
        has; ``protocol`` is tcp, udp, icmp, icmpv6, an IANA number or all; ``from_port`` and
        ``to_port`` are inclusive, ICMP type and code (-1 any), missing where there are none;
        ``certainty`` is reliable (whatever address the endpoint's interface gets), fragile (only
        with its present address) or unknown (part of the way could not be read); ``via`` names the
        hops with the ids of what admits. Traffic that leaves what was read, that reaches other
        clients, or whose receivers could not be listed has no ``eni_id`` and a network as ``ip``.
        Reach is an upper bound: a Cedar policy can only take away from it, and changes no
        ``certainty``; ``via`` ends with what is known of the policy.
        An empty frame means that nothing is reached only where ``tables.gaps(*access.TABLES)`` is
        empty too.

    Raises
    ------
    ParameterError
        When the endpoint, group, interface, address, port or protocol does not exist; names the
        nearest.
    """
    access = access_of(tables)
    if endpoint is not None:
        endpoint = endpoint_of(tables, endpoint)
    if group is not None:
        _known_group(access, endpoint, group)
    wanted = _Wanted(access, to, port, protocol)
    rows = [row for way in access.every_way(endpoint) for row in _rows(access, way, group, wanted)]
    frame = pd.DataFrame(rows, columns=list(COLUMNS)).astype(
        {"from_port": "Int64", "to_port": "Int64"}
    )
    for name in ("account", "region", "endpoint_id", "subnet_id", "group", "eni_id", "ip"):
        frame[name] = frame[name].astype("str")
    frame["protocol"], frame["certainty"] = (
        frame[name].astype("str") for name in ("protocol", "certainty")
    )
    return _folded(frame) if summary else frame


def reach_rows(tables: TableSource) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of :func:`reach` for every endpoint and group, ``None`` for what is missing."""
    access = access_of(tables)
    wanted = _Wanted(access, None, None, None)
    for way in access.every_way():
        yield from _rows(access, way, None, wanted)


def networks_in_words(frame: pd.DataFrame) -> pd.DataFrame:
    """Return rows of :func:`reach` for people: networks that differ in nothing else in one row.

    The ``ip`` of traffic that leaves what was read becomes a text such as "any IPv4 address but
    10.0.0.0/16" instead of a row for each of many networks. Rows of interfaces stay as they are.
    """
    if frame.empty or frame["eni_id"].notna().all():
        return frame
    others = [name for name in frame.columns if name != "ip"]
    leaving = frame[frame["eni_id"].isna()]
    together = leaving.groupby(others, dropna=False, sort=False)["ip"].agg(
        lambda ips: address_text(Ranges.of(span for ip in ips for span in addresses(ip).spans))
    )
    rows = together.reset_index()[list(frame.columns)]
    return pd.concat([frame[frame["eni_id"].notna()], rows], ignore_index=True)


def reach_counts(tables: TableSource) -> pd.DataFrame:
    """Return how many interfaces each user group of each endpoint reaches.

    Cheap on any account: no row is made per address.

    Returns
    -------
    DataFrame
        ``account``, ``region``, ``endpoint_id``, ``group``, ``interfaces`` (reached for certain),
        ``unknown`` (interfaces that may be reached beside those), ``leaves`` (whether traffic of
        the group leaves what was read, reaches other clients or receivers that were not listed).
    """
    access = access_of(tables)
    with uncollected():
        rows = [row for id in sorted(access.network.endpoints) for row in _counts_of(access, id)]
    columns = ["account", "region", "endpoint_id", "group", "interfaces", "unknown", "leaves"]
    return pd.DataFrame(rows, columns=columns)


def _counts_of(access: "Access", id: str) -> Iterator[dict[str, Any]]:
    """Yield the counts of one endpoint, a group at a time."""
    receivers, endpoint = access.network.receivers, access.network.endpoints[id]
    # Many cases are of the same groups: their interfaces are put together first.
    alike: dict[tuple[tuple[str, ...], bool], list[np.ndarray[Any, Any]]] = defaultdict(list)
    leaves: set[str] = set()
    for way in access.ways(id):
        for case in way.cases:
            odd = np.array([eni for eni, _ in case.odd], dtype=np.int64)
            enis = np.concatenate([receivers.eni[case.positions], odd])
            certain = bool(case.verdict.reliable or case.verdict.fragile)
            alike[case.step.groups, certain].append(enis)
        leaves |= {group for gone in way.departures for group in gone.step.groups}
    sure: dict[str, list[np.ndarray[Any, Any]]] = {g: [] for g in access.groups(id)}
    maybe: dict[str, list[np.ndarray[Any, Any]]] = {g: [] for g in sure}
    for (groups, certain), parts in alike.items():
        together = _distinct(parts)
        for group in groups:
            (sure if certain else maybe)[group].append(together)
    for group, parts in sure.items():
        reached = _distinct(parts)
        yield {
            "account": endpoint["account"],
            "region": endpoint["region"],
            "endpoint_id": id,
            "group": group,
            "interfaces": len(reached),
            "unknown": len(np.setdiff1d(_distinct(maybe[group]), reached)),
            "leaves": group in leaves,
        }


def _distinct(parts: list[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    return np.unique(np.concatenate(parts)) if parts else np.array([], dtype=np.int64)


def explain(
    tables: TableSource,
    endpoint: str,
    to: str,
    port: int | None = None,
    *,
    protocol: str = "tcp",
    group: str | None = None,
) -> Explanation:
    """Return why a user reaches an address on a port or not: every hop, and all that blocks it.

    Parameters
    ----------
    tables
        The tables of a snapshot.
    endpoint
        An endpoint's id, or its Name tag where no other has it.
    to
        An address, or an interface id (its primary address).
    port, protocol
        TCP and UDP need a port; with icmp and icmpv6 the port is the type (an echo when not given).
    group
        A group an authorization rule names; a user in no group when not given.

    Returns
    -------
    Explanation
        ``reachable`` (yes, no, unknown), ``answer`` in a sentence, ``paths`` with their ``hops``,
        one path per association; ``blockers``, each with the smallest change that would open it;
        ``to_frame()`` and ``to_dict()``; shows itself in a notebook.

    Raises
    ------
    ParameterError
        When the endpoint, group, interface, address, port or protocol does not exist; names the
        nearest.
    """
    access = access_of(tables)
    network = access.network
    endpoint = endpoint_of(tables, endpoint)
    group = EVERYONE if group is None else group
    _known_group(access, endpoint, group)
    address = _one_address(access, to)
    protocol = protocol.lower()
    on = _packet(port, protocol)
    ways = access.ways(endpoint)
    paths = tuple(path_of(way, group, address, on) for way in ways)
    row = network.endpoints[endpoint]
    notes = list(dict.fromkeys(shown(note) for way in ways for note in access.upper_bound(way)))
    notes += dict.fromkeys(
        tr("Not certain: {doubt}.", doubt=shown(way.association.doubt))
        for way in ways
        if way.association.doubt
    )
    if not paths:
        paths = (_no_association(access, row),)
    ip = cidrs(Ranges(((address, address),)))[0]
    return Explanation(
        endpoint_id=endpoint,
        endpoint_name=clean(row["name"]),
        group=group,
        to=ip,
        protocol=protocol,
        port=port,
        answer=_answer(row, group, ip, on, paths),
        paths=paths,
        notes=tuple(notes),
    )


def nobody_at(tables: TableSource, to: str) -> str:
    """Return, in a sentence, that no interface that was read has an address, with the nearest.

    Empty where one has it, or where an interface is asked for by its id.
    """
    receivers = access_of(tables).network.receivers
    if to.startswith("eni-") or receivers.at(addresses(to).spans[0][0]):
        return ""
    close = difflib.get_close_matches(to, sorted(set(receivers.texts)), n=3, cutoff=0.6)
    return tr(
        "No interface that was read has {to}; the nearest: {close}."
        if close
        else "No interface that was read has {to}.",
        to=to,
        close=listed(close),
    )


def _one_address(access: Access, to: str) -> int:
    if to.startswith("eni-"):
        _known(to, access.network.enis, marked("interface"))
        texts = access.network.addresses_of(to)
        if not texts:
            raise ParameterError(
                tr("{to} has no address that was read: give an address instead.", to=to)
            )
        return addresses(texts[0]).spans[0][0]
    return _address_range(access, to).spans[0][0]


def _packet(port: int | None, protocol: str) -> Ranges:
    if port is None and protocol in {"tcp", "udp"}:
        raise ParameterError(
            tr("Say which port of {protocol} is meant, 0 to 65535.", protocol=protocol)
        )
    if protocol == "all":
        raise ParameterError(
            tr('"all" is not one protocol: say tcp, udp, icmp, icmpv6 or a number.')
        )
    if port is None and protocol in {"icmp", "icmpv6"}:
        port = 8 if protocol == "icmp" else 128
    first = (_ports_of(port, protocol) or NONE).spans[0][0]
    return Ranges(((first, first),))


def _no_association(access: Access, endpoint: dict[str, Any]) -> Path:
    id = endpoint["endpoint_id"]
    rows = access.network.target_networks.get(id, ())
    reason = tr("it has no association, so no client can connect")
    if rows:
        held = listed(
            tr("{subnet_id} is {status}", subnet_id=row["subnet_id"], status=row["status"])
            for row in rows
        )
        reason = tr("none of its associations is in force: {held}", held=held)
    hop = Hop(
        step="association",
        object_id=id,
        object_name=clean(endpoint["name"]),
        state="closed",
        reason=reason,
        change=tr("Associate the endpoint with a subnet that has a route to the receiver."),
    )
    return Path(subnet_id=None, reachable="no", certainty=None, hops=(hop,))


def _answer(
    endpoint: dict[str, Any], group: str, ip: str, on: Ranges, paths: tuple[Path, ...]
) -> str:
    who = tr("user in no group")
    if group != EVERYONE:
        who = tr("user in group {group}", group=clean(group))
    parts = {
        "who": who,
        "what": tr(
            "{traffic} on {ip} through {endpoint}",
            traffic=port_text(on),
            ip=ip,
            endpoint=named(endpoint["endpoint_id"], endpoint["name"]),
        ),
    }
    yes = [path for path in paths if path.reachable == "yes"]
    unknown = [path for path in paths if path.reachable == "unknown"]
    if yes and len(yes) == len(paths):
        if any(path.certainty == "fragile" for path in yes):
            return tr(
                "A {who} reaches {what}, only with the present address of the endpoint's interface.",
                **parts,
            )
        return tr("A {who} reaches {what}.", **parts)
    if yes:
        subnets = listed(named(path.subnet_id, path.subnet_name) for path in yes)
        return tr(
            "A {who} reaches {what} only in sessions that land on {subnets}.",
            **parts,
            subnets=subnets,
        )
    if unknown:
        hops = [hop for path in unknown for hop in path.hops if hop.state == "unknown"]
        why = listed(dict.fromkeys(hop.reason for hop in hops), most=2)
        return tr(
            "Whether a {who} reaches {what} could not be told: {why}."
            if why
            else "Whether a {who} reaches {what} could not be told.",
            **parts,
            why=why,
        )
    blockers = list(dict.fromkeys(hop.step for path in paths for hop in path.blockers))
    if blockers == ["receiver"]:
        return tr(
            "A {who} does not reach {what}: no interface that was read has the address.", **parts
        )
    steps = listed(map(step_word, blockers))
    return tr("A {who} does not reach {what}: stopped by {steps}.", **parts, steps=steps)


class _Wanted:
    """Which addresses and ports are asked about."""

    def __init__(
        self, access: Access, to: str | None, port: int | None, protocol: str | None
    ) -> None:
        self.eni: int | None = None
        self.where: Ranges | None = None
        if to is not None:
            self._aim(access, to)
        self.on = _ports_of(port, protocol)

    def _aim(self, access: Access, to: str) -> None:
        receivers = access.network.receivers
        if to.startswith("eni-"):
            if to not in access.network.enis:
                raise _unknown(to, access.network.enis, marked("interface"))
            self.eni = receivers.eni_ids.index(to)
        else:
            self.where = _address_range(access, to)

    def holds(self, eni: int, text: str) -> bool:
        return (self.eni is None or eni == self.eni) and (
            self.where is None or bool(self.where & addresses(text))
        )


def _address_range(access: Access, text: str) -> Ranges:
    try:
        ip_address(text)
    except ValueError:
        known = [*access.network.receivers.texts, *access.network.enis]
        raise _unknown(text, known, marked("address or interface")) from None
    return addresses(text)


def _ports_of(port: int | None, protocol: str | None) -> Ranges | None:
    """Return the ports a question is about; ``None`` for all."""
    if protocol is None and port is None:
        return None
    kinds = ("tcp", "udp") if protocol is None else (protocol.lower(),)
    found = NONE
    for kind in kinds:
        try:
            number = 0 if kind == "all" else protocol_number(kind)
        except ValueError:
            known = ["tcp", "udp", "icmp", "icmpv6", "all"]
            near = difflib.get_close_matches(kind, known, n=1)
            raise ParameterError(
                tr(
                    '"{kind}" is not a protocol: {known} and numbers from 0 to 255 are; the nearest is {near}.'
                    if near
                    else '"{kind}" is not a protocol: {known} and numbers from 0 to 255 are.',
                    kind=kind,
                    known=tr_as("list", ", ").join(known),
                    near="".join(near),
                )
            ) from None
        if port is not None:
            most = {6: 65535, 17: 65535, 1: 255, 58: 255}.get(number)
            if most is None:
                raise ParameterError(
                    tr("Protocol {kind} has no ports: leave the port out.", kind=kind)
                )
            if not 0 <= port <= most:
                nearest = 0 if port < 0 else most
                raise ParameterError(
                    tr(
                        "{port} is not a port: 0 to {most} are; the nearest is {nearest}."
                        if most == 65535
                        else "{port} is not an ICMP type: 0 to {most} are; the nearest is {nearest}.",
                        port=port,
                        most=most,
                        nearest=nearest,
                    )
                )
        found |= ports(kind, port, None if number in {1, 58} else port)
    return found


def _known(name: str, known: Iterable[str], noun: str) -> None:
    if name not in known:
        raise _unknown(name, known, noun)


def _known_group(access: Access, endpoint: str | None, group: str) -> None:
    endpoints = access.network.endpoints if endpoint is None else (endpoint,)
    ways = [way for id in endpoints for way in access.ways(id)]
    if all(way.authorizations_read for way in ways):
        _known(group, access.groups(endpoint), marked("group in an authorization rule"))


def _unknown(name: str, known: Iterable[str], noun: str) -> ParameterError:
    """Return the error for a name that is not known: one line, with the nearest."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
    what = tr(
        '"{name}" is not an {noun} that was read'
        if noun[0] in "aeiou"
        else '"{name}" is not a {noun} that was read',
        name=name,
        noun=tr(noun),
    )
    return ParameterError(_hinted(what, listed(close or names, most=3), near=bool(close)))


def _hinted(what: str, known: str, *, near: bool) -> str:
    """Return what is wrong, with what there is instead."""
    if not known:
        return tr("{what}; there is none in what was read.", what=what)
    return tr(
        "{what}; the nearest: {known}." if near else "{what}; there are: {known}.",
        what=what,
        known=known,
    )


def _rows(
    access: Access, way: Way, group: str | None, wanted: _Wanted
) -> Iterator[tuple[Any, ...]]:
    bound = access.upper_bound(way)
    association = way.association
    head = (*association.place, association.endpoint_id, association.subnet_id)
    for case in way.cases:
        members = _members(access.network, case, wanted)
        if not members:
            continue
        for one in _groups(way, case, group):
            for certainty, row, via in _stretches(way, case, one, wanted.on):
                for eni_id, ip in members:
                    yield (*head, one, eni_id, ip, *row, certainty, (*via, *bound))
    if wanted.eni is None:
        yield from _leaving_rows(way, head, group, wanted, bound)


def _groups(way: Way, case: Case | Leaving, group: str | None) -> tuple[str, ...]:
    """Return the groups a case holds for, of those asked about."""
    groups = case.step.groups
    if group is None:
        return groups
    return (group,) if group in groups or not way.authorizations_read else ()


def _members(network: Network, case: Case, wanted: _Wanted) -> list[tuple[str, str]]:
    receivers = network.receivers
    found = [
        (int(receivers.eni[position]), receivers.texts[position])
        for position in case.positions.tolist()
    ]
    return [
        (receivers.eni_ids[eni], text)
        for eni, text in (*found, *case.odd)
        if wanted.holds(eni, text)
    ]


def _stretches(
    way: Way, case: Case, group: str, on: Ranges | None
) -> Iterator[tuple[Certainty, tuple[str, int | None, int | None], tuple[str, ...]]]:
    for certainty, reached in case.verdict.by_certainty():
        for row in port_rows(reached):
            of_row = ports(*row)
            if on is None or on & of_row:
                via = way.via(case.step, group, of_row, case.kind, certainty)
                yield certainty, row, via


def _leaving_rows(
    way: Way,
    head: tuple[Any, ...],
    group: str | None,
    wanted: _Wanted,
    bound: tuple[str, ...],
) -> Iterator[tuple[Any, ...]]:
    together: dict[tuple[Any, ...], Ranges] = defaultdict(lambda: NONE)
    # Where packets may go to other clients or leave otherwise, one row says so: all ports go there.
    clients = {(gone.step.where, gone.step.groups) for gone in way.departures if gone.step.local}
    for leaving in way.departures:
        if not leaving.step.local and (leaving.step.where, leaving.step.groups) in clients:
            continue
        if wanted.where is not None and not wanted.where & leaving.step.where:
            continue
        for one in _groups(way, leaving, group):
            certainty = way.departure_certainty(leaving.step, one)
            for row in port_rows(leaving.on):
                of_row = ports(*row)
                if wanted.on is None or wanted.on & of_row:
                    via = way.via(leaving.step, one, of_row, None, certainty)
                    together[one, row, certainty, via] |= leaving.step.where
    for (one, row, certainty, via), where in together.items():
        for cidr in cidrs(where):
            if wanted.where is None or wanted.where & addresses(cidr):
                yield (*head, one, None, cidr, *row, certainty, (*via, *bound))


_FOLDED = ("account", "region", "endpoint_id", "group", "eni_id", "ip")


def _folded(frame: pd.DataFrame) -> pd.DataFrame:
    """Fold the associations of each endpoint: the same ports and certainty, in which subnets."""
    held: dict[tuple[Any, ...], dict[tuple[str, str], list[tuple[Ranges, tuple[str, ...]]]]] = {}
    for record in named_rows(frame):
        by_subnet = held.setdefault(tuple(record[name] for name in _FOLDED), {})
        on = ports(record["protocol"], record["from_port"], record["to_port"])
        place = (record["subnet_id"] or "", record["certainty"])
        by_subnet.setdefault(place, []).append((on, record["via"]))
    rows = []
    for key, by_subnet in held.items():
        for on, places in _signatures(by_subnet):
            for certainty in ("reliable", "fragile", "unknown"):
                subnets = tuple(s for s, found in places if found == certainty)
                if not subnets:
                    continue
                for row in port_rows(on):
                    of_row = ports(*row)
                    via = dict.fromkeys(
                        hop
                        for subnet in subnets
                        for admitted, hops in by_subnet[subnet, certainty]
                        if admitted & of_row
                        for hop in hops
                    )
                    rows.append((*key, tuple(filter(None, subnets)), *row, certainty, tuple(via)))
    columns = [*_FOLDED, "subnets", "protocol", "from_port", "to_port", "certainty", "via"]
    folded = pd.DataFrame(rows, columns=columns).astype({"from_port": "Int64", "to_port": "Int64"})
    order = ["subnets" if name == "subnet_id" else name for name in COLUMNS]
    for name in (*_FOLDED, "protocol", "certainty"):
        folded[name] = folded[name].astype("str")
    return folded[order]


def _signatures(
    by_subnet: Mapping[tuple[str, str], list[tuple[Ranges, tuple[str, ...]]]],
) -> Iterator[tuple[Ranges, tuple[tuple[str, str], ...]]]:
    """Split the ports wherever another set of (subnet, certainty) holds."""
    held = {
        place: Ranges.of(span for on, _ in parts for span in on.spans)
        for place, parts in by_subnet.items()
    }
    together: dict[tuple[tuple[str, str], ...], list[tuple[int, int]]] = defaultdict(list)
    points = {p for on in held.values() for first, last in on.spans for p in (first, last + 1)}
    for piece in Ranges.of(span for on in held.values() for span in on.spans).cut(points):
        first = piece.spans[0][0]
        places = tuple(sorted(place for place, on in held.items() if first in on))
        together[places] += piece.spans
    for places, spans in together.items():
        yield Ranges.of(spans), places
