"""Checks of how long a session lasts, what its user is told, and what goes through the tunnel.

AWS requires no value for any of these: they are information, for a decision that should be made.
"""

from collections.abc import Callable
from typing import Any

import pandas as pd

from auditlib import words
from auditlib.addresses import ALL_IPV4, Ranges, addresses
from auditlib.check import Severity, check, evidence_of
from auditlib.checks._parts import GUIDE, called, living, place_of, untold
from auditlib.frames import rows_where
from auditlib.language import marked, tr

_JUDGED: dict[str, Any] = {
    "severity": Severity.INFO,
    "population": "client_vpn_endpoints",
    "noun": "Client VPN endpoint",
}
_NOT_PUBLIC = Ranges.of(
    span
    for network in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
        "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",
    )
    for span in addresses(network).spans
)  # fmt: skip
_PUBLIC = ALL_IPV4 - _NOT_PUBLIC


def _each(judged: pd.DataFrame, found: pd.Series, said: Callable[[Any], str]) -> pd.DataFrame:
    """Return a row of evidence, with a sentence, for each endpoint of which something is told."""
    return evidence_of(
        "account region endpoint_id reason source record",
        (
            {
                **place_of(row),
                "source": row.source,
                "record": row.record,
                "reason": said(row),
            }
            for row in rows_where(judged, found)
        ),
    )


@check(
    id="session-lasts-a-day",
    title="Sessions are shorter than the longest that AWS offers",
    **_JUDGED,
    among=living,
    unseen=untold("session_timeout_hours", marked("how long a session may last on")),
    condition=("lets a session last 24 hours", "let a session last 24 hours"),
    rationale=(
        "24 hours is the longest session AWS offers, and the default. Somebody who leaves a company "
        "or a group, or loses a laptop, stays connected until the session ends: authentication is "
        "asked when a session begins. 8, 10 and 12 hours can be chosen instead. AWS requires no "
        "value, so this is information."
    ),
    remedy=(
        "Decide how long a user may work without signing in again; where a working day is enough, "
        "replace 24 hours by 8, 10 or 12. Otherwise write down that the default is meant."
    ),
    verify=(
        "aws ec2 describe-client-vpn-endpoints --client-vpn-endpoint-ids <endpoint id> --query "
        "'ClientVpnEndpoints[].SessionTimeoutHours' shows the hours decided on."
    ),
    false_alarms=("Jobs that need a connection through the night.",),
    decision="How long a user may work without signing in again is a rule of yours: AWS requires no value.",
    reference=f"{GUIDE}cvpn-working-max-duration.html",
)
def session_lasts_a_day(judged: pd.DataFrame) -> pd.DataFrame:
    """Return endpoints with the longest session AWS offers."""
    return _each(
        judged,
        judged["session_timeout_hours"] >= 24,
        lambda row: tr(
            "{endpoint} lets a session last {row.session_timeout_hours} hours before the user must "
            "authenticate again.",
            endpoint=called(row),
            row=row,
        ),
    )


@check(
    id="session-reconnects-at-timeout",
    title="A session ends at its timeout",
    **_JUDGED,
    among=living,
    unseen=untold(
        "disconnect_on_session_timeout",
        marked("what happens when a session's time is over on"),
    ),
    condition=(
        "reconnects sessions after their timeout",
        "reconnect sessions after their timeout",
    ),
    rationale=(
        "AWS's default ends a session when its time is over and asks the user to connect again. "
        "With the setting off the client tries to reconnect by itself; with a certificate, or "
        "credentials that the client still holds, nobody has to be at the keyboard, and the limit "
        "on sessions limits little. AWS requires no value, so this is information."
    ),
    remedy=(
        "Decide whether a session may go on without its user; where it may not, enable disconnecting "
        "on session time-out, which is AWS's default."
    ),
    verify=(
        "aws ec2 describe-client-vpn-endpoints --client-vpn-endpoint-ids <endpoint id> --query "
        "'ClientVpnEndpoints[].DisconnectOnSessionTimeout' shows true."
    ),
    false_alarms=("Machines that connect without a person and must stay connected.",),
    decision="Whether a session may go on without its user is a rule of yours: AWS requires no value.",
    reference=f"{GUIDE}cvpn-working-max-duration.html",
    controls={"NIST SP 800-53 Rev. 5": ("AC-12",)},
)
def session_reconnects_at_timeout(judged: pd.DataFrame) -> pd.DataFrame:
    """Return endpoints whose clients reconnect by themselves."""
    return _each(
        judged,
        judged["disconnect_on_session_timeout"].eq(False),
        lambda row: tr(
            "{endpoint} lets clients reconnect by themselves when a session's time is over.",
            endpoint=called(row),
        ),
    )


