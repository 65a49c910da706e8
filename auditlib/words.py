"""Short phrases for people: a rule in words, an interface with its name, a count.

Plain text only. Names come from whoever can write to the account: they are shortened and freed of
line breaks here, and unseen characters are written out; escaping for HTML is the business of the report side.
"""

import re
from collections.abc import Iterable, Mapping
from ipaddress import ip_network
from typing import Any

from auditlib.characters import is_disguised, visible
from auditlib.language import current, marked, tr, tr_as

__all__ = [
    "acceptance",
    "clean",
    "column",
    "count",
    "deciding",
    "first_sentence",
    "gap",
    "head",
    "interface",
    "left_open",
    "listed",
    "minute",
    "named",
    "network",
    "once_let_out",
    "opening",
    "peer",
    "plural",
    "protocol",
    "rule",
    "series",
    "table",
    "told",
    "traffic",
    "value",
    "width",
    "within",
]

_PROTOCOLS = {"tcp": "TCP", "udp": "UDP", "icmp": "ICMP", "icmpv6": "ICMPv6"}
_PORTS = {"tcp", "udp"}
_EVERYWHERE = {"0.0.0.0/0": 4, "::/0": 6}
_SMALL = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def plural(noun: str) -> str:
    """Return the plural of a noun.

    >>> plural("security group"), plural("address"), plural("entry")
    ('security groups', 'addresses', 'entries')
    """
    if current() != "en":
        return tr(noun)
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + ("es" if noun.endswith(("s", "x", "ch")) else "s")


_OTHERWISE = {
    "Region": marked("{number:,} Regions"),
    "account": marked("{number:,} accounts"),
    "address": marked("{number:,} addresses"),
    "free address": marked("{number:,} free addresses"),
}
"""Nouns that some languages count in another way than most."""


def count(number: int, noun: str) -> str:
    """Return a number with its noun.

    >>> count(0, "interface"), count(1, "interface"), count(1200, "interface")
    ('no interface', 'one interface', '1,200 interfaces')
    """
    if current() != "en":
        if noun in _OTHERWISE:
            return tr(_OTHERWISE[noun], number=number)
        return tr("{number:,} {noun}", number=number, noun=tr(noun))
    figure = _SMALL[number] if number < len(_SMALL) else f"{number:,}"
    return f"{figure} {noun if number <= 1 else plural(noun)}"


_PASSED = (
    "endpoint route: ",
    "egress: ",
    "network ACL: ",
    "VPC route: ",
    "receiver network ACL: ",
    "return route: ",
)


def deciding(hops: Iterable[str]) -> tuple[str, ...]:
    """Return the hops of ``via`` that grant, or are not known, without those that only let pass.

    >>> deciding(["authorization: 10.0.0.0/16 for dev", "egress: sgr-1", "ingress: sgr-2"])
    ('authorization: 10.0.0.0/16 for dev', 'ingress: sgr-2')
    """
    return tuple(hop for hop in hops if not hop.startswith(_PASSED))


def series(items: Iterable[str]) -> str:
    """Return items one after the other, parted as the language parts them.

    >>> series(["ap-northeast-1", "us-east-1"])
    'ap-northeast-1, us-east-1'
    """
    return tr_as("list", ", ").join(items)


def listed(items: Iterable[str], most: int = 6) -> str:
    """Return items as a list in a sentence; beyond ``most``, how many more there are.

    >>> listed(["a"]), listed(["a", "b"]), listed("abcde", most=3)
    ('a', 'a and b', 'a, b, c and 2 more')
    """
    all_items = list(items)
    shown = all_items if len(all_items) <= most else all_items[:most]
    if rest := len(all_items) - len(shown):
        return tr("{items} and {rest:,} more", items=series(shown), rest=rest)
    if len(shown) < 2:
        return "".join(shown)
    return tr("{items} and {last}", items=series(shown[:-1]), last=shown[-1])


_HEADS = {
    "arn": "ARN",
    "cidr": "CIDR",
    "eni": "interface",
    "iam": "IAM",
    "id": "ID",
    "ip": "IP",
    "vpc": "VPC",
}


def head(column: str) -> str:
    """Return a column's name for people.

    >>> head("group_id"), head("destination_cidr"), head("iam_action")
    ('Group', 'Destination CIDR', 'IAM action')
    """
    return tr_as("head", english_head(column))


def english_head(column: str) -> str:
    """Return a column's name for people as it is translated from."""
    parts = (column.removesuffix("_id") or column).split("_")
    return opening(" ".join(_HEADS.get(part, part) for part in parts))


def column(name: str) -> str:
    """Return a column's name inside a sentence or a cell.

    >>> column("session_timeout_hours")
    'session timeout hours'
    """
    return name.replace("_", " ") if current() == "en" else head(name)


