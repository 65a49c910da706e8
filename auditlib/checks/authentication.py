"""Checks of what users and endpoints prove themselves with: certificates, providers, directories."""

from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd

from auditlib import words
from auditlib.check import Severity, Stop, TableSource, check, evidence_of
from auditlib.checks._parts import (
    ENDPOINT,
    GUIDE,
    called,
    day,
    days_left,
    ending,
    living,
    may_ask_for,
    mutual,
    not_said,
    place_of,
    untold,
    untold_authentication,
)
from auditlib.frames import kept, rows_of, rows_where
from auditlib.gaps import GapRow
from auditlib.language import marked, sentences, tr
from auditlib.outages import cut_off, live_sessions

_ENDPOINTS: dict[str, Any] = {
    "population": "client_vpn_endpoints",
    "among": living,
    "noun": "Client VPN endpoint",
}
_MUTUAL: dict[str, Any] = {
    "population": "client_vpn_endpoints",
    "among": mutual,
    "noun": "mutual-authentication endpoint",
}
_RENEWS_FROM = 60
"""Days before the end from which ACM tries to renew what it renews."""


def with_saml(endpoints: pd.DataFrame) -> pd.Series:
    """Tell which living endpoints sign users in with SAML, or may: where AWS does not say how."""
    named = endpoints["saml_provider_arns"].map(len).gt(0)
    return living(endpoints) & (named | may_ask_for(endpoints, "federated-authentication"))


def with_directory(endpoints: pd.DataFrame) -> pd.Series:
    """Tell which living endpoints ask a directory, or may: where AWS does not say how they ask."""
    named = endpoints["directory_ids"].map(len).gt(0)
    return living(endpoints) & (named | may_ask_for(endpoints, "directory-service-authentication"))


def with_portal_address(endpoints: pd.DataFrame) -> pd.Series:
    """Tell which living endpoints AWS gives the address of a self-service portal for."""
    return living(endpoints) & endpoints["self_service_portal_url"].notna()


# -- the server's certificate ---------------------------------------------------------------------


@kept
def _presented(judged: pd.DataFrame, server_certificates: pd.DataFrame) -> pd.DataFrame:
    """Return the endpoints' certificates: the certificate's columns beside the endpoint's name."""
    named = judged[[*ENDPOINT, "name", "server_certificate_arn"]]
    return named.merge(
        server_certificates,
        left_on=["account", "region", "server_certificate_arn"],
        right_on=["account", "region", "certificate_arn"],
    )


_NO_CERTIFICATE = untold(
    "server_certificate_arn", marked("which server certificate is presented by")
)


def _silent(
    judged: pd.DataFrame,
    server_certificates: pd.DataFrame,
    silence: Callable[[Any], str | None],
) -> list[GapRow]:
    """Return a gap for each endpoint without a known certificate, and each certificate's silence."""
    found = _presented(judged, server_certificates)
    silent = not_said(
        "acm-describe-certificate",
        (
            (row, row.certificate_arn, why)
            for row in rows_of(found.drop_duplicates(["account", "region", "certificate_arn"]))
            if (why := silence(row)) is not None
        ),
    )
    return _NO_CERTIFICATE(judged) + silent


def _untold_certificates(judged: pd.DataFrame, server_certificates: pd.DataFrame) -> list[GapRow]:
    """Return a gap for each certificate whose end, or time of reading, is not known."""

    def silence(row: Any) -> str | None:
        if pd.isna(row.not_after):
            return tr("it does not say when the certificate ends")
        return tr("the snapshot does not say when it was read") if pd.isna(row.read_at) else None

    return _silent(judged, server_certificates, silence)


def _untold_keys(judged: pd.DataFrame, server_certificates: pd.DataFrame) -> list[GapRow]:
    """Return a gap for each certificate whose key or signature is not known."""

    def silence(row: Any) -> str | None:
        if pd.isna(row.key_algorithm):
            return tr("it does not say which key the certificate has")
        if pd.isna(row.signature_algorithm):
            return tr("it does not say how the certificate is signed")
        return None

    return _silent(judged, server_certificates, silence)


def _untold_renewal(judged: pd.DataFrame, server_certificates: pd.DataFrame) -> list[GapRow]:
    """Return a gap for each certificate of which nobody can tell whether ACM renews it."""

    def silence(row: Any) -> str | None:
        if row.type == "IMPORTED" or row.renewal_eligibility in {"ELIGIBLE", "INELIGIBLE"}:
            return None
        return tr("it does not say whether ACM renews the certificate")

    return _silent(judged, server_certificates, silence)


def _certificate(row: Any) -> str:
    name = words.clean(row.domain_name)
    return tr("the certificate for {name}", name=name) if name else tr("a certificate")


def _certificate_rows(
    found: pd.DataFrame, reasons: Iterator[tuple[Any, str]]
) -> Iterator[dict[str, Any]]:
    for row, reason in reasons:
        yield {
            **place_of(row),
            "certificate_arn": row.certificate_arn,
            "not_after": row.not_after,
            "imported": None if pd.isna(row.type) else row.type == "IMPORTED",
            "source": row.source,
            "record": row.record,
            "reason": tr(
                "{endpoint} presents {certificate}, {reason}.",
                endpoint=called(row),
                certificate=_certificate(row),
                reason=reason,
            ),
        }


_CERTIFICATE_COLUMNS = (
    "account region endpoint_id certificate_arn not_after imported reason source record"
)
_CERTIFICATE_DECISION = (
    "A certificate is issued and its key is kept elsewhere: who issues it, and for "
    "how long, people decide."
)


def _by_origin(imported: str, issued: str, then: str) -> Callable[[pd.DataFrame], tuple[str, ...]]:
    """Return what makes advice from evidence: for imported certificates, for issued ones, for both."""

    def advice(evidence: pd.DataFrame) -> tuple[str, ...]:
        kinds = set(evidence["imported"])
        if kinds in ({True}, {False}):
            return tr(imported if kinds == {True} else issued), tr(then)
        # One whose origin ACM does not tell may be a case of either.
        ids = [
            words.listed(sorted(set(evidence.loc[evidence["imported"] != other, "endpoint_id"])))
            for other in (False, True)
        ]
        goes = [tr("That goes for {endpoints}.", endpoints=those) for those in ids]
        return sentences(tr(imported), goes[0], tr(issued), goes[1]), tr(then)

    return advice


