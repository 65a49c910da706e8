"""Pseudonyms: for every id, account, address, ARN and text another one, always the same.

They are worked out by HMAC-SHA256 with a key: who does not have the key cannot turn one back, nor
try whether a guess is right. Different originals never get one pseudonym, so that what was told
apart stays told apart; and a pseudonym has the form the kit's checks look at: an id keeps its
prefix and length, an address stays in the networks it was in, an ARN keeps service and Region.
"""

import hmac
import re
from collections.abc import Callable, Iterator
from hashlib import sha256
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from itertools import count

__all__ = ["KEY_BYTES", "KINDS_OF_IDS", "Pseudonyms"]

KEY_BYTES = 32

_KINDS = (
    "acl aclassoc ami cagw cvpn-assoc cvpn-connection cvpn-endpoint d dopt eigw eipalloc eipassoc "
    "eni eni-attach i igw lgw nat pcx pl rtb rtbassoc sg sgr subnet subnet-cidr-assoc tgw "
    "tgw-attach tgw-rtb vgw vol vpc vpc-cidr-assoc vpce"
)
KINDS_OF_IDS = tuple(_KINDS.split())
"""What stands before the hyphen of an id of AWS's; it tells the kind of thing, and stays."""

_KIND = "|".join(sorted(KINDS_OF_IDS, key=len, reverse=True))
_ID = re.compile(rf"(?P<kind>{_KIND})-(?P<rest>[0-9A-Za-z_-]+)")
_AWS_ID = re.compile(rf"(?:{_KIND})-[0-9a-f]{{8,17}}")
_ENDPOINT_ID = re.compile(r"cvpn-endpoint-[0-9a-z]+")
_ACCOUNT = re.compile(r"[0-9]{12}")
_OF_AWS = re.compile(r"AWS|aws|amazon(-[a-z]{2,10})?")
"""An owner that is AWS itself."""
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+){1,3}-[0-9]")
_WORD = re.compile(r"-?[A-Za-z0-9$][A-Za-z0-9$_.-]{0,60}")
_MARK = "ClientVPN Endpoint resource"
"""How AWS describes an interface of Client VPN."""
_HANDLER = "AWSClientVPN-"
"""How the name of a client connect handler's function must begin."""

_PARTITIONS = re.compile(r"aws(-[a-z]+){0,3}")
_SERVICES = "acm acm-pca ds ec2 iam kms lambda logs networkmanager odb sts"
_RESOURCE_TYPES = (
    "alias assumed-role certificate core-network directory federated-user function key log-group "
    "log-stream odb-network prefix-list role root saml-provider security-group user"
)
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

KEPT_WHOLE = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/32", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3", "::/127", "fd00:ec2::/32",
        "fe80::/10", "ff00::/8",
    )
)  # fmt: skip
"""Networks whose addresses say nothing of the account, and stay as they are."""

KEPT = KEPT_WHOLE + tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
        "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "::ffff:0:0/96", "64:ff9b::/96", "2000::/3", "2001:db8::/32", "fc00::/7",
    )
)  # fmt: skip
"""Networks that an address in them stays in: what is private, shared or public stays that."""

_TURNS = 64


