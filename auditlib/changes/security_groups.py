# ruff: noqa: D102 # the base class says what the methods of each change return
"""Changes of security groups and their rules.

References: https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html,
https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any, ClassVar

from auditlib import words
from auditlib.changes import hcl
from auditlib.changes.change import (
    TEXT,
    Change,
    is_new,
    limited,
    whole,
    with_rows,
    with_texts,
    without,
)
from auditlib.changes.edits import groups_in, rules_in
from auditlib.frames import frame_of_rows, rows_where
from auditlib.language import marked, tr
from auditlib.quotas import RULES, rules_used
from auditlib.schemas import SCHEMAS
from auditlib.tables import Tables

__all__ = ["AuthorizeRule", "CreateSecurityGroup", "DeleteSecurityGroup", "RevokeRule"]

_NUMBERS = {"all": "-1"}
_MEMBERS = {
    "ipv4": "cidr_ipv4",
    "ipv6": "cidr_ipv6",
    "prefix_list": "prefix_list_id",
    "security_group": "referenced_group_id",
}
# AWS gives the outbound rule of a new group to all IPv4 addresses, and to all of IPv6 where the
# VPC has an IPv6 range.
_ANYWHERE = (("ipv4", "0.0.0.0/0"), ("ipv6", "::/0"))


@dataclass(frozen=True, kw_only=True)
class CreateSecurityGroup(Change):
    """Create a security group, with AWS's outbound rules to anywhere or without any."""

    vpc_id: str
    group_name: str
    description: str = "Client VPN endpoint"
    open_egress: bool = True
    group_id: str = ""

    kind: ClassVar[str] = "create-security-group"
    doing: ClassVar[tuple[str, str]] = (marked("create {count}"), marked("security group"))
    iam_action: ClassVar[str] = "ec2:CreateSecurityGroup"
    phase: ClassVar[int] = 1
    never_closes: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not self.group_id:
            slug = re.sub(r"[^a-z0-9]+", "-", self.group_name.lower()).strip("-") or "group"
            object.__setattr__(self, "group_id", f"sg-new-{slug}")

    @property
    def creates(self) -> str | None:
        return self.group_id

    @property
    def uses(self) -> tuple[str, ...]:
        return ()

    def words(self) -> str:
        return tr(
            "Create security group {group_name} in {vpc_id}, which lets everything out"
            if self.open_egress
            else "Create security group {group_name} in {vpc_id}, without any rule",
            group_name=self.group_name,
            vpc_id=self.vpc_id,
        )

    def _problems(self, tables: Tables) -> Iterable[str]:
        groups = tables["security_groups"]
        if not is_new(self.group_id):
            yield tr(
                "{group_id} must begin with sg-new-, for it has no id yet", group_id=self.group_id
            )
        if self.group_id in set(groups["group_id"]):
            yield tr("{group_id} is there already", group_id=self.group_id)
        if self.vpc_id not in set(tables["vpcs"]["vpc_id"]):
            yield tr("there is no {vpc_id} in what was read", vpc_id=self.vpc_id)
        if not self.group_name or not TEXT.fullmatch(self.group_name):
            yield tr("AWS does not take that name")
        if self.group_name.startswith("sg-") or self.group_name == "default":
            yield tr("AWS reserves the name {group_name}", group_name=self.group_name)
        if not self.description or not TEXT.fullmatch(self.description):
            yield tr("AWS does not take that description")
        here = groups[groups["vpc_id"] == self.vpc_id]
        if self.group_name in set(here["group_name"]):
            yield tr(
                "{vpc_id} has a group called {group_name} already",
                vpc_id=self.vpc_id,
                group_name=self.group_name,
            )

    def _applied(self, tables: Tables) -> Tables:
        group: dict[str, Any] = {
            "account": self.account,
            "region": self.region,
            "group_id": self.group_id,
            "group_name": self.group_name,
            "description": self.description,
            "owner_id": self.account,
            "vpc_id": self.vpc_id,
            "is_default": False,
            "ingress_peers": 0,
            "tags": (),
        }
        blocks = tables["vpc_cidr_blocks"]
        families = set(blocks.loc[blocks["vpc_id"] == self.vpc_id, "family"])
        rules = [
            AuthorizeRule(
                account=self.account,
                region=self.region,
                group_id=self.group_id,
                is_egress=True,
                peer_kind=kind,
                peer=peer,
            ).row()
            for kind, peer in _ANYWHERE
            if self.open_egress and (kind == "ipv4" or 6 in families)
        ]
        group["egress_peers"] = len(rules)
        return tables.replace(
            security_groups=with_rows(tables, "security_groups", [group]),
            security_group_rules=with_rows(tables, "security_group_rules", rules),
        )

    def inverse(self, tables: Tables) -> "Change":
        return DeleteSecurityGroup(account=self.account, region=self.region, group_id=self.group_id)

    def _cli(self) -> tuple[str, ...]:
        return (
            *("ec2", "create-security-group"),
            *with_texts(GroupName=self.group_name, Description=self.description),
            *("--vpc-id", self.vpc_id),
            *("--query", "GroupId"),
        )

    def terraform(self) -> str:
        name = hcl.identifier(self.group_id)
        text = hcl.block(
            "aws_security_group",
            name,
            {"name": self.group_name, "description": self.description, "vpc_id": self.vpc_id},
        )
        if self.open_egress:
            # Terraform takes away the outbound rules that AWS gives to a new group.
            text += "\n" + hcl.comment(
                tr(
                    "In a VPC with an IPv6 range AWS lets a new group out to ::/0 as well; add that here."
                )
            )
            text += hcl.block(
                "aws_vpc_security_group_egress_rule",
                f"{name}_all",
                {
                    "security_group_id": hcl.Raw(f"aws_security_group.{name}.id"),
                    "ip_protocol": "-1",
                    "cidr_ipv4": "0.0.0.0/0",
                },
            )
        return text