def _clients_refuse(tables: TableSource, row: Any) -> Stop | None:
    """Say since when clients refuse a server certificate that has ended.

    Nothing where it is revoked or not valid yet: what clients make of that, nobody sourced. Nor
    where a session that began since denies it.
    """
    endpoints = tables.shared("client_vpn_endpoints")
    (endpoint,) = rows_where(endpoints, endpoints["endpoint_id"] == row.endpoint_id)
    if not days_left(row.not_after, endpoint.read_at) <= 0:
        return None
    live = live_sessions(tables, row.account, row.region, row.endpoint_id)
    if live is not None and not (live["established"] <= row.not_after).all():
        return None
    return Stop(
        since=row.not_after,
        ground=tr(
            "clients refuse a server certificate that has expired, unless their check was switched off"
        ),
        cost=cut_off(live),
    )


@check(
    id="server-certificate-has-expired",
    title="Server certificates are valid",
    severity=Severity.HIGH,
    **_ENDPOINTS,
    unseen=_untold_certificates,
    condition=(
        "presents a server certificate that is not valid",
        "present server certificates that are not valid",
    ),
    clear=(
        "presents a valid server certificate",
        "present valid server certificates",
    ),
    rationale=(
        "Clients check the certificate before they send anything. When it has expired, they refuse "
        "to connect, all of them at once, and whoever is asked for help on that day is tempted to "
        "tell them to switch the check off: from then on anybody on the way can pose as the "
        "endpoint and collect passwords."
    ),
    errand="Replace the server certificate of {endpoints}.",
    remedy=(
        "Replace the certificate: import the new one under the same ARN, or name another one on "
        "the endpoint. AWS brings a re-imported certificate to the endpoint by itself, within 24 "
        "hours; naming another one resets sessions. Where the new one comes from another "
        "authority, hand out a new client configuration first."
    ),
    advice=_by_origin(
        marked(
            "Replace the certificate: import the new one under the same ARN, which AWS brings to the "
            "endpoint by itself, within 24 hours."
        ),
        marked(
            "Replace the certificate: have ACM issue a new one, as it renews none that has expired, and "
            "name it on the endpoint, which resets sessions."
        ),
        marked(
            "Where the new one comes from another authority, hand out a new client configuration first."
        ),
    ),
    ends_sessions=True,
    stops=_clients_refuse,
    verify=(
        "aws acm describe-certificate --certificate-arn <arn> --query Certificate.NotAfter lies in "
        "the future, and a client connects."
    ),
    false_alarms=("An endpoint nobody uses any more; then it is better deleted.",),
    decision=_CERTIFICATE_DECISION,
    reference=f"{GUIDE}mutual.html",
    controls={
        "AWS Foundational Security Best Practices v1.0.0": ("ACM.1",),
        "AWS Config managed rules (2026-11)": ("acm-certificate-expiration-check",),
        "Prowler (2026-11)": ("acm_certificates_expiration_check",),
    },
    ratings={"Security Hub ACM.1": "Medium"},
)
def server_certificate_has_expired(
    judged: pd.DataFrame, server_certificates: pd.DataFrame
) -> pd.DataFrame:
    """Return endpoints whose certificate had ended, was revoked or not valid yet when read."""
    found = _presented(judged, server_certificates)

    def reasons() -> Iterator[tuple[Any, str]]:
        for row in rows_of(found):
            if row.status == "REVOKED":
                yield row, tr("which is revoked")
            elif days_left(row.not_after, row.read_at) <= 0 or row.status == "EXPIRED":
                yield (
                    row,
                    tr("which has expired")
                    if pd.isna(row.not_after)
                    else tr("which ended on {end}", end=day(row.not_after)),
                )
            elif days_left(row.not_before, row.read_at) > 0:
                yield (
                    row,
                    tr("which is valid from {start} only", start=day(row.not_before)),
                )

    return evidence_of(_CERTIFICATE_COLUMNS, _certificate_rows(found, reasons()))


def _worse(evidence: pd.DataFrame, id: str) -> str:
    """Say how many endpoints another check finds for what this one only warns of."""
    number = evidence["endpoint_id"].nunique()
    if not number:
        return ""
    return (
        tr("One endpoint has a worse finding of this kind: {id}.", id=id)
        if number == 1
        else tr(
            "{number:,} endpoints have a worse finding of this kind: {id}.", number=number, id=id
        )
    )


def _certificates_ended(endpoints: pd.DataFrame, server_certificates: pd.DataFrame) -> str:
    found = server_certificate_has_expired(endpoints[living(endpoints)], server_certificates)
    return _worse(found, "server-certificate-has-expired")


