"""Checks of who is let through an endpoint: authorization rules, connections, authentication."""

import re
from typing import Any

import pandas as pd

from auditlib import words
from auditlib.check import Severity, check, evidence_of
from auditlib.checks._parts import (
    ENDPOINT,
    GUIDE,
    called,
    living,
    names_of,
    place_of,
    policy_text,
    unread_policies,
    untold,
    untold_authentication,
    yes,
)
from auditlib.frames import rows_of, rows_where
from auditlib.gaps import GapRow
from auditlib.language import marked, tr, tr_as

_JUDGED: dict[str, Any] = {
    "population": "client_vpn_endpoints",
    "among": living,
    "noun": "Client VPN endpoint",
}
_CERTIFICATE_ONLY = ("certificate-authentication",)
_PEOPLE = re.compile(
    r"\b(?:admins?|administrators?|auditors?|contractors?|consultants?|dba|dbas|developers?|devs?|"
    r"devops|employees|engineers?|engineering|finance|freelancers?|groups?|hr|managers?|operators?|"
    r"partners?|payroll|sales|sre|staff|support|teams?|vendors?)\b",
    re.IGNORECASE,
)


def speaks_of_people(description: str) -> bool:
    """Tell whether a description names some of the people, as if the rule were for them.

    >>> speaks_of_people("Databases, for DBAs only"), speaks_of_people("Databases")
    (True, False)
    """
    return _PEOPLE.search(description) is not None


@check(
    id="authorization-allows-everyone",
    title="Authorization rules name the group they are for",
    severity=Severity.MEDIUM,
    **_JUDGED,
    condition=(
        "lets every connected user into a network",
        "let every connected user into a network",
    ),
    of_everyone=True,
    rationale=(
        "An authorization rule for all users makes whoever can connect, the newest contractor "
        "included, equal to the administrators as far as its network goes; only the receivers' "
        "own security groups are left to tell them apart, and those know no users. The wider the "
        "network, the more a single stolen laptop or certificate reaches."
    ),
    remedy=(
        "Authorize groups instead: add a rule for each directory or SAML group and the network it "
        "needs, have users of each group test, then revoke the rule for everyone. Authorization "
        "rules of the longest prefix decide, so add the narrow ones for every group that needs "
        "them. Changing authorization rules resets sessions: plan a window. With certificates as "
        "the only authentication groups cannot be used; then narrow the network to what all of its "
        "users need, give each group of users an endpoint of its own, add SAML or Active Directory "
        "authentication, or attach an authorization policy."
    ),
    ends_sessions=True,
    verify=(
        "aws ec2 describe-client-vpn-authorization-rules --client-vpn-endpoint-id <endpoint id> "
        "--query 'AuthorizationRules[?AccessAll].DestinationCidr' shows nothing where users have groups "
        "(SAML, Active Directory). Where a certificate alone tells clients apart, AWS knows no other "
        "rules: there it shows only networks as narrow as what all of its users need. Do not remove "
        "the last rule to make it empty."
    ),
    false_alarms=(
        "An endpoint that serves one group of users only, with a narrow network.",
        "A rule for everyone on what everyone needs, such as a resolver's address.",
        "On a certificate-only endpoint every rule is for everyone: AWS leaves no choice. It is counted "
        "all the same, as anybody with a certificate gets in; accept it where the network is no wider "
        "than all of its users need.",
    ),
    reference=f"{GUIDE}cvpn-working-rules.html",
    controls={
        "AWS Config managed rules (2026-11)": ("ec2-client-vpn-not-authorize-all",),
        "NIST SP 800-53 Rev. 5": ("AC-4", "SC-7"),
    },
)
def authorization_allows_everyone(
    judged: pd.DataFrame,
    client_vpn_authorization_rules: pd.DataFrame,
    *,
    client_vpn_authorization_policies: pd.DataFrame,
    vpc_cidr_blocks: pd.DataFrame,
    vpcs: pd.DataFrame,
) -> pd.DataFrame:
    """Return the authorization rules that are for every connected user."""
    rules = client_vpn_authorization_rules
    found = rules[rules["access_all"] & (rules["status"] != "failed")]
    endpoint_of = {r.endpoint_id: r for r in rows_of(judged)}
    vpc_names = names_of(vpcs, "vpc_id", "name")
    whole = {
        row.cidr_block: tr("all of {vpcs}", vpcs=words.named(row.vpc_id, vpc_names.get(row.vpc_id)))
        for row in rows_of(vpc_cidr_blocks.sort_values("vpc_id", ascending=False))
    }
    enforced = set(_enforced(client_vpn_authorization_policies)["endpoint_id"])
    rows = []
    for row in rows_of(found.merge(judged[ENDPOINT], on=ENDPOINT)):
        endpoint = endpoint_of[row.endpoint_id]
        extent = words.width(row.destination_cidr)
        if row.destination_cidr in whole:
            extent = tr_as("list", ", ").join((whole[row.destination_cidr], extent))
        said = tr(
            "{endpoint} lets every connected user into {row.destination_cidr} ({extent})",
            endpoint=called(endpoint),
            row=row,
            extent=extent,
        )
        remarks = []
        if row.status != "active":
            remarks.append(tr("the rule is {status}", status=words.clean(row.status)))
        if endpoint.authentication_types == _CERTIFICATE_ONLY:
            remarks.append(
                tr(
                    "it authenticates by certificate only, so a rule can be for nobody less, and only its "
                    "network can be narrowed"
                )
            )
        if row.endpoint_id in enforced:
            remarks.append(tr("its authorization policy may refuse some of them"))
        for remark in remarks:
            said = tr("{said}; {remark}", said=said, remark=remark)
        rows.append(
            {
                **place_of(row),
                "destination_cidr": row.destination_cidr,
                "extent": words.width(row.destination_cidr),
                "source": row.source,
                "record": row.record,
                "reason": tr("{said}.", said=said),
                "rank": int(str(row.destination_cidr).rpartition("/")[2] or 0),
            }
        )
    return evidence_of(
        "account region endpoint_id destination_cidr extent reason source record", rows
    )