@dataclass(frozen=True, kw_only=True)
class DeleteSecurityGroup(Change):
    """Delete a security group that nothing uses."""

    group_id: str

    kind: ClassVar[str] = "delete-security-group"
    doing: ClassVar[tuple[str, str]] = (marked("delete {count}"), marked("security group"))
    iam_action: ClassVar[str] = "ec2:DeleteSecurityGroup"
    phase: ClassVar[int] = 6
    never_opens: ClassVar[bool] = True

    @property
    def waits_for(self) -> str:
        return tr(
            "AWS refuses it while an interface carries the group or a rule of another group names it: first take "
            "away such rules that were added by hand, and wait until the endpoint's interfaces have left it."
        )

    def words(self) -> str:
        return tr("Delete security group {group_id}", group_id=self.group_id)

    def _problems(self, tables: Tables) -> Iterable[str]:
        groups = tables["security_groups"]
        mine = groups[groups["group_id"] == self.group_id]
        if mine.empty:
            yield tr("there is no {group_id} in what was read", group_id=self.group_id)
        if mine["is_default"].any():
            yield tr("a VPC's default group cannot be deleted")
        if carriers := _carriers(tables, self.group_id):
            yield tr("{carriers} still carry it", carriers=words.listed(carriers, most=3))
        rules = tables["security_group_rules"]
        naming = rules[
            (rules["referenced_group_id"] == self.group_id) & (rules["group_id"] != self.group_id)
        ]
        if len(naming):
            yield tr("{rules} still name it", rules=words.listed(sorted(naming["rule_id"]), most=3))

    def _applied(self, tables: Tables) -> Tables:
        groups, rules = tables["security_groups"], tables["security_group_rules"]
        return tables.replace(
            security_groups=without(groups, groups["group_id"] == self.group_id),
            security_group_rules=without(rules, rules["group_id"] == self.group_id),
        )

    def inverse(self, tables: Tables) -> "Change":
        groups = tables["security_groups"]
        row = groups[groups["group_id"] == self.group_id].iloc[0]
        return CreateSecurityGroup(
            account=self.account,
            region=self.region,
            vpc_id=row["vpc_id"],
            group_name=row["group_name"],
            description=row["description"],
            open_egress=any(_by_aws(rule) for rule in self._rules(tables)),
            group_id=self.group_id,
        )

    def _rules(self, tables: Tables) -> list[Any]:
        rules = tables["security_group_rules"]
        return list(rows_where(rules, rules["group_id"] == self.group_id))

    def forgets(self, tables: Tables) -> tuple[str, ...]:
        told = [rule.rule_id for rule in self._rules(tables) if not _by_aws(rule)]
        again = (tr("a group made anew has another id"),) if not is_new(self.group_id) else ()
        rules = (
            (tr("it comes without {rules}", rules=words.listed(sorted(told), most=3)),)
            if told
            else ()
        )
        return (*again, *rules)

    def _cli(self) -> tuple[str, ...]:
        return ("ec2", "delete-security-group", "--group-id", self.group_id)

    def terraform(self) -> str:
        return hcl.comment(
            tr("Remove the aws_security_group that manages {group_id}.", group_id=self.group_id)
        )