@check(
    id="server-certificate-expires-soon",
    title="Server certificates do not expire soon",
    severity=Severity.MEDIUM,
    **_ENDPOINTS,
    left_out=_certificates_ended,
    ends_as="server-certificate-has-expired",
    unseen=_untold_certificates,
    condition=(
        "presents a server certificate that expires soon",
        "present server certificates that expire soon",
    ),
    rationale=(
        "On the day the certificate ends nobody can connect any more. Replacing it takes longer "
        "than it seems where clients must get a new configuration. A certificate that ACM does "
        "not renew counts as ending soon from 60 days before; one that ACM renews by itself from "
        "30 days before, for by then the renewal should be done."
    ),
    errand="Replace the server certificate of {endpoints} before {day}.",
    remedy=(
        "Replace the certificate before it ends: import the new one under the same ARN, which AWS "
        "brings to the endpoint within 24 hours, or see to what keeps ACM from renewing (mostly a "
        "DNS record of the validation that is gone). Put the date of the next one into a calendar "
        "or an alarm (ACM reports DaysToExpiry to CloudWatch)."
    ),
    advice=_by_origin(
        marked(
            "Replace the certificate before it ends: have whoever holds the key of its authority issue "
            "the next one, and import it under the same ARN at least a day before the end, for AWS brings "
            "it to the endpoint within 24 hours: aws acm import-certificate --certificate-arn <arn> "
            "--certificate fileb://server.crt --private-key fileb://server.key --certificate-chain "
            "fileb://authority.crt. A change of the server certificate resets sessions, AWS says; whether it does "
            "in this way too it leaves open, so plan a window."
        ),
        marked(
            "Renew the certificate before it ends: see to what keeps ACM from renewing it, mostly a DNS "
            "record of the validation that is gone, or have ACM issue another and name that on the "
            "endpoint, which resets sessions."
        ),
        marked(
            "Put the date of the next one into a calendar or an alarm (ACM reports DaysToExpiry to "
            "CloudWatch)."
        ),
    ),
    verify=(
        "aws acm describe-certificate --certificate-arn <arn> --query Certificate.NotAfter is more "
        "than two months away."
    ),
    false_alarms=(
        "A certificate that is replaced by automation shortly before it ends, by plan.",
        "An endpoint that will be gone before.",
    ),
    decision=_CERTIFICATE_DECISION,
    reference="https://docs.aws.amazon.com/acm/latest/userguide/managed-renewal.html",
    controls={
        "AWS Foundational Security Best Practices v1.0.0": ("ACM.1",),
        "AWS Config managed rules (2026-11)": ("acm-certificate-expiration-check",),
        "Prowler (2026-11)": ("acm_certificates_expiration_check",),
    },
    ratings={"Security Hub ACM.1": "Medium"},
)
def server_certificate_expires_soon(
    judged: pd.DataFrame, server_certificates: pd.DataFrame
) -> pd.DataFrame:
    """Return endpoints whose certificate was about to end when it was read."""
    found = _presented(judged, server_certificates)

    def reasons() -> Iterator[tuple[Any, str]]:
        for row in rows_of(found):
            left = days_left(row.not_after, row.read_at)
            failing = row.renewal_status in {"FAILED", "PENDING_VALIDATION"}
            renewed = _is_renewed(row) and not failing
            if 0 < left <= (30 if renewed else _RENEWS_FROM):
                end = ending(row.not_after, row.read_at)
                yield (
                    row,
                    tr("which ACM should have renewed by now and which {ends}", ends=end)
                    if renewed
                    else tr(
                        "whose renewal by ACM stands at {row.renewal_status} and which {ends}",
                        row=row,
                        ends=end,
                    )
                    if failing
                    else tr("which ACM is not known to renew and which {ends}", ends=end)
                    if pd.isna(row.renewal_eligibility) and row.type != "IMPORTED"
                    else tr("which ACM does not renew and which {ends}", ends=end),
                )

    return evidence_of(_CERTIFICATE_COLUMNS, _certificate_rows(found, reasons()))


def _is_renewed(row: Any) -> bool:
    """Tell whether ACM renews a certificate by itself, as far as it says."""
    return bool(row.type != "IMPORTED" and row.renewal_eligibility == "ELIGIBLE")


@check(
    id="server-certificate-is-weak",
    title="Server certificates have strong keys and signatures",
    severity=Severity.MEDIUM,
    **_ENDPOINTS,
    unseen=_untold_keys,
    condition=(
        "presents a server certificate with a weak key or signature",
        "present server certificates with weak keys or signatures",
    ),
    rationale=(
        "Whoever can work out the private key behind the certificate, or make another certificate "
        "with the same signature, poses as the endpoint without any client noticing. RSA keys of "
        "less than 2,048 bits and signatures over MD5 or SHA-1 are within reach of those who can "
        "pay for it, and have been deprecated for years."
    ),
    remedy=(
        "Replace the certificate by one with an RSA key of 2,048 bits or more and a signature over "
        "SHA-256. AWS says that endpoints with mutual authentication take RSA keys of 1,024 and "
        "2,048 bits only. ACM cannot exchange the key of an imported certificate for one of "
        "another type: import it anew and name it on the endpoint, which resets sessions."
    ),
    ends_sessions=True,
    verify=(
        "aws acm describe-certificate --certificate-arn <arn> --query "
        "'Certificate.[KeyAlgorithm,SignatureAlgorithm]' shows RSA_2048 and SHA256WITHRSA."
    ),
    false_alarms=("An endpoint for tests that leads nowhere.",),
    decision=_CERTIFICATE_DECISION,
    reference="https://docs.aws.amazon.com/acm/latest/userguide/import-certificate-prerequisites.html",
    controls={
        "AWS Foundational Security Best Practices v1.0.0": ("ACM.2",),
        "AWS Config managed rules (2026-11)": ("acm-certificate-rsa-check",),
    },
    ratings={"Security Hub ACM.2": "High"},
)
def server_certificate_is_weak(
    judged: pd.DataFrame, server_certificates: pd.DataFrame
) -> pd.DataFrame:
    """Return endpoints whose certificate has a short RSA key or an outdated signature."""
    found = _presented(judged, server_certificates)

    def reasons() -> Iterator[tuple[Any, str]]:
        for row in rows_of(found):
            kind, _, size = str(row.key_algorithm).upper().replace("-", "_").partition("_")
            signature = str(row.signature_algorithm).upper().replace("-", "")
            if kind == "RSA" and size.isdigit() and int(size) < 2048:
                yield row, tr("whose RSA key has {size:,} bits", size=int(size))
            elif any(weak in signature for weak in ("SHA1", "MD5", "MD2")):
                yield (
                    row,
                    tr(
                        "which is signed with {algorithm}",
                        algorithm=words.clean(row.signature_algorithm),
                    ),
                )

    return evidence_of(_CERTIFICATE_COLUMNS, _certificate_rows(found, reasons()))