def table(name: str) -> str:
    """Return a table's name for people.

    >>> table("client_vpn_endpoints")
    'client vpn endpoints'
    """
    return tr_as("table", clean(name.replace("_", " ")))


def opening(text: str) -> str:
    """Return a text with a capital at its beginning, unless an id of AWS begins it.

    >>> opening("high"), opening("高"), opening("cvpn-endpoint-0123456789abcdef0 のルール")
    ('High', '高', 'cvpn-endpoint-0123456789abcdef0 のルール')
    """
    return text if _ID.match(text) else text[:1].upper() + text[1:]


_ID = re.compile(r"[a-z]+(?:-[a-z]+)*-[0-9a-f]{8}")


def within(sentence: str) -> str:
    """Return a sentence as it stands within another: small at its beginning, unless a name begins it.

    >>> within("No rule is wide"), within("Client VPN endpoints rest"), within("SAML metadata hold")
    ('no rule is wide', 'Client VPN endpoints rest', 'SAML metadata hold')
    """
    first = sentence.partition(" ")[0]
    small = first != "Client" and first[1:] == first[1:].lower()
    return sentence[:1].lower() + sentence[1:] if small else sentence


def clean(text: object, most: int = 60) -> str:
    r"""Return a name as one short line, with characters a reader would not see written out.

    >>> clean("web\n server"), clean("a\u202eb"), clean(None)
    ('web server', 'a[U+202E]b', '')
    """
    if not isinstance(text, str):
        return ""
    line = visible(" ".join(text.split()))
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def named(id: object, name: object = None) -> str:
    """Return an id with the name beside it, where it has one.

    >>> named("sg-1", "default"), named("sg-1"), named(None, "default")
    ('sg-1 (default)', 'sg-1', 'default')
    >>> named("sg-1", "=1+1")
    'sg-1 (suspicious name)'
    """
    known, called = clean(id), clean(name)
    if known and _is_suspicious(name):
        return told(known, name)
    if not known:
        return called
    return f"{known} ({called})" if called and called != known else known


def minute(time: Any) -> str:
    """Return a time in UTC, to the minute."""
    return f"{time:%Y-%m-%d %H:%M} UTC"


def told(id: str, name: object) -> str:
    """Return what a thing is called on a page: its name, unless that looks like something else.

    Then its id, for such a name is repeated in one place only; see :func:`auditlib.summary.disguised`.

    >>> told("sg-1", "web"), told("sg-1", "[x](https://e.example)")
    ('web', 'sg-1 (suspicious name)')
    """
    return tr("{id} (suspicious name)", id=id) if _is_suspicious(name) else str(name)


def _is_suspicious(name: object) -> bool:
    return isinstance(name, str) and is_disguised(name)


def name_first(id: object, name: object = None) -> str:
    """Return a name with the id beside it, where it has one.

    >>> name_first("sg-1", "default"), name_first("sg-1")
    ('default (sg-1)', 'sg-1')
    """
    if _is_suspicious(name):
        return named(id, name)
    return named(name, id) if clean(name) else clean(id)


def acceptance(row: Any) -> str:
    """Return in words who accepted a row of evidence (of ``Finding.accepted``), and why.

    >>> from types import SimpleNamespace as Row
    >>> acceptance(Row(accepted_until="2027-03-31", accepted_owner="Jane", accepted_reason="A test.",
    ...                accepted_reference=""))
    'accepted until 2027-03-31 by Jane: A test.'
    """
    reference = clean(row.accepted_reference, 200)
    said = tr(
        "accepted until {until} by {owner}: {reason}",
        until=row.accepted_until,
        owner=clean(row.accepted_owner, 200),
        reason=clean(row.accepted_reason, 2000),
    )
    return f"{said} ({reference})" if reference else said


def interface(row: Any) -> str:
    """Return an interface (a row of ``network_interfaces``) with what it belongs to.

    >>> from types import SimpleNamespace as Row
    >>> interface(Row(eni_id="eni-1", name="db", private_ip="10.0.0.4", instance_id="i-1",
    ...               interface_type="interface", description=None))
    'eni-1 (db, EC2 instance i-1, 10.0.0.4)'
    """
    details = [tr("suspicious name") if _is_suspicious(row.name) else clean(row.name)]
    if clean(row.instance_id):
        details.append(tr("EC2 instance {row.instance_id}", row=row))
    elif clean(row.interface_type) not in {"", "interface"}:
        details.append(tr("type {type}", type=clean(row.interface_type)))
    elif not details[0] and not _is_suspicious(row.description):
        details.append(clean(row.description))
    details.append(clean(row.private_ip))
    inside = series(filter(None, details))
    return f"{row.eni_id} ({inside})" if inside else str(row.eni_id)


