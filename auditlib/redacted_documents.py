"""Documents inside AWS's answers, redacted: policies, revocation lists, SAML metadata, events.

Lists and metadata are made anew with nothing but what the kit reads in them: when they end, and how
many things they hold. Of a policy the words of Cedar's and of AWS's published lists stay.
"""

import base64
import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import quoteattr

from auditlib import cedar, trail
from auditlib.certificates import metadata_of, revocation_list_of
from auditlib.language import tr
from auditlib.pseudonyms import Pseudonyms

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = ["event", "metadata", "policy", "revocation_list"]

# -- Cedar ----------------------------------------------------------------------------------------

_WORDS = (
    "permit forbid when unless true false if then else in like has is principal action resource "
    "context contains containsAll containsAny isEmpty hasTag getTag ip isIpv4 isIpv6 isLoopback "
    "isMulticast isInRange decimal lessThan lessThanOrEqual greaterThan greaterThanOrEqual "
    "datetime duration offset durationSince toDate toTime toMilliseconds toSeconds toMinutes "
    "toHours toDays Action active directory mutual authentication"
)
_CEDAR = frozenset(_WORDS.split())
_PUBLISHED = frozenset(
    {*cedar.PUBLISHED, cedar.ALWAYS_THERE, "active-directory", "mutual-authentication"}
    | {part for paths in cedar.PUBLISHED.values() for path in paths for part in path}
)
_PUBLIC_ADDRESS = re.compile(r"public[ _-]?ip", re.IGNORECASE)
_TOKEN = re.compile(
    r'(?P<before>\b(?:ip|like|decimal|datetime|duration)\s*\(?\s*)?"(?P<string>(?:[^"\\]|\\.)*)"'
    r"|(?P<comment>//[^\n]*)|(?P<word>[A-Za-z_]\w*)|(?P<number>[0-9]+)|(?P<other>.)",
    re.DOTALL,
)
_MEASURE = re.compile(r"[-+0-9.:TZdhms]{1,40}")


def policy(text: str, names: Pseudonyms) -> str:
    """Return a Cedar policy of the same structure and size, whose words and texts name nobody.

    One that cannot be read stays one that cannot be read.
    """
    made = "".join(_token(found, names) for found in _TOKEN.finditer(text))
    if cedar.policy_of(text).problem and not cedar.policy_of(made).problem:
        size = len(text.encode("utf-8", "surrogatepass"))
        return "permit(" + " " * max(0, size - 7)
    return made


def _token(found: re.Match[str], names: Pseudonyms) -> str:
    if (string := found["string"]) is not None:
        return f'{found["before"] or ""}"{_string(string, found["before"] or "", names)}"'
    if (comment := found["comment"]) is not None:
        return "//" + "." * (_bytes(comment) - 2)
    if (word := found["word"]) is not None:
        kept = word in _CEDAR or word in _PUBLISHED or _PUBLIC_ADDRESS.fullmatch(word)
        return word if kept else _sized(word, "cedar", names)
    if (number := found["number"]) is not None:
        return names.account(number) if len(number) == 12 else number
    other = found["other"]
    return other if other.isascii() and (other.isprintable() or other.isspace()) else "?" * _bytes(
        other
    )  # fmt: skip


def _string(string: str, before: str, names: Pseudonyms) -> str:
    if string in _PUBLISHED or _PUBLIC_ADDRESS.fullmatch(string):
        return string
    if before.startswith("ip"):
        made = names.address(string)
        return made if made.partition("-")[0] != "address" else _sized(string, "cedar", names)
    if before.startswith("like"):  # a wildcard matches anything: whether there is one must stay
        parts = re.split(r"((?<!\\)\*)", string)
        return "".join(part if part == "*" else _sized(part, "cedar", names) for part in parts)
    if before and _MEASURE.fullmatch(string):
        return string
    return _sized(string, "cedar", names)


def _sized(text: str, space: str, names: Pseudonyms) -> str:
    """Return letters in place of a text, as many as it has bytes: the size of a policy counts."""
    size = _bytes(text)
    if not size:
        return ""

    def form(made: bytes, more: int) -> str:
        letters = base64.b32encode(made).decode().rstrip("=").lower()
        one = letters if size == 1 else "x" + letters  # no word of Cedar's begins so
        while len(one) < size + more:
            one += letters
        return one[: size + more]

    return names.one(f"{space} {size}", text, form)


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


# -- certificates ---------------------------------------------------------------------------------

