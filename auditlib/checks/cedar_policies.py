"""Checks of the endpoints' authorization policies: what their text says, and whether it is in force.

A policy that cannot be read as Cedar is a finding of its own and a gap for every other check of
its text.
"""

from typing import Any

import pandas as pd

from auditlib import words
from auditlib.cedar import LARGEST, dotted, published
from auditlib.check import Severity, check, evidence_of
from auditlib.checks._parts import (
    ENDPOINT,
    GUIDE,
    called,
    gap,
    living,
    names_of,
    place_of,
    policy_text,
    unread_policies,
    untold,
    untold_settings,
    yes,
)
from auditlib.frames import rows_of
from auditlib.gaps import GapRow
from auditlib.language import marked, tr

_JUDGED: dict[str, Any] = {
    "population": "client_vpn_authorization_policies",
    "noun": "authorization policy",
}
_POLICIES = f"{GUIDE}device-posture-policies.html"
_CEDAR = f"{GUIDE}device-posture-policies-cedar.html"
_SHOW = (
    "aws ec2 get-client-vpn-endpoint-authorization-policy --client-vpn-endpoint-id <endpoint id>"
)
_WINDOW = marked("Changing an enforced policy disconnects every active session: plan a window.")
_YOURS = "A policy is code of yours, and only you know whom it should let in: we propose no text."
_PROVIDERS = {"crowdstrike", "jamf", "jumpcloud"}
_AUTHENTICATION = {
    "saml": (
        "federated-authentication",
        marked("reads {namespace}, and the endpoint has no SAML authentication"),
    ),
    "active-directory": (
        "directory-service-authentication",
        marked("reads {namespace}, and the endpoint has no Active Directory authentication"),
    ),
    "mutual-authentication": (
        "certificate-authentication",
        marked("reads {namespace}, and the endpoint has no mutual (certificate) authentication"),
    ),
}
_NEARLY_FULL = 0.9


def _named(policies: pd.DataFrame, client_vpn_endpoints: pd.DataFrame) -> list[Any]:
    """Return the policies' rows with the names of their endpoints."""
    names = names_of(client_vpn_endpoints, "endpoint_id", "name")
    return list(rows_of(policies.assign(name=policies["endpoint_id"].map(names))))


def _row(row: Any, reason: str, **more: Any) -> dict[str, Any]:
    return {
        **place_of(row),
        "source": row.source,
        "record": row.record,
        "reason": tr(
            "The authorization policy of {endpoint} {reason}.", endpoint=called(row), reason=reason
        ),
        **more,
    }


@check(
    id="authorization-policy-missing",
    title="An authorization policy decides who may connect",
    severity=Severity.INFO,
    population="client_vpn_endpoints",
    among=living,
    noun="Client VPN endpoint",
    condition=("runs without an authorization policy", "run without an authorization policy"),
    clear=(
        "has an authorization policy",
        "have authorization policies",
    ),
    rationale=(
        "Without a policy whoever authenticates is connected, from any device and any address, for "
        "as long as the session lasts. A Cedar policy (since October 2026) can refuse a device that "
        "its trust provider rates badly, an address, or a user outside a group, and looks again "
        "every five minutes. AWS requires none, so this is information: it says what could be done."
    ),
    remedy=(
        "Decide whether device, address or group should be judged beyond authentication. Where they "
        "should, attach a policy in shadow mode with connection logging on, read for a week what it "
        "would have refused, then enforce it. Enforcing disconnects every active session: plan a "
        "window."
    ),
    ends_sessions=True,
    verify=f"{_SHOW} shows a policy with status active and shadow mode disabled.",
    false_alarms=("An endpoint whose client connect handler judges the same things.",),
    decision=_YOURS,
    reference=_POLICIES,
)
def authorization_policy_missing(
    judged: pd.DataFrame, client_vpn_authorization_policies: pd.DataFrame
) -> pd.DataFrame:
    """Return endpoints to which no policy is attached."""
    held = set(client_vpn_authorization_policies["endpoint_id"])
    handled = yes(judged["connect_handler_enabled"])
    return evidence_of(
        "account region endpoint_id reason source record",
        (
            {
                **place_of(row),
                "source": row.source,
                "record": row.record,
                "reason": tr(
                    "{endpoint} has no authorization policy; its client connect handler decides on "
                    "connections.",
                    endpoint=called(row),
                )
                if row.handled
                else tr("{endpoint} has no authorization policy.", endpoint=called(row)),
                "by_absence": True,
            }
            for row in rows_of(judged.assign(handled=handled))
            if row.endpoint_id not in held
        ),
    )


