"""Make changes in a world as AWS would: plain edits of its raw records, sharing no code with the kit.

With ``tests/naive.py`` this is the brute force that previews are held against: the records are
edited, and each packet is asked anew.
"""

from collections.abc import Iterable
from typing import Any

from auditlib.changes import (
    AddAuthorizationRule,
    ApplySecurityGroups,
    AuthorizeRule,
    Change,
    CreateRoute,
    CreateSecurityGroup,
    DeleteRoute,
    DeleteSecurityGroup,
    ModifyLogging,
    RemoveAuthorizationRule,
    RevokeRule,
    SetInterfaceGroups,
)
from tests.worlds import World

RULES = "ec2-describe-security-group-rules"
GROUPS = "ec2-describe-security-groups"
ENIS = "ec2-describe-network-interfaces"


def make(world: World, changes: Iterable[Change]) -> None:
    """Make changes one after the other; what is made gets a real id, known to those after it."""
    ids: dict[str, str] = {}
    for change in changes:
        _make(world, change, ids)


def _make(world: World, change: Change, ids: dict[str, str]) -> None:
    def real(id: str) -> str:
        return ids.get(id, id)

    def records(read: str, endpoint: str | None = None) -> list[dict[str, Any]]:
        return world._lists[world.region, read, endpoint]

    def without(kept: list[dict[str, Any]], **members: object) -> None:
        kept[:] = [r for r in kept if any(r[name] != value for name, value in members.items())]

    match change:
        case CreateSecurityGroup():
            ids[change.group_id] = world.security_group(
                change.vpc_id, change.group_name, egress=change.open_egress
            )
        case DeleteSecurityGroup():
            without(records(GROUPS), GroupId=real(change.group_id))
            without(records(RULES), GroupId=real(change.group_id))
        case AuthorizeRule():
            add = world.egress if change.is_egress else world.ingress
            protocol = "-1" if change.protocol == "all" else change.protocol
            ports = None if change.from_port is None else (change.from_port, change.to_port)
            ids[change.rule_id] = add(
                real(change.group_id), real(change.peer), protocol, ports, change.description
            )
        case RevokeRule():
            without(records(RULES), SecurityGroupRuleId=real(change.rule_id))
        case ApplySecurityGroups():
            groups = [real(id) for id in change.group_ids]
            world.record(change.endpoint_id)["SecurityGroupIds"] = groups
            for network in world.associations(change.endpoint_id):
                network["SecurityGroups"] = list(groups)
            for eni in records(ENIS):
                if change.endpoint_id in eni["Description"]:
                    eni["Groups"] = [{"GroupId": id, "GroupName": id} for id in groups]
        case SetInterfaceGroups():
            groups = [real(id) for id in change.group_ids]
            world.record(change.eni_id)["Groups"] = [{"GroupId": i, "GroupName": i} for i in groups]
        case AddAuthorizationRule():
            world.authorize(change.endpoint_id, change.destination_cidr, change.group_id)
        case RemoveAuthorizationRule():
            for rule in list(
                records("ec2-describe-client-vpn-authorization-rules", change.endpoint_id)
            ):
                if (
                    rule["DestinationCidr"] == change.destination_cidr
                    and rule["AccessAll"] == (change.group_id is None)
                    and rule["GroupId"] == (change.group_id or "")
                    and rule["Status"]["Code"] != "failed"
                ):
                    records(
                        "ec2-describe-client-vpn-authorization-rules", change.endpoint_id
                    ).remove(rule)
        case CreateRoute():
            world.endpoint_route(change.endpoint_id, change.destination_cidr, change.target_subnet)
        case DeleteRoute():
            without(
                records("ec2-describe-client-vpn-routes", change.endpoint_id),
                DestinationCidr=change.destination_cidr,
                TargetSubnet=change.target_subnet,
            )
        case ModifyLogging():
            world.record(change.endpoint_id)["ConnectionLogOptions"] = {
                "Enabled": change.enabled,
                "CloudwatchLogGroup": change.log_group or "",
            }
        case _:
            raise AssertionError(f"tests/naive_changes.py does not know {change.kind}")
