"""What several checks share: which endpoints are judged, and the groups and interfaces they hold."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import pandas as pd

from auditlib import words
from auditlib.access import standing
from auditlib.addresses import Ranges, addresses
from auditlib.aws.reads import read_of
from auditlib.cedar import Policy, policy_of
from auditlib.frames import kept, rows_of, rows_where
from auditlib.gaps import GapRow, once
from auditlib.language import sentences, tr
from auditlib.views import marked_client_vpn

GUIDE = "https://docs.aws.amazon.com/vpn/latest/clientvpn-admin/"
ENDPOINT = ["account", "region", "endpoint_id"]

_GONE = ["deleting", "deleted"]


def living(endpoints: pd.DataFrame) -> pd.Series:
    """Tell which endpoints are there to stay: neither deleted nor on the way out."""
    return ~endpoints["status"].isin(_GONE)


def with_security_groups(endpoints: pd.DataFrame) -> pd.Series:
    """Tell which endpoints have security groups, or may have: those attached to a VPC.

    An endpoint on a transit gateway has none, and one that was never associated has none yet.
    Where the SDK was too old to tell, the endpoint is judged (and the old SDK is a gap).
    """
    return living(endpoints) & ~_on_gateway(endpoints) & ~_never_attached(endpoints)


def _on_gateway(endpoints: pd.DataFrame) -> pd.Series:
    return endpoints["attachment"].eq("transit_gateway")


def _never_attached(endpoints: pd.DataFrame) -> pd.Series:
    """Tell which endpoints have no VPC; one in any other state has had a subnet associated."""
    return endpoints["attachment"].eq("none") & endpoints["status"].eq("pending-associate")


def without_security_groups(endpoints: pd.DataFrame) -> str:
    """Say which endpoints the checks of security groups leave out."""
    alive = endpoints[living(endpoints)]
    on_gateway, unattached = int(_on_gateway(alive).sum()), int(_never_attached(alive).sum())
    said = []
    if on_gateway:
        said.append(
            tr(
                "One endpoint attached to a transit gateway has no security group and is not "
                "judged here."
            )
            if on_gateway == 1
            else tr(
                "{number:,} endpoints attached to a transit gateway have no security group and are "
                "not judged here.",
                number=on_gateway,
            )
        )
    if unattached:
        said.append(
            tr("One endpoint has no VPC yet, so no security group either.")
            if unattached == 1
            else tr(
                "{number:,} endpoints have no VPC yet, so no security group either.",
                number=unattached,
            )
        )
    return sentences(*said)


def in_subnets(endpoints: pd.DataFrame) -> pd.Series:
    """Tell which endpoints stand in subnets of a VPC, or will; one on a transit gateway does not."""
    return living(endpoints) & ~_on_gateway(endpoints)


def outside_subnets(endpoints: pd.DataFrame) -> str:
    """Say which endpoints the checks of associations leave out."""
    number = int((living(endpoints) & _on_gateway(endpoints)).sum())
    if not number:
        return ""
    if number == 1:
        return tr(
            "One endpoint attached to a transit gateway stands in no subnet and is not judged here."
        )
    return tr(
        "{number:,} endpoints attached to a transit gateway stand in no subnet and are not "
        "judged here.",
        number=number,
    )


def unread_groups(
    judged: pd.DataFrame,
    endpoint_security_groups: pd.DataFrame,
    security_groups: pd.DataFrame,
) -> list[GapRow]:
    """Return a gap for each group of an endpoint, or for all its groups, that no answer holds.

    A group shared by another account, say, or the default group of somebody else's VPC: its rules
    are then unknown, and an unknown rule must not read as no rule.
    """
    known = set(security_groups["group_id"])
    held: dict[tuple[str, ...], list[str | None]] = defaultdict(list)
    for row in rows_of(endpoint_security_groups):
        held[row.account, row.region, row.endpoint_id].append(row.group_id)
    return [
        gap(
            "security_groups",
            "describe-security-groups",
            account=row.account,
            region=row.region,
            resource=group_id,
            message=tr("{row.endpoint_id} has a group that the answer does not hold", row=row),
        )
        for row in rows_of(judged)
        for group_id in held.get((row.account, row.region, row.endpoint_id), [None])
        if group_id not in known
    ]


def unread_members(
    judged: pd.DataFrame,
    endpoint_security_groups: pd.DataFrame,
    security_groups: pd.DataFrame,
    security_group_vpc_associations: pd.DataFrame,
) -> list[GapRow]:
    """Return, beside groups that were not read, accounts whose interfaces may carry a group too.

    A group can be associated with a VPC of another account of the Region, and the endpoint's own
    VPC can be another account's, shared with this one, which then sees its own interfaces only. An
    account was read when the answers hold groups of it: every VPC has at least its default one.
    """
    held = security_group_vpc_associations["group_id"].isin(
        groups_in_force(judged, endpoint_security_groups)["group_id"]
    )
    read = security_group_vpc_associations["vpc_owner_id"].isin(
        security_groups["account"].astype(str)
    )
    rows = [
        gap(
            "network_interfaces",
            "describe-network-interfaces",
            account=row.vpc_owner_id,
            region=row.region,
            resource=row.vpc_id,
            message=tr(
                "{row.group_id} is associated with this VPC of an account that was not read",
                row=row,
            ),
        )
        for row in rows_where(security_group_vpc_associations, held & ~read)
    ]
    owned = set(security_groups.loc[security_groups["is_default"], "vpc_id"])
    vpcs = dict.fromkeys(
        (row.account, row.region, row.vpc_id) for row in rows_at(endpoint_security_groups, judged)
    )
    rows += [
        gap(
            "network_interfaces",
            "describe-network-interfaces",
            account=account,
            region=region,
            resource=vpc_id,
            message=tr(
                "no answer holds the default group of {vpc_id}: it belongs to an account that was "
                "not read, and interfaces of others there are not shown",
                vpc_id=vpc_id,
            ),
        )
        for account, region, vpc_id in vpcs
        if vpc_id not in owned
    ]
    return unread_groups(judged, endpoint_security_groups, security_groups) + rows


def untold_authentication(judged: pd.DataFrame) -> list[GapRow]:
    """Return a gap for each endpoint of which it is not known how its users authenticate.

    The answer says nothing, or names a way that AWS had not invented when the kit was written.
    """
    return [
        gap(
            "client_vpn_endpoints",
            "describe-client-vpn-endpoints",
            account=row.account,
            region=row.region,
            resource=row.endpoint_id,
            message=tr(
                "the answer does not say how users of {row.endpoint_id} authenticate", row=row
            )
            if not row.authentication_types
            else tr(
                "users of {row.endpoint_id} authenticate in a way that is not known here", row=row
            ),
            status="untold",
        )
        for row in rows_of(judged)
        if not row.authentication_types or not _AUTHENTICATION.issuperset(row.authentication_types)
    ]


_AUTHENTICATION = frozenset(
    {
        "certificate-authentication",
        "directory-service-authentication",
        "federated-authentication",
    }
)


def changing_rules(
    judged: pd.DataFrame,
    client_vpn_target_networks: pd.DataFrame,
    client_vpn_authorization_rules: pd.DataFrame,
    client_vpn_routes: pd.DataFrame,
) -> list[GapRow]:
    """Return a gap for each association, authorization rule and route that may hold or not.

    It is being made or taken away, or its status is not one that is known today.
    """
    described = (
        (client_vpn_target_networks, "target-networks", _association),
        (client_vpn_authorization_rules, "authorization-rules", _authorization_rule),
        (client_vpn_routes, "routes", _route),
    )
    rows: list[GapRow] = []
    for frame, what, named in described:
        rows += [
            gap(
                f"client_vpn_{what.replace('-', '_')}",
                f"describe-client-vpn-{what}",
                account=row.account,
                region=row.region,
                resource=row.endpoint_id,
                message=tr(
                    "{what} of {row.endpoint_id} is {status}: whether it holds cannot be told before "
                    "that is done",
                    what=named(row),
                    row=row,
                    status=words.clean(row.status),
                )
                if words.clean(row.status)
                else tr(
                    "{what} of {row.endpoint_id} is in a state that was not told: whether it holds "
                    "cannot be told before that is done",
                    what=named(row),
                    row=row,
                ),
                status="untold",
            )
            for row in rows_at(frame, judged)
            if standing(row.status) == "changing"
        ]
    return once(rows)


def _association(row: Any) -> str:
    return tr("the association of {row.subnet_id}", row=row)


def _authorization_rule(row: Any) -> str:
    return tr("the rule for {row.destination_cidr}", row=row)


def _route(row: Any) -> str:
    return tr("the route {row.destination_cidr}", row=row)


def untold_settings(
    table: str, operation: str, column: str, what: str, *, since: str | None = None
) -> Callable[..., list[GapRow]]:
    """Return what finds the judged rows of which AWS's answer leaves out a setting.

    Parameters
    ----------
    table, operation
        The table judged, and the read it is built from.
    column
        The column that is missing then, or ``unknown``.
    what
        What the answer does not say about an endpoint, marked for translators: "how long a
        session lasts on".
    since
        First botocore release that is sure to say it, where an older one is what leaves it out.
    """

    def unseen(judged: pd.DataFrame) -> list[GapRow]:
        return [
            gap(
                table,
                operation,
                account=row.account,
                region=row.region,
                resource=row.endpoint_id,
                message=tr(
                    "only botocore {since} or later is sure to say {what} {endpoint}",
                    since=since,
                    what=tr(what),
                    endpoint=row.endpoint_id,
                )
                if since
                else tr(
                    "the answer does not say {what} {endpoint}",
                    what=tr(what),
                    endpoint=row.endpoint_id,
                ),
                status="unsupported" if since else "untold",
            )
            for row in rows_of(judged)
            if pd.isna(getattr(row, column)) or getattr(row, column) == "unknown"
        ]

    return unseen


def untold(column: str, what: str, *, since: str | None = None) -> Callable[..., list[GapRow]]:
    """Return what finds the endpoints of which the answer leaves out a setting."""
    return untold_settings(
        "client_vpn_endpoints", "describe-client-vpn-endpoints", column, what, since=since
    )


def unread_policies(client_vpn_authorization_policies: pd.DataFrame) -> list[GapRow]:
    """Return a gap for each authorization policy that cannot be read as Cedar, or not followed."""
    return [
        gap(
            "client_vpn_authorization_policies",
            "get-client-vpn-endpoint-authorization-policy",
            account=row.account,
            region=row.region,
            resource=row.endpoint_id,
            message=tr(
                "the policy of {row.endpoint_id} cannot be read as Cedar: {doubt}",
                row=row,
                doubt=words.clean(policy_text(row).doubt, 100),
            )
            if policy_text(row).problem
            else tr(
                "the policy of {row.endpoint_id} cannot be followed: {doubt}",
                row=row,
                doubt=words.clean(policy_text(row).doubt, 100),
            ),
            status="untold",
        )
        for row in rows_of(client_vpn_authorization_policies)
        if policy_text(row).doubt
    ]


def not_said(
    read_id: str, found: Iterable[tuple[Any, str, str]], *, table: str | None = None
) -> list[GapRow]:
    """Return gaps for what an answer of AWS does not say.

    Parameters
    ----------
    read_id
        The read whose answer does not say it.
    found
        A row with account and region, the resource, and what is not said.
    """
    read = read_of(read_id)
    return [
        {
            "table": table or read.tables[0],
            "account": row.account,
            "region": row.region,
            "service": read.service,
            "operation": read.operation,
            "resource": resource,
            "status": "untold",
            "error_message": message,
            "iam_action": read.iam_action,
        }
        for row, resource, message in found
    ]


def policy_text(row: Any) -> Policy:
    """Return what the authorization policy of a row says."""
    return policy_of(row.policy_document if isinstance(row.policy_document, str) else "")


def yes(flags: pd.Series) -> pd.Series:
    """Tell where a flag is set; what AWS did not tell is not."""
    return flags.fillna(False).astype(bool)


def may_ask_for(endpoints: pd.DataFrame, kind: str) -> pd.Series:
    """Tell which endpoints use a kind of authentication, or may.

    They may where AWS did not say which, or named one that is not known here: it may be the kind by
    another name, or take it in.
    """
    types = endpoints["authentication_types"]
    return types.map(
        lambda found: not found or kind in found or not _AUTHENTICATION.issuperset(found)
    ).astype(bool)


def mutual(endpoints: pd.DataFrame) -> pd.Series:
    """Tell which living endpoints ask clients for a certificate, or may, whatever else they ask."""
    return living(endpoints) & may_ask_for(endpoints, "certificate-authentication")


def days_left(end: Any, read_at: Any) -> float:
    """Return how many days there were to a time when the account was read.

    ``nan``, which is neither soon nor late, where either is not known.
    """
    return float((end - read_at) / pd.Timedelta(days=1))


def day(time: Any) -> str:
    """Return the day of a time."""
    return f"{time:%Y-%m-%d}"


def ending(end: Any, read_at: Any) -> str:
    """Return when something ends or ended, with the days from when the account was read."""
    left = int(days_left(end, read_at))
    if days_left(end, read_at) <= 0:
        return tr("expired on {end}", end=words.minute(end))
    if not left:
        return tr("expires on {end}, a day after the snapshot", end=day(end))
    return tr(
        "expires on {end}, {nouns} after the snapshot",
        end=day(end),
        nouns=words.count(left, "day"),
        days=left,
    )


def gap(
    table: str,
    operation: str,
    *,
    account: str,
    region: str,
    resource: Any,
    message: str,
    status: str = "missing",
) -> GapRow:
    """Return a row of ``schemas.GAPS`` about an answer of EC2 that leaves something open."""
    action = "".join(word.capitalize() for word in operation.split("-"))
    return {
        "table": table,
        "account": account,
        "region": region,
        "service": "ec2",
        "operation": operation,
        "resource": resource if isinstance(resource, str) else None,
        "status": status,
        "error_message": message,
        "iam_action": f"ec2:{action}",
    }


@kept
def groups_in_force(endpoints: pd.DataFrame, endpoint_groups: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of ``endpoint_security_groups`` in force on the endpoints judged.

    Not what is configured: a change of the settings takes hours to reach the interfaces.
    """
    held = endpoint_groups[endpoint_groups["effective"] & endpoint_groups["group_id"].notna()]
    return held.merge(endpoints[ENDPOINT], on=ENDPOINT)