def _untold_modes(judged: pd.DataFrame) -> list[GapRow]:
    """Return a gap for each policy of which nobody can tell whether it refuses or only logs."""
    mode = judged["shadow_mode"].where(judged["shadow_mode"].isin(["enabled", "disabled"]))
    return untold_settings(
        "client_vpn_authorization_policies",
        "get-client-vpn-endpoint-authorization-policy",
        "shadow_mode",
        marked("whether shadow mode is on for the policy of"),
    )(judged.assign(shadow_mode=mode))


def _untold_trials(judged: pd.DataFrame, client_vpn_endpoints: pd.DataFrame) -> list[GapRow]:
    """Return, beside those, a gap for each endpoint with a policy of which the log is not told."""
    endpoints = client_vpn_endpoints.merge(judged[ENDPOINT], on=ENDPOINT)
    logged = untold("connection_log_enabled", marked("whether connections are logged by"))
    return _untold_modes(judged) + logged(endpoints)


@check(
    id="authorization-policy-in-shadow-mode",
    title="Authorization policies are enforced, not only logged",
    severity=Severity.LOW,
    **_JUDGED,
    unseen=_untold_modes,
    condition=("is in shadow mode", "are in shadow mode"),
    rationale=(
        "In shadow mode a policy is evaluated and its decision logged, and nobody is refused. Right "
        "for a trial, it reads like protection afterwards: whoever finds the policy attached takes "
        "unmanaged devices and foreign addresses for kept out, and they are not."
    ),
    remedy=(
        "Decide from the connection log whether the policy refuses whom it should, then disable "
        "shadow mode. That disconnects every active session: plan a window, and have a way back."
    ),
    ends_sessions=True,
    verify=f"{_SHOW} --query ShadowMode shows disabled.",
    false_alarms=("A trial that is still going on, with a date for its end.",),
    decision="Whether the trial has shown enough is yours to say, and enforcing disconnects everybody: read the connection log first.",
    reference=f"{GUIDE}device-posture-concepts.html",
    controls={"NIST SP 800-53 Rev. 5": ("AC-3",)},
)
def authorization_policy_in_shadow_mode(
    judged: pd.DataFrame, *, client_vpn_endpoints: pd.DataFrame
) -> pd.DataFrame:
    """Return policies that log and refuse nobody."""
    found = judged[judged["shadow_mode"] == "enabled"]
    return evidence_of(
        "account region endpoint_id reason source record",
        (
            _row(row, tr("is in shadow mode: it logs whom it would refuse, and refuses nobody"))
            for row in _named(found, client_vpn_endpoints)
        ),
    )


@check(
    id="authorization-policy-not-active",
    title="Authorization policies are active",
    severity=Severity.MEDIUM,
    **_JUDGED,
    condition=("is in a state other than active", "are in a state other than active"),
    rationale=(
        "Only a policy that AWS reports as active is known to be enforced. One that failed, or is "
        "still being made, changed or removed, may refuse nobody or everybody: AWS does not say "
        "which. Users who should be refused may be connected."
    ),
    remedy=(
        "Replace a policy that failed by a corrected one, in shadow mode first, and remove one that "
        f"is not wanted. One on its way becomes active by itself: look again later. {_WINDOW}"
    ),
    ends_sessions=True,
    verify=f"{_SHOW} --query Status shows active.",
    false_alarms=("A policy that was attached or changed minutes before the snapshot was taken.",),
    decision=_YOURS,
    reference=_POLICIES,
    controls={"NIST SP 800-53 Rev. 5": ("AC-3",)},
)
def authorization_policy_not_active(
    judged: pd.DataFrame, *, client_vpn_endpoints: pd.DataFrame
) -> pd.DataFrame:
    """Return policies in any state but active."""
    found = judged[judged["status"] != "active"]
    rows = []
    for row in _named(found, client_vpn_endpoints):
        told = words.clean(row.status)
        reason = (
            tr("is {status}, not active: it is not proven to be enforced", status=told)
            if told
            else tr("has no status: it is not proven to be enforced")
        )
        rows.append(_row(row, reason, status=told or None))
    return evidence_of("account region endpoint_id status reason source record", rows)