@check(
    id="login-banner-is-off",
    title="Users are shown a login banner",
    **_JUDGED,
    among=living,
    unseen=untold("banner_enabled", marked("whether a login banner is shown by")),
    condition=("connects users without a login banner", "connect users without a login banner"),
    clear=(
        "has its login banner on",
        "have their login banners on",
    ),
    rationale=(
        "A banner tells whoever connects whose network this is, that use is logged and what is "
        "allowed; some rules of law and some standards ask for that before access is given. It "
        "stops nobody, and only AWS's own client shows it. AWS requires none, so this is "
        "information."
    ),
    remedy="Decide with your legal department whether users must be told; where they must, enable the banner with its text.",
    verify=(
        "aws ec2 describe-client-vpn-endpoints --client-vpn-endpoint-ids <endpoint id> --query "
        "'ClientVpnEndpoints[].ClientLoginBannerOptions' shows Enabled true and the text."
    ),
    false_alarms=(
        "Users who are told elsewhere, at sign-in with the identity provider for example.",
    ),
    decision="Whether users must be told, and in which words, is for your legal department to say.",
    reference=f"{GUIDE}cvpn-working-login-banner.html",
    controls={"NIST SP 800-53 Rev. 5": ("AC-8",)},
)
def login_banner_is_off(judged: pd.DataFrame) -> pd.DataFrame:
    """Return endpoints without a login banner."""
    return _each(
        judged,
        judged["banner_enabled"].eq(False),
        lambda row: tr("{endpoint} shows no banner when users connect.", endpoint=called(row)),
    )


@check(
    id="client-routes-not-enforced",
    title="Routes of the VPN are enforced on the device",
    **_JUDGED,
    among=living,
    unseen=untold("route_enforcement", marked("whether client routes are enforced by")),
    condition=(
        "leaves route enforcement off",
        "leave route enforcement off",
    ),
    rationale=(
        "Software on a device, or another network it joins, can change routes so that traffic meant "
        "for the tunnel leaves beside it, unseen. Client route enforcement watches the device's "
        "route table and sets back what was changed. It is off by default and AWS requires nothing, "
        "so this is information."
    ),
    remedy=(
        "Decide whether devices may change the routes of the VPN; where they may not, enable client "
        "route enforcement after a test with each kind of client: it can get in the way of other "
        "VPN or container software."
    ),
    verify=(
        "aws ec2 describe-client-vpn-endpoints --client-vpn-endpoint-ids <endpoint id> --query "
        "'ClientVpnEndpoints[].ClientRouteEnforcementOptions' shows Enforced true."
    ),
    false_alarms=("Users whose client does not support it.",),
    decision="Enforcing routes can break other software on devices: try it with your clients first.",
    reference=f"{GUIDE}cvpn-working-cre.html",
    controls={"NIST SP 800-53 Rev. 5": ("SC-7(7)",)},
)
def client_routes_not_enforced(judged: pd.DataFrame) -> pd.DataFrame:
    """Return endpoints that do not enforce their routes on the device."""
    return _each(
        judged,
        judged["route_enforcement"].eq(False),
        lambda row: tr(
            "{endpoint} does not hold devices to the routes it gives them.", endpoint=called(row)
        ),
    )


@check(
    id="split-tunnel-is-on",
    title="All traffic of a connected device goes through the tunnel",
    **_JUDGED,
    among=living,
    unseen=untold("split_tunnel", marked("whether split tunnel is on for")),
    condition=("uses split tunnel", "use split tunnel"),
    rationale=(
        "With split tunnel only the networks that the endpoint routes go through the VPN, and "
        "everything else leaves where the user is. It saves cost and delay, and it means that a "
        "device is on the internet and in your network at once: what attacks it from the one side "
        "stands in the other, and no proxy or log of yours sees its web traffic. Common and often "
        "right; AWS requires neither, so this is information."
    ),
    remedy=(
        "Decide whether devices may be on the internet beside the VPN. Where they may not, route "
        "and authorize 0.0.0.0/0 first, see to a way out of the VPC and its cost, then switch to "
        "full tunnel; changing it resets sessions, so plan a window. Otherwise write down that "
        "split tunnel is meant."
    ),
    ends_sessions=True,
    verify=(
        "aws ec2 describe-client-vpn-endpoints --client-vpn-endpoint-ids <endpoint id> --query 'ClientVpnEndpoints[].SplitTunnel' shows "
        "what was decided."
    ),
    false_alarms=("Devices that are managed, patched and watched wherever they are.",),
    decision="Split or full tunnel is a choice between cost and sight that AWS leaves to you.",
    reference=f"{GUIDE}split-tunnel-vpn.html",
    controls={"NIST SP 800-53 Rev. 5": ("SC-7(7)",)},
)
def split_tunnel_is_on(judged: pd.DataFrame, *, client_vpn_routes: pd.DataFrame) -> pd.DataFrame:
    """Return endpoints with split tunnel, and what goes through it."""
    active = client_vpn_routes[client_vpn_routes["status"] == "active"]
    routed = active.groupby("endpoint_id")["destination_cidr"].agg(lambda c: sorted(set(c)))

    def said(row: Any) -> str:
        networks = routed.get(row.endpoint_id)
        if networks is None:
            return tr(
                "{endpoint} sends only the networks it routes through the tunnel; everything else "
                "leaves where the user is.",
                endpoint=called(row),
            )
        return tr(
            "{endpoint} sends only the networks it routes ({networks}) through the tunnel; "
            "everything else leaves where the user is.",
            endpoint=called(row),
            networks=words.listed(networks),
        )

    return _each(judged, judged["split_tunnel"].eq(True), said)