def _unread_enforced_policies(
    judged: pd.DataFrame, client_vpn_authorization_policies: pd.DataFrame
) -> list[GapRow]:
    """Return a gap for each policy in force that cannot be read, and each handler not told of.

    Either may look at the address; a handler that is not told of matters only where no policy does.
    """
    enforced = _enforced(client_vpn_authorization_policies)
    mine = enforced[enforced["endpoint_id"].isin(judged["endpoint_id"])]
    looking = {row.endpoint_id for row in rows_of(mine) if _may_look(row)}
    handlers = untold(
        "connect_handler_enabled", marked("whether a client connect handler is asked by")
    )(judged[~judged["endpoint_id"].isin(looking)])
    return unread_policies(mine) + handlers


def _may_look(policy: Any) -> bool:
    """Tell whether a policy restricts by address, or cannot be read and so may do so."""
    said = policy_text(policy)
    return bool(said.doubt) or said.appears_to_restrict_addresses


@check(
    id="source-address-not-restricted",
    title="The address that users connect from can be checked",
    severity=Severity.INFO,
    **_JUDGED,
    unseen=_unread_enforced_policies,
    condition=(
        "accepts connections from any address unchecked",
        "accept connections from any address unchecked",
    ),
    rationale=(
        "Anybody with valid credentials can connect from anywhere in the world: no security group "
        "and no rule of the VPC is asked, because clients reach the endpoint on AWS's side. A "
        "stolen password or certificate is then as good as the office. Two things can look at the "
        "address: a client connect handler (a Lambda function that gets public-ip, at connect "
        "time only) and, since October 2026, an authorization policy (at connect time and every "
        "five minutes). AWS requires neither."
    ),
    remedy=(
        "Decide whether the address matters; where it does, attach an authorization policy, in "
        "shadow mode first, or a client connect handler that refuses other addresses. Enforcing "
        "or changing a policy disconnects every active session: plan a window. Otherwise rely on "
        "strong authentication and write that down."
    ),
    ends_sessions=True,
    verify=(
        "aws ec2 describe-client-vpn-endpoints --client-vpn-endpoint-ids <endpoint id> --query 'ClientVpnEndpoints[].ClientConnectOptions' "
        "shows Enabled true, or get-client-vpn-endpoint-authorization-policy shows an active "
        "policy with shadow mode disabled; then try to connect from elsewhere."
    ),
    false_alarms=(
        "Users who travel: an address restriction would only lock them out.",
        "An endpoint with a handler is not reported, nor one with an enforced policy that appears to "
        "restrict by source address (every permit reads it, or a forbid does); whether handler or "
        "policy decides rightly is not looked at here.",
    ),
    decision="Whether the address matters depends on where your users work, and a policy or connect handler is code of yours: we propose none.",
    reference=f"{GUIDE}connection-authorization.html",
)
def source_address_not_restricted(
    judged: pd.DataFrame, client_vpn_authorization_policies: pd.DataFrame
) -> pd.DataFrame:
    """Return endpoints where neither a handler nor an enforced policy can see the address."""
    handled = yes(judged["connect_handler_enabled"])
    applied = judged["connect_handler_status"].fillna("") == "applied"
    policy_of = {row.endpoint_id: row for row in rows_of(client_vpn_authorization_policies)}
    enforced = _enforced(client_vpn_authorization_policies)
    # One that cannot be read may look at the address: a gap, not evidence.
    checked = {row.endpoint_id for row in rows_of(enforced) if _may_look(row)}
    rows = []
    told = judged["connect_handler_enabled"].notna()
    open_ = told & ~(handled & applied) & ~judged["endpoint_id"].isin(checked)
    for row in rows_of(judged.assign(handled=handled)[open_]):
        policy = policy_of.get(row.endpoint_id)
        if policy is not None and policy.status != "active":
            remark = tr(
                "its authorization policy is {status}, not active",
                status=words.clean(policy.status),
            )
        elif policy is not None and policy.shadow_mode != "disabled":
            remark = tr("its authorization policy is in shadow mode, which logs and refuses nobody")
        elif policy is not None and any(
            s.reads_public_address for s in policy_text(policy).permits
        ):
            remark = tr("some permits of its authorization policy do not read the public address")
        elif policy is not None:
            remark = tr("its authorization policy does not read the public address")
        elif row.connect_handler_status == "applying":
            remark = tr("its client connect handler is still being applied")
        elif row.handled:
            remark = tr("its client connect handler is not reported as applied")
        else:
            remark = tr("it has neither a client connect handler nor an authorization policy")
        rows.append(
            {
                **place_of(row),
                "source": row.source,
                "record": row.record,
                "reason": tr(
                    "{endpoint} accepts connections from any address; {remark}.",
                    endpoint=called(row),
                    remark=remark,
                ),
                "by_absence": policy is None,
            }
        )
    return evidence_of("account region endpoint_id reason source record", rows)