@check(
    id="authorization-policy-unreadable",
    title="Authorization policies can be read as Cedar",
    severity=Severity.MEDIUM,
    **_JUDGED,
    condition=("fails to parse as Cedar", "fail to parse as Cedar"),
    rationale=(
        "What cannot be parsed cannot be reviewed: nobody can say whom such a policy lets in, and "
        "it is not proven that it refuses anybody. It may use syntax newer than the parser used here, or be a "
        "text that AWS took and cannot evaluate as its author meant it."
    ),
    remedy=(
        "Replace the text by one that a Cedar parser accepts, in shadow mode first, and compare "
        f"what the connection log says before and after. {_WINDOW}"
    ),
    ends_sessions=True,
    verify=f"{_SHOW} --query PolicyDocument prints a text that cedar check-parse accepts.",
    false_alarms=("Syntax of a Cedar release that is newer than the parser used here.",),
    decision=_YOURS,
    reference=_CEDAR,
)
def authorization_policy_unreadable(
    judged: pd.DataFrame, *, client_vpn_endpoints: pd.DataFrame
) -> pd.DataFrame:
    """Return policies the parser refuses, and why."""
    rows = []
    for row in _named(judged, client_vpn_endpoints):
        policy = policy_text(row)
        if policy.problem:
            why = words.clean(policy.problem, 120)
            rows.append(
                _row(
                    row,
                    tr(
                        "cannot be read as Cedar ({why}), so it is not proven to refuse anybody",
                        why=why,
                    ),
                )
            )
    return evidence_of("account region endpoint_id reason source record", rows)


@check(
    id="authorization-policy-dotted-hyphen",
    title="Attributes with a hyphen are read as Cedar spells them",
    severity=Severity.MEDIUM,
    **_JUDGED,
    condition=(
        "writes a hyphen after a dot, which is not Cedar",
        "write a hyphen after a dot, which is not Cedar",
    ),
    rationale=(
        "AWS names the namespaces active-directory and mutual-authentication, and Cedar takes a "
        "hyphen after a dot for a minus sign, so context.active-directory.x is no attribute. A "
        "policy with it cannot be parsed, and whoever wrote it to keep a group in or out has no "
        "proof that it does."
    ),
    remedy=(
        'Replace the dot by brackets: context["active-directory"].x, and context has '
        f'"active-directory" where it is asked for. Try the new text in shadow mode first. {_WINDOW}'
    ),
    ends_sessions=True,
    verify=f"{_SHOW} --query PolicyDocument shows the names with a hyphen in brackets and quotes.",
    false_alarms=("None is known: in strings and comments the spelling is not looked at.",),
    decision=_YOURS,
    reference=f"{GUIDE}device-posture-step2.html",
)
def authorization_policy_dotted_hyphen(
    judged: pd.DataFrame, *, client_vpn_endpoints: pd.DataFrame
) -> pd.DataFrame:
    """Return each attribute that is written with a hyphen after a dot."""
    return evidence_of(
        "account region endpoint_id attribute reason source record",
        (
            _row(
                row,
                tr(
                    "says {spelt}, which is not Cedar: a hyphen needs brackets",
                    spelt=words.clean(spelt),
                ),
                attribute=words.clean(spelt),
            )
            for row in _named(judged, client_vpn_endpoints)
            for spelt in policy_text(row).dotted_hyphens
        ),
    )


