"""Reach for people: few rows and columns out of many, and what to call them.

Everything here is worked out from the rows of :func:`auditlib.access.reach`; nothing is judged anew.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from auditlib import endpoints, summary, words
from auditlib.access import shown
from auditlib.access.saying import Saying, said
from auditlib.addresses import Ranges, addresses
from auditlib.check import Finding, Severity, Status
from auditlib.language import marked, sentences, tr, tr_as
from auditlib.words import count, listed, traffic

if TYPE_CHECKING:
    from auditlib.access.explanation import Explanation
    from auditlib.audit import Audit

__all__ = [
    "Matrix",
    "behind_gateways",
    "beside",
    "bounds",
    "by_group",
    "evidence",
    "example",
    "exit_word",
    "gravest_first",
    "matrices",
    "receivers",
    "surest",
    "without_own",
]

EVERYONE = "*"
CERTAINTIES = ("reliable", "fragile", "unknown")
MARKED = {
    "reliable": "{ports}",
    "fragile": marked("{ports} (fragile)"),
    "unknown": marked("{ports} (unknown)"),
}
NAMES_A_WAY = {"endpoint_id", "eni_id", "ports"}
"""Columns of evidence that name a way: through which endpoint, to what, on which ports."""

MOST = 20
"""Receivers shown one by one; more are put together by security group, by subnet or by VPC."""

MOST_TOGETHER = 60
"""Rows of a table of receivers put together: to fold further would hide who has which ports."""


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """Who reaches what through one endpoint.

    Attributes
    ----------
    by
        What a row is: interface, security group, subnet or VPC; shown through ``tr``.
    frame
        A row per receiver (``receiver``, and ``what`` it is: its addresses, or how many interfaces),
        a column per user group: protocols and ports.
    """

    endpoint_id: str
    by: str
    frame: pd.DataFrame


def group_word(group: str) -> str:
    """Return what to call a user group.

    >>> group_word("*"), group_word("hr")
    ('everyone', 'hr')
    """
    return tr("everyone") if group == EVERYONE else group


def without_own(audit: "Audit", rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows of reach without those to the endpoints' own interfaces, as people are shown them.

    AWS does not say what these interfaces do with packets that are sent to them.
    """
    own = audit.tables["endpoint_network_interfaces"]["eni_id"]
    return rows[~rows["eni_id"].isin(own)]


def by_group(audit: "Audit", rows: pd.DataFrame) -> pd.DataFrame:
    """Return one row per endpoint and user group: how many receivers, how surely, and what leaves.

    Endpoints that let nobody anywhere have a row too. Where all that is known is a way through a
    transit gateway, which was not followed, the numbers are missing: nobody knows them.
    """
    kept = {
        (a, r, e) for a, r, e in rows[["account", "region", "endpoint_id"]].itertuples(index=False)
    }
    found = []
    for (account, region, endpoint, group), part in rows.groupby(
        ["account", "region", "endpoint_id", "group"], sort=True
    ):
        inside = part[part["eni_id"].notna()]
        best = inside.groupby("eni_id")["certainty"].agg(surest)
        not_followed = inside.empty and part["via"].map(_gateway).astype(bool).any()
        found.append(
            {
                "account": account,
                "region": region,
                "endpoint_id": endpoint,
                "user_group": group_word(str(group)),
                "receivers": None if not_followed else inside["eni_id"].nunique(),
                **{c: None if not_followed else int((best == c).sum()) for c in CERTAINTIES},
                "leaves": listed(dict.fromkeys(_exits(part)), most=3) or "–",
            }
        )
    endpoints = audit.tables["client_vpn_endpoints"][["account", "region", "endpoint_id"]]
    for account, region, endpoint in endpoints.itertuples(index=False):
        if (account, region, endpoint) not in kept:
            found.append(
                {
                    "account": account,
                    "region": region,
                    "endpoint_id": endpoint,
                    "user_group": "–",
                    "receivers": 0,
                    **dict.fromkeys(CERTAINTIES, 0),
                    "leaves": "–",
                }
            )
    columns = [
        "account",
        "region",
        "endpoint_id",
        "user_group",
        "receivers",
        *CERTAINTIES,
        "leaves",
    ]
    frame = pd.DataFrame(found, columns=columns).astype(
        dict.fromkeys(("receivers", *CERTAINTIES), "Int64")
    )
    return _worst_first(audit, frame).reset_index(drop=True)


