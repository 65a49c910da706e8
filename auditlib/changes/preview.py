"""Previews: what changes open, close and leave, found out on the tables before anyone applies them.

The difference is exact: sets of (endpoint, association, group, address, protocol and ports) before
and after. It is about VPN users; what other traffic a removed rule carries is told as a warning,
as far as the tables show it.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any, Literal

import pandas as pd

from auditlib import words
from auditlib.access import EVERYONE, TABLES, access_of, reach
from auditlib.addresses import NONE, Ranges, addresses, cidrs, port_rows, port_text, ports
from auditlib.changes.fixes import FIXES, Fix, Named
from auditlib.changes.kinds import (
    ApplySecurityGroups,
    AuthorizeRule,
    Change,
    RevokeRule,
    SetInterfaceGroups,
)
from auditlib.check import Identity, audit, identities
from auditlib.check import checks as all_checks
from auditlib.checks._parts import rows_of
from auditlib.errors import ParameterError
from auditlib.tables import Tables

__all__ = [
    "DIFFERENCE",
    "Preview",
    "Step",
    "applied",
    "difference",
    "ordered",
    "preview",
    "proposal",
]

DIFFERENCE = (
    "change",
    "part",
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
    "before",
    "after",
    "via_before",
    "via_after",
)
"""Columns of :func:`difference`."""

Part = Literal["intended", "side_effect", "own_interface"]

_WINDOWS = {1: "Prepare", 2: "Prepare", 3: "Switch", 4: "Sessions end here", 5: "Take away"}
_SURE = ("reliable", "fragile")


@dataclass(frozen=True, kw_only=True)
class Step:
    """One change in its place.

    Attributes
    ----------
    window
        Steps of one window are made in one go; before each window somebody confirms.
    inverse
        What undoes it.
    cuts_off
        Whether access that both ends have is lost from this step to a later one.
    """

    number: int
    window: str
    change: Change
    inverse: Change
    cuts_off: bool = False


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What some changes do.

    Attributes
    ----------
    steps
        The changes in an order that loses nothing on the way, as far as there is one.
    verdict
        One sentence; the same few beginnings always.
    access
        The difference, in ``DIFFERENCE`` columns; ``part`` sets what is intended apart.
    findings
        ``check``, ``state`` (resolved, still_open, newly_raised) and ``reason``, a row per piece
        of evidence.
    doubts, warnings, decisions
        Why it cannot be judged; what else to know; what needs a human decision.
    blanks
        What only the client knows, to be filled in before anything can be applied.
    """

    checks: tuple[str, ...]
    steps: tuple[Step, ...]
    verdict: str
    access: pd.DataFrame = field(repr=False)
    findings: pd.DataFrame = field(repr=False)
    doubts: tuple[str, ...]
    warnings: tuple[str, ...]
    decisions: tuple[str, ...]
    blanks: tuple[str, ...]
    before: Tables = field(repr=False)
    after: Tables = field(repr=False)

    @property
    def resets_sessions(self) -> bool:
        """Whether some step ends live sessions."""
        return any(step.change.resets_sessions for step in self.steps)


def applied(tables: Tables, changes: Iterable[Change]) -> Tables:
    """Return the tables once all the changes are made, in this order.

    Raises
    ------
    ParameterError
        When AWS would refuse one of them; says which and why.
    """
    for change in changes:
        tables = change.apply(tables)
    return tables


# -- the difference -------------------------------------------------------------------------------

_Key = tuple[str, str, str, str, str, str, str]
_Held = list[tuple[str, Ranges, tuple[str, ...]]]


def difference(before: Tables, after: Tables) -> pd.DataFrame:
    """Return what VPN users reach differently, exactly.

    Returns
    -------
    DataFrame
        ``DIFFERENCE`` columns. ``change`` is lost, gained (what may be reached counts, for both),
        uncertain (known on one side only, or resting on another rule that may or may not match),
        steadier and weaker (reliable instead of fragile, and the reverse) or ground (the same
        access by other rules). ``before`` and ``after`` are certainties, missing for no access. A
        group that only one side knows has on the other what everybody has. ``part`` is
        own_interface for Client VPN's own interfaces, where nothing of the account answers.
    """
    held = [_held(before), _held(after)]
    _share_groups(held, [_groups(before), _groups(after)])
    _cut_alike(held)
    own = set(before["endpoint_network_interfaces"]["eni_id"])
    own |= set(after["endpoint_network_interfaces"]["eni_id"])
    rows = []
    for key in sorted({*held[0], *held[1]}):
        for change, row in _changes_at(held[0].get(key, []), held[1].get(key, [])):
            part = "own_interface" if key[5] in own else "side_effect"
            rows.append((change, part, *key, *row))
    frame = pd.DataFrame(_joined_networks(rows), columns=list(DIFFERENCE))
    return frame.astype({"from_port": "Int64", "to_port": "Int64"})


