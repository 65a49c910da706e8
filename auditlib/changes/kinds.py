# ruff: noqa: D102 # the base class says what the methods of each change return
"""Changes: one object is the advice, the AWS CLI and Terraform text, and what a preview tries.

A change never touches AWS. It says what is wrong with it (``problems``), what the tables look like
once it is made (``apply``), how to make it (``cli``, ``terraform``) and how to undo it
(``inverse``). What it creates has no id yet: a new group is called ``sg-new-…``, a new rule
``sgr-new-…`` (never an id of AWS's), and what only the client knows is a blank, ``<LIKE_THIS>``.

References: https://docs.aws.amazon.com/vpn/latest/clientvpn-admin/cvpn-working-target-apply.html,
https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
"""

import hashlib
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from ipaddress import ip_network
from typing import Any, ClassVar

import pandas as pd

from auditlib import words
from auditlib.checks._parts import rows_of
from auditlib.errors import ParameterError
from auditlib.frames import frame_of_rows
from auditlib.schemas import SCHEMAS
from auditlib.tables import Tables

__all__ = [
    "CHANGES",
    "AddAuthorizationRule",
    "ApplySecurityGroups",
    "AuthorizeRule",
    "Change",
    "CreateRoute",
    "CreateSecurityGroup",
    "DeleteRoute",
    "DeleteSecurityGroup",
    "ModifyLogging",
    "RemoveAuthorizationRule",
    "RevokeRule",
    "SetInterfaceGroups",
    "is_blank",
    "is_new",
]

GROUPS_PER_INTERFACE = 5
RULES_PER_GROUP = 60
_TEXT = re.compile(r"[a-zA-Z0-9 ._\-:/()#,@\[\]+=&;{}!$*]{0,255}")
_BLANK = re.compile(r"<[A-Z][A-Z0-9_]*>")
_NUMBERS = {"all": "-1"}
_TERRAFORM_NAME = re.compile(r"[^a-z0-9]+")
# AWS gives the outbound rule of a new group to all IPv4 addresses, and to all of IPv6 where the
# VPC has an IPv6 range.
_ANYWHERE = (("ipv4", "0.0.0.0/0"), ("ipv6", "::/0"))


def is_new(id: object) -> bool:
    """Tell whether an id stands for something that is not there yet.

    >>> is_new("sg-new-vpn-staff"), is_new("sg-0123456789abcdef0")
    (True, False)
    """
    return isinstance(id, str) and id.startswith(("sg-new-", "sgr-new-"))


def is_blank(text: object) -> bool:
    """Tell whether a text stands for something that only the client knows.

    >>> is_blank("<LOG_GROUP>"), is_blank("/vpn/staff")
    (True, False)
    """
    return isinstance(text, str) and _BLANK.fullmatch(text) is not None


@dataclass(frozen=True, kw_only=True)
class Change(ABC):
    """One change, as AWS knows it.

    Attributes
    ----------
    kind, iam_action, resets_sessions
        Its name in a plan file; the IAM action it needs; whether AWS ends sessions for it.
    phase
        Where it belongs in a plan that must not cut anybody off: 1 create, 2 allow, 3 switch,
        4 authorization (which resets sessions), 5 take away.
    """

    account: str
    region: str

    kind: ClassVar[str] = ""
    iam_action: ClassVar[str] = ""
    resets_sessions: ClassVar[bool] = False
    phase: ClassVar[int] = 0

    @property
    def creates(self) -> str | None:
        """The placeholder of what it creates, where that has an id."""
        return None

    @property
    def uses(self) -> tuple[str, ...]:
        """The placeholders and blanks that must be known before it can be made."""
        texts = [
            text
            for field in fields(self)
            for value in [getattr(self, field.name)]
            for text in (value if isinstance(value, tuple) else (value,))
        ]
        return tuple(dict.fromkeys(t for t in texts if is_blank(t) or is_new(t)))

    @abstractmethod
    def words(self) -> str:
        """Return the change as a sentence without its full stop."""

    def problems(self, tables: Tables) -> tuple[str, ...]:
        """Return why AWS would refuse it, as far as the tables tell; empty when it would not."""
        if (self.account, self.region) not in _places(tables):
            return (f"account {self.account} was not read in {self.region}",)
        return tuple(self._problems(tables))

    @abstractmethod
    def _problems(self, tables: Tables) -> Iterable[str]:
        """Return why AWS would refuse it, its place apart."""

    def apply(self, tables: Tables) -> Tables:
        """Return the tables as they are once the change is made.

        Raises
        ------
        ParameterError
            When AWS would refuse it; says why.
        """
        if found := self.problems(tables):
            raise ParameterError(f"Cannot {_lower(self.words())}: {words.listed(found)}.")
        return self._applied(tables)

    @abstractmethod
    def _applied(self, tables: Tables) -> Tables:
        """Return the tables with the change made, unchecked."""

    @abstractmethod
    def inverse(self, tables: Tables) -> "Change":
        """Return the change that undoes it, given the tables before it."""

    def cli(self) -> tuple[str, ...]:
        """Return the AWS CLI call as words, without ``aws``; placeholders are left in."""
        return (*self._cli(), "--region", self.region)

    @abstractmethod
    def _cli(self) -> tuple[str, ...]:
        """Return the call without the options every call has."""

    @abstractmethod
    def terraform(self) -> str:
        """Return the change as Terraform text, or a comment that says what to change where."""

    def to_dict(self) -> dict[str, Any]:
        """Return the change as an entry of a plan file."""
        told = {f.name: getattr(self, f.name) for f in fields(self)}
        return {"change": self.kind} | {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in told.items()
            if value is not None
        }


