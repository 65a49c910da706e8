"""Checks of the VPCs' default security groups."""

from typing import Any

import pandas as pd

from auditlib import words
from auditlib.check import Severity, check, evidence_of
from auditlib.checks._parts import names_of
from auditlib.frames import rows_of, rows_where
from auditlib.language import tr

_JUDGED: dict[str, Any] = {
    "population": "security_groups",
    "among": lambda groups: groups["is_default"],
    "noun": "default security group",
}
_CIS = {
    f"CIS AWS Foundations {version}": (number,)
    for number, versions in {
        "4.4": ("v1.0", "v1.1"),
        "4.3": ("v1.2",),
        "5.3": ("v1.3", "v1.4"),
        "5.4": ("v1.5", "v2.0", "v3.0"),
        "5.5": ("v4.0.1", "v5.0"),
        "6.5": ("v6.0", "v7.0"),
    }.items()
    for version in versions
}


@check(
    id="default-sg-has-rules",
    title="Default security groups have no rules",
    severity=Severity.LOW,
    **_JUDGED,
    condition=("has rules", "have rules"),
    rationale=(
        "Whatever is launched without a security group gets the VPC's default one, a Client VPN "
        "endpoint included. As AWS makes it, that group lets its members reach each other on "
        "every port and lets everything out. Without rules, something launched by oversight "
        "reaches nothing and nobody reaches it, so the oversight shows."
    ),
    remedy=(
        "Empty the default group last: first move every interface, endpoint and launch template "
        "that relies on it to a group of its own and check that traffic flows, then revoke its "
        "rules by their rule ids. An endpoint that still carries the group when it is emptied "
        "lets nothing out any more. In Terraform write aws_default_security_group with ingress = "
        "[] and egress = []."
    ),
    verify=(
        "aws ec2 describe-security-group-rules --filters Name=group-id,Values=<group id> returns "
        "an empty list."
    ),
    false_alarms=(
        "In a VPC that nothing uses the rules open nothing today; CIS and Security Hub still "
        "report it, Prowler by default does not, so counts differ between tools.",
    ),
    reference="https://docs.aws.amazon.com/config/latest/developerguide/vpc-default-security-group-closed.html",
    controls={
        **_CIS,
        "AWS Foundational Security Best Practices v1.0.0": ("EC2.2",),
        "AWS Config managed rules (2026-11)": ("vpc-default-security-group-closed",),
        "Prowler (2026-11)": ("ec2_securitygroup_default_restrict_traffic",),
        "NIST SP 800-53 Rev. 5": ("AC-4", "SC-7"),
        "PCI DSS v4.0.1": ("1.3", "1.4"),
        "AWS Well-Architected Security Pillar (2026-11)": ("SEC05-BP02",),
    },
    ratings={
        "CIS AWS Foundations": "Level 2",
        "Security Hub EC2.2": "High",
        "CloudSploit": "Medium",
        "Trivy": "Low",
    },
)
def default_sg_has_rules(
    judged: pd.DataFrame, security_group_rules: pd.DataFrame, *, vpcs: pd.DataFrame
) -> pd.DataFrame:
    """Return the rules of default groups."""
    vpc_names = names_of(vpcs, "vpc_id", "name")
    held = judged[["account", "region", "group_id", "vpc_id"]].rename(
        columns={"account": "group_account", "region": "group_region"}
    )
    rows = []
    for row in rows_of(security_group_rules.merge(held, on="group_id")):
        said = {
            "row": row,
            "vpc": words.named(row.vpc_id, vpc_names.get(row.vpc_id)),
            "traffic": words.traffic(row.protocol, row.from_port, row.to_port),
            "rule": words.rule(row),
        }
        if row.referenced_group_id == row.group_id:
            reason = (
                tr(
                    "{row.group_id} (default of {vpc}) lets out {traffic} to its own members.",
                    **said,
                )
                if row.is_egress
                else tr(
                    "{row.group_id} (default of {vpc}) admits {traffic} from its own members.",
                    **said,
                )
            )
        else:
            reason = (
                tr("{row.group_id} (default of {vpc}) lets out {rule}.", **said)
                if row.is_egress
                else tr("{row.group_id} (default of {vpc}) admits {rule}.", **said)
            )
        rows.append(
            {
                "account": row.group_account,
                "region": row.group_region,
                "group_id": row.group_id,
                "rule_id": row.rule_id,
                "vpc_id": row.vpc_id,
                "source": row.source,
                "record": row.record,
                "reason": reason,
                "rank": 1 if row.is_egress else 0,
            }
        )
    return evidence_of("account region group_id rule_id vpc_id reason source record", rows)