@check(
    id="authentication-is-certificate-only",
    title="Users prove who they are with more than a certificate",
    severity=Severity.MEDIUM,
    **_JUDGED,
    unseen=untold_authentication,
    condition=("authenticates by certificate only", "authenticate by certificate only"),
    rationale=(
        "A client certificate is a file. Whoever copies it from a laptop connects as its owner "
        "until it expires or is put on the endpoint's revocation list, and no second factor "
        "stands in the way. The endpoint knows no user, only the certificate's common name, and "
        "no groups, so every authorization rule is for everyone. It is a legitimate choice, made more "
        "often by default than by decision."
    ),
    remedy=(
        "Add SAML or Active Directory authentication with a second factor. The authentication of "
        "an endpoint is chosen when it is created: build a second endpoint beside the first, let "
        "its security group be named by the same receivers, move the users, then delete the old "
        "one. Until then keep certificates personal and short-lived and the revocation list "
        "current."
    ),
    verify=(
        "aws ec2 describe-client-vpn-endpoints --client-vpn-endpoint-ids <endpoint id> --query "
        "'ClientVpnEndpoints[].AuthenticationOptions[].Type' shows federated-authentication or "
        "directory-service-authentication."
    ),
    false_alarms=(
        "Machines that connect without a person, where a certificate is the sensible choice.",
        "An endpoint whose authorization policy demands a managed device.",
    ),
    decision="How users prove who they are is chosen when an endpoint is created: build a second endpoint beside the first and move the users. Which directory or SAML provider it asks is yours to decide.",
    controls={"NIST SP 800-53 Rev. 5": ("IA-2(2)",), "PCI DSS v4.0.1": ("8.4.3",)},
    reference=f"{GUIDE}client-authentication.html",
)
def authentication_is_certificate_only(judged: pd.DataFrame) -> pd.DataFrame:
    """Return endpoints that know their users by certificate and by nothing else."""
    return evidence_of(
        "account region endpoint_id reason source record",
        (
            {
                **place_of(row),
                "source": row.source,
                "record": row.record,
                "reason": tr(
                    "{endpoint} authenticates by client certificate and nothing else.",
                    endpoint=called(row),
                ),
            }
            for row in rows_of(judged)
            if set(row.authentication_types) == set(_CERTIFICATE_ONLY)
        ),
    )