def _unread_or_scoped(client_vpn_authorization_policies: pd.DataFrame) -> list[GapRow]:
    """Return a gap for each policy of which nobody can say whom its permits let in."""
    scoped = [
        gap(
            "client_vpn_authorization_policies",
            "get-client-vpn-endpoint-authorization-policy",
            account=row.account,
            region=row.region,
            resource=row.endpoint_id,
            message=tr(
                "a permit of {row.endpoint_id} names a principal, an action or a resource, and AWS does "
                "not publish which it passes",
                row=row,
            ),
            status="untold",
        )
        for row in rows_of(client_vpn_authorization_policies)
        if any(one.scoped and not one.demands for one in policy_text(row).permits)
    ]
    undecided = [
        gap(
            "client_vpn_authorization_policies",
            "get-client-vpn-endpoint-authorization-policy",
            account=row.account,
            region=row.region,
            resource=row.endpoint_id,
            message=tr(
                "a permit of {row.endpoint_id} may hold for everybody: no comparison in it was proven to "
                "refuse anybody, and that an attribute is there can be true of all",
                row=row,
            ),
            status="untold",
        )
        for row in rows_of(client_vpn_authorization_policies)
        if any(not (one.always or one.scoped or one.demands) for one in policy_text(row).permits)
    ]
    return unread_policies(client_vpn_authorization_policies) + scoped + undecided


@check(
    id="authorization-policy-permits-everyone",
    title="Every permit of an authorization policy has a condition",
    severity=Severity.MEDIUM,
    **_JUDGED,
    unseen=_unread_or_scoped,
    condition=(
        "permits connections without any condition",
        "permit connections without any condition",
    ),
    rationale=(
        "One permit is enough to be let in. A permit without a condition, or with one that holds "
        "where neither the user nor the device is known, lets in whoever authenticates, and every "
        "other permit beside it is decoration. Only a forbid can still refuse, and a forbid that "
        "fails on a missing attribute is skipped."
    ),
    remedy=(
        "Replace the permit by one that says what a connection must show, and try it in shadow mode "
        f"first. {_WINDOW}"
    ),
    ends_sessions=True,
    verify=f"{_SHOW} --query PolicyDocument shows no permit without a condition.",
    false_alarms=(
        "A policy that works by its forbid statements alone, each of them guarded with has.",
    ),
    decision=_YOURS,
    reference=_CEDAR,
)
def authorization_policy_permits_everyone(
    judged: pd.DataFrame, *, client_vpn_endpoints: pd.DataFrame
) -> pd.DataFrame:
    """Return policies with a permit that holds for anybody."""
    rows = []
    for row in _named(judged, client_vpn_endpoints):
        policy = policy_text(row)
        wide = [one for one in policy.permits if one.always]
        if not wide:
            continue
        number = len(policy.forbids)
        nouns = words.count(number, "forbid statement")
        if any(not one.conditions for one in wide):
            reason = (
                tr(
                    "permits without a condition; only {nouns} can refuse",
                    nouns=nouns,
                    forbids=number,
                )
                if number
                else tr("permits without a condition; nothing in it refuses anybody")
            )
        else:
            reason = (
                tr(
                    "has a permit that holds for a connection of which no user and no device is "
                    "known; only {nouns} can refuse",
                    nouns=nouns,
                    forbids=number,
                )
                if number
                else tr(
                    "has a permit that holds for a connection of which no user and no device is "
                    "known; nothing in it refuses anybody"
                )
            )
        rows.append(_row(row, reason, rank=1 if number else 0))
    return evidence_of("account region endpoint_id reason source record", rows)


_ASK_FIRST = marked(
    "Add the question before the reading, in every forbid: refuse where the attribute is missing "
    "(!(context has jamf.risk) || context.jamf.risk == ...), or move the demand into the permit, which "
    "lets nobody in when it fails."
)


def _lacks(endpoint: Any, namespace: str) -> bool:
    """Say whether an endpoint has, for certain, nothing that fills a namespace of a policy's context."""
    if endpoint is None:
        return False
    if namespace in _PROVIDERS:
        return bool(
            endpoint.device_posture != "unknown"
            and namespace not in endpoint.posture_trust_providers
        )
    kind, _ = _AUTHENTICATION.get(namespace, ("", ""))
    types = endpoint.authentication_types
    return bool(kind and types and kind not in types)