@check(
    id="server-certificate-is-not-renewed",
    title="ACM renews the server certificates automatically",
    severity=Severity.LOW,
    **_ENDPOINTS,
    unseen=_untold_renewal,
    condition=(
        "presents a certificate that ACM does not renew",
        "present certificates that ACM does not renew",
    ),
    rationale=(
        "ACM renews the certificates it issued, as long as it calls them eligible. One that was "
        "imported, or that it calls ineligible, it only keeps: unless "
        "somebody remembers to import the next one, it ends, and with it the VPN, for everybody "
        "at once. Whoever made it has often left by then, and the authority's key with them."
    ),
    remedy=(
        "Decide who renews it and when: write the date down where it is seen (an alarm on ACM's "
        "DaysToExpiry), and where the authority's key is kept. Or let ACM issue the certificate, "
        "public or by a private authority of AWS's, where the way users authenticate allows it."
    ),
    verify=(
        "aws acm describe-certificate --certificate-arn <arn> --query "
        "'Certificate.[Type,RenewalEligibility]' shows AMAZON_ISSUED and ELIGIBLE, or the alarm "
        "exists."
    ),
    false_alarms=(
        "Mutual authentication with an authority of one's own, where importing is the usual way.",
        "A certificate that automation imports anew in time.",
    ),
    decision=_CERTIFICATE_DECISION,
    reference="https://docs.aws.amazon.com/acm/latest/userguide/import-certificate.html",
)
def server_certificate_is_not_renewed(
    judged: pd.DataFrame, server_certificates: pd.DataFrame
) -> pd.DataFrame:
    """Return endpoints whose certificate was imported, or is not eligible for ACM's renewal."""
    found = _presented(judged, server_certificates)
    return evidence_of(
        _CERTIFICATE_COLUMNS,
        _certificate_rows(
            found,
            (
                (row, _not_renewed(row))
                for row in rows_of(found)
                if row.type == "IMPORTED" or row.renewal_eligibility == "INELIGIBLE"
            ),
        ),
    )


def _not_renewed(row: Any) -> str:
    """Say why ACM does not renew a certificate, and when it ends where that is known."""
    imported = row.type == "IMPORTED"
    if pd.isna(row.not_after):
        return (
            tr("which was imported, so ACM does not renew it")
            if imported
            else tr("which ACM calls ineligible for renewal")
        )
    end = day(row.not_after)
    return (
        tr("which was imported, so ACM does not renew it; it expires on {end}", end=end)
        if imported
        else tr("which ACM calls ineligible for renewal; it expires on {end}", end=end)
    )


# -- the list of revoked client certificates ------------------------------------------------------


def _lists(judged: pd.DataFrame, lists: pd.DataFrame) -> pd.DataFrame:
    return judged[[*ENDPOINT, "name"]].merge(lists, on=ENDPOINT)


def _unread_lists(
    judged: pd.DataFrame, client_certificate_revocation_lists: pd.DataFrame
) -> list[GapRow]:
    """Return a gap for each list that cannot be read, or of which nobody knows when it was."""
    found = _lists(judged, client_certificate_revocation_lists)
    found = found[found["imported"] & (found["problem"].notna() | found["read_at"].isna())]
    unread = not_said(
        "ec2-export-client-vpn-client-certificate-revocation-list",
        (
            (
                row,
                row.endpoint_id,
                tr("the snapshot does not say when it was read")
                if pd.isna(row.problem)
                else tr("the revocation list cannot be read: {row.problem}", row=row),
            )
            for row in rows_of(found)
        ),
    )
    return untold_authentication(judged) + unread


def _list_rows(found: pd.DataFrame, *, soon: bool) -> Iterator[dict[str, Any]]:
    for row in rows_where(found, found["imported"]):
        left = days_left(row.next_update, row.read_at)
        if (0 < left <= 30) if soon else left <= 0:
            yield {
                **place_of(row),
                "next_update": row.next_update,
                "entries": row.entries,
                "source": row.source,
                "record": row.record,
                "reason": tr(
                    "The revocation list of {endpoint} {ends}.",
                    endpoint=called(row),
                    ends=ending(row.next_update, row.read_at),
                ),
            }


_LIST_COLUMNS = "account region endpoint_id next_update entries reason source record"
_LIST_DECISION = (
    "A revocation list is signed with the key of your certificate authority, which we do not have."
)
_LIST_FIRST = marked(
    "Replace the revocation list: have the authority that signs your client certificates issue a new "
    "one (with easy-rsa: gen-crl; EASYRSA_CRL_DAYS says how long it holds)."
)
_LIST_WHOLE = marked("The new list must hold every certificate that the old one revokes.")
_LIST_SHOWN = marked(
    "Save the old one, which the import replaces, and read their serial numbers from it: aws ec2 "
    "export-client-vpn-client-certificate-revocation-list --client-vpn-endpoint-id <endpoint id> --query "
    "CertificateRevocationList --output text | tee old-crl.pem | openssl crl -noout -text."
)
_LIST_IMPORT = marked(
    "Import it from the file crl.pem: aws ec2 import-client-vpn-client-certificate-revocation-list "
    "--client-vpn-endpoint-id <endpoint id> --certificate-revocation-list file://crl.pem. AWS gives the "
    "import up to four hours to take effect: do not import again meanwhile."
)
_LIST_WINDOW = marked("Importing resets the sessions of the endpoint: plan a window.")
_LIST_THEN = marked(
    "Then let a scheduled job issue and import the next ones, each with room to spare before the list expires."
)
_LIST_REMEDY = (
    f"{_LIST_FIRST} {_LIST_WHOLE} {_LIST_SHOWN} {_LIST_WINDOW} {_LIST_IMPORT} {_LIST_THEN}"
)


def _list_advice(evidence: pd.DataFrame) -> tuple[str, ...]:
    """Return what to do about lists, and how many certificates each of them revokes."""
    known = [row for row in rows_of(evidence) if pd.notna(row.entries)]
    held = (
        tr(
            "What the list of {endpoint} revokes ({certificates}), the new one must hold, too."
            if len(evidence) > 1
            else "What the old list revokes ({certificates}), the new one must hold, too.",
            endpoint=row.endpoint_id,
            certificates=words.count(int(row.entries), "certificate"),
        )
        for row in known
        if row.entries
    )
    told = [*held, *([] if len(known) == len(evidence) else [tr(_LIST_WHOLE)])]
    shown = tr(_LIST_SHOWN) if told else ""
    return sentences(tr(_LIST_FIRST), *told, shown), tr(_LIST_IMPORT), tr(_LIST_THEN)


