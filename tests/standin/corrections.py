"""Where moto is unlike AWS and it matters for what the kit concludes: put right here.

Each correction says what AWS does. They are assignments to moto's classes made once per process,
before the server starts.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

import moto.ec2.models.vpcs
from moto.core.responses import ActionResult
from moto.ec2.exceptions import (
    DependencyViolationError,
    EC2ClientError,
    InvalidSecurityGroupNotFoundError,
)
from moto.ec2.models import EC2Backend, ec2_backends
from moto.ec2.models.elastic_network_interfaces import NetworkInterface
from moto.ec2.models.security_groups import SecurityGroupBackend, SecurityGroupRule
from moto.ec2.models.subnets import Subnet
from moto.ec2.models.vpc_peering_connections import VPCPeeringConnection
from moto.ec2.responses import EC2Response
from moto.moto_api._internal import mock_random
from moto.sts.models import STSBackend

from tests.standin.clientvpn import endpoints_of
from tests.standin.switches import SWITCHES

__all__ = ["install"]


def _wrapping(owner: type, name: str) -> Callable[[Callable[..., Any]], None]:
    """Replace a method by a function that is given the original first."""

    def put(function: Callable[..., Any]) -> None:
        original = getattr(owner, name)

        @wraps(original)
        def method(*args: Any, **kwargs: Any) -> Any:
            return function(original, *args, **kwargs)

        setattr(owner, name, method)

    return put


def install() -> None:
    """Put moto right."""
    _install_groups()
    _install_places()

    @_wrapping(STSBackend, "get_caller_identity")
    def _(original: Any, self: Any, access_key_id: str, region: str) -> tuple[str, str, str]:
        # A caller moto does not know is a user of the account, with an ARN as IAM gives it.
        user_id, arn, account = original(self, access_key_id, region)
        if arn.endswith(":user/moto"):
            return "AIDAEXAMPLE", f"arn:aws:iam::{account}:user/auditor", account
        return user_id, arn, account


def _install_places() -> None:
    @_wrapping(EC2Backend, "__init__")
    def _(original: Any, self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        if not SWITCHES.default_vpcs:
            for kept in (
                "vpcs",
                "groups",
                "subnets",
                "route_tables",
                "network_acls",
                "internet_gateways",
            ):
                getattr(self, kept, {}).clear()

    @_wrapping(EC2Backend, "create_subnet")
    def _(original: Any, self: Any, *args: Any, **kwargs: Any) -> Any:
        # Only subnets of the default VPC are default subnets with public addresses.
        subnet = original(self, *args, **kwargs)
        if not self.get_vpc(subnet.vpc_id).is_default:
            subnet.default_for_az = subnet.map_public_ip_on_launch = False
        return subnet

    @_wrapping(EC2Backend, "create_network_acl")
    def _(original: Any, self: Any, vpc_id: str, *args: Any, **kwargs: Any) -> Any:
        # Every network ACL ends in a deny, and a default one of an IPv6 VPC allows IPv6 as well.
        acl = original(self, vpc_id, *args, **kwargs)
        default = kwargs.get("default", False)
        entries = [] if default else [(32767, "deny", "0.0.0.0/0", None)]
        if self.get_vpc(vpc_id).get_cidr_block_association_set(ipv6=True):
            entries += [(101, "allow", None, "::/0")] if default else []
            entries += [(32768, "deny", None, "::/0")]
        for number, action, ipv4, ipv6 in entries:
            for egress in (True, False):
                self.create_network_acl_entry(
                    acl.id, number, "-1", action, egress, ipv4, None, None, None, None, ipv6
                )
        return acl

    # Ranges for documentation, so that nothing the stand-in makes up belongs to anyone.
    moto.ec2.models.vpcs.random_ipv6_cidr = lambda: (
        f"2001:db8:{mock_random.get_random_hex(4)}:{mock_random.get_random_hex(2)}00::/56"
    )

    def describe_regions(self: Any) -> ActionResult:
        # AWS lists enabled Regions unless asked for all, and knows the filter of the opt-in status.
        names = self._get_param("RegionNames", [])
        wanted = self._filters_from_querystring().get("opt-in-status")
        enabled = SWITCHES.regions
        regions = []
        for region in self.ec2_backend.describe_regions():
            status = region.opt_in_status
            if enabled is not None:
                status = "opt-in-not-required" if region.name in enabled else "not-opted-in"
            listed = status != "not-opted-in" or self._get_param("AllRegions", False)
            if names:
                listed = region.name in names
            if wanted is not None:
                listed = listed and status in wanted
            if listed:
                regions.append(
                    {"RegionName": region.name, "Endpoint": region.endpoint, "OptInStatus": status}
                )
        return ActionResult({"Regions": regions})

    EC2Response.describe_regions = describe_regions

    @_wrapping(EC2Response, "get_managed_prefix_list_entries")
    def _(original: Any, self: Any) -> ActionResult:
        # An unknown prefix list is an error, not an empty list.
        id = self._get_param("PrefixListId")
        if id not in self.ec2_backend.managed_prefix_lists:
            raise EC2ClientError(
                "InvalidPrefixListID.NotFound", f"The prefix list ID '{id}' does not exist"
            )
        answer: ActionResult = original(self)
        return answer

    for side, member in (("requester", "vpc"), ("accepter", "peer_vpc")):
        _with_all_ranges(f"{side}_vpc_info", member)

    # The state of a subnet's IPv6 range is a word; moto nests it twice.
    Subnet.ipv6_cidr_block_association_set = property(
        lambda self: [
            {
                "Ipv6CidrBlock": association["ipv6CidrBlock"],
                "AssociationId": association["associationId"],
                "Ipv6CidrBlockState": association["ipv6CidrBlockState"],
            }
            for association in self.ipv6_cidr_block_associations.values()
            if association["ipv6CidrBlockState"]["State"] == "associated"
        ]
    )

    # An instance's interface lists its groups in no order (a set); AWS's order is steady.
    groups_of = NetworkInterface.group_set.fget
    NetworkInterface.group_set = property(
        lambda self: (
            list(found)
            if isinstance(found := groups_of(self), list)
            else sorted(found, key=lambda group: group.id)
        )
    )


def _with_all_ranges(name: str, member: str) -> None:
    """Let a side of a peering name all ranges of its VPC, not the first alone."""
    original = getattr(VPCPeeringConnection, name).fget

    def info(self: Any) -> dict[str, Any]:
        vpc = getattr(self, member)
        return {
            **original(self),
            "CidrBlockSet": [
                {"CidrBlock": a["cidr_block"]} for a in vpc.get_cidr_block_association_set()
            ],
            "Ipv6CidrBlockSet": [
                {"Ipv6CidrBlock": a["cidr_block"]}
                for a in vpc.get_cidr_block_association_set(ipv6=True)
            ],
        }

    setattr(VPCPeeringConnection, name, property(info))


def _install_groups() -> None:
    @_wrapping(EC2Backend, "create_security_group")
    def _(original: Any, self: Any, *args: Any, **kwargs: Any) -> Any:
        # A VPC's default group admits everything from itself.
        group = original(self, *args, **kwargs)
        if group.is_default:
            itself = {"GroupId": group.id, "UserId": self.account_id, "OwnerId": self.account_id}
            rule = SecurityGroupRule(
                self, "-1", group.id, None, None, None, itself, None, is_egress=False
            )
            group.add_ingress_rule(rule)
        elif len(args) > 0 and args[0] == "default":
            raise EC2ClientError(
                "InvalidParameterValue", "Cannot use reserved security group name: default"
            )
        return group

    @_wrapping(SecurityGroupRule, "__init__")
    def _(original: Any, self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        prefix_list = kwargs.get("prefix_list_id") or (args[7] if len(args) > 7 else None)
        self.described_by = self.ip_range or self.source_group or prefix_list or {}
        self.group_owner_id = self.ec2_backend.account_id

    # Rules that name a group or a prefix list keep their description too.
    SecurityGroupRule.description = property(lambda self: self.described_by.get("Description"))

    SecurityGroupRule.referenced_group_info = property(_referenced_group)

    @_wrapping(SecurityGroupBackend, "_add_source_group")
    def _(original: Any, self: Any, named: Any, vpc_id: Any) -> Any:
        # A rule can name a group of another account; whether it exists is asked there.
        there = [
            pair for pair in named or () if pair.get("UserId", self.account_id) != self.account_id
        ]
        for pair in there:
            backend = ec2_backends[pair["UserId"]][self.region_name]
            if backend.get_security_group_from_id(pair.get("GroupId")) is None:
                raise InvalidSecurityGroupNotFoundError(pair.get("GroupId"))
        return original(self, [pair for pair in named or () if pair not in there], vpc_id) + there

    for direction in ("ingress", "egress"):
        name = f"authorize_security_group_{direction}"
        _answer_with_all_rules(name)

    @_wrapping(SecurityGroupBackend, "delete_security_group")
    def _(original: Any, self: Any, name: str | None = None, group_id: str | None = None) -> Any:
        # A group that one of its VPC still names cannot be deleted, nor a default one at all; one
        # that is named across a peering can: the rule is stale then.
        group = self.get_security_group_by_name_or_id(group_id or name)
        if group is not None:
            if group.is_default:
                raise EC2ClientError(
                    "CannotDelete",
                    f'the specified group: "{group.id}" name: "default" cannot be deleted by a user',
                )
            named = any(
                rule.source_group.get("GroupId") == group.id
                for groups in self.groups.values()
                for other in groups.values()
                if other.id != group.id and other.vpc_id == group.vpc_id
                for rule in (*other.ingress_rules, *other.egress_rules)
            )
            carried = any(group in eni.group_set for eni in self.enis.values())
            configured = any(
                group.id in endpoint.record["SecurityGroupIds"]
                for endpoint in endpoints_of(self).values()
            )
            if named or carried or configured:
                raise DependencyViolationError(f"resource {group.id} has a dependent object")
        return original(self, name, group_id)


def _referenced_group(rule: Any) -> dict[str, Any] | None:
    """Return the group a rule names; across a peering AWS says which, and whether it is active."""
    pair = rule.source_group
    if not pair:
        return None
    found = {"GroupId": pair["GroupId"], "UserId": pair.get("UserId", rule.ec2_backend.account_id)}
    home = rule.ec2_backend.get_security_group_from_id(rule.group_id)
    other = ec2_backends[found["UserId"]][rule.ec2_backend.region_name].get_security_group_from_id(
        found["GroupId"]
    )
    if home is None or other is None or home.vpc_id == other.vpc_id:
        return found
    for peering in rule.ec2_backend.vpc_pcxs.values():
        if {peering.vpc.id, peering.peer_vpc.id} == {home.vpc_id, other.vpc_id}:
            found |= {
                "VpcId": other.vpc_id,
                "VpcPeeringConnectionId": peering.id,
                "PeeringStatus": peering._status.code,
            }
    return found


def _answer_with_all_rules(name: str) -> None:
    """Answer an authorize call with the rules of all its permissions; moto gives the last one's."""

    def authorize(self: Any) -> ActionResult:
        rules = []
        for asked in self._process_rules_from_querystring():
            added, _ = getattr(self.ec2_backend, name)(**asked)
            rules += added
        return ActionResult({"Return": True, "SecurityGroupRules": rules})

    setattr(EC2Response, name, authorize)