def _with_ipv4(endpoints: pd.DataFrame) -> pd.Series:
    """Tell which living endpoints carry IPv4, or may."""
    return living(endpoints) & endpoints["traffic_ip_address_type"].ne("ipv6")


def _ipv6_beside(endpoints: pd.DataFrame) -> str:
    """Say what is not judged of endpoints that carry IPv6: AWS does not say what becomes of it."""
    carried = endpoints["traffic_ip_address_type"].isin(["ipv6", "dual-stack"])
    number = int((living(endpoints) & carried).sum())
    if not number:
        return ""
    if number == 1:
        return tr("The IPv6 traffic of one endpoint is not judged here.")
    return tr("The IPv6 traffic of {number:,} endpoints is not judged here.", number=number)


@check(
    id="full-tunnel-drops-internet",
    title="A full tunnel has a way to the internet",
    **_JUDGED,
    among=_with_ipv4,
    left_out=_ipv6_beside,
    leaves_open=True,
    unseen=untold("split_tunnel", marked("whether split tunnel is on for")),
    condition=(
        "takes all traffic and drops what is bound for the internet",
        "take all traffic and drop what is bound for the internet",
    ),
    rationale=(
        "With full tunnel everything a device sends goes into the tunnel. What no active route and "
        "authorization rule leads on is dropped there: users lose the internet while they are "
        "connected, and soon disconnect to get their work done. That may be meant, for networks "
        "that must stay apart. AWS requires nothing, so this is information."
    ),
    remedy=(
        "Decide whether connected users should reach the internet. Where they should, add a route "
        "and an authorization rule for 0.0.0.0/0 through a subnet with a way out, or enable split "
        "tunnel. Either resets sessions: plan a window."
    ),
    ends_sessions=True,
    verify=(
        "aws ec2 describe-client-vpn-routes --client-vpn-endpoint-id <endpoint id> and "
        "describe-client-vpn-authorization-rules, with the same option, both show an active 0.0.0.0/0."
    ),
    false_alarms=("A network whose users are kept off the internet on purpose.",),
    decision="Whether connected users should reach the internet is yours to say; a route and an authorization rule open it.",
    reference=f"{GUIDE}split-tunnel-vpn.html",
)
def full_tunnel_drops_internet(
    judged: pd.DataFrame,
    client_vpn_routes: pd.DataFrame,
    client_vpn_authorization_rules: pd.DataFrame,
) -> pd.DataFrame:
    """Return endpoints with full tunnel that lead to no part, or not to all, of the internet."""
    routes, rules = client_vpn_routes, client_vpn_authorization_rules
    active = routes[(routes["status"] == "active") & routes["target_subnet"].ne("local")]
    allowed = rules[rules["status"] == "active"]
    rows = []
    full = judged["split_tunnel"].eq(False).fillna(False).astype(bool) & judged["status"].ne(
        "pending-associate"
    )
    for row in rows_where(judged, full):
        routed = _union(active.loc[active["endpoint_id"] == row.endpoint_id, "destination_cidr"])
        open_ = _union(allowed.loc[allowed["endpoint_id"] == row.endpoint_id, "destination_cidr"])
        if not _PUBLIC - (routed & open_):
            continue
        if _PUBLIC - routed:
            reason = tr(
                "{endpoint} takes all traffic of its users, and no active route leads to all of the "
                "internet.",
                endpoint=called(row),
            )
        else:
            reason = tr(
                "{endpoint} takes all traffic of its users, and no active authorization rule opens "
                "all of the internet.",
                endpoint=called(row),
            )
        rows.append(
            {
                **place_of(row),
                "source": row.source,
                "record": row.record,
                "reason": reason,
                "by_absence": True,
            }
        )
    return evidence_of("account region endpoint_id reason source record", rows)


def _union(networks: pd.Series) -> Ranges:
    return Ranges.of(span for network in networks for span in addresses(network).spans)