def _held(tables: Tables) -> dict[_Key, _Held]:
    frame = reach(tables)
    found: dict[_Key, _Held] = defaultdict(list)
    for row in rows_of(frame.astype(object).where(frame.notna(), None)):
        key = (
            row.account,
            row.region,
            row.endpoint_id,
            row.subnet_id or "",
            row.group,
            row.eni_id or "",
            row.ip,
        )
        on = ports(row.protocol, row.from_port, row.to_port)
        found[key].append((row.certainty, on, row.via))
    return found


def _groups(tables: Tables) -> dict[str, set[str]]:
    access = access_of(tables)
    return {id: set(access.groups(id)) for id in access.network.endpoints}


def _share_groups(held: list[dict[_Key, _Held]], groups: list[dict[str, set[str]]]) -> None:
    """Give a group that a side does not know what everybody has there."""
    for side, known, other in (
        (held[0], groups[0], groups[1]),
        (held[1], groups[1], groups[0]),
    ):
        for key, rows in list(side.items()):
            if key[4] == EVERYONE:
                for group in other.get(key[2], set()) - known.get(key[2], set()):
                    side[(*key[:4], group, *key[5:])] = rows


def _cut_alike(held: list[dict[_Key, _Held]]) -> None:
    """Cut networks (of traffic without interface) at the same addresses on both sides."""
    networks: dict[tuple[str, ...], set[int]] = defaultdict(set)
    for side in held:
        for key in side:
            if not key[5]:
                for first, last in addresses(key[6]).spans:
                    networks[key[:6]] |= {first, last + 1}
    for side in held:
        for key in [key for key in side if not key[5]]:
            rows = side.pop(key)
            for piece in addresses(key[6]).cut(networks[key[:6]]):
                for cidr in cidrs(piece):
                    side.setdefault((*key[:6], cidr), []).extend(rows)


def _changes_at(before: _Held, after: _Held) -> Iterator[tuple[str, tuple[Any, ...]]]:
    all_before, all_after = _union(before), _union(after)
    for certainty, on, via in before:
        if gone := on - all_after:
            yield from _told("lost", gone, certainty, None, via, ())
    for certainty, on, via in after:
        if new := on - all_before:
            yield from _told("gained", new, None, certainty, (), via)
    for was, on, via in before:
        for now, on_now, via_now in after:
            both = on & on_now
            if both and (was, _hops(via)) != (now, _hops(via_now)):
                change = _kind(was, now, via, via_now)
                yield from _told(change, both, was, now, via, via_now)


def _hops(via: Iterable[str]) -> frozenset[frozenset[str]]:
    """Return the hops of a way without the order of the rules at each, which follows AWS's answer."""
    return frozenset(frozenset(hop.replace(": ", ", ", 1).split(", ")) for hop in via)


def _union(held: _Held) -> Ranges:
    found = NONE
    for _, on, _ in held:
        found |= on
    return found


def _kind(was: str, now: str, via: tuple[str, ...], via_now: tuple[str, ...]) -> str:
    if was == now == "unknown":
        # Other rules of the endpoint's own group let the same out: what is unknown stays the same.
        rest, rest_now = (
            _hops(h for h in v if not h.startswith("egress: ")) for v in (via, via_now)
        )
        return "ground" if rest == rest_now else "uncertain"
    if "unknown" in {was, now}:
        return "uncertain"
    if was == now:
        return "ground"
    return "steadier" if now == "reliable" else "weaker"


def _told(  # noqa: PLR0917 # both sides of a difference
    change: str,
    on: Ranges,
    was: str | None,
    now: str | None,
    via: tuple[str, ...],
    via_now: tuple[str, ...],
) -> Iterator[tuple[str, tuple[Any, ...]]]:
    for row in port_rows(on):
        yield change, (*row, was, now, via, via_now)