@kept
def other_interfaces(
    groups: pd.DataFrame,
    endpoint_interfaces: pd.DataFrame,
    interfaces: pd.DataFrame,
    interface_groups: pd.DataFrame,
) -> pd.DataFrame:
    """Return the interfaces that carry a group of an endpoint and are not that endpoint's own.

    One row per endpoint, group and interface: the columns of ``network_interfaces`` beside
    ``endpoint_id``, ``group_id`` and ``client_vpn``: whether the interface belongs to Client VPN
    all the same, to another endpoint.
    """
    carried = interface_groups[interface_groups["group_id"].isin(groups["group_id"])]
    rows = groups[[*ENDPOINT, "group_id"]].merge(carried[["group_id", "eni_id"]], on="group_id")
    own = set(zip(endpoint_interfaces["endpoint_id"], endpoint_interfaces["eni_id"], strict=True))
    mine = [pair in own for pair in zip(rows["endpoint_id"], rows["eni_id"], strict=True)]
    rows = rows[~pd.Series(mine, index=rows.index, dtype=bool)]
    known = interfaces.drop(columns=["account", "region", "source", "record"])
    rows = rows.merge(known.drop_duplicates("eni_id"), on="eni_id")
    return rows.assign(
        client_vpn=rows["eni_id"].isin(endpoint_interfaces["eni_id"]) | marked_client_vpn(rows)
    )