_LIST_VERIFY = (
    "aws ec2 export-client-vpn-client-certificate-revocation-list --client-vpn-endpoint-id "
    "<endpoint id> --query CertificateRevocationList --output text | openssl crl -noout "
    "-nextupdate shows a date far enough away."
)


def _nobody_new(tables: TableSource, evidence: pd.DataFrame) -> str:
    """Say since when nobody can connect to an endpoint, and whose sessions go on nevertheless."""
    (found,) = rows_of(evidence)
    endpoints = tables.shared("client_vpn_endpoints")
    (endpoint,) = rows_where(endpoints, endpoints["endpoint_id"] == found.endpoint_id)
    live = live_sessions(tables, found.account, found.region, found.endpoint_id)
    said = [
        tr(
            "AWS documents that nobody can connect once the revocation list has expired, here on {end}: "
            "no new session begins before it is replaced.",
            end=words.minute(found.next_update),
        )
    ]
    if live is None:
        said.append(
            tr(
                "Whether sessions that began before go on was not seen: its connections were not read."
            )
        )
        live = tables.shared("client_vpn_connections").head(0)
    elif live.empty:
        said.append(tr("No session was live when the account was read."))
    before = live[live["established"] <= found.next_update].sort_values("established")
    if len(before):
        said.append(_going_on(before, endpoint.session_timeout_hours))
    if rest := len(live) - len(before):
        said.append(
            tr(
                "{sessions} listed as live did not begin before that, or AWS does not say when: do "
                "not rely on it that nobody can connect.",
                sessions=words.opening(words.count(rest, "session")),
            )
        )
    said.append(
        tr(
            "Importing a new list resets the sessions, and whoever holds a certificate that it does "
            "not revoke can connect again: from then on all else that is found at the endpoint, and "
            "what it reaches, counts for everybody again."
        )
    )
    return sentences(*said)


def _refuses_everybody(tables: TableSource, row: Any) -> Stop | None:
    """Say since when a list refuses everybody; nothing where a session that began since denies it."""
    live = live_sessions(tables, row.account, row.region, row.endpoint_id)
    if live is not None and not (live["established"] <= row.next_update).all():
        return None
    return Stop(
        since=row.next_update,
        ground=tr("AWS documents that clients cannot connect once the revocation list has expired"),
        cost=cut_off(live),
    )


def _going_on(sessions: pd.DataFrame, hours: Any) -> str:
    """Say how many sessions go on, since when, and until when where the endpoint tells that."""
    told = {
        "sessions": words.opening(words.count(len(sessions), "session")),
        "since": words.minute(sessions["established"].iloc[0]),
    }
    one = len(sessions) == 1
    if pd.isna(hours):
        return (
            tr(
                "{sessions} that began before was still live when the account was read: it began at "
                "{since}.",
                **told,
            )
            if one
            else tr(
                "{sessions} that began before were still live when the account was read: the oldest "
                "began at {since}.",
                **told,
            )
        )
    told["until"] = words.minute(sessions["established"].iloc[-1] + pd.Timedelta(hours=int(hours)))
    return (
        tr(
            "{sessions} that began before was still live when the account was read: it began at "
            "{since} and may last until {until}.",
            **told,
        )
        if one
        else tr(
            "{sessions} that began before were still live when the account was read: the oldest began "
            "at {since}, and the newest may last until {until}.",
            **told,
        )
    )


@check(
    id="revocation-list-has-expired",
    title="Certificate revocation lists are valid",
    severity=Severity.HIGH,
    **_MUTUAL,
    controls={"NIST SP 800-53 Rev. 5": ("IA-5(2)",)},
    unseen=_unread_lists,
    condition=(
        "uses a certificate revocation list that has expired",
        "use certificate revocation lists that have expired",
    ),
    rationale=(
        "AWS says that nobody can connect to an endpoint whose revocation list has expired: the "
        "list expires, and with it the VPN, for everybody with a certificate. The usual way out of "
        "the hurry is to import an empty list or one that holds for ten years, and then the "
        "certificates of those who left are good again, or nobody looks at the list any more."
    ),
    errand="Replace the revocation list of {endpoints}.",
    remedy=_LIST_REMEDY,
    window=_LIST_WINDOW,
    advice=_list_advice,
    ends_sessions=True,
    verify=_LIST_VERIFY,
    false_alarms=("An endpoint nobody uses any more; then it is better deleted.",),
    bearing=_nobody_new,
    stops=_refuses_everybody,
    decision=_LIST_DECISION,
    reference=f"{GUIDE}cvpn-working-certificates.html",
)
def revocation_list_has_expired(
    judged: pd.DataFrame, client_certificate_revocation_lists: pd.DataFrame
) -> pd.DataFrame:
    """Return endpoints whose revocation list had ended when it was read."""
    found = _lists(judged, client_certificate_revocation_lists)
    return evidence_of(_LIST_COLUMNS, _list_rows(found, soon=False))


def _lists_ended(endpoints: pd.DataFrame, client_certificate_revocation_lists: pd.DataFrame) -> str:
    found = revocation_list_has_expired(
        endpoints[_MUTUAL["among"](endpoints)], client_certificate_revocation_lists
    )
    lists = _lists(endpoints[_MUTUAL["among"](endpoints)], client_certificate_revocation_lists)
    good = [
        row
        for row in rows_where(lists, lists["imported"] & lists["next_update"].notna())
        if days_left(row.next_update, row.read_at) > 30
    ]
    valid = words.listed(
        (
            tr("{endpoint} until {day}", endpoint=called(row), day=day(row.next_update))
            for row in good
        ),
        most=3,
    )
    return sentences(
        tr("Valid are the lists of {endpoints}.", endpoints=valid) if len(good) > 1 else "",
        tr("Valid is the list of {endpoint}.", endpoint=valid) if len(good) == 1 else "",
        _worse(found, "revocation-list-has-expired"),
    )


