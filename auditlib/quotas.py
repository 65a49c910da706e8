"""Quotas around Client VPN: what AWS limits, and how much of it is used.

A value that Service Quotas lists is the one applied; AWS leaves out quotas it applies by default
only, and then its documented default counts, and says that it does
(https://docs.aws.amazon.com/vpn/latest/clientvpn-admin/limits.html,
https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html).
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import compress
from typing import Any

import numpy as np
import pandas as pd

from auditlib.frames import rows_of, rows_where
from auditlib.language import marked, tr

__all__ = ["CONNECTIONS_BY_ASSOCIATIONS", "QUOTAS", "Quota", "beyond", "rules_used", "usage_rows"]

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Quota:
    """A quota of AWS's.

    Attributes
    ----------
    name
        As AWS calls it.
    service, code
        How Service Quotas knows it; empty where it does not.
    default
        AWS's documented default.
    """

    name: str
    default: int
    service: str = ""
    code: str = ""
    adjustable: bool = True


ENDPOINTS = Quota(
    name=marked("Client VPN endpoints per Region"), service="ec2", code="L-8EA77D34", default=5
)
AUTHORIZATION_RULES = Quota(
    name=marked("Authorization rules per Client VPN endpoint"),
    service="ec2",
    code="L-9A1BC94B",
    default=200,
)
ROUTES = Quota(
    name=marked("Routes per Client VPN target network association"),
    service="ec2",
    code="L-401D78F7",
    default=100,
)
# Its value depends on the number of associations, and Service Quotas has one number for it, of
# which AWS does not say what it means then: so AWS's table counts.
CONNECTIONS = Quota(
    name=marked("Concurrent client connections per Client VPN endpoint"), default=7_000
)
CONNECTIONS_BY_ASSOCIATIONS = {1: 7_000, 2: 36_500, 3: 66_500, 4: 96_500, 5: 126_000}
"""Connections at one time that AWS allows an endpoint by default, by number of associations."""
REVOCATION_ENTRIES = Quota(
    name=marked("Entries in a client certificate revocation list"), default=20_000, adjustable=False
)
ENDPOINT_GROUPS = Quota(
    name=marked("Security groups per Client VPN endpoint"), default=5, adjustable=False
)
RULES = Quota(
    name=marked("Inbound or outbound rules per security group"),
    service="vpc",
    code="L-0EA8095F",
    default=60,
)
INTERFACE_GROUPS = Quota(
    name=marked("Security groups per network interface"),
    service="vpc",
    code="L-2AFB9258",
    default=5,
)

QUOTAS = (
    ENDPOINTS,
    AUTHORIZATION_RULES,
    ROUTES,
    CONNECTIONS,
    REVOCATION_ENTRIES,
    ENDPOINT_GROUPS,
    RULES,
    INTERFACE_GROUPS,
)
"""All quotas that are looked at."""

_PLACE = ["account", "region"]
_ENDPOINT = [*_PLACE, "endpoint_id"]
_PEERS = ["prefix_list_id", "cidr_ipv4", "cidr_ipv6"]


def usage_rows(tables: Mapping[str, pd.DataFrame]) -> Iterator[Row]:
    """Yield the rows of the view ``quota_usage`` from its inputs."""
    known = tables["client_vpn_endpoints"]
    endpoints = list(rows_where(known, known["status"] != "deleted"))
    applied = {(q.account, q.region, q.quota_code): q for q in rows_of(tables["service_quotas"])}

    def row(quota: Quota, resource: str, used: int, at: Any, most: int | None = None) -> Row:
        found = applied.get((at.account, at.region, quota.code)) if quota.code else None
        adjustable = found.adjustable if found is not None else quota.adjustable
        return {
            "account": at.account,
            "region": at.region,
            "quota": quota.name,
            "resource": resource,
            "used": used,
            "most": found.value if found is not None else most or quota.default,
            "applied": found is not None,
            "adjustable": quota.adjustable if pd.isna(adjustable) else bool(adjustable),
            "quota_code": quota.code or None,
            "source": at.source,
            "record": at.record,
        }

    together: dict[tuple[str, str], list[Any]] = {}
    for at in endpoints:
        together.setdefault((at.account, at.region), []).append(at)
    for (_, region), here in together.items():
        yield row(ENDPOINTS, f"Region {region}", len(here), here[0])
    by_id: dict[tuple[str, ...], Any] = {(e.account, e.region, e.endpoint_id): e for e in endpoints}

    rules = tables["client_vpn_authorization_rules"]
    for key, used in _counts(rules, _ENDPOINT, rules["status"] != "failed"):
        if key in by_id:
            yield row(AUTHORIZATION_RULES, key[2], used, by_id[key])

    routes = tables["client_vpn_routes"]
    routed = (routes["status"] != "failed") & routes["target_subnet"].notna()
    for key, used in _counts(routes, [*_ENDPOINT, "target_subnet"], routed):
        if key[:3] in by_id and key[3] != "local":
            yield row(ROUTES, f"{key[2]} on {key[3]}", used, by_id[key[:3]])

    networks = tables["client_vpn_target_networks"]
    connections = tables["client_vpn_connections"]
    live = dict(_counts(connections, _ENDPOINT, connections["status"] == "active"))
    for key, associations in _counts(networks, _ENDPOINT, networks["status"] == "associated"):
        if key in by_id:
            most = CONNECTIONS_BY_ASSOCIATIONS[min(associations, max(CONNECTIONS_BY_ASSOCIATIONS))]
            yield row(CONNECTIONS, key[2], live.get(key, 0), by_id[key], most)

    for one in rows_of(tables["client_certificate_revocation_lists"]):
        at = by_id.get((one.account, one.region, one.endpoint_id))
        if at is not None and not pd.isna(one.entries):
            yield row(REVOCATION_ENTRIES, one.endpoint_id, int(one.entries), at)

    held = tables["endpoint_security_groups"]
    for key, used in _counts(held, _ENDPOINT, held["effective"]):
        if key in by_id:
            yield row(ENDPOINT_GROUPS, key[2], used, by_id[key])

    carried = dict(_counts(tables["network_interface_groups"], [*_PLACE, "eni_id"]))
    for key, _ in _counts(tables["endpoint_network_interfaces"], [*_ENDPOINT, "eni_id"]):
        if key[:3] in by_id and (groups_held := carried.get((*key[:2], key[3]), 0)):
            yield row(INTERFACE_GROUPS, f"{key[3]} of {key[2]}", groups_held, by_id[key[:3]])

    groups = tables["nearby_security_groups"]
    weights = _rule_counts(tables["security_group_rules"], tables["prefix_lists"], groups)
    for at in rows_of(groups):
        for direction in ("inbound", "outbound"):
            used = weights.get((at.account, at.region, at.group_id, direction), 0)
            if used:
                yield row(RULES, f"{at.group_id} {direction}", used, at)


def beyond(
    service_quotas: pd.DataFrame,
    quota: Quota,
    *,
    account: str,
    region: str,
    before: int,
    after: int,
) -> str:
    """Say that a change goes beyond a quota; empty where it does not.

    Where the applied value was not read, AWS's default counts; whoever uses more than that already
    has had it raised.
    """
    names = ("account", "region", "quota_code", "value")
    mine = [
        value
        for *key, value in zip(*(service_quotas[name].tolist() for name in names), strict=True)
        if key == [account, region, quota.code] and not pd.isna(value)
    ]
    known = bool(quota.code) and bool(mine)
    most = int(mine[0]) if known else quota.default
    if after <= max(most, before) or (before > most and not known):
        return ""
    about = {"quota": tr(quota.name), "after": after, "most": most}
    if not quota.adjustable:
        return tr("{quota}: it would be {after}, and AWS takes at most {most}", **about)
    return (
        tr("{quota}: it would be {after}, and the quota applied here is {most}", **about)
        if known
        else tr("{quota}: it would be {after}, and AWS's usual quota is {most}", **about)
    )


def rules_used(rules: pd.DataFrame, prefix_lists: pd.DataFrame) -> tuple[int, int]:
    """Return for how many rules some rules count, for IPv4 and for IPv6; AWS limits the more."""
    if rules["prefix_list_id"].isna().all():  # most groups: quickly told
        return int(rules["cidr_ipv6"].isna().sum()), int(rules["cidr_ipv4"].isna().sum())
    ipv4, ipv6 = _weighed(rules, prefix_lists)
    return int(ipv4.sum()), int(ipv6.sum())


def _counts(
    frame: pd.DataFrame, by: list[str], on: "pd.Series[bool] | None" = None
) -> Iterator[tuple[tuple[str, ...], int]]:
    """Yield how many rows, of those for which something holds, have the same in some columns."""
    keys: Iterable[tuple[Any, ...]] = zip(*(frame[name].tolist() for name in by), strict=True)
    if on is not None:
        keys = compress(keys, on.fillna(False).tolist())
    # What lacks a part of its name, as NaN, is nobody's.
    yield from sorted(Counter(k for k in keys if all(isinstance(v, str) for v in k)).items())


_WEIGHTS = {
    ".cloudfront.origin-facing": 55,
    ".route53-healthchecks": 25,
    ".vpc-lattice": 10,
    ".s3express": 6,
    ".groundstation": 5,
    ".ec2-instance-connect": 2,
}
"""For how many rules a prefix list of AWS's counts, by the end of its name; the others for one
(https://docs.aws.amazon.com/vpc/latest/userguide/working-with-aws-managed-prefix-lists.html)."""


def _weight(name: object) -> int:
    """Return for how many rules a prefix list of AWS's counts.

    >>> _weight("com.amazonaws.global.cloudfront.origin-facing"), _weight("com.amazonaws.eu-west-1.s3")
    (55, 1)
    """
    text = str(name)
    known = text.startswith("com.amazonaws.")
    return next((n for end, n in _WEIGHTS.items() if known and text.endswith(end)), 1)


def _rule_counts(
    rules: pd.DataFrame, prefix_lists: pd.DataFrame, groups: pd.DataFrame
) -> dict[tuple[str, ...], int]:
    """Return for how many rules a group's rules count, by group and direction."""
    names = [*_PLACE, "group_id", "is_egress"]
    near = rules.loc[rules["group_id"].isin(groups["group_id"]), [*names, *_PEERS]]
    code = np.zeros(len(near), dtype=np.int64)
    for name in names:
        one, different = pd.factorize(near[name])
        code = code * len(different) + one
    _, first, which = np.unique(code, return_index=True, return_inverse=True)
    ipv4, ipv6 = (np.bincount(which, weights) for weights in _weighed(near, prefix_lists))
    keys = zip(*(near[name].iloc[first].tolist() for name in names), strict=True)
    return {
        (*place, "outbound" if is_egress else "inbound"): int(used)
        for (*place, is_egress), used in zip(keys, np.maximum(ipv4, ipv6).tolist(), strict=True)
    }


def _weighed(
    rules: pd.DataFrame, prefix_lists: pd.DataFrame
) -> tuple["pd.Series[int]", "pd.Series[int]"]:
    """Return for how many rules each rule counts, for IPv4 and for IPv6.

    AWS counts the two apart. A group as source counts in both, a prefix list for as many entries
    as it may hold. What AWS's own lists count for stands in its guide and not in the API; one that
    is not there counts for one, and the number may be too low.
    """
    most = prefix_lists.drop_duplicates("prefix_list_id").set_index("prefix_list_id")
    weights = most["max_entries"].fillna(most["name"].map(_weight))
    weight = rules["prefix_list_id"].map(weights).fillna(1).astype("int64")
    family = rules["prefix_list_id"].map(most["family"])
    ipv4 = rules["cidr_ipv6"].isna() & (family.isna() | family.eq("IPv4"))
    ipv6 = rules["cidr_ipv4"].isna() & (family.isna() | family.eq("IPv6"))
    return weight.where(ipv4, 0), weight.where(ipv6, 0)