def listed_addresses(prefix_list_entries: pd.DataFrame) -> dict[str, Ranges]:
    """Return the addresses of each prefix list that has any."""
    spans: dict[str, list[tuple[int, int]]] = {}
    for entry in rows_of(prefix_list_entries):
        spans.setdefault(entry.prefix_list_id, []).extend(addresses(entry.cidr_block).spans)
    return {id: Ranges.of(held) for id, held in spans.items()}


@kept
def names_of(frame: pd.DataFrame, id: str, *names: str) -> dict[str, str]:
    """Return what records are called, by id: the first of the columns ``names`` that says it."""
    found: dict[str, str] = {}
    for name in reversed(names):
        told = frame[frame[name].notna() & frame[id].notna()]
        found |= {str(i): str(n) for i, n in zip(told[id], told[name], strict=True)}
    return found


def rows_at(frame: pd.DataFrame, judged: pd.DataFrame) -> Iterator[Any]:
    """Return the rows of a frame that belong to the endpoints judged."""
    endpoints = set(zip(*(judged[name].tolist() for name in ENDPOINT), strict=True))
    return (
        row for row in rows_of(frame) if (row.account, row.region, row.endpoint_id) in endpoints
    )


def called(row: Any) -> str:
    """Return an endpoint's id and name, from a row that carries both."""
    name = row.endpoint_name if hasattr(row, "endpoint_name") else row.name
    return words.named(row.endpoint_id, name)


def place_of(row: Any) -> Mapping[str, Any]:
    """Return the columns every row of evidence about an endpoint begins with."""
    return {"account": row.account, "region": row.region, "endpoint_id": row.endpoint_id}
