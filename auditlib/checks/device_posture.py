"""Checks of device posture: whether a trust provider vouches for the devices that connect."""

from typing import Any

import pandas as pd

from auditlib import words
from auditlib.aws.reads import read_of
from auditlib.check import Severity, check, evidence_of
from auditlib.checks._parts import (
    GUIDE,
    called,
    living,
    place_of,
    policy_text,
    unread_policies,
    untold,
)
from auditlib.frames import rows_of
from auditlib.language import marked, tr

_CONCEPTS = f"{GUIDE}device-posture-concepts.html"
_TOLD = untold(
    "device_posture",
    marked("which device trust providers are set up on"),
    since=read_of("ec2-describe-client-vpn-endpoints").since_botocore,
)
_ON = "shows TrustProviders under DevicePostureOptions"


@check(
    id="device-posture-not-checked",
    title="Devices that connect are checked by a trust provider",
    severity=Severity.INFO,
    population="client_vpn_endpoints",
    among=living,
    noun="Client VPN endpoint",
    unseen=_TOLD,
    condition=("accepts connections from any device", "accept connections from any device"),
    rationale=(
        "Without device posture the endpoint knows who connects and not from what: valid "
        "credentials work from a private laptop, an unpatched one, or the attacker's own. Since "
        "October 2026 CrowdStrike, Jamf or JumpCloud can vouch for a device, and an authorization "
        "policy can refuse it. AWS does not require it, so this is information."
    ),
    remedy=(
        "Decide whether only managed devices should connect. Where they should, add the trust "
        "provider to the endpoint and attach an authorization policy that reads what it sends, in "
        "shadow mode first: posture by itself refuses nobody."
    ),
    verify=f"aws ec2 describe-client-vpn-endpoints --client-vpn-endpoint-ids <endpoint id> {_ON}.",
    false_alarms=(
        "Devices that the identity provider judges at sign-in, by conditional access for example.",
    ),
    decision="Which trust provider vouches for your devices is a purchase and a rollout, not a setting: we propose none.",
    reference=_CONCEPTS,
)
def device_posture_not_checked(judged: pd.DataFrame) -> pd.DataFrame:
    """Return endpoints without a device trust provider."""
    return evidence_of(
        "account region endpoint_id reason source record",
        (
            {
                **place_of(row),
                "source": row.source,
                "record": row.record,
                "reason": tr(
                    "{endpoint} names no device trust provider: it takes any device.",
                    endpoint=called(row),
                ),
            }
            for row in rows_of(judged)
            if row.device_posture == "off"
        ),
    )


@check(
    id="device-posture-decides-nothing",
    title="What device trust providers say is used in a policy that is in force",
    severity=Severity.MEDIUM,
    population="client_vpn_endpoints",
    among=living,
    noun="Client VPN endpoint",
    unseen=lambda judged, client_vpn_authorization_policies: (
        _TOLD(judged)
        + unread_policies(
            client_vpn_authorization_policies[
                client_vpn_authorization_policies["endpoint_id"].isin(judged["endpoint_id"])
            ]
        )
    ),
    condition=(
        "names a device trust provider that decides nothing",
        "name a device trust provider that decides nothing",
    ),
    rationale=(
        "A trust provider only brings the facts; an authorization policy in force has to read them. "
        "Without one every device is let in, also one that the provider rates as compromised, while "
        "the endpoint's settings look as if devices were checked."
    ),
    remedy=(
        "Add a permit that reads the provider's attributes to the endpoint's policy, try it in "
        "shadow mode, then enforce it. Or remove the provider. Changing an enforced policy "
        "disconnects every active session: plan a window."
    ),
    ends_sessions=True,
    verify=(
        "aws ec2 get-client-vpn-endpoint-authorization-policy --client-vpn-endpoint-id <endpoint "
        "id> shows an active policy, shadow mode disabled, that reads the provider's namespace."
    ),
    false_alarms=("A trial that is still going on, with a date for its end.",),
    decision="What the policy should demand of a device is yours to say: a policy is code of yours, and we propose no text.",
    reference=_CONCEPTS,
    controls={"NIST SP 800-53 Rev. 5": ("AC-3",)},
)
def device_posture_decides_nothing(
    judged: pd.DataFrame, client_vpn_authorization_policies: pd.DataFrame
) -> pd.DataFrame:
    """Return each trust provider whose word no policy in force reads."""
    policy_of = {row.endpoint_id: row for row in rows_of(client_vpn_authorization_policies)}
    rows = []
    for row in rows_of(judged):
        for provider in row.posture_trust_providers:
            said = _unused(provider, policy_of.get(row.endpoint_id))
            if said:
                rows.append(
                    {
                        **place_of(row),
                        "provider": provider,
                        "source": row.source,
                        "record": row.record,
                        "reason": tr(
                            "{endpoint} names the device trust provider {provider}, and {said}.",
                            endpoint=called(row),
                            provider=words.clean(provider),
                            said=said,
                        ),
                        "by_absence": row.endpoint_id not in policy_of,
                    }
                )
    return evidence_of("account region endpoint_id provider reason source record", rows)


def _unused(provider: str, policy: Any) -> str:
    """Say why a trust provider decides nothing; empty where it may decide."""
    if policy is None:
        return tr("no authorization policy is attached")
    if policy.status != "active":
        return tr("its authorization policy is not active")
    if policy.shadow_mode == "enabled":
        return tr("its authorization policy is in shadow mode, which refuses nobody")
    if policy.shadow_mode != "disabled":
        return tr("its authorization policy is not reported as enforced")
    text = policy_text(policy)
    if text.doubt or any(path[0] == provider for path in text.reads):
        return ""
    return tr("its authorization policy reads nothing of it")