def _guard(evidence: pd.DataFrame) -> tuple[str, ...]:
    """Return what to do about unguarded readings, by whether anything sends what they read."""
    never = list(dict.fromkeys(evidence.loc[evidence["never_sent"].eq(True), "attribute"]))
    if not never:
        return tr(_ASK_FIRST), tr(_WINDOW)
    absent = tr(
        "Remove the statement that reads {attributes}, or add the provider first: none of the endpoint's "
        "sends it (authorization-policy-reads-absent-provider, about the same policy). A forbid that "
        "asks first would refuse everybody there.",
        attributes=words.listed(never),
    )
    if len(never) == evidence["attribute"].nunique():
        return absent, tr(_WINDOW)
    return absent, tr("As for the others: {said}", said=tr(_ASK_FIRST)), tr(_WINDOW)


@check(
    id="authorization-policy-forbid-unguarded",
    title="Every forbid statement asks whether an attribute is there before reading it",
    severity=Severity.MEDIUM,
    **_JUDGED,
    unseen=unread_policies,
    condition=(
        "has a forbid that is skipped where an attribute is missing",
        "have a forbid that is skipped where an attribute is missing",
    ),
    rationale=(
        "Cedar skips a statement that fails, and reading an attribute that is not there is a "
        "failure. So a forbid on a bad device score refuses nobody whose device sends no score: "
        "whoever leaves the agent off is let in by the next permit. Which attributes are always "
        "sent AWS does not say, except for the details of the connection."
    ),
    remedy=(
        f"{_ASK_FIRST} Not where no provider of the endpoint sends it: there it is always missing, and "
        f"such a forbid would refuse everybody; remove the statement or add the provider first. {_WINDOW}"
    ),
    advice=_guard,
    ends_sessions=True,
    verify=f"{_SHOW} --query PolicyDocument shows has before each reading in every forbid that is left.",
    false_alarms=(
        "An attribute that every permit of the policy reads as well: without it nobody is let in.",
        "A forbid on details of the connection, which are always there, is not reported.",
    ),
    decision=_YOURS,
    reference=_CEDAR,
    controls={"NIST SP 800-53 Rev. 5": ("AC-3",)},
)
def authorization_policy_forbid_unguarded(
    judged: pd.DataFrame, *, client_vpn_endpoints: pd.DataFrame
) -> pd.DataFrame:
    """Return each attribute that a forbid reads where it may be missing."""
    endpoint_of = {row.endpoint_id: row for row in rows_of(client_vpn_endpoints)}
    rows = []
    for row in _named(judged, client_vpn_endpoints):
        policy = policy_text(row)
        found = {pair for one in policy.forbids for pair in one.unguarded}
        for path, missing in sorted(found):
            needed = bool(policy.permits) and all(path in one.reads for one in policy.permits)
            named = {"read": words.clean(dotted(path)), "missing": words.clean(dotted(missing))}
            rows.append(
                _row(
                    row,
                    tr(
                        "has a forbid that reads {read} without asking for {missing} with has, so "
                        "Cedar skips it where that is missing; every permit reads the attribute as "
                        "well",
                        **named,
                    )
                    if needed
                    else tr(
                        "has a forbid that reads {read} without asking for {missing} with has, so "
                        "Cedar skips it where that is missing",
                        **named,
                    ),
                    attribute=words.clean(dotted(path)),
                    never_sent=_lacks(endpoint_of.get(row.endpoint_id), path[0]),
                    rank=int(needed) * 2 + int(len(missing) > 1),
                )
            )
    return evidence_of("account region endpoint_id attribute never_sent reason source record", rows)