def behind_gateways(audit: "Audit", rows: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    """Return in sentences, by endpoint id, what lies behind transit gateways and was not followed.

    It names the networks that are authorized and routed there, and the interfaces that were read
    whose addresses lie in them; whether any of these is reached, nobody knows from a snapshot.

    Parameters
    ----------
    rows
        Rows of :func:`auditlib.access.reach`.
    """
    out = rows[rows["eni_id"].isna()]
    out = out.assign(gateway=out["via"].map(_gateway))
    out = out[out["gateway"] != ""]
    if out.empty:
        return {}
    own = set(audit.tables["endpoint_network_interfaces"]["eni_id"])
    interfaces = audit.tables["network_interfaces"]
    standing = [
        (addresses(ip), words.named(names_of.get(eni, eni), ip))
        for names_of in [summary.names(audit)]
        for eni, ip in interfaces[["eni_id", "private_ip"]].itertuples(index=False, name=None)
        if isinstance(ip, str) and eni not in own
    ]
    told: dict[str, tuple[str, ...]] = {}
    for (endpoint, group, gateway), part in out.groupby(["endpoint_id", "group", "gateway"]):
        networks = list(dict.fromkeys(part["ip"]))
        there = Ranges.of(span for network in networks for span in addresses(network).spans)
        inside = [label for address, label in standing if address <= there]
        about = {
            "who": tr("every user") if group == EVERYONE else tr("users in {group}", group=group),
            "networks": listed(networks, most=4),
            "gateway": gateway,
        }
        said = tr(
            "{networks} is authorized for {who} and routed to {gateway}. The way through the gateway was "
            "not followed, so what is reached there is not known.",
            **about,
        )
        known = tr(
            "Of the interfaces that were read, {interfaces} have addresses in it; whether packets end "
            "there was not read."
            if len(inside) > 1
            else "Of the interfaces that were read, {interfaces} has an address in it; whether packets end "
            "there was not read.",
            interfaces=listed(inside, most=6),
        )
        sentence = sentences(said, known) if inside else said
        told[str(endpoint)] = (*told.get(str(endpoint), ()), sentence)
    return told


def _gateway(via: tuple[str, ...]) -> str:
    """Return the transit gateway through which a way leaves what was read; empty for none.

    >>> _gateway(("egress: sgr-1", "leaves what was read through tgw-1")), _gateway(("egress: sgr-1",))
    ('tgw-1', '')
    """
    target = via[-1].removeprefix(_THROUGH) if via and via[-1].startswith(_THROUGH) else ""
    return target.split(":")[0] if target.startswith("tgw-") else ""


_THROUGH = "leaves what was read through "


def bounds(audit: "Audit", rows: pd.DataFrame) -> list[str]:
    """Return what an authorization policy may take away from rows of reach, a line per endpoint."""
    names = summary.names(audit)
    told = _worst_first(audit, rows[["endpoint_id", "via"]].drop_duplicates("endpoint_id"))
    return [
        f"{names.get(endpoint, endpoint)}: {shown(hop)}"
        for endpoint, via in told.itertuples(index=False)
        for hop in via
        if hop.startswith(("upper bound: ", "not narrowed: "))
    ]


def beside(audit: "Audit", rows: pd.DataFrame) -> list[str]:
    """Return what findings mean for rows of reach, such as that nobody can connect at present."""
    names = summary.names(audit)
    there = set(rows["endpoint_id"])
    return [
        tr("{endpoint}: {text}", endpoint=names.get(id, id), text=text)
        for id, texts in endpoints.bearings(audit).items()
        if id in there
        for text in texts
    ]


def gravest_first(audit: "Audit", rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows of reach with those first that a failing finding names, the severe ones before.

    A finding names a row when its evidence names the endpoint and the receiver. Rows alike stand
    in the order of endpoints, the worst first; what leads to no receiver comes last.
    """
    grave: dict[tuple[str, str], int] = {}
    for finding in audit.findings:
        evidence = finding.evidence
        if finding.status is Status.FAIL and {"endpoint_id", "eni_id"} <= set(evidence):
            for pair in zip(evidence["endpoint_id"], evidence["eni_id"], strict=True):
                grave[pair] = max(grave.get(pair, 0), finding.check.severity.rank)
    ordered = _worst_first(audit, rows)
    pairs = zip(ordered["endpoint_id"], ordered["eni_id"], strict=True)
    keys = ordered.assign(
        leaves=ordered["eni_id"].isna(), gravity=[-grave.get(pair, 0) for pair in pairs]
    )
    order = keys[["leaves", "gravity"]].sort_values(["leaves", "gravity"], kind="stable").index
    return ordered.loc[order]


def _worst_first(audit: "Audit", rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows in the order of endpoints that every table of a report has."""
    ranks = endpoints.ranks(audit)
    return rows.sort_values(
        "endpoint_id", key=lambda ids: ids.map(ranks).fillna(len(ranks)), kind="stable"
    )


def surest(certainties: Iterable[str]) -> str:
    """Return the surest of several certainties.

    >>> surest(["unknown", "fragile"])
    'fragile'
    """
    found = set(certainties)
    return next((c for c in CERTAINTIES if c in found), "unknown")


def _exits(rows: pd.DataFrame) -> list[str]:
    """Return how traffic leaves what was read: the last step of rows without a receiver."""
    last = rows.loc[rows["eni_id"].isna(), "via"]
    return [exit_word(via) for via in last]


_OUT = {
    "leaves what was read: {why}": marked("out: {why}"),
    "leaves what was read through {target}": marked("out through {target}"),
    "leaves what was read through {target}: the peering could not be read": marked(
        "out through {target}: the peering could not be read"
    ),
    "leaves what was read through {target}: {vpc} was not read": marked(
        "out through {target}: {vpc} was not read"
    ),
}
"""Where traffic goes on, shorter than in a hop."""


def exit_word(via: tuple[str, ...]) -> str:
    """Return where traffic goes on that reaches no interface that was read.

    >>> exit_word(("egress: sgr-1", "leaves what was read through igw-1"))
    'out through igw-1'
    """
    if not via:
        return tr("to no receiver that was read")
    last = via[-1]
    if isinstance(last, Saying) and last.text in _OUT:
        last = said(_OUT[last.text], **last.values)
    return shown(last).replace("leaves what was read", "out", 1)


def receivers(
    audit: "Audit", rows: pd.DataFrame, most: int = MOST, together: int | None = None
) -> tuple[str, dict[str, str]]:
    """Return what receivers are put together by, and the label of each by interface id.

    Up to ``most`` interfaces stand alone; more are put together by the security groups they carry,
    then by subnet, then by VPC, whichever first gives at most ``together`` (``most`` if not given).
    """
    enis = set(rows["eni_id"].dropna())
    interfaces = audit.tables["network_interfaces"]
    interfaces = interfaces[interfaces["eni_id"].isin(enis)].drop_duplicates("eni_id")
    called = summary.names(audit)
    if len(enis) <= most:
        return marked("interface"), {eni: called.get(eni, eni) for eni in enis}
    carried = audit.tables["network_interface_groups"]
    carried = carried[carried["eni_id"].isin(enis)]
    by_eni = {
        str(eni): tr_as("list", ", ").join(sorted(called.get(g, g) for g in groups))
        for eni, groups in carried.groupby("eni_id")["group_id"]
    }
    vpcs = dict(zip(interfaces["eni_id"], interfaces["vpc_id"], strict=True))
    by_group = {eni: by_eni.get(eni, tr("no group")) for eni in enis}
    standing: dict[str, set[object]] = {}
    for eni, label in by_group.items():
        standing.setdefault(label, set()).add(vpcs.get(eni))
    # Every VPC has its default group, and names of others may be alike too.
    by_group = {
        eni: f"{label} ({_called(vpcs.get(eni), called)})" if len(standing[label]) > 1 else label
        for eni, label in by_group.items()
    }
    levels = [(marked("security group"), by_group)]
    for noun, column in ((marked("subnet"), "subnet_id"), (marked("VPC"), "vpc_id")):
        place = dict(zip(interfaces["eni_id"], interfaces[column], strict=True))
        levels.append((noun, {e: _called(place.get(e), called) for e in enis}))
    return next(
        (
            (noun, labels)
            for noun, labels in levels
            if len(set(labels.values())) <= (together or most)
        ),
        levels[-1],
    )


def _called(id: object, names: dict[str, str]) -> str:
    return names.get(id, id) if isinstance(id, str) else tr("unknown")


def matrices(audit: "Audit", rows: pd.DataFrame, most: int = MOST) -> tuple[Matrix, ...]:
    """Return one matrix per endpoint, the worst first: receivers by user groups, with their ports.

    Where something is reached from some associations only, the cell says from how many of them.
    """
    made = []
    associated = _associated(audit)
    for endpoint, part in _worst_first(audit, rows).groupby("endpoint_id", sort=False):
        landings = associated.get(str(endpoint), set()) | set(part["subnet_id"].dropna())
        by, labels = receivers(audit, part, most, max(most, MOST_TOGETHER))
        inside = part[part["eni_id"].notna()]
        size = inside["eni_id"].drop_duplicates().map(labels).value_counts()
        cells: dict[str, dict[str, Any]] = {}
        told = part.sort_values(["protocol", "from_port", "to_port"], kind="stable")[
            [
                "eni_id",
                "ip",
                "subnet_id",
                "group",
                "protocol",
                "from_port",
                "to_port",
                "certainty",
                "via",
            ]
        ]
        for eni, ip, subnet, group, protocol, low, high, certainty, via in told.itertuples(
            index=False
        ):
            if isinstance(eni, str):
                label, what = (
                    labels[eni],
                    ip if by == "interface" else count(size[labels[eni]], "interface"),
                )
            else:
                label, what = exit_word(via), tr("not read")
            row = cells.setdefault(label, {"what": {}})
            row["what"].setdefault(what, "")
            ports = row.setdefault(group_word(group), {})
            open_ = traffic(protocol, low, high)
            surer, subnets = ports.get(open_, (None, set()))
            ports[open_] = _surer(surer, certainty), subnets | {subnet}
        everyone = group_word(EVERYONE)
        groups = sorted({group_word(g) for g in part["group"]}, key=lambda g: (g != everyone, g))
        frame = pd.DataFrame(
            [
                {
                    "receiver": label,
                    "what": listed(row["what"], most=3),
                    **{group: _open(row.get(group, {}), landings) or "–" for group in groups},
                }
                for label, row in sorted(cells.items())
            ],
            columns=["receiver", "what", *groups],
        )
        made.append(Matrix(endpoint_id=str(endpoint), by=by, frame=frame))
    return tuple(made)


def _associated(audit: "Audit") -> dict[str, set[str]]:
    """Return the subnets that each endpoint is associated with, by its id."""
    networks = audit.tables["client_vpn_target_networks"]
    alive = networks[networks["status"] == "associated"]
    return {str(id): set(part["subnet_id"]) for id, part in alive.groupby("endpoint_id")}


def _open(ports: Mapping[str, tuple[str, set[Any]]], landings: set[str]) -> str:
    """Return ports with how certain they are, and from how many of the associations."""
    told = []
    for one, (certainty, subnets) in ports.items():
        text = tr(MARKED[certainty], ports=one)
        if subnets < landings:
            text = tr(
                "{ports} (from {some} of {all} associations)",
                ports=text,
                some=len(subnets),
                all=len(landings),
            )
        told.append(text)
    return tr_as("list", ", ").join(told)


def evidence(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows of reach for reading: ports in words, and the hops as a tuple, first to last."""
    told = zip(rows["protocol"], rows["from_port"], rows["to_port"], strict=True)
    return pd.DataFrame(
        {
            "user_group": [group_word(group) for group in rows["group"]],
            "eni_id": rows["eni_id"],
            "address": rows["ip"],
            "open": [traffic(*ports) for ports in told],
            "certainty": rows["certainty"],
            "by": [tuple(via) for via in rows["via"]],
        }
    )


def _surer(one: str | None, other: str) -> str:
    return other if one is None else surest((one, other))


def example(
    audit: "Audit", *, endpoint: str = "", group: str = "", address: str = "", port: int = 0
) -> "Explanation | None":
    """Return one way explained hop by hop; ``None`` where there is nothing to explain.

    Parameters
    ----------
    endpoint, group, address, port
        What is asked, as far as it is asked. What is left open is chosen: a way that a
        failing finding of high severity names, else a fragile one, else a reliable one; and where
        the address is not reached, the first endpoint, so that the blockers are named.

    Raises
    ------
    ParameterError
        When the endpoint, group or address does not exist; names the nearest.
    """
    rows = audit.reach(
        endpoint=endpoint or None, group=group or None, to=address or None, port=port or None
    )
    inside = rows[rows["eni_id"].notna()]
    if port == 0 and (found := _most_severe(audit.findings, inside)) is not None:
        row, protocol, first = found
        return audit.explain(
            endpoint=row["endpoint_id"],
            to=row["ip"],
            port=first,
            protocol=protocol,
            group=None if row["group"] == EVERYONE else row["group"],
        )
    if not inside.empty:
        order = inside["certainty"].map({"fragile": 0, "reliable": 1, "unknown": 2})
        row = inside.loc[order.sort_values(kind="stable").index[0]]
        protocol = row["protocol"] if row["protocol"] in {"tcp", "udp"} else "tcp"
        first = (
            443 if pd.isna(row["from_port"]) or row["protocol"] != protocol else row["from_port"]
        )
        return audit.explain(
            endpoint=row["endpoint_id"],
            to=row["ip"],
            port=port or int(first),
            protocol=protocol,
            group=None if row["group"] == EVERYONE else row["group"],
        )
    endpoints = audit.tables["client_vpn_endpoints"]["endpoint_id"]
    if not address or endpoints.empty:
        return None
    return audit.explain(
        endpoint=endpoint or endpoints.iloc[0],
        to=address,
        port=port or 443,
        group=group or None,
    )


def _most_severe(
    findings: Iterable[Finding], rows: pd.DataFrame
) -> "tuple[pd.Series[Any], str, int] | None":
    """Return the row of reach, protocol and port that the gravest finding names.

    Only what fails at high severity and names ports of a receiver counts: the others do not say
    which way is the trouble.
    """
    sure = rows[rows["certainty"] != "unknown"]
    for finding in summary.by_urgency(findings):
        evidence = finding.evidence
        if finding.check.severity.rank < Severity.HIGH.rank or not set(evidence) >= NAMES_A_WAY:
            continue
        ports = {
            (endpoint, eni): texts
            for endpoint, eni, texts in evidence[["endpoint_id", "eni_id", "ports"]].itertuples(
                index=False, name=None
            )
        }
        for _, row in sure.iterrows():
            for text in ports.get((row["endpoint_id"], row["eni_id"]), ()):
                protocol, _, number = text.partition(" ")
                if (
                    number.isdecimal()
                    and protocol in {"tcp", "udp"}
                    and _admits(row, protocol, int(number))
                ):
                    return row, protocol, int(number)
    return None


def _admits(row: "pd.Series[Any]", protocol: str, port: int) -> bool:
    """Return whether a row of reach holds for a port.

    >>> row = pd.Series({"protocol": "tcp", "from_port": 20, "to_port": 23})
    >>> _admits(row, "tcp", 22), _admits(row, "tcp", 80), _admits(row, "udp", 22)
    (True, False, False)
    """
    if row["protocol"] not in {protocol, "all"}:
        return False
    return bool(pd.isna(row["from_port"]) or row["from_port"] <= port <= row["to_port"])