@dataclass(frozen=True, kw_only=True)
class AuthorizeRule(Change):
    """Add a rule to a security group.

    Attributes
    ----------
    protocol, from_port, to_port
        As the tables have them: tcp, udp, icmp, icmpv6, all or an IANA number.
    peer_kind, peer
        security_group, ipv4, ipv6 or prefix_list, and its id or range.
    peer_owner
        The account of a named group, where it is another one.
    """

    group_id: str
    is_egress: bool = False
    protocol: str = "all"
    from_port: int | None = None
    to_port: int | None = None
    peer_kind: str = "security_group"
    peer: str
    peer_owner: str | None = None
    description: str | None = None

    kind: ClassVar[str] = "authorize-rule"
    doing: ClassVar[tuple[str, str]] = (marked("add {count}"), marked("security group rule"))
    phase: ClassVar[int] = 2
    never_closes: ClassVar[bool] = True

    @property
    def iam_action(self) -> str:  # type: ignore[override] # depends on the direction
        """The IAM action it needs."""
        return f"ec2:AuthorizeSecurityGroup{'Egress' if self.is_egress else 'Ingress'}"

    @property
    def rule_id(self) -> str:
        """The placeholder of the rule: the same for the same rule."""
        what = (self.group_id, self.is_egress, *self._traffic, self.peer_kind, self.peer)
        return f"sgr-new-{hashlib.sha256(repr(what).encode()).hexdigest()[:10]}"

    @property
    def creates(self) -> str | None:
        return self.rule_id

    @property
    def _traffic(self) -> tuple[str, int | None, int | None]:
        return (self.protocol, self.from_port, self.to_port)

    def words(self) -> str:
        return tr(
            "Allow {traffic} out of {group_id} to {peer}"
            if self.is_egress
            else "Allow {traffic} into {group_id} from {peer}",
            traffic=words.traffic(*self._traffic),
            group_id=self.group_id,
            peer=words.clean(self.peer),
        )

    def row(self) -> dict[str, Any]:
        """Return the rule as a row of ``security_group_rules``."""
        member = _MEMBERS[self.peer_kind]
        referenced = {"referenced_group_owner_id": self.peer_owner or self.account}
        return {
            "account": self.account,
            "region": self.region,
            "rule_id": self.rule_id,
            "group_id": self.group_id,
            "group_owner_id": self.account,
            "is_egress": self.is_egress,
            "protocol": self.protocol,
            "from_port": self.from_port,
            "to_port": self.to_port,
            "peer_kind": self.peer_kind,
            "peer": self.peer,
            member: self.peer,
            **(referenced if self.peer_kind == "security_group" else {}),
            "description": self.description,
        }

    def _problems(self, tables: Tables) -> Iterable[str]:
        vpcs = groups_in(tables).vpc
        if self.group_id not in vpcs:
            yield tr("there is no {group_id} in what was read", group_id=self.group_id)
            return
        yield from self._wrong_traffic()
        yield from self._wrong_peer(tables, vpcs)
        if self.description is not None and not TEXT.fullmatch(self.description):
            yield tr("AWS does not take that description")
        same = rules_in(tables).of(self.group_id, is_egress=self.is_egress)
        for row in same:
            traffic = (row.protocol, whole(row.from_port), whole(row.to_port))
            if (traffic, row.peer_kind, row.peer) == (self._traffic, self.peer_kind, self.peer):
                yield tr("{row.rule_id} says the same", row=row)
        if self.peer_kind in _MEMBERS:
            used = _weight_of(same, tables)
            then = [held + new for held, new in zip(used, self._weight(tables), strict=True)]
            yield from limited(tables, self, RULES, max(used), max(then))

    def _weight(self, tables: Tables) -> tuple[int, int]:
        """Return for how many rules of IPv4 and of IPv6 it counts."""
        if self.peer_kind == "prefix_list":
            return _weight_in([self.row()], tables)
        return int(self.peer_kind != "ipv6"), int(self.peer_kind != "ipv4")

    def _wrong_traffic(self) -> Iterable[str]:
        low, high = self.from_port, self.to_port
        if self.protocol in {"tcp", "udp"}:
            if low is None or high is None or not 0 <= low <= high <= 65535:
                yield tr(
                    "{protocol} needs ports, from 0 to 65535, the lower one first",
                    protocol=self.protocol,
                )
        elif self.protocol in {"icmp", "icmpv6"}:
            if low is None or high is None or not (-1 <= low <= 255 and -1 <= high <= 255):
                yield tr("{protocol} needs a type and a code, -1 for any", protocol=self.protocol)
        elif self.protocol != "all" and not (
            self.protocol.isascii()
            and self.protocol.isdecimal()
            and len(self.protocol) < 4
            and int(self.protocol) <= 255
        ):
            yield tr("{protocol} is no protocol", protocol=words.clean(self.protocol))
        elif low is not None or high is not None:
            yield tr("protocol {protocol} has no ports", protocol=self.protocol)

    def _wrong_peer(self, tables: Tables, vpcs: Mapping[str, str]) -> Iterable[str]:
        if self.peer_kind in {"ipv4", "ipv6"}:
            try:
                network = ip_network(self.peer)
            except ValueError:
                yield tr(
                    "{peer} is no range (its host bits must be zero)", peer=words.clean(self.peer)
                )
                return
            if f"ipv{network.version}" != self.peer_kind:
                yield tr("{peer} is not {peer_kind}", peer=self.peer, peer_kind=self.peer_kind)
        elif self.peer_kind == "security_group":
            if self.peer not in vpcs:
                yield tr("there is no {peer} in what was read", peer=words.clean(self.peer))
            elif not _may_name(tables, str(vpcs[self.group_id]), str(vpcs[self.peer])):
                yield tr(
                    "{peer} is in a VPC that is neither the same nor an active peer", peer=self.peer
                )
        elif self.peer_kind == "prefix_list":
            if self.peer not in set(tables["prefix_list_entries"]["prefix_list_id"]):
                yield tr("there is no {peer} in what was read", peer=words.clean(self.peer))
        else:
            yield tr("{peer_kind} is no kind of peer", peer_kind=words.clean(self.peer_kind))

    def _applied(self, tables: Tables) -> Tables:
        row = self.row()
        if self.peer_kind == "security_group":
            row |= _across(tables, self.group_id, self.peer)
        return tables.replace(
            security_groups=groups_in(tables).showing(
                self.group_id, is_egress=self.is_egress, more=+1
            ),
            security_group_rules=rules_in(tables).with_rule(row),
        )

    def inverse(self, tables: Tables) -> "Change":
        return RevokeRule(
            account=self.account,
            region=self.region,
            group_id=self.group_id,
            rule_id=self.rule_id,
            is_egress=self.is_egress,
        )

    def _cli(self) -> tuple[str, ...]:
        told = {"Description": self.description} if self.description else {}
        member, key = {
            "ipv4": ("IpRanges", "CidrIp"),
            "ipv6": ("Ipv6Ranges", "CidrIpv6"),
            "prefix_list": ("PrefixListIds", "PrefixListId"),
            "security_group": ("UserIdGroupPairs", "GroupId"),
        }[self.peer_kind]
        permission: dict[str, Any] = {"IpProtocol": _NUMBERS.get(self.protocol, self.protocol)}
        if self.from_port is not None:
            permission |= {"FromPort": self.from_port, "ToPort": self.to_port}
        if self.peer_owner and self.peer_owner != self.account:
            told = {"UserId": self.peer_owner} | told
        permission[member] = [{key: self.peer} | told]
        direction = "egress" if self.is_egress else "ingress"
        return (
            *("ec2", f"authorize-security-group-{direction}", "--group-id", self.group_id),
            *("--ip-permissions", json.dumps([permission])),
            *("--query", "SecurityGroupRules[0].SecurityGroupRuleId"),
        )

    def terraform(self) -> str:
        member = {
            "ipv4": "cidr_ipv4",
            "ipv6": "cidr_ipv6",
            "prefix_list": "prefix_list_id",
            "security_group": "referenced_security_group_id",
        }[self.peer_kind]
        direction = "egress" if self.is_egress else "ingress"
        return hcl.block(
            f"aws_vpc_security_group_{direction}_rule",
            hcl.identifier(self.rule_id),
            {
                "security_group_id": hcl.reference(self.group_id),
                "ip_protocol": _NUMBERS.get(self.protocol, self.protocol),
                "from_port": self.from_port,
                "to_port": self.to_port,
                member: hcl.reference(self.peer),
                "description": self.description,
            },
        )