def _joined_networks(rows: list[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """Join networks that were cut only to be compared, where the same happens to them."""
    together: dict[tuple[Any, ...], Ranges] = {}
    for row in rows:
        if row[7]:
            yield row
        else:
            key = (*row[:8], *row[9:])
            together[key] = together.get(key, NONE) | addresses(row[8])
    for key, where in together.items():
        for cidr in cidrs(where):
            yield (*key[:8], cidr, *key[8:])


# -- the order ------------------------------------------------------------------------------------


def _access_held(tables: Tables) -> dict[_Key, Ranges]:
    """Return what is reached for certain, but for Client VPN's own interfaces."""
    own = set(tables["endpoint_network_interfaces"]["eni_id"])
    found: dict[_Key, Ranges] = {}
    for key, rows in _held(tables).items():
        on = _union([row for row in rows if row[0] in _SURE])
        if on and key[5] not in own:
            found[key] = on
    return found


def ordered(tables: Tables, changes: Sequence[Change]) -> tuple[Step, ...]:
    """Return the changes in an order that loses no access that both ends have.

    Create and allow first, then switch, then authorization (a window of its own, since it ends
    sessions), then take away. After every step reach is asked again; where a step would cut
    somebody off, another of the same phase comes first. Where none will do, the step says so.

    Raises
    ------
    ParameterError
        When AWS would refuse one of the changes.
    """
    end = applied(tables, sorted(changes, key=lambda c: c.phase))
    before, after = _access_held(tables), _access_held(end)
    kept = {key: on & after[key] for key, on in before.items() if key in after}
    left = sorted(changes, key=lambda c: c.phase)
    steps: list[Step] = []
    while left:
        candidates = [c for c in left if c.phase == left[0].phase and not c.problems(tables)]
        if not candidates:
            left[0].apply(tables)  # which says what is wrong
        chosen, cuts_off = candidates[0], True
        for candidate in candidates:
            now = _access_held(candidate.apply(tables))
            if all(not (on - now.get(key, NONE)) for key, on in kept.items()):
                chosen, cuts_off = candidate, False
                break
        steps.append(
            Step(
                number=len(steps) + 1,
                window=_WINDOWS.get(chosen.phase, "Take away"),
                change=chosen,
                inverse=chosen.inverse(tables),
                cuts_off=cuts_off,
            )
        )
        tables = chosen.apply(tables)
        left.remove(chosen)
    return tuple(steps)


# -- the preview ----------------------------------------------------------------------------------


def preview(
    tables: Tables,
    changes: Sequence[Change],
    *,
    checks: Sequence[str] = (),
    named: Iterable[Named] = (),
    decisions: Sequence[str] = (),
) -> Preview:
    """Try changes on tables and return what they do.

    Parameters
    ----------
    checks
        The findings they answer.
    named
        The access those findings name: what is meant to close or to open.
    decisions
        What the changes leave to people.

    Raises
    ------
    ParameterError
        When AWS would refuse one of the changes.
    """
    changes = tuple(dict.fromkeys(changes))
    steps = ordered(tables, changes)
    after = applied(tables, [step.change for step in steps])
    access = difference(tables, after)
    meant = tuple(named)
    parts = [
        "intended"
        if row["part"] == "side_effect" and any(one.covers(row) for one in meant)
        else row["part"]
        for row in access.to_dict("records")
    ]
    access = access.assign(part=pd.Series(parts, index=access.index, dtype="str"))
    doubts = tuple(_doubts(tables, after, changes, access))
    return Preview(
        checks=tuple(checks),
        steps=steps,
        verdict=_verdict(access, doubts, bool(checks)) if steps else "no change to preview",
        access=access,
        findings=_findings(tables, after),
        doubts=doubts,
        warnings=tuple(_warnings(tables, after, steps, access)),
        decisions=tuple(decisions),
        blanks=tuple(
            sorted({use for change in changes for use in change.uses if use.startswith("<")})
        ),
        before=tables,
        after=after,
    )


def _verdict(access: pd.DataFrame, doubts: Sequence[str], for_a_finding: bool) -> str:
    told = access[access["part"] != "own_interface"]
    opens = told[(told["change"] == "gained") & (told["part"] != "intended")]
    closes = told[(told["change"] == "lost") & (told["part"] != "intended")]
    meant = told[told["part"] == "intended"]
    said = []
    if len(opens):
        said.append(f"opens {_extent(opens)}")
    if len(closes):
        said.append(f"{'also ' if for_a_finding else ''}closes {_extent(closes)}")
    if not said and (meant["change"] == "gained").any():
        said.append(f"opens what the finding asks for: {_extent(meant)}")
    if not said and len(meant):
        said.append("closes only what the finding names")
    verdict = "; ".join(said) or "changes nothing anyone can reach"
    if doubts:
        return f"cannot be judged: {words.listed(doubts, most=3)}; as far as was read, it {verdict}"
    return verdict


def _extent(rows: pd.DataFrame) -> str:
    """Say what some rows of a difference amount to: ports, receivers, users."""
    on = NONE
    for row in rows_of(rows):
        on |= ports(row.protocol, _number(row.from_port), _number(row.to_port))
    places = sorted({row.eni_id or row.ip for row in rows_of(rows)})
    who = sorted(
        {"every user" if g == EVERYONE else f"group {words.clean(g)}" for g in rows["group"]}
    )
    if "every user" in who:
        who = ["users"]
    return (
        f"{port_text(on)} on {words.listed(places, most=4)} for {words.listed(who, most=4)} of "
        f"{words.listed(sorted(set(rows['endpoint_id'])), most=3)}"
    )


def _number(value: Any) -> int | None:
    return None if pd.isna(value) else int(value)


def _doubts(
    tables: Tables, after: Tables, changes: Sequence[Change], access: pd.DataFrame
) -> Iterator[str]:
    regions = {change.region for change in changes}
    gaps = tables.gaps(*TABLES)
    unread = gaps[gaps["region"].isin(regions)]
    calls = unread.drop_duplicates(["account", "region", "service", "operation", "resource"])
    for row in rows_of(calls):
        yield words.gap(row)
    uncertain = access[(access["change"] == "uncertain") & (access["part"] != "own_interface")]
    six = uncertain["ip"].astype(str).str.contains(":")
    if six.any():
        yield (
            f"over IPv6 AWS does not say whether a reference to a group matches "
            f"({_extent(uncertain[six])})"
        )
    if len(rest := uncertain[~six]):
        yield f"part of the way is not known ({_extent(rest)})"
    if not six.any():
        yield from _references_over_ipv6(tables, after, changes)
    for change in changes:
        if isinstance(change, ApplySecurityGroups):
            yield from _references_elsewhere(tables, change)


def _references_over_ipv6(
    before: Tables, after: Tables, changes: Sequence[Change]
) -> Iterator[str]:
    """Say where rules that change name groups, and clients come over IPv6, untranslated."""
    touched: set[str] = set()
    for tables in (before, after):
        rules = tables["ingress_rules"]
        for change in changes:
            if isinstance(change, ApplySecurityGroups):
                held = tables["endpoint_security_groups"]
                mine = (held["endpoint_id"] == change.endpoint_id) & held["effective"]
                named = rules["referenced_group_id"].isin(held.loc[mine, "group_id"].dropna())
                touched |= set(rules.loc[named, "group_id"])
            elif isinstance(change, AuthorizeRule | RevokeRule):
                mine = rules["rule_id"] == change.rule_id
                touched |= set(rules.loc[mine & rules["referenced_group_id"].notna(), "group_id"])
    held = after["network_interface_groups"]
    enis = set(held.loc[held["group_id"].isin(touched), "eni_id"])
    found = {
        key[5]
        for tables in (before, after)
        for key in _held(tables)
        if ":" in key[6] and key[5] in enis
    }
    if found:
        yield (
            "over IPv6 AWS does not say whether a reference to a group matches "
            f"({words.listed(sorted(found), most=4)})"
        )


def _references_elsewhere(tables: Tables, change: ApplySecurityGroups) -> Iterator[str]:
    """Say where rules that were not read may name the groups that an endpoint loses."""
    held = tables["endpoint_security_groups"]
    mine = held[(held["endpoint_id"] == change.endpoint_id) & held["effective"]]
    lost = sorted(set(mine["group_id"].dropna()) - set(change.group_ids))
    enis = tables["endpoint_network_interfaces"]
    unsure = enis[(enis["endpoint_id"] == change.endpoint_id) & ~enis["certain"]]
    if len(unsure):
        yield (
            f"AWS does not say whether {words.listed(sorted(unsure['eni_id']), most=3)} belong to "
            f"{change.endpoint_id}"
        )
    if not lost:
        return
    groups = words.listed(lost)
    read = set(tables["vpcs"]["vpc_id"])
    peerings = tables["vpc_peering_connections"]
    for row in rows_of(peerings[peerings["status"] == "active"]):
        ends = {
            row.requester_vpc_id: (row.requester_owner_id, row.requester_region),
            row.accepter_vpc_id: (row.accepter_owner_id, row.accepter_region),
        }
        if change.vpc_id not in ends:
            continue
        for vpc, (owner, region) in ends.items():
            if vpc != change.vpc_id and vpc not in read and region == change.region:
                yield (
                    f"rules in {vpc} of account {owner}, which was not read, may name {groups} "
                    f"across {row.vpc_peering_connection_id}"
                )
    routes = tables["routes"]
    gateways = routes[
        (routes["vpc_id"] == change.vpc_id) & (routes["target_kind"] == "transit_gateway")
    ]
    for gateway in sorted(set(gateways["target_id"].dropna())):
        yield f"rules behind {gateway}, which was not read, may name {groups}"
    shared = tables["security_group_vpc_associations"]
    foreign = shared[
        shared["group_id"].isin(lost)
        & ~shared["vpc_owner_id"].isin(tables["vpcs"]["account"].astype(str))
    ]
    for row in rows_of(foreign):
        yield f"{row.group_id} is associated with {row.vpc_id} of account {row.vpc_owner_id}, which was not read"


def _warnings(
    before: Tables, after: Tables, steps: Sequence[Step], access: pd.DataFrame
) -> Iterator[str]:
    for step in steps:
        if step.cuts_off:
            yield (
                f"Step {step.number} cuts off access that a later step restores: no order of "
                "these changes avoids it. Make both in one window."
            )
        change = step.change
        if isinstance(change, RevokeRule):
            yield from _other_traffic(before, change)
        if isinstance(change, SetInterfaceGroups):
            yield (
                f"{change.eni_id} changes groups: traffic that does not come from the VPN is not "
                "followed here. Check what else its old groups allow."
            )
        if isinstance(change, ApplySecurityGroups):
            yield from _no_way_back(before, change)
    weaker = access[(access["change"] == "weaker") & (access["part"] != "own_interface")]
    if len(weaker):
        yield f"From then on it holds only for the present address of the endpoint: {_extent(weaker)}."
    yield from _other_sessions(before, access)
    yield from _emptied_defaults(before, after)


def _other_sessions(before: Tables, access: pd.DataFrame) -> Iterator[str]:
    """Say where what opens is had already, in sessions that land on another subnet."""
    had: dict[tuple[str, ...], Ranges] = defaultdict(Ranges)
    for key, on in _access_held(before).items():
        had[key[2], *key[4:]] |= on
    gained = access[(access["change"] == "gained") & (access["part"] != "own_interface")]
    known = [
        ports(row.protocol, _number(row.from_port), _number(row.to_port))
        <= had[row.endpoint_id, row.group, row.eni_id, row.ip]
        for row in rows_of(gained)
    ]
    already = gained[pd.Series(known, index=gained.index, dtype=bool)]
    if len(already):
        yield (
            f"Users have {_extent(already)} today only in sessions that land on another subnet; "
            f"from then on in sessions on {words.listed(sorted(set(already['subnet_id'])))} too."
        )


def _other_traffic(tables: Tables, change: RevokeRule) -> Iterator[str]:
    """Say who else a removed rule lets in, as far as interfaces show it."""
    rules = tables["security_group_rules"]
    found = rules[rules["rule_id"] == change.rule_id]
    held = tables["network_interface_groups"]
    carriers = set(held.loc[held["group_id"] == change.group_id, "eni_id"])
    own = set(tables["endpoint_network_interfaces"]["eni_id"])
    if found.empty or not carriers - own:
        return
    rule = found.iloc[0]
    if rule["peer_kind"] == "security_group":
        others = set(held.loc[held["group_id"] == rule["peer"], "eni_id"])
    else:
        network = _network(rule["peer"])
        known = tables["network_interface_addresses"]
        others = {
            eni
            for eni, text in zip(known["eni_id"], known["address"], strict=True)
            if network is not None and "/" not in text and _inside(text, network)
        }
    others -= own
    if others:
        noun = words.count(len(others), "interface")
        verb = "reach" if change.is_egress else "come from"
        yield (
            f"{change.rule_id} is not for VPN users only: traffic may {verb} {noun} "
            f"({words.listed(sorted(others), most=3)}), which this preview does not follow. See "
            f"what uses it before removing it."
        )


def _network(text: object) -> Any:
    try:
        return ip_network(str(text))
    except ValueError:
        return None


def _inside(text: str, network: Any) -> bool:
    return ip_address(text) in network


def _no_way_back(tables: Tables, change: ApplySecurityGroups) -> Iterator[str]:
    endpoints = tables["client_vpn_endpoints"]
    named = endpoints.loc[endpoints["endpoint_id"] == change.endpoint_id, "security_group_ids"]
    back = change.inverse(tables)
    if isinstance(back, ApplySecurityGroups) and set(named.iloc[0]) != set(back.group_ids):
        yield (
            f"Rolling back names {words.listed(back.group_ids)} for {change.endpoint_id}: what is in "
            "force is restored, the settings cannot be brought back to what they say today."
        )


def _emptied_defaults(before: Tables, after: Tables) -> Iterator[str]:
    """Say which default groups are emptied while something lives in them."""
    groups = before["security_groups"]
    defaults = groups.loc[groups["is_default"], "group_id"]
    rules = (
        set(before["security_group_rules"]["group_id"]),
        set(after["security_group_rules"]["group_id"]),
    )
    held, used = after["network_interface_groups"], after["endpoint_security_groups"]
    for id in defaults:
        if id not in rules[0] or id in rules[1]:
            continue
        living = sorted(held.loc[held["group_id"] == id, "eni_id"])
        endpoints = sorted(set(used.loc[used["group_id"] == id, "endpoint_id"]))
        if living or endpoints:
            yield (
                f"Default group {id} is emptied while {words.listed([*endpoints, *living], most=4)} "
                "rely on it: nothing will pass there."
            )


def _findings(before: Tables, after: Tables) -> pd.DataFrame:
    was = {finding.check.id: finding for finding in audit(before)}
    rows = []
    for finding in audit(after):
        id = finding.check.id
        old, new = _evidence(was[id].evidence), _evidence(finding.evidence)
        rows += [(id, "resolved", old[key]) for key in old if key not in new]
        rows += [(id, "still_open", new[key]) for key in new if key in old]
        rows += [(id, "newly_raised", new[key]) for key in new if key not in old]
    return pd.DataFrame(rows, columns=["check", "state", "reason"])


def _evidence(evidence: pd.DataFrame) -> dict[Identity, str]:
    return dict(zip(identities(evidence), evidence["reason"], strict=True))


def proposal(tables: Tables, checks: Sequence[str], endpoint: str | None = None) -> Preview:
    """Return the preview of the fixes of some findings, each worked out after those before it.

    Raises
    ------
    ParameterError
        When there is no such check or endpoint; names the nearest.
    """
    from auditlib.tables import nearest

    known = set(tables["client_vpn_endpoints"]["endpoint_id"])
    if endpoint is not None and endpoint not in known:
        raise nearest(endpoint, known, noun="endpoint")
    changes: list[Change] = []
    named: list[Named] = []
    decisions: list[str] = []
    by_id = {check.id: check for check in all_checks()}
    now = tables
    for id in checks:
        if id not in by_id:
            raise nearest(id, by_id, noun="check")
        (finding,) = audit(now, only=[id])
        evidence = finding.evidence
        if endpoint is not None and "endpoint_id" in evidence:
            evidence = evidence[evidence["endpoint_id"] == endpoint]
        if evidence.empty:
            decisions.append(f"{id}: nothing to fix. {finding.answer}")
            continue
        fix = FIXES[id](now, evidence) if id in FIXES else Fix(decisions=(by_id[id].decision,))
        new = [c for c in dict.fromkeys(fix.changes) if c not in changes]
        now = applied(now, sorted(new, key=lambda c: c.phase))
        changes += new
        named += fix.named
        decisions += [f"{id}: {text}" for text in fix.decisions]
    if len({change.account for change in changes}) > 1:
        raise ParameterError("These fixes concern several accounts: choose one with --endpoint.")
    return preview(tables, changes, checks=checks, named=named, decisions=decisions)