_DAMAGED = "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"
_NEVER = datetime(2999, 12, 31, tzinfo=UTC)
"""In place of an end where a list has none, which the library that writes lists does not allow."""


def revocation_list(text: str, names: Pseudonyms) -> str:
    """Return a revocation list with the same times and as many entries; one as damaged as it was."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    found = revocation_list_of(text)
    if found.problem:
        return _DAMAGED if "BEGIN X509 CRL" in text else names.text(text)
    end = found.next_update or _NEVER
    begin = min(found.issued or end, end - timedelta(seconds=1))
    made = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(_subject(names.text(found.issuer or "", "issuer")))
        .last_update(begin)
        .next_update(end)
    )
    for number in range(found.entries or 0):
        entry = x509.RevokedCertificateBuilder().serial_number(number + 1)
        made = made.add_revoked_certificate(entry.revocation_date(begin).build())
    return made.sign(_signer(names), None).public_bytes(Encoding.PEM).decode()


def metadata(text: str, names: Pseudonyms) -> str:
    """Return an identity provider's metadata with the same ends; one as unreadable as it was."""
    found = metadata_of(text)
    if found.problem == tr("it is no XML"):
        return "<" + names.text(text)
    if found.problem == tr("a certificate in it cannot be read"):
        certificates = [base64.b64encode(b"unreadable").decode()]
    else:
        certificates = [_certificate(end, names) for end in found.certificate_ends]
    keys = "".join(
        '<md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#">'
        f"<ds:X509Data><ds:X509Certificate>{one}</ds:X509Certificate></ds:X509Data>"
        "</ds:KeyInfo></md:KeyDescriptor>"
        for one in certificates
    )
    until = found.valid_until
    limit = f' validUntil="{until.astimezone(UTC).isoformat()}"' if until else ""
    if found.problem == tr("the day on which it ends cannot be read"):
        keys += '<md:AttributeAuthorityDescriptor validUntil="unreadable"/>'
    entity = names.text(found.entity_id or "", "entity")
    return (
        '<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" '
        f"entityID={quoteattr(entity)}{limit}><md:IDPSSODescriptor>{keys}</md:IDPSSODescriptor>"
        "</md:EntityDescriptor>"
    )


def _certificate(end: datetime, names: Pseudonyms) -> str:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    name, key = _subject(names.text("certificate", "issuer")), _signer(names)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(end - timedelta(days=1))
        .not_valid_after(end)
        .sign(key, None)
    )
    return base64.b64encode(made.public_bytes(Encoding.DER)).decode()


def _subject(name: str) -> "x509.Name":
    from cryptography import x509

    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)] if name else [])


def _signer(names: Pseudonyms) -> "Ed25519PrivateKey":
    """Return a key that belongs to the pseudonyms; it signs the same bytes every time."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(names.digest("signer"))


# -- events ---------------------------------------------------------------------------------------

_WHO: Mapping[str, Callable[[Pseudonyms, str], str]] = {
    "accountId": Pseudonyms.account,
    "arn": Pseudonyms.arn,
    "errorCode": Pseudonyms.word,
    "invokedBy": Pseudonyms.word,
    "type": Pseudonyms.word,
    "userName": lambda names, text: names.text(text, "name"),
}
_WHAT: Mapping[trail.Kind, Callable[[Pseudonyms, str], str]] = {
    "address": Pseudonyms.address,
    "arn": Pseudonyms.arn,
    "flag": Pseudonyms.word,
    "group": lambda names, text: names.text(text, "group"),
    "id": lambda names, text: text if text == "local" else names.id(text),
    "number": Pseudonyms.word,
}


def event(text: str, names: Pseudonyms) -> str:
    """Return CloudTrail's record of an event: who called and what about, in pseudonyms."""
    kept = trail.kept(text)
    return json.dumps(_told(json.loads(kept), names)) if kept else ""


def _told(value: Any, names: Pseudonyms) -> Any:
    if isinstance(value, list):
        return [_told(one, names) for one in value]
    return {
        member: _said(member, held, names)
        for member, held in value.items()
        if isinstance(held, Mapping | list)
        or member in _WHO
        or member.casefold() in trail.IDENTIFIERS
    }


def _said(member: str, held: Any, names: Pseudonyms) -> Any:
    known = trail.IDENTIFIERS.get(member.casefold())
    if known is None and member not in _WHO:
        return _told(held, names)
    made = _WHO[member] if known is None else _WHAT[known[1]]
    if isinstance(held, list):
        return [made(names, _plain(one)) for one in held]
    return made(names, _plain(held))


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