def protocol(name: object) -> str:
    """Return a protocol as people write it; one without a name by its number.

    >>> protocol("tcp"), protocol("icmpv6"), protocol("50")
    ('TCP', 'ICMPv6', 'IP protocol 50')
    """
    kind = clean(name)
    return _PROTOCOLS.get(kind) or tr("IP protocol {number}", number=kind)


def traffic(name: object, from_port: object = None, to_port: object = None) -> str:
    """Return protocol and ports in words.

    >>> traffic("all"), traffic("tcp", 22, 22), traffic("udp", 0, 65535), traffic("50")
    ('all traffic', 'TCP 22', 'all UDP', 'IP protocol 50')
    >>> traffic("tcp", 8000, 8080), traffic("icmp", -1, -1), traffic("icmp", 8, 0)
    ('TCP 8000-8080', 'all ICMP', 'ICMP type 8 code 0')
    """
    kind = clean(name)
    if kind in {"all", "-1"}:
        return tr("all traffic")
    called = protocol(kind)
    low, high = _number(from_port), _number(to_port)
    if kind in _PORTS:
        if low is None or high is None or (low <= 0 and high in {-1, 65535}):
            return tr("all {protocol}", protocol=called)
        return f"{called} {low}" if low == high else f"{called} {low}-{high}"
    if kind in {"icmp", "icmpv6"}:
        if low is None or low < 0:
            return tr("all {protocol}", protocol=called)
        if high is None or high < 0:
            return tr("{protocol} type {type}", protocol=called, type=low)
        return tr("{protocol} type {type} code {code}", protocol=called, type=low, code=high)
    return called


def network(
    cidr: object, known: Mapping[str, str] | None = None, *, anywhere: str = marked("the internet")
) -> str:
    """Return a range as people call it, with the range itself.

    Parameters
    ----------
    known
        Names of ranges, such as ``{"10.0.1.0/24": "subnet vpn-a"}``.
    anywhere
        What to call all addresses: as a source they are the internet, as a destination more.

    >>> network("0.0.0.0/0"), network("10.0.1.0/24", {"10.0.1.0/24": "subnet vpn-a"})
    ('the internet (0.0.0.0/0)', 'subnet vpn-a (10.0.1.0/24)')
    >>> network("10.0.1.0/24")
    '10.0.1.0/24'
    """
    text = clean(cidr)
    if text in _EVERYWHERE:
        called: str | None = tr(anywhere)
        if _EVERYWHERE[text] == 6:
            called = tr("{anywhere} over IPv6", anywhere=called)
    else:
        called = (known or {}).get(text)
    return f"{called} ({text})" if called else text


def peer(row: Any, names: Mapping[str, str] | None = None) -> str:
    """Return the source or destination of a rule (a row of ``security_group_rules``) in words.

    Parameters
    ----------
    names
        Names of security groups and prefix lists by id, and of ranges by range.
    """
    known = names or {}
    text = clean(row.peer)
    if row.peer_kind == "security_group":
        owner = clean(row.referenced_group_owner_id)
        own = clean(row.group_owner_id)
        group = named(text, known.get(text))
        foreign = owner and own and owner != own
        return tr("{group} of account {owner}", group=group, owner=owner) if foreign else group
    if row.peer_kind == "prefix_list":
        return tr("prefix list {name}", name=named(text, known.get(text)))
    anywhere = marked("anywhere") if row.is_egress else marked("the internet")
    return network(text, known, anywhere=anywhere) or tr("an unknown peer")


def rule(row: Any, names: Mapping[str, str] | None = None) -> str:
    """Return a rule (a row of ``security_group_rules``) in words, ``TCP 22 from sg-1 (vpn)``."""
    parts = {
        "traffic": traffic(row.protocol, row.from_port, row.to_port),
        "peer": peer(row, names),
    }
    return (
        tr("{traffic} to {peer}", **parts)
        if row.is_egress
        else tr("{traffic} from {peer}", **parts)
    )


_VALUES = (
    marked("accepted"), marked("added"), marked("all"), marked("allowed"), marked("changed"), marked("denied"),
    marked("choice"), marked("expired"), marked("fail"), marked("findings bear"), marked("gained"), marked("ground"), marked("information"),
    marked("lost"),
    marked("recreated"), marked("removed"), marked("steadier"), marked("uncertain"),
    marked("weaker"),
    marked("failed"), marked("in force"), marked("matches nothing"), marked("met"),
    marked("missing"), marked("newly raised"), marked("no: accepted"), marked("not applicable"),
    marked("not assessed"), marked("not covered"), marked("not met"), marked("not needed"),
    marked("nothing found"),    marked("ok"), marked("pass"), marked("refused"), marked("resolved"), marked("still open"),
    marked("unsupported"), marked("untold"), marked("left open"),
    marked("authorization rule"), marked("client range"), marked("fragile address"),
    marked("left over"), marked("limited"), marked("nothing"), marked("route"),
    marked("whole subnet"),
)  # fmt: skip


