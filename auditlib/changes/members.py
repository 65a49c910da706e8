# ruff: noqa: D102 # the base class says what the methods of each change return
"""Changes of what carries which security groups: endpoints and network interfaces.

Reference: https://docs.aws.amazon.com/vpn/latest/clientvpn-admin/cvpn-working-target-apply.html
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import pandas as pd

from auditlib import words
from auditlib.changes import hcl
from auditlib.changes.change import Change, associations, limited, with_rows, without
from auditlib.frames import rows_where
from auditlib.language import marked, tr
from auditlib.quotas import ENDPOINT_GROUPS, INTERFACE_GROUPS
from auditlib.tables import Tables

__all__ = ["ApplySecurityGroups", "SetInterfaceGroups"]


@dataclass(frozen=True, kw_only=True)
class ApplySecurityGroups(Change):
    """Apply security groups to all associations of an endpoint; they replace the whole set."""

    endpoint_id: str
    vpc_id: str
    group_ids: tuple[str, ...]

    kind: ClassVar[str] = "apply-security-groups"
    doing: ClassVar[tuple[str, str]] = (
        marked("give other security groups to {count}"),
        marked("endpoint"),
    )
    iam_action: ClassVar[str] = "ec2:ApplySecurityGroupsToClientVpnTargetNetwork"
    phase: ClassVar[int] = 3

    def words(self) -> str:
        return tr(
            "Apply {group_ids} to {endpoint_id}, in place of all others",
            group_ids=words.listed(self.group_ids),
            endpoint_id=self.endpoint_id,
        )

    def _problems(self, tables: Tables) -> Iterable[str]:
        endpoints = tables["client_vpn_endpoints"]
        mine = endpoints[endpoints["endpoint_id"] == self.endpoint_id]
        if mine.empty:
            yield tr("there is no {endpoint_id} in what was read", endpoint_id=self.endpoint_id)
        elif (mine["attachment"] == "transit_gateway").any():
            yield tr("an endpoint on a transit gateway has no security groups")
        yield from _wrong_groups(tables, self.group_ids, self.vpc_id)
        yield from limited(tables, self, ENDPOINT_GROUPS, 0, len(self.group_ids))
        vpcs = set(associations(tables, self.endpoint_id)["vpc_id"].dropna())
        if vpcs and vpcs != {self.vpc_id}:
            yield tr(
                "{endpoint_id} is associated with {vpcs}",
                endpoint_id=self.endpoint_id,
                vpcs=words.listed(sorted(vpcs)),
            )

    def _applied(self, tables: Tables) -> Tables:
        endpoints = tables["client_vpn_endpoints"]
        networks = tables["client_vpn_target_networks"]
        enis = tables["endpoint_network_interfaces"]
        mine = enis[(enis["endpoint_id"] == self.endpoint_id) & enis["certain"]]
        return tables.replace(
            client_vpn_endpoints=_with_groups(
                endpoints, endpoints["endpoint_id"] == self.endpoint_id, self.group_ids
            ),
            client_vpn_target_networks=_with_groups(
                networks, networks["endpoint_id"] == self.endpoint_id, self.group_ids
            ),
            network_interface_groups=_carried(tables, set(mine["eni_id"]), self.group_ids),
        )

    def inverse(self, tables: Tables) -> "Change":
        """Return what applies the groups in force before.

        Where the endpoint named none, or others than were in force, AWS cannot be brought back to
        just that: the groups in force are then named.
        """
        held = tables["endpoint_security_groups"]
        mine = held[(held["endpoint_id"] == self.endpoint_id) & held["effective"]]
        before = tuple(sorted(mine["group_id"].dropna()))
        endpoints = tables["client_vpn_endpoints"]
        named = endpoints.loc[endpoints["endpoint_id"] == self.endpoint_id, "security_group_ids"]
        if set(named.iloc[0]) == set(before):
            before = named.iloc[0]
        return ApplySecurityGroups(
            account=self.account,
            region=self.region,
            endpoint_id=self.endpoint_id,
            vpc_id=self.vpc_id,
            group_ids=before,
        )

    def _cli(self) -> tuple[str, ...]:
        return (
            *("ec2", "apply-security-groups-to-client-vpn-target-network"),
            *("--client-vpn-endpoint-id", self.endpoint_id, "--vpc-id", self.vpc_id),
            *("--security-group-ids", *self.group_ids),
        )

    def terraform(self) -> str:
        ids = ", ".join(hcl.literal(hcl.reference(id)) for id in self.group_ids)
        return hcl.comment(
            tr(
                "In the aws_ec2_client_vpn_endpoint of {endpoint_id} set:",
                endpoint_id=self.endpoint_id,
            ),
            f"  vpc_id             = {hcl.literal(self.vpc_id)}",
            f"  security_group_ids = [{ids}]",
            *tr(
                "Terraform modifies the endpoint, for which AWS documents up to four hours; for the AWS CLI's\n"
                "apply-security-groups-to-client-vpn-target-network it documents no delay."
            ).split("\n"),
        )


@dataclass(frozen=True, kw_only=True)
class SetInterfaceGroups(Change):
    """Set the security groups of a network interface; they replace the whole set."""

    eni_id: str
    group_ids: tuple[str, ...]

    kind: ClassVar[str] = "set-interface-groups"
    doing: ClassVar[tuple[str, str]] = (
        marked("give other security groups to {count}"),
        marked("interface"),
    )
    iam_action: ClassVar[str] = "ec2:ModifyNetworkInterfaceAttribute"
    phase: ClassVar[int] = 3

    def words(self) -> str:
        return tr(
            "Set the groups of {eni_id} to {group_ids}",
            eni_id=self.eni_id,
            group_ids=words.listed(self.group_ids),
        )

    def _problems(self, tables: Tables) -> Iterable[str]:
        enis = tables["network_interfaces"]
        mine = enis[enis["eni_id"] == self.eni_id]
        if mine.empty:
            yield tr("there is no {eni_id} in what was read", eni_id=self.eni_id)
            return
        if mine["requester_managed"].fillna(False).any():
            yield tr(
                "{eni_id} belongs to a service of AWS: set its groups there", eni_id=self.eni_id
            )
        held = tables["network_interface_groups"]
        has = int((held["eni_id"] == self.eni_id).sum())
        yield from _wrong_groups(tables, self.group_ids, str(mine["vpc_id"].iloc[0]))
        yield from limited(tables, self, INTERFACE_GROUPS, has, len(self.group_ids))

    def _applied(self, tables: Tables) -> Tables:
        return tables.replace(
            network_interface_groups=_carried(tables, {self.eni_id}, self.group_ids)
        )

    def inverse(self, tables: Tables) -> "Change":
        held = tables["network_interface_groups"]
        before = tuple(held.loc[held["eni_id"] == self.eni_id, "group_id"])
        return SetInterfaceGroups(
            account=self.account, region=self.region, eni_id=self.eni_id, group_ids=before
        )

    def _cli(self) -> tuple[str, ...]:
        return (
            *("ec2", "modify-network-interface-attribute", "--network-interface-id", self.eni_id),
            *("--groups", *self.group_ids),
        )

    def terraform(self) -> str:
        ids = ", ".join(hcl.literal(hcl.reference(id)) for id in self.group_ids)
        return hcl.comment(
            *tr(
                "In the resource that owns {eni_id} (an aws_instance: vpc_security_group_ids; an\n"
                "aws_network_interface: security_groups) set the list to [{ids}].",
                eni_id=words.clean(self.eni_id, 500),
                ids=ids,
            ).split("\n")
        )


def _with_groups(frame: pd.DataFrame, mine: Any, group_ids: tuple[str, ...]) -> pd.DataFrame:
    told = [
        group_ids if hit else held
        for hit, held in zip(mine, frame["security_group_ids"], strict=True)
    ]
    return frame.assign(security_group_ids=pd.Series(told, index=frame.index, dtype="object"))


def _carried(tables: Tables, enis: set[str], group_ids: tuple[str, ...]) -> pd.DataFrame:
    """Return ``network_interface_groups`` with these groups, and no others, on some interfaces."""
    held, known = tables["network_interface_groups"], tables["network_interfaces"]
    groups = tables["security_groups"].drop_duplicates("group_id").set_index("group_id")
    gone = held["eni_id"].isin(enis)
    left = tables.replace(network_interface_groups=without(held, gone))
    rows = [
        {
            "account": row.account,
            "region": row.region,
            "eni_id": row.eni_id,
            "group_id": group,
            "group_name": groups["group_name"].get(group),
            "source": row.source,
            "record": row.record,
        }
        for row in rows_where(known, known["eni_id"].isin(enis))
        for group in group_ids
    ]
    return with_rows(left, "network_interface_groups", rows)


def _wrong_groups(tables: Tables, group_ids: tuple[str, ...], vpc_id: str) -> Iterable[str]:
    if not group_ids:
        yield tr("AWS asks for at least one group")
    if len(set(group_ids)) != len(group_ids):
        yield tr("a group is named twice")
    groups = tables["security_groups"].drop_duplicates("group_id").set_index("group_id")
    shared = tables["security_group_vpc_associations"]
    beside = set(zip(shared["group_id"], shared["vpc_id"], strict=True))
    for id in group_ids:
        if id not in groups.index:
            yield tr("there is no {id} in what was read", id=words.clean(id))
        elif groups["vpc_id"].get(id) != vpc_id and (id, vpc_id) not in beside:
            yield tr("{id} is not in {vpc_id}", id=id, vpc_id=vpc_id)