@dataclass(frozen=True, kw_only=True)
class RevokeRule(Change):
    """Remove a rule of a security group by its id: exact, and known before."""

    group_id: str
    rule_id: str
    is_egress: bool = False

    kind: ClassVar[str] = "revoke-rule"
    doing: ClassVar[tuple[str, str]] = (marked("remove {count}"), marked("security group rule"))
    phase: ClassVar[int] = 5
    never_opens: ClassVar[bool] = True

    @property
    def iam_action(self) -> str:  # type: ignore[override] # depends on the direction
        """The IAM action it needs."""
        return f"ec2:RevokeSecurityGroup{'Egress' if self.is_egress else 'Ingress'}"

    def words(self) -> str:
        return tr(
            "Remove outbound rule {rule_id} from {group_id}"
            if self.is_egress
            else "Remove inbound rule {rule_id} from {group_id}",
            rule_id=self.rule_id,
            group_id=self.group_id,
        )

    def _rule(self, tables: Tables) -> Any:
        """Return the rule as it is in the tables; ``None`` where it is not there."""
        rule = rules_in(tables).rule(self.rule_id)
        wanted = (self.group_id, self.is_egress)
        return rule if rule and (rule.group_id, rule.is_egress) == wanted else None

    def _problems(self, tables: Tables) -> Iterable[str]:
        if self._rule(tables) is None:
            yield tr(
                "{group_id} has no outbound rule {rule_id} in what was read"
                if self.is_egress
                else "{group_id} has no inbound rule {rule_id} in what was read",
                group_id=self.group_id,
                rule_id=self.rule_id,
            )

    def _applied(self, tables: Tables) -> Tables:
        return tables.replace(
            security_groups=groups_in(tables).showing(
                self.group_id, is_egress=self.is_egress, more=-1
            ),
            security_group_rules=rules_in(tables).without(self.rule_id),
        )

    def inverse(self, tables: Tables) -> "Change":
        rule = self._rule(tables)
        return AuthorizeRule(
            account=self.account,
            region=self.region,
            group_id=self.group_id,
            is_egress=self.is_egress,
            protocol=rule.protocol,
            from_port=whole(rule.from_port),
            to_port=whole(rule.to_port),
            peer_kind=str(rule.peer_kind),
            peer=rule.peer,
            peer_owner=_text(rule.referenced_group_owner_id),
            description=_text(rule.description),
        )

    def _cli(self) -> tuple[str, ...]:
        direction = "egress" if self.is_egress else "ingress"
        return (
            *("ec2", f"revoke-security-group-{direction}", "--group-id", self.group_id),
            *("--security-group-rule-ids", self.rule_id),
        )

    def terraform(self) -> str:
        return hcl.comment(
            tr(
                "Remove the resource (or the inline block) that manages {rule_id} of {group_id}.",
                rule_id=self.rule_id,
                group_id=self.group_id,
            )
        )


