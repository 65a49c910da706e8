"""Checks of how users prove who they are, held against what the endpoint is meant for."""

import re
from typing import Any

import pandas as pd

from auditlib import words
from auditlib.check import Severity, check, evidence_of
from auditlib.checks._parts import (
    GUIDE,
    called,
    living,
    place_of,
    rows_of,
    untold_authentication,
)

_CERTIFICATE_ONLY = ("certificate-authentication",)
_PEOPLE = re.compile(
    r"\b(?:admins?|administrators?|auditors?|contractors?|consultants?|dba|dbas|developers?|devs?|"
    r"devops|employees|engineers?|engineering|finance|freelancers?|groups?|hr|managers?|operators?|"
    r"partners?|payroll|sales|sre|staff|support|teams?|vendors?)\b",
    re.IGNORECASE,
)


@check(
    id="certificate-only-where-groups-are-wanted",
    title="Endpoints whose rules are meant for groups authenticate users, not only certificates",
    severity=Severity.LOW,
    population="client_vpn_endpoints",
    among=lambda endpoints: (
        living(endpoints)
        & endpoints["authentication_types"].map(lambda types: set(types) <= set(_CERTIFICATE_ONLY))
    ),
    noun="certificate-only Client VPN endpoint",
    unseen=untold_authentication,
    condition=(
        "shows signs that groups are wanted and cannot have them",
        "show signs that groups are wanted and cannot have them",
    ),
    rationale=(
        "With certificates alone every authorization rule is for everyone. Where rules or "
        "descriptions speak of administrators, contractors or teams, somebody believes that those "
        "are kept apart, and they are not: whoever holds any certificate of the same authority "
        "reaches what was meant for one group. These are signs of intent, not proof of it."
    ),
    remedy=(
        "Decide whether the users should be told apart. Where they should, create an endpoint with "
        "SAML or Active Directory authentication beside this one, authorize groups there and move "
        "the users; or give each group of users a certificate authority and an endpoint of its own."
    ),
    verify=(
        "aws ec2 describe-client-vpn-endpoints --query "
        "'ClientVpnEndpoints[].AuthenticationOptions[].Type' shows federated-authentication or "
        "directory-service-authentication where groups are meant."
    ),
    false_alarms=(
        "A description that names the one group of users the whole endpoint is for.",
        "An account whose other endpoint serves other people, by groups, while this one serves "
        "machines.",
    ),
    decision="The authentication of an endpoint is chosen when it is made, and only you know whether its users are meant to be told apart.",
    reference=f"{GUIDE}client-authentication.html",
    controls={"NIST SP 800-53 Rev. 5": ("AC-3", "IA-2")},
)
def certificate_only_where_groups_are_wanted(
    judged: pd.DataFrame,
    client_vpn_authorization_rules: pd.DataFrame,
    client_vpn_endpoints: pd.DataFrame,
) -> pd.DataFrame:
    """Return the signs, per certificate-only endpoint, that its users are meant to be told apart."""
    rules = client_vpn_authorization_rules[client_vpn_authorization_rules["status"] != "revoking"]
    grouped = set(rules.loc[rules["group_id"].notna(), "endpoint_id"])
    alive = client_vpn_endpoints[living(client_vpn_endpoints)]
    beside: dict[tuple[str, str], list[str]] = {}
    for other in rows_of(alive[alive["endpoint_id"].isin(grouped)]):
        if set(other.authentication_types) - set(_CERTIFICATE_ONLY):
            beside.setdefault((other.account, other.region), []).append(called(other))
    rows = []
    for row in rows_of(judged):
        if not row.authentication_types:
            continue
        mine = list(rows_of(rules[rules["endpoint_id"] == row.endpoint_id]))
        rows += [
            _sign(
                row,
                rule,
                "rule_for_group",
                f"has a rule for {rule.destination_cidr} that names "
                f"the group {words.clean(rule.group_id)}, which it cannot know",
                0,
            )
            for rule in mine
            if isinstance(rule.group_id, str)
        ]
        rows += [
            _sign(
                row,
                rule,
                "description",
                f"describes its rule for {rule.destination_cidr} as "
                f"“{words.clean(rule.description)}”, and the rule is for everyone",
                1,
            )
            for rule in mine
            if rule.access_all and len(mine) > 1 and _PEOPLE.search(str(rule.description or ""))
        ]
        if (
            len({rule.destination_cidr for rule in mine}) > 1
            and (row.account, row.region) in beside
        ):
            others = words.listed(beside[row.account, row.region], most=3)
            rows.append(
                _sign(
                    row,
                    row,
                    "other_endpoint",
                    f"opens several networks, each to everyone, "
                    f"while {others} beside it tells groups apart",
                    2,
                )
            )
    return evidence_of(
        "account region endpoint_id destination_cidr sign reason source record", rows
    )


def _sign(endpoint: Any, at: Any, sign: str, reason: str, rank: int) -> dict[str, Any]:
    return {
        **place_of(endpoint),
        "destination_cidr": getattr(at, "destination_cidr", None),
        "sign": sign,
        "source": at.source,
        "record": at.record,
        "reason": f"{called(endpoint)} authenticates by certificate only and {reason}.",
        "rank": rank,
    }