@check(
    id="revocation-list-expires-soon",
    title="Certificate revocation lists do not expire soon",
    severity=Severity.MEDIUM,
    **_MUTUAL,
    left_out=_lists_ended,
    ends_as="revocation-list-has-expired",
    unseen=_unread_lists,
    condition=(
        "uses a certificate revocation list that expires within 30 days",
        "use certificate revocation lists that expire within 30 days",
    ),
    rationale=(
        "AWS says that nobody can connect to an endpoint whose revocation list has expired. Lists "
        "hold for weeks or months (six months with easy-rsa as it comes), so one that nobody "
        "renews on a schedule expires sooner or later, and the VPN stops for everybody at once."
    ),
    errand="Replace the revocation list of {endpoints} before {day}.",
    remedy=_LIST_REMEDY,
    window=_LIST_WINDOW,
    advice=_list_advice,
    ends_sessions=True,
    verify=_LIST_VERIFY,
    false_alarms=("A list that a job issues anew every few days or weeks, by plan.",),
    decision=_LIST_DECISION,
    reference=f"{GUIDE}cvpn-working-certificates.html",
)
def revocation_list_expires_soon(
    judged: pd.DataFrame, client_certificate_revocation_lists: pd.DataFrame
) -> pd.DataFrame:
    """Return endpoints whose revocation list was about to end when it was read."""
    found = _lists(judged, client_certificate_revocation_lists)
    return evidence_of(_LIST_COLUMNS, _list_rows(found, soon=True))


@check(
    id="revocation-list-is-missing",
    title="Lost client certificates can be revoked",
    severity=Severity.LOW,
    **_MUTUAL,
    controls={"NIST SP 800-53 Rev. 5": ("IA-5(2)",)},
    unseen=_unread_lists,
    condition=(
        "works without a certificate revocation list",
        "work without certificate revocation lists",
    ),
    clear=(
        "has a revocation list that AWS reports as active",
        "have revocation lists that AWS reports as active",
    ),
    rationale=(
        "A client certificate is good until it ends, whatever happened to the laptop it was on or "
        "to the person it was for. Only a revocation list can end it sooner. Without one, no "
        "certificate has ever been revoked on this endpoint, and on the day one must be, the way "
        "to do it is untried."
    ),
    remedy=(
        "Create a revocation list with the authority that signs your client certificates, put on "
        "it what was lost and who left, and import it; an empty list is a start, as the way is "
        "then known. Renew it before it expires, for an expired list locks everybody out. Importing "
        "resets sessions: plan a window. AWS gives the import up to four hours to take effect: do "
        "not import again meanwhile."
    ),
    ends_sessions=True,
    verify=(
        "aws ec2 export-client-vpn-client-certificate-revocation-list --client-vpn-endpoint-id "
        "<endpoint id> shows a list and the status active."
    ),
    false_alarms=(
        "Certificates that hold for hours or days only, where waiting is as good as revoking.",
        "Users who also sign in with SAML or Active Directory, where their account is closed.",
        "A new endpoint whose certificates are all in good hands.",
    ),
    decision=_LIST_DECISION,
    reference=f"{GUIDE}cvpn-working-certificates.html",
)
def revocation_list_is_missing(
    judged: pd.DataFrame, client_certificate_revocation_lists: pd.DataFrame
) -> pd.DataFrame:
    """Return endpoints that no revocation list was imported into, or none that is in force."""
    found = _lists(judged, client_certificate_revocation_lists)
    rows = []
    certificates = judged["authentication_types"].map(lambda t: "certificate-authentication" in t)
    sure = judged.loc[certificates.astype(bool), "endpoint_id"]
    found = found[found["endpoint_id"].isin(list(sure))]
    for row in rows_where(found, ~found["imported"] | found["status"].ne("active")):
        if not row.imported:
            reason = tr(
                "{endpoint} has no revocation list, so no client certificate can be ended before "
                "its time.",
                endpoint=called(row),
            )
        elif row.status == "pending":
            reason = tr(
                "{endpoint} has a revocation list that is not active yet.", endpoint=called(row)
            )
        else:
            reason = tr(
                "{endpoint} has a revocation list that is not reported as active.",
                endpoint=called(row),
            )
        rows.append(
            {
                **place_of(row),
                "source": row.source,
                "record": row.record,
                "reason": reason,
            }
        )
    return evidence_of("account region endpoint_id reason source record", rows)


# -- who tells who a user is ----------------------------------------------------------------------


@kept
def _named(judged: pd.DataFrame, column: str, one: str) -> pd.DataFrame:
    """Return a row per endpoint and resource that a list column of it names."""
    named = judged[[*ENDPOINT, "name", "source", "record", column]].explode(column)
    return named.rename(columns={column: one}).dropna(subset=[one]).astype({one: "str"})


@kept
def _providers(judged: pd.DataFrame, saml_providers: pd.DataFrame) -> pd.DataFrame:
    """Return the providers that endpoints name and that are there."""
    named = _named(judged, "saml_provider_arns", "provider_arn").drop(columns=["source", "record"])
    # IAM is the same in every Region: its records stand at another one than the endpoint's.
    return named.merge(saml_providers.drop(columns=["region"]), on=["account", "provider_arn"])


def _untold_providers(judged: pd.DataFrame, saml_providers: pd.DataFrame) -> list[GapRow]:
    """Return a gap for each provider whose metadata, or time of reading, is not known."""
    found = _providers(judged, saml_providers)
    found = found[found["problem"].notna() | found["read_at"].isna()]
    unread = not_said(
        "iam-get-saml-provider",
        (
            (
                row,
                row.provider_arn,
                tr("the snapshot does not say when it was read")
                if pd.isna(row.problem)
                else tr("the metadata cannot be read: {row.problem}", row=row),
            )
            for row in rows_of(found.drop_duplicates(["account", "region", "provider_arn"]))
        ),
    )
    nameless = judged[judged["saml_provider_arns"].map(len).eq(0)]
    unnamed = _nameless(
        nameless, "saml_provider", marked("which SAML provider tells who users are of")
    )
    return unnamed + unread


def _untold_directories(judged: pd.DataFrame) -> list[GapRow]:
    """Return a gap for each endpoint of which nobody can tell which directory it asks."""
    nameless = judged[judged["directory_ids"].map(len).eq(0)]
    return _nameless(nameless, "directory", marked("which directory knows the users of"))


