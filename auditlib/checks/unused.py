"""Checks of configuration that does nothing: empty prefix lists, security groups without use."""

from typing import Any

import pandas as pd

from auditlib import words
from auditlib.check import Severity, check, evidence_of
from auditlib.checks._parts import names_of
from auditlib.frames import rows_of
from auditlib.language import tr


def with_prefix_list(rules: pd.DataFrame) -> pd.Series:
    """Tell which rules name a prefix list."""
    return rules["prefix_list_id"].notna()


def not_default(groups: pd.DataFrame) -> pd.Series:
    """Tell which groups somebody made: a VPC's default group cannot be deleted."""
    return ~groups["is_default"]


@check(
    id="prefix-list-is-empty",
    title="Prefix lists that rules name hold addresses",
    severity=Severity.LOW,
    population="security_group_rules",
    among=with_prefix_list,
    noun="prefix-list rule",
    condition=("names an empty prefix list", "name empty prefix lists"),
    clear=(
        "names a prefix list with entries",
        "name prefix lists with entries",
    ),
    rationale=(
        "A rule for an empty prefix list admits nobody, and lets nothing out. Whoever reads the "
        "rule believes otherwise, and when the access is missed, adds a wider rule beside it. And "
        "the rule waits: whoever may edit the list, in another account perhaps, opens the port "
        "later without touching the security group."
    ),
    remedy=(
        "Decide whether the rule is still wanted: put the addresses into the list, or revoke the "
        "rule and delete the list where nothing else names it."
    ),
    verify=(
        "aws ec2 get-managed-prefix-list-entries --prefix-list-id <id> shows entries, or "
        "describe-security-group-rules no longer shows the rule."
    ),
    false_alarms=(
        "A list that is filled on purpose only while it is needed, for emergency access say.",
        "A list that automation fills and was just emptied when the account was read.",
    ),
    decision="Whether addresses are missing in the list or the rule is left over, only those know who use it.",
    reference="https://docs.aws.amazon.com/vpc/latest/userguide/managed-prefix-lists.html",
)
def prefix_list_is_empty(
    judged: pd.DataFrame,
    prefix_list_entries: pd.DataFrame,
    *,
    prefix_lists: pd.DataFrame,
    security_groups: pd.DataFrame,
) -> pd.DataFrame:
    """Return the rules whose prefix list holds no entry."""
    names = names_of(prefix_lists, "prefix_list_id", "name")
    groups = names_of(security_groups, "group_id", "name", "group_name")
    empty = judged[~judged["prefix_list_id"].isin(prefix_list_entries["prefix_list_id"])]

    def reason(row: Any) -> str:
        said = {
            "row": row,
            "group": words.named(row.group_id, groups.get(row.group_id)),
            "prefix_list": words.named(row.prefix_list_id, names.get(row.prefix_list_id)),
        }
        return (
            tr(
                "Rule {row.rule_id} of {group} lets nothing out: prefix list {prefix_list} is empty.",
                **said,
            )
            if row.is_egress
            else tr(
                "Rule {row.rule_id} of {group} admits nobody: prefix list {prefix_list} is empty.",
                **said,
            )
        )

    return evidence_of(
        "account region group_id rule_id prefix_list_id reason source record",
        (
            {
                "account": row.account,
                "region": row.region,
                "group_id": row.group_id,
                "rule_id": row.rule_id,
                "prefix_list_id": row.prefix_list_id,
                "source": row.source,
                "record": row.record,
                "reason": reason(row),
                "by_absence": True,
            }
            for row in rows_of(empty)
        ),
    )


@check(
    id="security-group-is-unused",
    title="Security groups beside Client VPN endpoints are in use",
    severity=Severity.INFO,
    population="nearby_security_groups",
    among=not_default,
    noun="neighbouring security group",
    condition=("is unused", "are unused"),
    rationale=(
        "A group that nothing uses admits nobody today. It is there to be picked from a list "
        "tomorrow, with rules from years ago that nobody checks again. It also makes every review "
        "longer, and hides the groups that count. AWS requires nothing, so this is information."
    ),
    remedy=(
        "Delete the group once its owner agrees. No interface carries it and no other group's rule "
        "names it, so AWS will not stop you: keep its rules on record, and look first for launch "
        "templates and the services named below, which would fail at their next start."
    ),
    verify="aws ec2 describe-security-groups --group-ids <group id> says that it does not exist.",
    false_alarms=(
        "A group that a launch template, a sleeping Lambda function, Batch, CodeBuild, SageMaker, "
        "Glue or another service puts on an interface when it starts: those are not read.",
        "A group that a peered VPC of another account names, or that another account uses in a "
        "shared VPC.",
        "A group kept for emergencies, to be put on an instance by hand.",
        "A self-reference is no use, and neither is a rule that names only groups which nothing "
        "uses in turn; the latter is not followed here.",
    ),
    decision="Launch templates and other services that would use the group at their next start are not read, so people look before they delete.",
    reference="https://docs.aws.amazon.com/vpc/latest/userguide/deleting-security-groups.html",
)
def security_group_is_unused(judged: pd.DataFrame) -> pd.DataFrame:
    """Return groups that no interface, no endpoint and no rule of another group uses."""
    uses = ["interfaces", "endpoints", "referring_groups", "shared_vpcs"]
    unused = judged[judged[uses].sum(axis=1).eq(0)]
    return evidence_of(
        "account region group_id group_name vpc_id reason source record",
        (
            {
                "account": row.account,
                "region": row.region,
                "group_id": row.group_id,
                "group_name": row.group_name,
                "vpc_id": row.vpc_id,
                "source": row.source,
                "record": row.record,
                "reason": tr(
                    "{group} is on no interface and no endpoint, and no rule of another group "
                    "names it.",
                    group=words.named(row.group_id, row.group_name),
                ),
                "by_absence": True,
            }
            for row in rows_of(unused)
        ),
    )