@check(
    id="authorization-policy-reads-unlisted-attribute",
    title="Authorization policies read attributes from AWS's published lists",
    severity=Severity.LOW,
    **_JUDGED,
    unseen=unread_policies,
    condition=(
        "reads an attribute not in AWS's published list",
        "read an attribute not in AWS's published list",
    ),
    rationale=(
        "An attribute that is never sent makes a permit refuse everybody and a forbid refuse "
        "nobody. AWS publishes which attributes CrowdStrike, Jamf, JumpCloud and SAML bring; its "
        "own examples use others, so what is not in the list may still exist. It has to be tried, "
        "not assumed."
    ),
    remedy=(
        "Decide by a trial in shadow mode, with a device that should pass and one that should not, "
        f"whether the attribute arrives; otherwise use one from the list. {_WINDOW}"
    ),
    ends_sessions=True,
    verify=(
        f"{_SHOW} --query PolicyDocument, beside AWS's lists of trust data, shows only attributes "
        "that are listed or were tried."
    ),
    false_alarms=(
        "An attribute that is sent and not documented yet, as in AWS's own examples.",
        "Details of the connection and namespaces without a list are not reported.",
    ),
    decision=_YOURS,
    reference=_POLICIES,
)
def authorization_policy_reads_unlisted_attribute(
    judged: pd.DataFrame, *, client_vpn_endpoints: pd.DataFrame
) -> pd.DataFrame:
    """Return each attribute read that AWS's lists do not hold."""
    return evidence_of(
        "account region endpoint_id attribute reason source record",
        (
            _row(
                row,
                tr(
                    "reads {attribute}, which is not in AWS's published list",
                    attribute=words.clean(dotted(path)),
                ),
                attribute=words.clean(dotted(path)),
            )
            for row in _named(judged, client_vpn_endpoints)
            for path in policy_text(row).reads
            if not published(path)
        ),
    )


def _unread_or_untold(
    client_vpn_authorization_policies: pd.DataFrame, client_vpn_endpoints: pd.DataFrame
) -> list[GapRow]:
    """Return a gap for each policy that cannot be read, or whose endpoint's providers are untold."""
    policies = client_vpn_authorization_policies
    mine = client_vpn_endpoints[
        client_vpn_endpoints["endpoint_id"].isin(policies["endpoint_id"])
        & (
            client_vpn_endpoints["device_posture"].eq("unknown")
            | client_vpn_endpoints["authentication_types"].map(len).eq(0)
        )
    ]
    untold = [
        gap(
            "client_vpn_endpoints",
            "describe-client-vpn-endpoints",
            account=row.account,
            region=row.region,
            resource=row.endpoint_id,
            message=tr(
                "the answer does not say which trust providers and authentication {row.endpoint_id} has",
                row=row,
            ),
            status="untold",
        )
        for row in rows_of(mine)
    ]
    return unread_policies(policies) + untold


@check(
    id="authorization-policy-reads-absent-provider",
    title="Authorization policies read only what the endpoint's providers send",
    severity=Severity.MEDIUM,
    **_JUDGED,
    unseen=_unread_or_untold,
    condition=(
        "reads a namespace that no provider of the endpoint fills",
        "read a namespace that no provider of the endpoint fills",
    ),
    rationale=(
        "The namespace of a trust provider, or of a kind of authentication, is there only where the "
        "endpoint uses it. A permit on another one refuses everybody it was meant to let in; a "
        "forbid on it is skipped and refuses nobody. The policy looks as if it judged devices or "
        "groups, and it cannot."
    ),
    remedy=(
        "Add the trust provider to the endpoint, or remove the statement. The kind of "
        "authentication is chosen when an endpoint is made: there the policy must change. "
        f"{_WINDOW}"
    ),
    ends_sessions=True,
    verify=(
        "aws ec2 describe-client-vpn-endpoints --client-vpn-endpoint-ids <endpoint id> --query "
        "'ClientVpnEndpoints[].[DevicePostureOptions,AuthenticationOptions[].Type]' names a "
        "provider for each namespace that the policy reads."
    ),
    false_alarms=("One text for several endpoints, in which each statement asks with has first.",),
    decision=_YOURS,
    reference=f"{GUIDE}device-posture-step2.html",
)
def authorization_policy_reads_absent_provider(
    judged: pd.DataFrame, client_vpn_endpoints: pd.DataFrame
) -> pd.DataFrame:
    """Return each namespace a policy reads that its endpoint has no provider for."""
    endpoint_of = {row.endpoint_id: row for row in rows_of(client_vpn_endpoints)}
    rows = []
    for row in _named(judged, client_vpn_endpoints):
        endpoint = endpoint_of.get(row.endpoint_id)
        if endpoint is None:
            continue
        spaces = {path[0] for path in policy_text(row).reads}
        lacking = {space for space in spaces if _lacks(endpoint, space)}
        none = marked("reads {namespace}, and the endpoint has no such trust provider")
        for space in sorted(lacking, key=lambda one: (one not in _PROVIDERS, one)):
            _, said = _AUTHENTICATION.get(space, ("", none))
            rows.append(_row(row, tr(said, namespace=dotted((space,))), namespace=space))
    return evidence_of("account region endpoint_id namespace reason source record", rows)