def _nameless(endpoints: pd.DataFrame, column: str, what: str) -> list[GapRow]:
    return untold(column, what)(endpoints.assign(**{column: None}))


def _provider(arn: str) -> str:
    return words.clean(arn.rpartition("/")[2])


_SAML_COLUMNS = "account region endpoint_id provider_arn reason source record"
_SAML_DECISION = (
    "The metadata comes from your identity provider: who replaces it and when is agreed with "
    "those who run it."
)


@check(
    id="saml-provider-is-unusable",
    title="The SAML providers that endpoints name exist and are valid",
    severity=Severity.HIGH,
    population="client_vpn_endpoints",
    among=with_saml,
    noun="SAML endpoint",
    unseen=_untold_providers,
    condition=(
        "relies on a SAML provider that is gone or has expired",
        "rely on SAML providers that are gone or have expired",
    ),
    rationale=(
        "Without the SAML provider in IAM the endpoint cannot tell who a user is, so nobody signs "
        "in any more, or nobody gets at the self-service portal. A provider that was deleted can "
        "also be created anew, by whoever may do so, with an identity provider of their own: the "
        "endpoint names it by its ARN, and the ARN is made of the name alone."
    ),
    errand="Mend the SAML provider of {endpoints}.",
    remedy=(
        "Create the provider anew under the same name with the identity provider's current "
        "metadata, or replace the metadata of the one that ended. Which provider an endpoint "
        "names can be changed only by creating another endpoint."
    ),
    verify=(
        "aws iam get-saml-provider --saml-provider-arn <arn> --query ValidUntil lies in the "
        "future; then have a user sign in."
    ),
    false_alarms=(
        "A self-service provider that is gone while the portal is not used.",
        "An endpoint nobody uses any more; then it is better deleted.",
    ),
    decision=_SAML_DECISION,
    reference=f"{GUIDE}federated-authentication.html",
)
def saml_provider_is_unusable(judged: pd.DataFrame, saml_providers: pd.DataFrame) -> pd.DataFrame:
    """Return endpoints that name a SAML provider which is not there, or had ended when read."""
    rows = []
    for row in rows_of(_providers(judged, saml_providers)):
        for end, said in (
            (
                row.valid_until,
                marked("{endpoint} relies on SAML; the provider {provider} ended on {end}."),
            ),
            (
                row.metadata_valid_until,
                marked(
                    "{endpoint} relies on SAML; the metadata of the provider {provider} ended on "
                    "{end}."
                ),
            ),
        ):
            if days_left(end, row.read_at) <= 0:
                rows.append(
                    {
                        **place_of(row),
                        "provider_arn": row.provider_arn,
                        "source": row.source,
                        "record": row.record,
                        "reason": tr(
                            said,
                            endpoint=called(row),
                            provider=_provider(row.provider_arn),
                            end=day(end),
                        ),
                    }
                )
                break
    there = set(
        zip(saml_providers["account"].astype(str), saml_providers["provider_arn"], strict=True)
    )
    rows += [
        {
            **place_of(row),
            "provider_arn": row.provider_arn,
            "reason": tr(
                "{endpoint} relies on the SAML provider {provider}, and IAM has none of this name.",
                endpoint=called(row),
                provider=_provider(row.provider_arn),
            ),
            "by_absence": True,
        }
        for row in rows_of(_named(judged, "saml_provider_arns", "provider_arn"))
        if (row.account, row.provider_arn) not in there
    ]
    return evidence_of(_SAML_COLUMNS, rows)


def _providers_ended(endpoints: pd.DataFrame, saml_providers: pd.DataFrame) -> str:
    found = saml_provider_is_unusable(endpoints[with_saml(endpoints)], saml_providers)
    ended = found[~found["by_absence"].eq(True)]
    return _worse(ended, "saml-provider-is-unusable")


@check(
    id="saml-metadata-expires-soon",
    title="SAML metadata and the certificates in it do not expire soon",
    severity=Severity.MEDIUM,
    population="client_vpn_endpoints",
    among=with_saml,
    noun="SAML endpoint",
    unseen=_untold_providers,
    left_out=_providers_ended,
    ends_as="saml-provider-is-unusable",
    condition=(
        "relies on SAML metadata that expires soon",
        "rely on SAML metadata that expires soon",
    ),
    rationale=(
        "The metadata in IAM holds the certificate that the identity provider's answers are "
        "checked with. Identity providers exchange their key when it ends; unless the new "
        "certificate is in IAM by then, every sign-in fails from that day on. Whether Client VPN "
        "itself still takes answers signed with an ended certificate, AWS does not say."
    ),
    errand="Renew the SAML metadata of {endpoints} before it ends.",
    remedy=(
        "Add the identity provider's next signing certificate: download its current metadata, "
        "which holds both while the key is exchanged, and update the provider in IAM. AWS brings "
        "it to the endpoint within 24 hours. Agree with those who run the identity provider that "
        "they tell you of the next exchange."
    ),
    verify=(
        "aws iam get-saml-provider --saml-provider-arn <arn> shows metadata whose certificates "
        "and validUntil are further away; then have a user sign in."
    ),
    false_alarms=(
        "An identity provider that keeps signing with a certificate past its end.",
        "A provider for the self-service portal alone, while the portal is not used.",
    ),
    decision=_SAML_DECISION,
    reference=f"{GUIDE}federated-authentication.html",
)
def saml_metadata_expires_soon(judged: pd.DataFrame, saml_providers: pd.DataFrame) -> pd.DataFrame:
    """Return endpoints whose SAML provider, or every certificate of it, was about to end."""
    rows = []
    for row in rows_of(_providers(judged, saml_providers)):
        ends = (
            (
                row.valid_until,
                marked("{endpoint} relies on SAML; the SAML provider {provider} {ends}."),
            ),
            (
                row.metadata_valid_until,
                marked(
                    "{endpoint} relies on SAML; the metadata of the SAML provider {provider} {ends}."
                ),
            ),
            (
                row.certificates_end,
                marked(
                    "{endpoint} relies on SAML; the last signing certificate of the SAML provider "
                    "{provider} {ends}."
                ),
            ),
        )
        for end, said in ends:
            left = days_left(end, row.read_at)
            ended = left <= 0 and end is row.certificates_end
            if 0 < left <= 30 or ended:
                rows.append(
                    {
                        **place_of(row),
                        "provider_arn": row.provider_arn,
                        "source": row.source,
                        "record": row.record,
                        "reason": tr(
                            said,
                            endpoint=called(row),
                            provider=_provider(row.provider_arn),
                            ends=ending(end, row.read_at),
                        ),
                    }
                )
    return evidence_of(_SAML_COLUMNS, rows)