@check(
    id="certificate-only-where-groups-are-wanted",
    title="Endpoints whose rules are meant for groups authenticate users, not only certificates",
    severity=Severity.LOW,
    **_JUDGED,
    subject="authentication",
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
        "aws ec2 describe-client-vpn-endpoints --client-vpn-endpoint-ids <endpoint id> --query "
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
    controls={"NIST SP 800-53 Rev. 5": ("AC-3",)},
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
    for other in rows_where(alive, alive["endpoint_id"].isin(grouped)):
        if set(other.authentication_types) - set(_CERTIFICATE_ONLY):
            beside.setdefault((other.account, other.region), []).append(called(other))
    rows = []
    for row in rows_of(judged):
        if set(row.authentication_types) != set(_CERTIFICATE_ONLY):
            continue
        mine = list(rows_where(rules, rules["endpoint_id"] == row.endpoint_id))
        # One description on all of them is of the people the whole endpoint is for.
        described = len({words.clean(rule.description) for rule in mine})
        rows += [
            _sign(
                row,
                rule,
                "rule_for_group",
                tr(
                    "has a rule for {rule.destination_cidr} that names the group {group}, which it "
                    "cannot know",
                    rule=rule,
                    group=words.clean(rule.group_id),
                ),
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
                tr(
                    "describes its rule for {rule.destination_cidr} as “{description}”, and the "
                    "rule is for everyone",
                    rule=rule,
                    description=words.clean(rule.description),
                ),
                1,
            )
            for rule in mine
            if rule.access_all and described > 1 and speaks_of_people(str(rule.description or ""))
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
                    tr(
                        "opens several networks, each to everyone, while {others} beside it "
                        "tells groups apart",
                        others=others,
                    ),
                    2,
                )
            )
    return evidence_of(
        "account region endpoint_id destination_cidr sign reason source record", rows
    )


def _sign(endpoint: Any, at: Any, sign: str, does: str, rank: int) -> dict[str, Any]:
    return {
        **place_of(endpoint),
        "destination_cidr": getattr(at, "destination_cidr", None),
        "sign": sign,
        "source": at.source,
        "record": at.record,
        "reason": tr(
            "{endpoint} authenticates by certificate only and {does_so}.",
            endpoint=called(endpoint),
            does_so=does,
        ),
        "rank": rank,
    }


@check(
    id="connection-logging-is-off",
    title="Connection logging is switched on",
    severity=Severity.LOW,
    **_JUDGED,
    condition=("has connection logging switched off", "have connection logging switched off"),
    rationale=(
        "Without the connection log nobody can say afterwards who was connected when, from which "
        "address, and which attempts failed: a stolen credential leaves no trace at the door. "
        "AWS keeps ended connections for an hour only. The log has limits of its own: failed "
        "attempts at mutual (certificate) authentication are not in it."
    ),
    remedy=(
        "Enable connection logging to a CloudWatch log group with a retention that fits your "
        "incident handling, and see to it that somebody reads it."
    ),
    verify=(
        "aws ec2 describe-client-vpn-endpoints --client-vpn-endpoint-ids <endpoint id> --query "
        "'ClientVpnEndpoints[].ConnectionLogOptions' shows Enabled true; after a test connection "
        "the log group holds an entry."
    ),
    false_alarms=("An endpoint for tests that leads nowhere.",),
    reference=f"{GUIDE}connection-logging.html",
    controls={
        "AWS Foundational Security Best Practices v1.0.0": ("EC2.51",),
        "AWS Config managed rules (2026-11)": ("ec2-client-vpn-connection-log-enabled",),
        "Prowler (2026-11)": ("ec2_client_vpn_endpoint_connection_logging_enabled",),
        "NIST SP 800-53 Rev. 5": ("AC-17(1)", "AU-12"),
        "PCI DSS v4.0.1": ("10.2",),
    },
    ratings={"Security Hub EC2.51": "Low"},
)
def connection_logging_is_off(judged: pd.DataFrame) -> pd.DataFrame:
    """Return endpoints that AWS does not report as logging their connections."""
    return evidence_of(
        "account region endpoint_id reason source record",
        (
            {
                **place_of(row),
                "source": row.source,
                "record": row.record,
                "reason": tr("{endpoint} does not log connection attempts.", endpoint=called(row)),
            }
            for row in rows_where(judged, ~yes(judged["connection_log_enabled"]))
        ),
    )


def _enforced(policies: pd.DataFrame) -> pd.DataFrame:
    """Return the authorization policies that are in force and not only logging."""
    return policies[(policies["status"] == "active") & (policies["shadow_mode"] == "disabled")]