def _weight_of(rules: list[Any], tables: Tables) -> tuple[int, int]:
    """Return for how many rules some rules count, for IPv4 and for IPv6."""
    if any(isinstance(rule.prefix_list_id, str) for rule in rules):
        return _weight_in([rule._asdict() for rule in rules], tables)
    return (
        sum(not isinstance(rule.cidr_ipv6, str) for rule in rules),
        sum(not isinstance(rule.cidr_ipv4, str) for rule in rules),
    )


def _weight_in(rows: list[dict[str, Any]], tables: Tables) -> tuple[int, int]:
    return rules_used(frame_of_rows(SCHEMAS["security_group_rules"], rows), tables["prefix_lists"])


def _carriers(tables: Tables, group_id: str) -> list[str]:
    held = tables["network_interface_groups"]
    return sorted(held.loc[held["group_id"] == group_id, "eni_id"])


def _by_aws(rule: Any) -> bool:
    """Tell whether a rule is one that AWS gives to a new group."""
    anywhere = (str(rule.peer_kind), rule.peer) in _ANYWHERE
    return bool(rule.is_egress) and rule.protocol == "all" and anywhere


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _may_name(tables: Tables, one: str, other: str) -> bool:
    """Tell whether a rule of a group in one VPC may name a group of the other."""
    shared = tables["security_group_vpc_associations"]
    return one == other or other in set(shared["vpc_id"]) or _peering(tables, one, other) != ""


def _peering(tables: Tables, one: str, other: str) -> str:
    """Return the active peering between two VPCs; empty where there is none."""
    found = tables["vpc_peering_connections"]
    for row in rows_where(found, found["status"] == "active"):
        if {one, other} == {row.requester_vpc_id, row.accepter_vpc_id}:
            return str(row.vpc_peering_connection_id)
    return ""


def _across(tables: Tables, group_id: str, peer: str) -> dict[str, Any]:
    """Return what AWS shows of a group that a rule names: its owner, and the peering between."""
    groups = groups_in(tables)
    if peer not in groups.vpc:
        return {}
    home, there = groups.vpc.get(group_id), groups.vpc[peer]
    found = {"referenced_group_owner_id": groups.owner[peer]}
    if home != there and (peering := _peering(tables, str(home), str(there))):
        found |= {
            "referenced_vpc_id": there,
            "peering_status": "active",
            "vpc_peering_connection_id": peering,
        }
    return found