@check(
    id="directory-is-unhealthy",
    title="The directories that endpoints use are active",
    severity=Severity.HIGH,
    population="client_vpn_endpoints",
    among=with_directory,
    noun="Active Directory endpoint",
    unseen=_untold_directories,
    condition=(
        "authenticates users with a directory that is gone or not active",
        "authenticate users with directories that are gone or not active",
    ),
    clear=(
        "authenticates users with a directory that is there and active",
        "authenticate users with directories that are there and active",
    ),
    rationale=(
        "Users sign in with the directory's passwords. While it is impaired or inoperable they "
        "cannot, or a user who was just locked out there still can; and where the second factor "
        "(RADIUS) has failed, either nobody gets in or the factor is no longer asked, which AWS "
        "does not tell apart here."
    ),
    errand="Mend the directory of {endpoints}.",
    remedy=(
        "Decide from the stage's reason: mostly the directory's servers are not reached (network "
        "ACLs, security groups, DNS), a service account's password has changed, or the disk is "
        "full. Restore it from a snapshot where it cannot be mended, or move the users to an "
        "endpoint with another way to sign in."
    ),
    verify=(
        "aws ds describe-directories --directory-ids <id> --query "
        "'DirectoryDescriptions[].[Stage,RadiusStatus]' shows Active, and Completed where RADIUS is used; then have a user sign in."
    ),
    false_alarms=(
        "A directory that is being updated or restored by plan: it comes back by itself.",
        "An endpoint nobody uses any more; then it is better deleted.",
    ),
    decision="What ails a directory shows inside it: its servers, its network, its passwords. Those who run it decide.",
    reference="https://docs.aws.amazon.com/directoryservice/latest/admin-guide/ms_ad_directory_status.html",
)
def directory_is_unhealthy(judged: pd.DataFrame, directories: pd.DataFrame) -> pd.DataFrame:
    """Return endpoints whose directory is not there, or not in the stage ``Active``."""
    held = {(row.account, row.region, row.directory_id): row for row in rows_of(directories)}
    rows = []
    for row in rows_of(_named(judged, "directory_ids", "directory_id")):
        found = held.get((row.account, row.region, row.directory_id))
        asks = {"endpoint": called(row), "directory": row.directory_id}
        if found is None:
            reason = tr(
                "{endpoint} asks directory {directory}, which Directory Service does not know.",
                **asks,
            )
        elif found.stage != "Active":
            reason = _not_active(found, asks)
        elif found.radius_status == "Failed":
            reason = tr(
                "{endpoint} asks directory {directory}, whose second factor (RADIUS) has failed.",
                **asks,
            )
        else:
            continue
        rows.append(
            {
                **place_of(row),
                "directory_id": row.directory_id,
                "source": row.source if found is None else found.source,
                "record": row.record if found is None else found.record,
                "reason": reason,
                "by_absence": found is None,
            }
        )
    return evidence_of("account region endpoint_id directory_id reason source record", rows)


def _not_active(directory: Any, asks: dict[str, str]) -> str:
    """Say in which stage a directory is, with the reason that Directory Service gives for it."""
    stage = words.clean(directory.stage)
    why = words.clean(directory.stage_reason, 120).rstrip(".")
    if stage and why:
        return tr(
            "{endpoint} asks directory {directory}, which is {stage}: {why}.",
            **asks,
            stage=stage,
            why=why,
        )
    if stage:
        return tr("{endpoint} asks directory {directory}, which is {stage}.", **asks, stage=stage)
    if why:
        return tr(
            "{endpoint} asks directory {directory}, which is in no stage: {why}.", **asks, why=why
        )
    return tr("{endpoint} asks directory {directory}, which is in no stage.", **asks)


@check(
    id="self-service-portal-cannot-serve",
    title="Where AWS names a self-service portal, users can sign in to it",
    severity=Severity.INFO,
    population="client_vpn_endpoints",
    among=with_portal_address,
    unseen=untold_authentication,
    noun="Client VPN endpoint",
    condition=(
        "names a portal where nobody can sign in",
        "name a portal where nobody can sign in",
    ),
    rationale=(
        "The self-service portal hands out the client configuration to users who sign in as a "
        "person. AWS says that it is not available with mutual authentication: with certificates "
        "alone there is nobody to sign in. Users sent to the address get nowhere, and ask for the "
        "configuration by mail instead, certificate and key included."
    ),
    remedy=(
        "Decide how users get their configuration (AWS requires no portal), and give out no portal address for this "
        "endpoint. Switch the portal off where it was switched on. With SAML or Active Directory "
        "authentication the portal works."
    ),
    verify="Open the portal's address in a browser and see that no user of this endpoint is sent there.",
    false_alarms=(
        "AWS gives the address whether the portal is switched on or not, and does not say which: "
        "an address nobody was given does no harm.",
    ),
    decision="How users get their configuration is agreed with them; AWS's API does not even say whether the portal is on.",
    reference=f"{GUIDE}cvpn-self-service-portal.html",
)
def self_service_portal_cannot_serve(judged: pd.DataFrame) -> pd.DataFrame:
    """Return endpoints with a portal's address and authentication by certificate alone."""
    return evidence_of(
        "account region endpoint_id reason source record",
        (
            {
                **place_of(row),
                "source": row.source,
                "record": row.record,
                "reason": tr(
                    "{endpoint} has a portal address, and authenticates by certificate alone, so "
                    "nobody can sign in there.",
                    endpoint=called(row),
                ),
            }
            for row in rows_of(judged)
            if set(row.authentication_types) == {"certificate-authentication"}
        ),
    )