@check(
    id="authorization-policy-near-size-limit",
    title="Authorization policies have room to grow",
    severity=Severity.INFO,
    **_JUDGED,
    condition=("is close to the maximum size", "are close to the maximum size"),
    rationale=(
        "A policy may have 10,000 bytes, and an endpoint has one policy. Near that size the next "
        "rule does not fit, and it will be needed on a day when somebody must be kept out quickly. "
        "AWS requires no room, so this is information. "
        "Bytes count, not characters: a comment in Japanese takes three times as many."
    ),
    remedy=(
        "Replace lists of people by a group that your directory holds, and move comments elsewhere. "
        f"{_WINDOW}"
    ),
    ends_sessions=True,
    verify=f"{_SHOW} --query PolicyDocument --output text prints well below 9,000 characters.",
    false_alarms=("A policy that is finished and will not grow.",),
    decision=_YOURS,
    reference=_POLICIES,
)
def authorization_policy_near_size_limit(
    judged: pd.DataFrame, *, client_vpn_endpoints: pd.DataFrame
) -> pd.DataFrame:
    """Return policies of more than nine tenths of what AWS takes."""
    rows = []
    for row in _named(judged, client_vpn_endpoints):
        size = policy_text(row).size
        if size > LARGEST * _NEARLY_FULL:
            rows.append(
                _row(
                    row,
                    tr("has {size:,} bytes of at most {largest:,}", size=size, largest=LARGEST),
                    bytes=size,
                    rank=-size,
                )
            )
    return evidence_of("account region endpoint_id bytes reason source record", rows)


@check(
    id="authorization-policy-trial-unlogged",
    title="A policy in shadow mode is logged",
    severity=Severity.LOW,
    **_JUDGED,
    unseen=_untold_trials,
    condition=("is in shadow mode without a log", "are in shadow mode without a log"),
    rationale=(
        "Shadow mode writes what a policy would decide into the connection log, and does nothing "
        "else. Without that log the trial shows nothing: the policy protects nobody and teaches "
        "nobody, and the day it is enforced comes as a surprise."
    ),
    remedy=(
        "Enable connection logging on the endpoint, wait until users have connected from all their "
        "devices, and read what the policy would have refused. Or remove the policy."
    ),
    verify=(
        "aws ec2 describe-client-vpn-endpoints --client-vpn-endpoint-ids <endpoint id> --query "
        "'ClientVpnEndpoints[].ConnectionLogOptions' shows Enabled true."
    ),
    false_alarms=("A policy that is attached for safekeeping and was never meant to be tried.",),
    decision="Fix connection-logging-is-off turns the log on; whether the trial goes on is yours to say.",
    reference=f"{GUIDE}device-posture-concepts.html",
)
def authorization_policy_trial_unlogged(
    judged: pd.DataFrame, client_vpn_endpoints: pd.DataFrame
) -> pd.DataFrame:
    """Return policies in shadow mode on endpoints without a connection log."""
    unlogged = client_vpn_endpoints[yes(~client_vpn_endpoints["connection_log_enabled"])]
    found = judged[judged["shadow_mode"] == "enabled"].merge(unlogged[ENDPOINT], on=ENDPOINT)
    return evidence_of(
        "account region endpoint_id reason source record",
        (
            _row(
                row,
                tr(
                    "is in shadow mode, and the endpoint logs no connections: the trial shows nothing"
                ),
            )
            for row in _named(found, client_vpn_endpoints)
        ),
    )