@check(
    id="default-sg-is-used",
    title="Default security groups are not used",
    severity=Severity.LOW,
    **_JUDGED,
    condition=("is used", "are used"),
    rationale=(
        "A default group in use mixes things that were never meant to share rules: what was put "
        "there on purpose and what landed there because nobody named a group. Whoever adds a rule "
        "for one of them adds it for all, and the group cannot be emptied, as CIS and AWS ask, "
        "without cutting somebody off."
    ),
    remedy=(
        "Give each interface a group made for its purpose, with the rules it really needs; change "
        "rules of other groups that name the default one so that they name the new group; then "
        "watch the traffic before emptying the default group. Interfaces that AWS manages take "
        "their groups from the service that made them: change them there."
    ),
    verify=(
        "aws ec2 describe-network-interfaces --filters Name=group-id,Values=<group id> returns no "
        "interface, and no rule names the group but its own."
    ),
    false_alarms=(
        "Groups that no interface carries are not reported, but a launch template, Lambda "
        "function, Batch or CodeBuild setting may still name them: look there before emptying.",
    ),
    decision="Which group each interface needs depends on what it serves. Endpoints are moved by the fixes of vpn-sg-lets-members-in or vpn-sg-is-default; for the rest give each interface a group that fits.",
    reference="https://docs.aws.amazon.com/vpc/latest/userguide/vpc-security-groups.html",
    controls={"NIST SP 800-53 Rev. 5": ("AC-4", "SC-7")},
)
def default_sg_is_used(
    judged: pd.DataFrame,
    network_interfaces: pd.DataFrame,
    network_interface_groups: pd.DataFrame,
    security_group_rules: pd.DataFrame,
    *,
    security_groups: pd.DataFrame,
    vpcs: pd.DataFrame,
) -> pd.DataFrame:
    """Return interfaces that carry a default group, and rules of other groups that name one."""
    vpc_names = names_of(vpcs, "vpc_id", "name")
    names = names_of(security_groups, "group_id", "group_name")
    group_of = {row.group_id: row for row in rows_of(judged)}
    carried = network_interface_groups[network_interface_groups["group_id"].isin(group_of.keys())]
    interface_of = {
        row.eni_id: row
        for row in rows_where(
            network_interfaces, network_interfaces["eni_id"].isin(carried["eni_id"])
        )
    }
    naming = security_group_rules[
        security_group_rules["referenced_group_id"].isin(group_of.keys())
        & (security_group_rules["referenced_group_id"] != security_group_rules["group_id"])
    ]

    def row_about(group: Any, **more: Any) -> dict[str, Any]:
        place = {"account": group.account, "region": group.region}
        return {**place, "group_id": group.group_id, "vpc_id": group.vpc_id, **more}

    def vpc_of(group: Any) -> str:
        return words.named(group.vpc_id, vpc_names.get(group.vpc_id))

    rows = []
    for row in rows_of(carried):
        group, interface = group_of[row.group_id], interface_of[row.eni_id]
        rows.append(
            row_about(
                group,
                eni_id=row.eni_id,
                source=interface.source,
                record=interface.record,
                reason=tr(
                    "{interface} carries {group.group_id}, the default group of {vpc}.",
                    interface=words.interface(interface),
                    group=group,
                    vpc=vpc_of(group),
                ),
                rank=0,
            )
        )
    for row in rows_of(naming):
        group = group_of[row.referenced_group_id]
        said = {
            "other": words.named(row.group_id, names.get(row.group_id)),
            "rule": words.rule(row, names),
            "vpc": vpc_of(group),
        }
        rows.append(
            row_about(
                group,
                rule_id=row.rule_id,
                source=row.source,
                record=row.record,
                reason=tr(
                    "{other} lets out {rule}, the default group of {vpc}, and so whatever lands "
                    "there.",
                    **said,
                )
                if row.is_egress
                else tr(
                    "{other} admits {rule}, the default group of {vpc}, and so whatever lands there.",
                    **said,
                ),
                rank=1,
            )
        )
    return evidence_of("account region group_id eni_id rule_id vpc_id reason source record", rows)