# -- security groups ------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class CreateSecurityGroup(Change):
    """Create a security group, with AWS's outbound rules to anywhere or without any."""

    vpc_id: str
    group_name: str
    description: str = "Client VPN endpoint"
    open_egress: bool = True
    group_id: str = ""

    kind: ClassVar[str] = "create-security-group"
    iam_action: ClassVar[str] = "ec2:CreateSecurityGroup"
    phase: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if not self.group_id:
            slug = _TERRAFORM_NAME.sub("-", self.group_name.lower()).strip("-") or "group"
            object.__setattr__(self, "group_id", f"sg-new-{slug}")

    @property
    def creates(self) -> str | None:
        return self.group_id

    @property
    def uses(self) -> tuple[str, ...]:
        return ()

    def words(self) -> str:
        out = "which lets everything out" if self.open_egress else "without any rule"
        return f"Create security group {self.group_name} in {self.vpc_id}, {out}"

    def _problems(self, tables: Tables) -> Iterable[str]:
        groups = tables["security_groups"]
        if not is_new(self.group_id):
            yield f"{self.group_id} must begin with sg-new-, for it has no id yet"
        if self.group_id in set(groups["group_id"]):
            yield f"{self.group_id} is there already"
        if self.vpc_id not in set(tables["vpcs"]["vpc_id"]):
            yield f"there is no {self.vpc_id} in what was read"
        if not self.group_name or not _TEXT.fullmatch(self.group_name):
            yield "AWS does not take that name"
        if self.group_name.startswith("sg-") or self.group_name == "default":
            yield f"AWS reserves the name {self.group_name}"
        if not self.description or not _TEXT.fullmatch(self.description):
            yield "AWS does not take that description"
        here = groups[groups["vpc_id"] == self.vpc_id]
        if self.group_name in set(here["group_name"]):
            yield f"{self.vpc_id} has a group called {self.group_name} already"

    def _applied(self, tables: Tables) -> Tables:
        group = {
            "account": self.account,
            "region": self.region,
            "group_id": self.group_id,
            "group_name": self.group_name,
            "description": self.description,
            "owner_id": self.account,
            "vpc_id": self.vpc_id,
            "is_default": False,
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
        return tables.replace(
            security_groups=_with(tables, "security_groups", [group]),
            security_group_rules=_with(tables, "security_group_rules", rules),
        )

    def inverse(self, tables: Tables) -> "Change":
        return DeleteSecurityGroup(account=self.account, region=self.region, group_id=self.group_id)

    def _cli(self) -> tuple[str, ...]:
        return (
            *("ec2", "create-security-group", "--group-name", self.group_name),
            *("--description", self.description, "--vpc-id", self.vpc_id),
            *("--query", "GroupId"),
        )

    def terraform(self) -> str:
        name = _identifier(self.group_id)
        text = _block(
            "aws_security_group",
            name,
            {"name": self.group_name, "description": self.description, "vpc_id": self.vpc_id},
        )
        if self.open_egress:
            # Terraform takes away the outbound rule that AWS gives to a new group.
            text += "\n" + _block(
                "aws_vpc_security_group_egress_rule",
                f"{name}_all",
                {
                    "security_group_id": _Raw(f"aws_security_group.{name}.id"),
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
    iam_action: ClassVar[str] = "ec2:DeleteSecurityGroup"
    phase: ClassVar[int] = 6

    def words(self) -> str:
        return f"Delete security group {self.group_id}"

    def _problems(self, tables: Tables) -> Iterable[str]:
        groups = tables["security_groups"]
        mine = groups[groups["group_id"] == self.group_id]
        if mine.empty:
            yield f"there is no {self.group_id} in what was read"
        if mine["is_default"].any():
            yield "a VPC's default group cannot be deleted"
        if carriers := _carriers(tables, self.group_id):
            yield f"{words.listed(carriers, most=3)} still carry it"
        rules = tables["security_group_rules"]
        naming = rules[
            (rules["referenced_group_id"] == self.group_id) & (rules["group_id"] != self.group_id)
        ]
        if len(naming):
            yield f"{words.listed(sorted(naming['rule_id']), most=3)} still name it"

    def _applied(self, tables: Tables) -> Tables:
        groups, rules = tables["security_groups"], tables["security_group_rules"]
        return tables.replace(
            security_groups=_left(groups, groups["group_id"] == self.group_id),
            security_group_rules=_left(rules, rules["group_id"] == self.group_id),
        )

    def inverse(self, tables: Tables) -> "Change":
        groups, rules = tables["security_groups"], tables["security_group_rules"]
        row = groups[groups["group_id"] == self.group_id].iloc[0]
        egress = rules[(rules["group_id"] == self.group_id) & rules["is_egress"]]
        return CreateSecurityGroup(
            account=self.account,
            region=self.region,
            vpc_id=row["vpc_id"],
            group_name=row["group_name"],
            description=row["description"],
            open_egress=bool(egress["peer"].isin([peer for _, peer in _ANYWHERE]).any()),
            group_id=self.group_id,
        )

    def _cli(self) -> tuple[str, ...]:
        return ("ec2", "delete-security-group", "--group-id", self.group_id)

    def terraform(self) -> str:
        return _comment(f"Remove the aws_security_group that manages {self.group_id}.")


@dataclass(frozen=True, kw_only=True)
class AuthorizeRule(Change):
    """Add a rule to a security group.

    Attributes
    ----------
    protocol, from_port, to_port
        As the tables have them: tcp, udp, icmp, icmpv6, all or an IANA number.
    peer_kind, peer
        security_group, ipv4, ipv6 or prefix_list, and its id or range.
    """

    group_id: str
    is_egress: bool = False
    protocol: str = "all"
    from_port: int | None = None
    to_port: int | None = None
    peer_kind: str = "security_group"
    peer: str
    description: str | None = None

    kind: ClassVar[str] = "authorize-rule"
    phase: ClassVar[int] = 2

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
        direction = "out of" if self.is_egress else "into"
        return (
            f"Allow {words.traffic(*self._traffic)} {direction} {self.group_id} "
            f"{'to' if self.is_egress else 'from'} {words.clean(self.peer)}"
        )

    def row(self) -> dict[str, Any]:
        """Return the rule as a row of ``security_group_rules``."""
        member = {
            "ipv4": "cidr_ipv4",
            "ipv6": "cidr_ipv6",
            "prefix_list": "prefix_list_id",
            "security_group": "referenced_group_id",
        }[self.peer_kind]
        referenced = {"referenced_group_owner_id": self.account}
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
        groups, rules = tables["security_groups"], tables["security_group_rules"]
        mine = groups[groups["group_id"] == self.group_id]
        if mine.empty:
            yield f"there is no {self.group_id} in what was read"
            return
        yield from self._wrong_traffic()
        yield from self._wrong_peer(tables, str(mine["vpc_id"].iloc[0]))
        if self.description is not None and not _TEXT.fullmatch(self.description):
            yield "AWS does not take that description"
        same = rules[(rules["group_id"] == self.group_id) & (rules["is_egress"] == self.is_egress)]
        for row in rows_of(same):
            traffic = (row.protocol, _whole(row.from_port), _whole(row.to_port))
            if (traffic, row.peer_kind, row.peer) == (self._traffic, self.peer_kind, self.peer):
                yield f"{row.rule_id} says the same"
        # Who has more rules than the usual quota has had it raised.
        if len(same) == RULES_PER_GROUP:
            side = "outbound" if self.is_egress else "inbound"
            yield f"{self.group_id} has {RULES_PER_GROUP} {side} rules, AWS's usual quota"

    def _wrong_traffic(self) -> Iterable[str]:
        low, high = self.from_port, self.to_port
        if self.protocol in {"tcp", "udp"}:
            if low is None or high is None or not 0 <= low <= high <= 65535:
                yield f"{self.protocol} needs ports, from 0 to 65535, the lower one first"
        elif self.protocol in {"icmp", "icmpv6"}:
            if low is None or high is None or not (-1 <= low <= 255 and -1 <= high <= 255):
                yield f"{self.protocol} needs a type and a code, -1 for any"
        elif self.protocol != "all" and not (
            self.protocol.isdecimal() and int(self.protocol) <= 255
        ):
            yield f"{words.clean(self.protocol)} is no protocol"
        elif low is not None or high is not None:
            yield f"protocol {self.protocol} has no ports"

    def _wrong_peer(self, tables: Tables, vpc_id: str) -> Iterable[str]:
        if self.peer_kind in {"ipv4", "ipv6"}:
            try:
                network = ip_network(self.peer)
            except ValueError:
                yield f"{words.clean(self.peer)} is no range (its host bits must be zero)"
                return
            if f"ipv{network.version}" != self.peer_kind:
                yield f"{self.peer} is not {self.peer_kind}"
        elif self.peer_kind == "security_group":
            groups = tables["security_groups"]
            mine = groups[groups["group_id"] == self.peer]
            if mine.empty:
                yield f"there is no {words.clean(self.peer)} in what was read"
            elif not _may_name(tables, vpc_id, str(mine["vpc_id"].iloc[0])):
                yield f"{self.peer} is in a VPC that is neither the same nor an active peer"
        elif self.peer_kind == "prefix_list":
            if self.peer not in set(tables["prefix_list_entries"]["prefix_list_id"]):
                yield f"there is no {words.clean(self.peer)} in what was read"
        else:
            yield f"{words.clean(self.peer_kind)} is no kind of peer"

    def _applied(self, tables: Tables) -> Tables:
        row = self.row()
        if self.peer_kind == "security_group":
            groups = tables["security_groups"].set_index("group_id")
            row["referenced_group_owner_id"] = groups["owner_id"].get(self.peer)
        return tables.replace(security_group_rules=_with(tables, "security_group_rules", [row]))

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
        return _block(
            f"aws_vpc_security_group_{direction}_rule",
            _identifier(self.rule_id),
            {
                "security_group_id": _reference(self.group_id),
                "ip_protocol": _NUMBERS.get(self.protocol, self.protocol),
                "from_port": self.from_port,
                "to_port": self.to_port,
                member: _reference(self.peer),
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
    phase: ClassVar[int] = 5

    @property
    def iam_action(self) -> str:  # type: ignore[override] # depends on the direction
        """The IAM action it needs."""
        return f"ec2:RevokeSecurityGroup{'Egress' if self.is_egress else 'Ingress'}"

    def words(self) -> str:
        side = "outbound" if self.is_egress else "inbound"
        return f"Remove {side} rule {self.rule_id} from {self.group_id}"

    def _rule(self, tables: Tables) -> pd.DataFrame:
        rules = tables["security_group_rules"]
        return rules[
            (rules["rule_id"] == self.rule_id)
            & (rules["group_id"] == self.group_id)
            & (rules["is_egress"] == self.is_egress)
        ]

    def _problems(self, tables: Tables) -> Iterable[str]:
        if self._rule(tables).empty:
            side = "outbound" if self.is_egress else "inbound"
            yield f"{self.group_id} has no {side} rule {self.rule_id} in what was read"

    def _applied(self, tables: Tables) -> Tables:
        rules = tables["security_group_rules"]
        return tables.replace(security_group_rules=_left(rules, rules["rule_id"] == self.rule_id))

    def inverse(self, tables: Tables) -> "Change":
        row = self._rule(tables).iloc[0]
        return AuthorizeRule(
            account=self.account,
            region=self.region,
            group_id=self.group_id,
            is_egress=self.is_egress,
            protocol=row["protocol"],
            from_port=_whole(row["from_port"]),
            to_port=_whole(row["to_port"]),
            peer_kind=str(row["peer_kind"]),
            peer=row["peer"],
            description=row["description"] if isinstance(row["description"], str) else None,
        )

    def _cli(self) -> tuple[str, ...]:
        direction = "egress" if self.is_egress else "ingress"
        return (
            *("ec2", f"revoke-security-group-{direction}", "--group-id", self.group_id),
            *("--security-group-rule-ids", self.rule_id),
        )

    def terraform(self) -> str:
        return _comment(
            f"Remove the resource (or the inline block) that manages {self.rule_id} of "
            f"{self.group_id}."
        )


@dataclass(frozen=True, kw_only=True)
class ApplySecurityGroups(Change):
    """Apply security groups to all associations of an endpoint; they replace the whole set."""

    endpoint_id: str
    vpc_id: str
    group_ids: tuple[str, ...]

    kind: ClassVar[str] = "apply-security-groups"
    iam_action: ClassVar[str] = "ec2:ApplySecurityGroupsToClientVpnTargetNetwork"
    phase: ClassVar[int] = 3

    def words(self) -> str:
        return f"Apply {words.listed(self.group_ids)} to {self.endpoint_id}, in place of all others"

    def _problems(self, tables: Tables) -> Iterable[str]:
        endpoints = tables["client_vpn_endpoints"]
        mine = endpoints[endpoints["endpoint_id"] == self.endpoint_id]
        if mine.empty:
            yield f"there is no {self.endpoint_id} in what was read"
        elif (mine["attachment"] == "transit_gateway").any():
            yield "an endpoint on a transit gateway has no security groups"
        yield from _wrong_groups(tables, self.group_ids, self.vpc_id, has=0)
        vpcs = set(_associations(tables, self.endpoint_id)["vpc_id"].dropna())
        if vpcs and vpcs != {self.vpc_id}:
            yield f"{self.endpoint_id} is associated with {words.listed(sorted(vpcs))}"

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
        ids = ", ".join(_value(_reference(id)) for id in self.group_ids)
        return _comment(
            f"In the aws_ec2_client_vpn_endpoint of {self.endpoint_id} set:",
            f"  vpc_id             = {_value(self.vpc_id)}",
            f"  security_group_ids = [{ids}]",
            "Terraform uses a call that may take hours to reach the interfaces; the AWS CLI's",
            "apply-security-groups-to-client-vpn-target-network acts at once.",
        )


@dataclass(frozen=True, kw_only=True)
class SetInterfaceGroups(Change):
    """Set the security groups of a network interface; they replace the whole set."""

    eni_id: str
    group_ids: tuple[str, ...]

    kind: ClassVar[str] = "set-interface-groups"
    iam_action: ClassVar[str] = "ec2:ModifyNetworkInterfaceAttribute"
    phase: ClassVar[int] = 3

    def words(self) -> str:
        return f"Set the groups of {self.eni_id} to {words.listed(self.group_ids)}"

    def _problems(self, tables: Tables) -> Iterable[str]:
        enis = tables["network_interfaces"]
        mine = enis[enis["eni_id"] == self.eni_id]
        if mine.empty:
            yield f"there is no {self.eni_id} in what was read"
            return
        if mine["requester_managed"].fillna(False).any():
            yield f"{self.eni_id} belongs to a service of AWS: set its groups there"
        held = tables["network_interface_groups"]
        has = int((held["eni_id"] == self.eni_id).sum())
        yield from _wrong_groups(tables, self.group_ids, str(mine["vpc_id"].iloc[0]), has=has)

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
        ids = ", ".join(_value(_reference(id)) for id in self.group_ids)
        return _comment(
            f"In the resource that owns {self.eni_id} (an aws_instance: vpc_security_group_ids; an",
            f"aws_network_interface: security_groups) set the list to [{ids}].",
        )


# -- the endpoint ---------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class AddAuthorizationRule(Change):
    """Authorize a network for a group, or for everyone (no ``group_id``)."""

    endpoint_id: str
    destination_cidr: str
    group_id: str | None = None
    description: str | None = None

    kind: ClassVar[str] = "add-authorization-rule"
    iam_action: ClassVar[str] = "ec2:AuthorizeClientVpnIngress"
    resets_sessions: ClassVar[bool] = True
    phase: ClassVar[int] = 4

    def words(self) -> str:
        who = "everyone" if self.group_id is None else f"group {words.clean(self.group_id)}"
        return f"Authorize {self.destination_cidr} for {who} on {self.endpoint_id}"

    def _problems(self, tables: Tables) -> Iterable[str]:
        endpoints = tables["client_vpn_endpoints"]
        mine = endpoints[endpoints["endpoint_id"] == self.endpoint_id]
        if mine.empty:
            yield f"there is no {self.endpoint_id} in what was read"
        elif self.group_id is not None and mine["authentication_types"].iloc[0] == (
            "certificate-authentication",
        ):
            yield "an endpoint with certificates only knows no groups"
        yield from _wrong_range(self.destination_cidr)
        if len(_authorizations(tables, self)):
            yield "there is such a rule already"

    def _applied(self, tables: Tables) -> Tables:
        row = {
            "account": self.account,
            "region": self.region,
            "endpoint_id": self.endpoint_id,
            "destination_cidr": self.destination_cidr,
            "group_id": self.group_id,
            "access_all": self.group_id is None,
            "description": self.description,
            "status": "active",
        }
        name = "client_vpn_authorization_rules"
        return tables.replace(client_vpn_authorization_rules=_with(tables, name, [row]))

    def inverse(self, tables: Tables) -> "Change":
        return RemoveAuthorizationRule(
            account=self.account,
            region=self.region,
            endpoint_id=self.endpoint_id,
            destination_cidr=self.destination_cidr,
            group_id=self.group_id,
        )

    def _cli(self) -> tuple[str, ...]:
        who = (
            ("--authorize-all-groups",)
            if self.group_id is None
            else ("--access-group-id", self.group_id)
        )
        about = ("--description", self.description) if self.description else ()
        return (
            *("ec2", "authorize-client-vpn-ingress", "--client-vpn-endpoint-id", self.endpoint_id),
            *("--target-network-cidr", self.destination_cidr, *who, *about),
        )

    def terraform(self) -> str:
        everyone = {"authorize_all_groups": True}
        whom = everyone if self.group_id is None else {"access_group_id": self.group_id}
        return _block(
            "aws_ec2_client_vpn_authorization_rule",
            _identifier(f"{self.endpoint_id}-{self.destination_cidr}-{self.group_id or 'all'}"),
            {
                "client_vpn_endpoint_id": self.endpoint_id,
                "target_network_cidr": self.destination_cidr,
                **whom,
                "description": self.description,
            },
        )


@dataclass(frozen=True, kw_only=True)
class RemoveAuthorizationRule(Change):
    """Remove an authorization rule: network and group name it, for it has no id."""

    endpoint_id: str
    destination_cidr: str
    group_id: str | None = None

    kind: ClassVar[str] = "remove-authorization-rule"
    iam_action: ClassVar[str] = "ec2:RevokeClientVpnIngress"
    resets_sessions: ClassVar[bool] = True
    phase: ClassVar[int] = 4

    def words(self) -> str:
        who = "everyone" if self.group_id is None else f"group {words.clean(self.group_id)}"
        return (
            f"Remove the authorization of {self.destination_cidr} for {who} on {self.endpoint_id}"
        )

    def _problems(self, tables: Tables) -> Iterable[str]:
        if _authorizations(tables, self).empty:
            yield "there is no such rule in what was read"

    def _applied(self, tables: Tables) -> Tables:
        rules = tables["client_vpn_authorization_rules"]
        gone = rules.index.isin(_authorizations(tables, self).index)
        return tables.replace(client_vpn_authorization_rules=_left(rules, gone))

    def inverse(self, tables: Tables) -> "Change":
        row = _authorizations(tables, self).iloc[0]
        told = row["description"]
        return AddAuthorizationRule(
            account=self.account,
            region=self.region,
            endpoint_id=self.endpoint_id,
            destination_cidr=self.destination_cidr,
            group_id=self.group_id,
            description=told if isinstance(told, str) and told else None,
        )

    def _cli(self) -> tuple[str, ...]:
        who = (
            ("--revoke-all-groups",)
            if self.group_id is None
            else ("--access-group-id", self.group_id)
        )
        return (
            *("ec2", "revoke-client-vpn-ingress", "--client-vpn-endpoint-id", self.endpoint_id),
            *("--target-network-cidr", self.destination_cidr, *who),
        )

    def terraform(self) -> str:
        return _comment(
            "Remove the aws_ec2_client_vpn_authorization_rule of",
            f"{self.endpoint_id},{self.destination_cidr},{self.group_id or ''}",
        )


@dataclass(frozen=True, kw_only=True)
class CreateRoute(Change):
    """Add a route to an endpoint's route table."""

    endpoint_id: str
    destination_cidr: str
    target_subnet: str
    description: str | None = None

    kind: ClassVar[str] = "create-route"
    iam_action: ClassVar[str] = "ec2:CreateClientVpnRoute"
    # Under split tunnel only, but then for everybody: planned as if always.
    resets_sessions: ClassVar[bool] = True
    phase: ClassVar[int] = 4

    def words(self) -> str:
        return f"Route {self.destination_cidr} through {self.target_subnet} on {self.endpoint_id}"

    def _problems(self, tables: Tables) -> Iterable[str]:
        if self.endpoint_id not in set(tables["client_vpn_endpoints"]["endpoint_id"]):
            yield f"there is no {self.endpoint_id} in what was read"
        yield from _wrong_range(self.destination_cidr)
        subnets = set(_associations(tables, self.endpoint_id)["subnet_id"])
        if self.target_subnet not in {*subnets, "local"}:
            yield f"{self.endpoint_id} is not associated with {words.clean(self.target_subnet)}"
        if len(_routes(tables, self)):
            yield "there is such a route already"

    def _applied(self, tables: Tables) -> Tables:
        row = {
            "account": self.account,
            "region": self.region,
            "endpoint_id": self.endpoint_id,
            "destination_cidr": self.destination_cidr,
            "target_subnet": self.target_subnet,
            "type": "Nat",
            "origin": "add-route",
            "description": self.description,
            "status": "active",
        }
        return tables.replace(client_vpn_routes=_with(tables, "client_vpn_routes", [row]))

    def inverse(self, tables: Tables) -> "Change":
        return DeleteRoute(
            account=self.account,
            region=self.region,
            endpoint_id=self.endpoint_id,
            destination_cidr=self.destination_cidr,
            target_subnet=self.target_subnet,
        )

    def _cli(self) -> tuple[str, ...]:
        about = ("--description", self.description) if self.description else ()
        return (
            *("ec2", "create-client-vpn-route", "--client-vpn-endpoint-id", self.endpoint_id),
            *("--destination-cidr-block", self.destination_cidr),
            *("--target-vpc-subnet-id", self.target_subnet, *about),
        )

    def terraform(self) -> str:
        return _block(
            "aws_ec2_client_vpn_route",
            _identifier(f"{self.endpoint_id}-{self.destination_cidr}-{self.target_subnet}"),
            {
                "client_vpn_endpoint_id": self.endpoint_id,
                "destination_cidr_block": self.destination_cidr,
                "target_vpc_subnet_id": self.target_subnet,
                "description": self.description,
            },
        )


@dataclass(frozen=True, kw_only=True)
class DeleteRoute(Change):
    """Remove a route that somebody added to an endpoint's route table."""

    endpoint_id: str
    destination_cidr: str
    target_subnet: str

    kind: ClassVar[str] = "delete-route"
    iam_action: ClassVar[str] = "ec2:DeleteClientVpnRoute"
    resets_sessions: ClassVar[bool] = True
    phase: ClassVar[int] = 4

    def words(self) -> str:
        return (
            f"Remove the route of {self.destination_cidr} through {self.target_subnet} from "
            f"{self.endpoint_id}"
        )

    def _problems(self, tables: Tables) -> Iterable[str]:
        mine = _routes(tables, self)
        if mine.empty:
            yield "there is no such route in what was read"
        if (mine["origin"] == "associate").any():
            yield "AWS made that route with the association, and only that can remove it"

    def _applied(self, tables: Tables) -> Tables:
        routes = tables["client_vpn_routes"]
        gone = routes.index.isin(_routes(tables, self).index)
        return tables.replace(client_vpn_routes=_left(routes, gone))

    def inverse(self, tables: Tables) -> "Change":
        told = _routes(tables, self).iloc[0]["description"]
        return CreateRoute(
            account=self.account,
            region=self.region,
            endpoint_id=self.endpoint_id,
            destination_cidr=self.destination_cidr,
            target_subnet=self.target_subnet,
            description=told if isinstance(told, str) and told else None,
        )

    def _cli(self) -> tuple[str, ...]:
        return (
            *("ec2", "delete-client-vpn-route", "--client-vpn-endpoint-id", self.endpoint_id),
            *("--destination-cidr-block", self.destination_cidr),
            *("--target-vpc-subnet-id", self.target_subnet),
        )

    def terraform(self) -> str:
        return _comment(
            "Remove the aws_ec2_client_vpn_route of",
            f"{self.endpoint_id},{self.target_subnet},{self.destination_cidr}",
        )


@dataclass(frozen=True, kw_only=True)
class ModifyLogging(Change):
    """Turn the connection log of an endpoint on or off."""

    endpoint_id: str
    enabled: bool
    log_group: str | None = None
    log_stream: str | None = None

    kind: ClassVar[str] = "modify-logging"
    iam_action: ClassVar[str] = "ec2:ModifyClientVpnEndpoint"
    phase: ClassVar[int] = 2

    def words(self) -> str:
        if not self.enabled:
            return f"Stop logging the connections of {self.endpoint_id}"
        return f"Log the connections of {self.endpoint_id} to {words.clean(self.log_group)}"

    def _problems(self, tables: Tables) -> Iterable[str]:
        if self.endpoint_id not in set(tables["client_vpn_endpoints"]["endpoint_id"]):
            yield f"there is no {self.endpoint_id} in what was read"
        if self.enabled and not self.log_group:
            yield "AWS asks for a CloudWatch log group"

    def _applied(self, tables: Tables) -> Tables:
        endpoints = tables["client_vpn_endpoints"]
        mine = (endpoints["endpoint_id"] == self.endpoint_id).to_numpy()
        changed = endpoints.copy()
        for name, value in (
            ("connection_log_enabled", self.enabled),
            ("connection_log_group", self.log_group),
            ("connection_log_stream", self.log_stream),
        ):
            changed[name] = changed[name].mask(mine, value if value is not None else pd.NA)
        return tables.replace(client_vpn_endpoints=changed)

    def inverse(self, tables: Tables) -> "Change":
        endpoints = tables["client_vpn_endpoints"]
        row = endpoints[endpoints["endpoint_id"] == self.endpoint_id].iloc[0]
        enabled = row["connection_log_enabled"]
        group, stream = row["connection_log_group"], row["connection_log_stream"]
        return ModifyLogging(
            account=self.account,
            region=self.region,
            endpoint_id=self.endpoint_id,
            enabled=bool(pd.notna(enabled) and enabled),
            log_group=group if isinstance(group, str) else None,
            log_stream=stream if isinstance(stream, str) else None,
        )

    def _cli(self) -> tuple[str, ...]:
        options: dict[str, Any] = {"Enabled": self.enabled}
        if self.log_group:
            options["CloudwatchLogGroup"] = self.log_group
        if self.log_stream:
            options["CloudwatchLogStream"] = self.log_stream
        return (
            *("ec2", "modify-client-vpn-endpoint", "--client-vpn-endpoint-id", self.endpoint_id),
            *("--connection-log-options", json.dumps(options)),
        )

    def terraform(self) -> str:
        lines = [f"  enabled               = {_value(self.enabled)}"]
        if self.log_group:
            lines.append(f"  cloudwatch_log_group  = {_value(self.log_group)}")
        if self.log_stream:
            lines.append(f"  cloudwatch_log_stream = {_value(self.log_stream)}")
        return _comment(
            f"In the aws_ec2_client_vpn_endpoint of {self.endpoint_id}, connection_log_options:",
            *lines,
        )


CHANGES: Mapping[str, type[Change]] = {
    made.kind: made
    for made in (
        CreateSecurityGroup,
        DeleteSecurityGroup,
        AuthorizeRule,
        RevokeRule,
        ApplySecurityGroups,
        SetInterfaceGroups,
        AddAuthorizationRule,
        RemoveAuthorizationRule,
        CreateRoute,
        DeleteRoute,
        ModifyLogging,
    )
}
"""Every kind of change, by its name in a plan file."""


# -- what the tables say --------------------------------------------------------------------------


def _places(tables: Tables) -> set[tuple[str, str]]:
    groups, endpoints = tables["security_groups"], tables["client_vpn_endpoints"]
    return {
        (str(account), str(region))
        for frame in (groups, endpoints)
        for account, region in zip(frame["account"], frame["region"], strict=True)
    }


def _whole(value: Any) -> int | None:
    return None if value is None or pd.isna(value) else int(value)


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _with(tables: Tables, name: str, rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return a table with further rows."""
    frame = tables[name]
    if not rows:
        return frame
    new = frame_of_rows(SCHEMAS[name], rows)
    for column in frame.columns:
        if str(frame[column].dtype) == "category":
            # One set of categories, or joins would not keep the type.
            known = frame[column].cat.categories
            more = [c for c in new[column].cat.categories if c not in set(known)]
            dtype = pd.CategoricalDtype(known.append(pd.Index(more, dtype="str")))
            frame = frame.assign(**{column: frame[column].astype(dtype)})
            new = new.assign(**{column: new[column].astype(dtype)})
    return pd.concat([frame, new], ignore_index=True)


def _left(frame: pd.DataFrame, gone: Any) -> pd.DataFrame:
    left: pd.DataFrame = frame[~gone].reset_index(drop=True)
    return left


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
    left = tables.replace(network_interface_groups=_left(held, gone))
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
        for row in rows_of(known[known["eni_id"].isin(enis)])
        for group in group_ids
    ]
    return _with(left, "network_interface_groups", rows)


def _carriers(tables: Tables, group_id: str) -> list[str]:
    held = tables["network_interface_groups"]
    return sorted(held.loc[held["group_id"] == group_id, "eni_id"])


def _associations(tables: Tables, endpoint_id: str) -> pd.DataFrame:
    networks = tables["client_vpn_target_networks"]
    gone = networks["status"].isin(["association-failed", "disassociated"])
    return networks[(networks["endpoint_id"] == endpoint_id) & ~gone]


def _may_name(tables: Tables, one: str, other: str) -> bool:
    """Tell whether a rule of a group in one VPC may name a group of the other."""
    shared = tables["security_group_vpc_associations"]
    if one == other or other in set(shared["vpc_id"]):
        return True
    peerings = tables["vpc_peering_connections"]
    ends = peerings.loc[
        peerings["status"] == "active", ["requester_vpc_id", "accepter_vpc_id"]
    ].to_numpy()
    return any({one, other} == set(pair) for pair in ends)


def _wrong_groups(
    tables: Tables, group_ids: tuple[str, ...], vpc_id: str, *, has: int
) -> Iterable[str]:
    if not group_ids:
        yield "AWS asks for at least one group"
    if len(set(group_ids)) != len(group_ids):
        yield "a group is named twice"
    # Who has more groups than the usual quota has had it raised.
    if len(group_ids) > max(GROUPS_PER_INTERFACE, has):
        yield f"AWS takes at most {GROUPS_PER_INTERFACE} groups"
    groups = tables["security_groups"].drop_duplicates("group_id").set_index("group_id")
    shared = tables["security_group_vpc_associations"]
    beside = set(zip(shared["group_id"], shared["vpc_id"], strict=True))
    for id in group_ids:
        if id not in groups.index:
            yield f"there is no {words.clean(id)} in what was read"
        elif groups["vpc_id"].get(id) != vpc_id and (id, vpc_id) not in beside:
            yield f"{id} is not in {vpc_id}"


def _wrong_range(cidr: str) -> Iterable[str]:
    try:
        ip_network(cidr)
    except ValueError:
        yield f"{words.clean(cidr)} is no range (its host bits must be zero)"


def _authorizations(
    tables: Tables, change: AddAuthorizationRule | RemoveAuthorizationRule
) -> pd.DataFrame:
    rules = tables["client_vpn_authorization_rules"]
    whose = rules["access_all"] if change.group_id is None else rules["group_id"] == change.group_id
    return rules[
        (rules["endpoint_id"] == change.endpoint_id)
        & (rules["destination_cidr"] == change.destination_cidr)
        & whose
        & (rules["status"] != "failed")
    ]


def _routes(tables: Tables, change: CreateRoute | DeleteRoute) -> pd.DataFrame:
    routes = tables["client_vpn_routes"]
    return routes[
        (routes["endpoint_id"] == change.endpoint_id)
        & (routes["destination_cidr"] == change.destination_cidr)
        & (routes["target_subnet"] == change.target_subnet)
    ]


# -- Terraform ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Raw:
    """Terraform's own text, not to be quoted."""

    text: str


def _identifier(text: str) -> str:
    """Return a Terraform name.

    >>> _identifier("sg-new-vpn-staff"), _identifier("10.0.0.0/8")
    ('sg_new_vpn_staff', 'x10_0_0_0_8')
    """
    name = _TERRAFORM_NAME.sub("_", text.lower()).strip("_")
    return name if name[:1].isalpha() else f"x{name}"


def _reference(id: str) -> "str | _Raw":
    return _Raw(f"aws_security_group.{_identifier(id)}.id") if is_new(id) else id


def _value(value: object) -> str:
    r"""Return a value as Terraform writes it: no template in a text is obeyed.

    >>> print(_value('a "b" ${c} %{d}'))
    "a \"b\" $${c} %%{d}"
    """
    if isinstance(value, _Raw):
        return value.text
    text = json.dumps(value, ensure_ascii=False)
    return text.replace("${", "$${").replace("%{", "%%{") if isinstance(value, str) else text


def _block(resource: str, name: str, arguments: Mapping[str, object]) -> str:
    given = {key: value for key, value in arguments.items() if value is not None}
    width = max(len(key) for key in given)
    lines = [f"  {key:<{width}} = {_value(value)}" for key, value in given.items()]
    return "\n".join([f'resource "{resource}" "{name}" {{', *lines, "}"]) + "\n"


def _comment(*lines: str) -> str:
    """Return lines as a comment, their indent kept; whatever they hold, each stays one line."""
    indents = [" " * (len(line) - len(line.lstrip())) for line in lines]
    told = [words.clean(line, 500) for line in lines]
    return "".join(f"# {indent}{text}\n" for indent, text in zip(indents, told, strict=True))
