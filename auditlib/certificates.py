"""Certificates, revocation lists and SAML metadata: when they end, and what keeps them from being read.

Whatever comes in is somebody's text: nothing here raises, each result says what is wrong.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from auditlib.language import tr

__all__ = ["Metadata", "RevocationList", "metadata_of", "revocation_list_of"]

_MOST = 64 * 2**20
"""Characters looked at; a list of AWS's 20,000 entries has about one million."""


@dataclass(frozen=True, kw_only=True)
class RevocationList:
    """What a certificate revocation list says; all missing where there is none.

    Attributes
    ----------
    problem
        Why it could not be read; ``None`` where it was.
    next_update
        When it ends; ``None`` where it does not say.
    """

    problem: str | None = None
    issuer: str | None = None
    issued: datetime | None = None
    next_update: datetime | None = None
    entries: int | None = None


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """What the metadata of a SAML identity provider says.

    Attributes
    ----------
    problem
        Why it could not be read; ``None`` where it was.
    certificate_ends
        When each of the certificates ends that its assertions may be signed with.
    """

    problem: str | None = None
    entity_id: str | None = None
    valid_until: datetime | None = None
    certificate_ends: tuple[datetime, ...] = ()


def revocation_list_of(text: str | None) -> RevocationList:
    """Return what a revocation list in PEM says.

    >>> revocation_list_of("no list at all").problem
    'it is no revocation list in PEM'
    """
    import warnings

    from cryptography import x509

    if text is None:
        return RevocationList()
    if len(text) > _MOST or "-----BEGIN X509 CRL-----" not in text:
        return RevocationList(problem=tr("it is no revocation list in PEM"))
    try:
        found = x509.load_pem_x509_crl(text.encode())
        with warnings.catch_warnings():
            # It warns of names longer than the standard has them, which name a path of this machine.
            warnings.simplefilter("ignore", UserWarning)
            issuer = found.issuer.rfc4514_string()
        return RevocationList(
            issuer=issuer,
            issued=found.last_update_utc,
            next_update=found.next_update_utc,
            entries=len(found),
        )
    except Exception:
        # The library raises many kinds of errors for what nobody should have written.
        return RevocationList(problem=tr("it is damaged, or no revocation list"))


def metadata_of(text: str | None) -> Metadata:
    """Return what the metadata of a SAML identity provider says.

    >>> metadata_of("<a").problem
    'it is no XML'
    """
    from defusedxml import DefusedXmlException, ElementTree

    if text is None or len(text) > _MOST:
        return Metadata(problem=tr("there is none"))
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, DefusedXmlException, ValueError):
        return Metadata(problem=tr("it is no XML"))
    ends: list[datetime] = []
    for key in root.iter(f"{_MD}KeyDescriptor"):
        if key.get("use") == "encryption":
            continue
        for element in key.iter(f"{_DS}X509Certificate"):
            end = _end_of("".join((element.text or "").split()))
            if end is None:
                return Metadata(problem=tr("a certificate in it cannot be read"))
            ends.append(end)
    stated = [value for one in root.iter() if (value := one.get("validUntil")) is not None]
    limits = [end for value in stated if (end := _time(value))]
    if not ends:
        problem = tr("it holds no certificate to check signatures with")
    elif len(limits) < len(stated):
        problem = tr("the day on which it ends cannot be read")
    else:
        problem = None
    return Metadata(
        problem=problem,
        entity_id=root.get("entityID"),
        valid_until=min(limits, default=None),
        certificate_ends=tuple(sorted(ends)),
    )


_MD = "{urn:oasis:names:tc:SAML:2.0:metadata}"
_DS = "{http://www.w3.org/2000/09/xmldsig#}"


def _end_of(base64_text: str) -> datetime | None:
    import base64

    from cryptography import x509

    try:
        return x509.load_der_x509_certificate(base64.b64decode(base64_text)).not_valid_after_utc
    except Exception:
        # The library raises many kinds of errors for what nobody should have written.
        return None


def _time(text: str) -> datetime | None:
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return None
    try:
        return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    except OverflowError:  # hours before the first year, or after the last
        return read.replace(tzinfo=UTC)
