"""Views: tables worked out from other tables.

To add a view, add its schema (with ``inputs``) to ``schemas.py`` and write a function of its name,
decorated with ``@view``, whose parameter names are its inputs (or ``tables``, for all it names).
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import pandas as pd

from auditlib.check import TableSource
from auditlib.frames import frame_of, frame_of_rows, named_rows
from auditlib.schemas import SCHEMAS

__all__ = [
    "VIEWS",
    "egress_rules",
    "endpoint_network_interfaces",
    "endpoint_security_groups",
    "ingress_rules",
    "marked_client_vpn",
    "nearby_security_groups",
    "opened_networks",
    "quota_usage",
    "reached_interfaces",
    "view",
]

View = Callable[..., pd.DataFrame]

Key = tuple[str, str, str]
"""Account, region and id."""

Row = dict[str, Any]

VIEWS: dict[str, View] = {}
"""The functions of all views, by name."""


def view(function: View) -> View:
    """Register a function as the view of its name; its parameters name its inputs."""
    VIEWS[function.__name__] = function
    return function


@view
def ingress_rules(security_group_rules: pd.DataFrame) -> pd.DataFrame:
    """Return the inbound rules."""
    rules = security_group_rules
    return frame_of(SCHEMAS["ingress_rules"], rules[~rules["is_egress"]].reset_index(drop=True))


@view
def egress_rules(security_group_rules: pd.DataFrame) -> pd.DataFrame:
    """Return the outbound rules."""
    rules = security_group_rules
    return frame_of(SCHEMAS["egress_rules"], rules[rules["is_egress"]].reset_index(drop=True))


@view
def endpoint_network_interfaces(
    client_vpn_endpoints: pd.DataFrame,
    client_vpn_target_networks: pd.DataFrame,
    network_interfaces: pd.DataFrame,
    network_interface_groups: pd.DataFrame,
) -> pd.DataFrame:
    """Return the interfaces of VPC-associated endpoints.

    AWS marks them only by their description, which often but not always names the endpoint. An
    interface that names none belongs to an endpoint associated with its subnet. Where there are
    several, the security groups tell which one as far as they can, and ``certain`` is false.
    """
    endpoints = _vpc_endpoints(client_vpn_endpoints, client_vpn_target_networks)
    associations = _associations(client_vpn_target_networks)
    marked = _client_vpn_interfaces(network_interfaces)
    groups = _groups_carried(network_interface_groups, [eni["eni_id"] for eni in marked])
    rows: list[Row] = []
    unnamed: dict[Key, list[Row]] = defaultdict(list)
    for eni in marked:
        place = (eni["account"], eni["region"])
        named = _ENDPOINT_ID.search(eni["description"].lower())
        if named is None:
            unnamed[(*place, eni["subnet_id"])].append(eni)
        elif (*place, named[0]) in endpoints:
            rows.append(
                eni | {"endpoint_id": named[0], "joined_by": "description", "certain": True}
            )

    candidates: dict[Key, dict[str, frozenset[str]]] = defaultdict(dict)
    for key, endpoint in endpoints.items():
        for association in associations[key]:
            expected = frozenset(
                association["security_group_ids"] or endpoint["security_group_ids"]
            )
            candidates[(*key[:2], association["subnet_id"])][key[2]] = expected
    # An interface may outlive the association or endpoint it was made for.
    claimed: dict[Key, set[str]] = defaultdict(set)
    for row in named_rows(client_vpn_target_networks):
        claimed[row["account"], row["region"], row["subnet_id"]].add(row["endpoint_id"])
    for subnet, enis in unnamed.items():
        expected_of = candidates[subnet]
        owners = {
            eni["eni_id"]: _likely_owners(
                frozenset(groups[(*subnet[:2], eni["eni_id"])]), expected_of
            )
            for eni in enis
        }
        # An endpoint left without any interface may have one that carries other groups than it
        # should: then each of them could be its.
        left_out = set(expected_of) - {owner for some in owners.values() for owner in some}
        left_out -= {
            row["endpoint_id"]
            for row in rows
            if (row["account"], row["region"], row["subnet_id"]) == subnet
        }
        rows += [
            eni | {"endpoint_id": id, "joined_by": "subnet", "certain": len(claimed[subnet]) == 1}
            for eni in enis
            for id in sorted(owners[eni["eni_id"]] | left_out)
        ]
    return frame_of_rows(SCHEMAS["endpoint_network_interfaces"], rows)


@view
def endpoint_security_groups(
    client_vpn_endpoints: pd.DataFrame,
    client_vpn_target_networks: pd.DataFrame,
    endpoint_network_interfaces: pd.DataFrame,
    network_interface_groups: pd.DataFrame,
    security_groups: pd.DataFrame,
) -> pd.DataFrame:
    """Return the security groups of VPC-associated endpoints, from the three places AWS shows them.

    A change of an endpoint's settings may take hours to reach its interfaces, so what is
    configured, what an association carries and what an interface carries can differ; ``effective``
    says what is in force.
    """
    endpoints = _vpc_endpoints(client_vpn_endpoints, client_vpn_target_networks)
    associations = _associations(client_vpn_target_networks)
    interfaces: dict[Key, list[Row]] = defaultdict(list)
    for eni in named_rows(endpoint_network_interfaces):
        interfaces[eni["account"], eni["region"], eni["endpoint_id"]].append(eni)
    groups_of = _groups_carried(network_interface_groups, endpoint_network_interfaces["eni_id"])
    names = {
        (*key[:2], id): name for key, groups in groups_of.items() for id, name in groups.items()
    }
    known = {
        (g["account"], g["region"], g["group_id"]): g for g in named_rows(security_groups[_GROUP])
    }
    defaults = {
        (*key[:2], group["vpc_id"]): key[2] for key, group in known.items() if group["is_default"]
    }

    rows = []
    for key, endpoint in endpoints.items():
        place, enis = key[:2], interfaces[key]
        carried = [set(groups_of[(*place, eni["eni_id"])]) for eni in enis]
        # An interface without any group tells nothing: what was applied counts there.
        seen_in = {
            eni["subnet_id"]
            for eni, groups in zip(enis, carried, strict=True)
            if eni["certain"] and groups
        }
        configured = set(endpoint["security_group_ids"])
        default = defaults.get((*place, endpoint["vpc_id"]))
        omitted: set[str | None] = set() if configured else {default}
        applied = [
            (set(a["security_group_ids"]) or configured or omitted, a["subnet_id"])
            for a in associations[key]
        ]
        # AWS chose the default group only as long as nothing else was applied since.
        in_use = [*carried, *(groups for groups, _ in applied)]
        if in_use and not any(default in groups for groups in in_use):
            omitted = set()
        in_force: set[str | None] = set().union(*carried)
        in_force = in_force.union(*(groups for groups, subnet in applied if subnet not in seen_in))
        if not applied and not enis:
            in_force = configured | omitted
        everywhere: set[str | None] = configured | omitted
        everywhere = everywhere.union(*in_use)
        for id in sorted(everywhere, key=str):
            group = known.get((*place, id), {}) if id else {}
            name = group.get("group_name") or names.get((*place, id or ""))
            is_default = group["is_default"] if group else None
            if not group and (id is None or name is not None):
                is_default = id is None or name == "default"
            rows.append(
                {
                    "account": key[0],
                    "region": key[1],
                    "endpoint_id": key[2],
                    "endpoint_name": endpoint["name"],
                    "vpc_id": endpoint["vpc_id"],
                    "group_id": id,
                    "group_name": name or ("default" if id is None else None),
                    "is_default": is_default,
                    "configured": id in configured,
                    "by_omission": id in omitted,
                    "on_target_networks": sum(id in groups for groups, _ in applied),
                    "target_networks": len(applied),
                    "on_interfaces": sum(id in groups for groups in carried),
                    "interfaces": len(enis),
                    "effective": id in in_force,
                }
            )
    return frame_of_rows(SCHEMAS["endpoint_security_groups"], rows)


@view
def nearby_security_groups(
    *,
    client_vpn_endpoints: pd.DataFrame,
    client_vpn_target_networks: pd.DataFrame,
    security_groups: pd.DataFrame,
    security_group_rules: pd.DataFrame,
    network_interface_groups: pd.DataFrame,
    security_group_vpc_associations: pd.DataFrame,
) -> pd.DataFrame:
    """Return the security groups of the endpoints' VPCs, each with what uses it.

    An endpoint that is not associated yet has no interface, and uses the groups it names all the
    same. A rule of a group that names the group itself is no use of it.
    """
    endpoints = _vpc_endpoints(client_vpn_endpoints, client_vpn_target_networks)
    places = {(*key[:2], endpoint["vpc_id"]) for key, endpoint in endpoints.items()}
    groups = security_groups[["account", "region", "vpc_id"]].astype("str")
    here = [tuple(row) in places for row in groups.to_numpy()]
    near = security_groups[pd.Series(here, index=security_groups.index, dtype=bool)]
    named: dict[str, set[str]] = defaultdict(set)
    for key, endpoint in endpoints.items():
        for id in endpoint["security_group_ids"]:
            named[id].add(key[2])
    for key, associations in _associations(client_vpn_target_networks).items():
        for association in associations:
            for id in association["security_group_ids"]:
                named[id].add(key[2])
    rules = security_group_rules
    others = rules[
        rules["referenced_group_id"].notna() & (rules["referenced_group_id"] != rules["group_id"])
    ]
    ids = near["group_id"]
    return frame_of(
        SCHEMAS["nearby_security_groups"],
        near.assign(
            interfaces=_number_of(ids, network_interface_groups, "group_id", "eni_id"),
            endpoints=ids.map({id: len(found) for id, found in named.items()})
            .fillna(0)
            .astype("Int64"),
            referring_groups=_number_of(ids, others, "referenced_group_id", "group_id"),
            shared_vpcs=_number_of(ids, security_group_vpc_associations, "group_id", "vpc_id"),
        ).reset_index(drop=True),
    )


def _number_of(ids: pd.Series, frame: pd.DataFrame, by: str, what: str) -> pd.Series:
    """Return how many different things stand beside each id in a frame."""
    return ids.map(frame.groupby(by)[what].nunique()).fillna(0).astype("Int64")


@view
def quota_usage(tables: TableSource) -> pd.DataFrame:
    """Return the quotas around Client VPN and how much of each is used."""
    from auditlib.quotas import usage_rows

    schema = SCHEMAS["quota_usage"]
    return frame_of_rows(schema, usage_rows({name: tables[name] for name in schema.inputs}))


@view
def reached_interfaces(tables: TableSource) -> pd.DataFrame:
    """Return the interfaces that users of an endpoint reach."""
    from auditlib.access import views  # which asks tables, and so this module, for its inputs

    return views.reached_interfaces(tables)


@view
def opened_networks(tables: TableSource) -> pd.DataFrame:
    """Return the networks that endpoints authorize and route, and what they lead to."""
    from auditlib.access import views

    return views.opened_networks(tables)


_GROUP = ["account", "region", "group_id", "group_name", "vpc_id", "is_default"]
_MARK = "clientvpn endpoint"
_ENDPOINT_ID = re.compile(r"cvpn-endpoint-[0-9a-z]+")
_GONE = {"association-failed", "disassociated"}


def _associations(
    client_vpn_target_networks: pd.DataFrame,
) -> dict[Key, list[Row]]:
    """Return the associations that hold or may hold, by endpoint."""
    found = defaultdict(list)
    for row in named_rows(client_vpn_target_networks):
        if row["status"] not in _GONE:
            found[row["account"], row["region"], row["endpoint_id"]].append(row)
    return found


def _vpc_endpoints(
    client_vpn_endpoints: pd.DataFrame, client_vpn_target_networks: pd.DataFrame
) -> dict[Key, Row]:
    """Return the endpoints that stand in a VPC and are not deleted, each with its VPC."""
    associations = _associations(client_vpn_target_networks)
    found = {}
    for row in named_rows(client_vpn_endpoints):
        key = (row["account"], row["region"], row["endpoint_id"])
        vpc = row["vpc_id"] or next((a["vpc_id"] for a in associations[key] if a["vpc_id"]), None)
        if row["attachment"] != "transit_gateway" and row["status"] != "deleted" and vpc:
            found[key] = row | {"vpc_id": vpc}
    return found


def marked_client_vpn(interfaces: pd.DataFrame) -> pd.Series:
    """Tell which interfaces AWS describes as Client VPN's.

    AWS writes that text, but so may whoever creates an interface: what is on an instance, or of a
    kind of its own (a load balancer's, say), is none of Client VPN's, whatever its text says.
    """
    description = interfaces["description"].fillna("")
    plain = interfaces["interface_type"].fillna("interface").eq("interface")
    return (
        description.str.contains(_MARK, case=False, regex=False)
        & plain.astype(bool)
        & interfaces["instance_id"].isna()
    )


def _client_vpn_interfaces(network_interfaces: pd.DataFrame) -> list[Row]:
    marked = network_interfaces[marked_client_vpn(network_interfaces)]
    return named_rows(marked.drop(columns=["tags"]))


def _groups_carried(
    network_interface_groups: pd.DataFrame, interfaces: Iterable[str]
) -> dict[Key, dict[str, str | None]]:
    """Return the security groups of some interfaces, each with its name."""
    groups = network_interface_groups
    found: dict[Key, dict[str, str | None]] = defaultdict(dict)
    for row in named_rows(groups[groups["eni_id"].isin(list(interfaces))]):
        found[row["account"], row["region"], row["eni_id"]][row["group_id"]] = row["group_name"]
    return found


def _likely_owners(groups: frozenset[str], expected_of: dict[str, frozenset[str]]) -> set[str]:
    """Return the endpoints whose groups an interface carries: exactly, in part, or else all."""
    exact = {id for id, expected in expected_of.items() if expected == groups}
    some = {id for id, expected in expected_of.items() if expected & groups}
    return exact or some or set(expected_of)