def value(word: str) -> str:
    """Return one of the kit's own words in a column, such as a status, for people.

    >>> value("not_assessed")
    'not_assessed'
    """
    plain = word.replace("_", " ")
    said = tr(plain)
    return word if said == plain else said


def first_sentence(text: str) -> str:
    """Return the first sentence of a text.

    >>> first_sentence("Create a group, e.g. vpn-users. Then apply it.")
    'Create a group, e.g. vpn-users.'
    """
    flat = " ".join(text.split())
    for at, character in enumerate(flat):
        if character == "。" and current() != "en":
            return flat[: at + 1]
        if character == "." and flat[at + 1 : at + 2] == " " and flat[at + 2 : at + 3].isupper():
            return flat[: at + 1]
    return flat


def width(cidr: object) -> str:
    """Return how many addresses a range holds, in words.

    >>> width("0.0.0.0/0"), width("10.0.0.0/16"), width("10.0.0.4/32"), width("2001:db8::/64")
    ('every IPv4 address', '65,536 addresses', 'one address', 'a /64 of IPv6 addresses')
    >>> width("nonsense")
    'an unknown number of addresses'
    """
    try:
        found = ip_network(clean(cidr), strict=False)
    except ValueError:
        return tr("an unknown number of addresses")
    if found.prefixlen == 0:
        return tr("every IPv{version} address", version=found.version)
    if found.version == 6 and found.num_addresses > 1:
        return tr("a /{length} of IPv6 addresses", length=found.prefixlen)
    return count(found.num_addresses, "address")


NOT_HELD = marked("the snapshot says that it was answered, and does not hold the answer")
"""What is said of a call whose answer got lost."""


def left_open(row: Any) -> bool:
    """Say whether a gap is a question that the answers leave open, and no call that lacks one.

    What lies elsewhere, or AWS does not tell: granting the permission of a call would not tell it.
    """
    if row.status != "missing":
        return bool(row.status == "untold")
    told = clean(row.error_message, 1000)
    return bool(clean(row.resource) and told and not clean(row.error_code)) and told != tr(NOT_HELD)


def gap(row: Any) -> str:
    """Return a gap (a row of ``schemas.GAPS``) in words: which call, where, what came of it."""
    code, about = clean(row.error_code), clean(row.resource)
    parts = {"call": f"{row.service} {row.operation}", "region": row.region, "account": row.account}
    if row.status == "missing" and left_open(row):
        return tr(
            "left open in {region} (account {account}): {what}",
            region=row.region,
            account=row.account,
            what=clean(row.error_message, 200),
        )
    where = (
        tr("{call} for {about} in {region} (account {account})", **parts, about=about)
        if about
        else tr("{call} in {region} (account {account})", **parts)
    )
    became = {
        "denied": marked("{where} was denied"),
        "failed": marked("{where} failed"),
        "unsupported": marked("{where} is not known to the SDK or AWS CLI that read the account")
        if code
        else marked("{where} was read by an SDK that may leave out what is needed"),
        "missing": marked("{where} is not in the snapshot"),
        "untold": marked("{where} does not tell what is needed"),
    }.get(clean(row.status), marked("{where} could not be read"))
    said = tr(became, where=where) + (f" ({code})" if code else "")
    # An error that AWS or the SDK gave stands behind its code; these have none.
    own = row.status in {"missing", "untold"} or (row.status == "unsupported" and not code)
    told = own and clean(row.error_message, 200)
    return f"{said}: {told}" if told else said


def once_let_out(row: Any) -> str:
    """Say what becomes of a network that outbound rules stop once they let it out; empty where unknown.

    Parameters
    ----------
    row
        A row of ``opened_networks``.
    """
    if isinstance(row.also_stopped_by, str):
        return tr(
            "An outbound rule alone does not open it: {what} would still stop it.",
            what=row.also_stopped_by,
        )
    if len(row.would_reach):
        return tr(
            "With an outbound rule users get there, or may get there, to {receivers}.",
            receivers=listed(row.would_reach, most=3),
        )
    if row.would_leave:
        return tr(
            "With an outbound rule it leaves what was read: what is reached then is not known."
        )
    return ""


def _number(value: object) -> int | None:
    return int(value) if isinstance(value, int) or hasattr(value, "__index__") else None