class Pseudonyms:
    """The pseudonyms that belong to a key.

    Parameters
    ----------
    key
        Secret bytes; the same key gives the same pseudonyms.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._known: dict[tuple[str, str], str] = {}
        self._taken: dict[str, set[str]] = {}
        self._flips: dict[tuple[int, int, int], int] = {}
        # Prefixes on the way to a network that is kept: there nothing is turned.
        self._fixed = {
            (network.version, depth, int(network.network_address) >> (network.max_prefixlen - depth))
            for network in KEPT
            for depth in range(network.prefixlen)
        }  # fmt: skip

    def digest(self, text: str) -> bytes:
        """Return 32 bytes that belong to a text."""
        return hmac.digest(self._key, text.encode("utf-8", "surrogatepass"), sha256)

    def one(self, space: str, text: str, form: Callable[[bytes, int], str]) -> str:
        """Return the pseudonym of a text, which no other text of the space has.

        Parameters
        ----------
        form
            Makes a pseudonym of 32 bytes; it is given how many characters more than usual to use,
            which is some only where short ones have run out.
        """
        if (space, text) not in self._known:
            taken = self._taken.setdefault(space, set())
            for turn in count():
                made = form(self.digest(f"{space}\0{turn}\0{text}"), turn // _TURNS)
                if made not in taken:
                    break
            taken.add(made)
            self._known[space, text] = made
        return self._known[space, text]

    # -- text ---------------------------------------------------------------------------------

    def text(self, text: str, kind: str = "text") -> str:
        """Return ``kind`` and eight letters; one text gets the same eight wherever it stands.

        >>> Pseudonyms(bytes(32)).text("payroll", "name").startswith("name-")
        True
        """
        if not text:
            return text
        return f"{kind}-{self.one('text', text, lambda made, more: made.hex()[: 8 + more])}"

    def naming(self, text: str, kind: str) -> str:
        """Return a pseudonym that goes on naming the endpoints which a text names."""
        named = [self.id(found) for found in _ENDPOINT_ID.findall(text)]
        return "-".join((self.text(text, kind), *named))

    def word(self, text: str) -> str:
        """Return a word of AWS's as it is; what is none, or is an id or an account, replaced."""
        told = _WORD.fullmatch(text) and not (_AWS_ID.fullmatch(text) or _ACCOUNT.search(text))
        return text if told or not text else self.text(text)

    def host(self, text: str) -> str:
        """Return a DNS name; one for all names of a domain stays that."""
        wild = "*." if text.startswith("*.") else ""
        return f"{wild}{self.text(text.removeprefix('*.'), 'host')}.example" if text else text

    def description(self, text: str) -> str:
        """Return the description of an interface: it stays one of Client VPN's where it is."""
        if "clientvpn endpoint" not in text.lower():
            return self.text(text)
        named = _ENDPOINT_ID.search(text.lower())
        return f"{_MARK} {self.id(named[0])}" if named else f"{_MARK} {self.text(text)}"

    def function(self, text: str) -> str:
        """Return the name or ARN of a Lambda function; its beginning tells what may call it."""
        if text.startswith("arn:"):
            return self.arn(text)
        start = _HANDLER if text.startswith(_HANDLER) else ""
        return start + self.text(text.removeprefix(start), "function")

    # -- ids and accounts ---------------------------------------------------------------------

    def id(self, text: str) -> str:
        """Return an id of the same kind and length; what is no id of AWS's as a name.

        >>> made = Pseudonyms(bytes(32)).id("sg-0123456789abcdef0")
        >>> made[:3], len(made), made == "sg-0123456789abcdef0"
        ('sg-', 20, False)
        """
        found = _ID.fullmatch(text)
        if found is None:
            return self.text(text, "name")
        kind, size = found["kind"], max(8, min(len(found["rest"]), 60))
        return self.one("id", text, lambda made, more: f"{kind}-{made.hex()[: size + more]}")

    def account(self, text: str) -> str:
        """Return twelve digits for an account; AWS itself stays AWS."""
        if _ACCOUNT.fullmatch(text):
            return self.one("account", text, _twelve_digits)
        return text if not text or _OF_AWS.fullmatch(text) else self.text(text, "name")

    def arn(self, text: str) -> str:
        """Return an ARN: of the same service, Region and kind, with everything else replaced."""
        parts = text.split(":", 5)
        if len(parts) < 6 or parts[0] != "arn":
            return self.text(text, "name")
        _, partition, service, region, account, resource = parts
        head = (
            partition if _PARTITIONS.fullmatch(partition) else self.text(partition),
            service if service in _SERVICES.split() else self.text(service, "service"),
            region if not region or _REGION.fullmatch(region) else self.text(region),
            self.account(account),
        )
        return ":".join(("arn", *head, "".join(self._segments(resource))))

    def _segments(self, resource: str) -> Iterator[str]:
        for number, part in enumerate(re.split("([:/])", resource)):
            told = (number == 0 or part == "log-stream") and part in _RESOURCE_TYPES.split()
            if number % 2 or told or part in {"", "*", "$LATEST"}:
                yield part
            elif _UUID.fullmatch(part):
                yield self.one("uuid", part, _uuid)
            elif _ID.fullmatch(part):
                yield self.id(part)
            elif part.startswith(_HANDLER):
                yield self.function(part)
            else:
                yield self.text(part, "name")

    # -- addresses ----------------------------------------------------------------------------

    def address(self, text: str) -> str:
        """Return an address or range: those that share a prefix share one of the same length.

        So what lies in, beside or apart from what stays so. Networks in ``KEPT`` stay themselves,
        addresses in ``KEPT_WHOLE`` too; anything that is no address is replaced as a text.

        >>> names = Pseudonyms(bytes(32))
        >>> from ipaddress import ip_address, ip_network
        >>> ip_address(names.address("10.1.2.3")) in ip_network(names.address("10.1.0.0/16"))
        True
        >>> names.address("0.0.0.0/0"), names.address("192.168.0.0/16"), names.address("127.0.0.1")
        ('0.0.0.0/0', '192.168.0.0/16', '127.0.0.1')
        """
        host, slash, length = text.partition("/")
        try:
            given = ip_address(host)
            if getattr(given, "scope_id", None):
                raise ValueError
            size = int(length) if slash and length.isascii() else given.max_prefixlen
            if not 0 <= size <= given.max_prefixlen:
                raise ValueError
        except ValueError:
            return self.text(text, "address") if text else text
        number = int(given)
        if not any(given in network for network in KEPT_WHOLE if network.version == given.version):
            hosts = (1 << (given.max_prefixlen - size)) - 1
            turned = self._turned(given)
            if number & hosts:
                # AWS writes no range with host bits; one that has some keeps some, and is as wrong.
                number = turned if turned & hosts else turned | 1
            else:
                number = turned & ~hosts
        kind = IPv4Address if given.version == 4 else IPv6Address
        return f"{kind(number)}{slash}{size if slash else ''}"

    def _turned(self, given: IPv4Address | IPv6Address) -> int:
        """Return an address each of whose bits is turned, or not, as the bits before it say."""
        number, bits = int(given), given.max_prefixlen
        made = 0
        for depth in range(bits):
            made = made << 1 | (number >> (bits - 1 - depth) & 1)
            made ^= self._flip(given.version, depth, number >> (bits - depth))
        return made

    def _flip(self, version: int, depth: int, prefix: int) -> int:
        key = (version, depth, prefix)
        if key not in self._flips:
            free = key not in self._fixed
            self._flips[key] = free and self.digest(f"bit\0{version}\0{depth}\0{prefix:x}")[0] & 1
        return self._flips[key]


def _twelve_digits(made: bytes, _: int) -> str:
    return str(10**11 + int.from_bytes(made) % (9 * 10**11))


def _uuid(made: bytes, _: int) -> str:
    text = made.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:32]}"
