"""What a Cedar authorization policy says, as plain data: what each of its statements reads.

``cedarpy`` parses; nothing here judges. A policy that cannot be parsed has a ``problem`` and no
statements, so whoever asks must look at the problem first: no statement is not the same as none
that is bad.

Client VPN evaluates a policy against ``context``, with a namespace each for the device's trust
provider, the user and the connection. Which namespaces are there depends on how the endpoint is
set up; ``context.connection`` always is
(https://docs.aws.amazon.com/vpn/latest/clientvpn-admin/device-posture-step2.html).
"""

import ipaddress
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from auditlib.language import tr

__all__ = [
    "ALWAYS_THERE",
    "LARGEST",
    "PUBLISHED",
    "Path",
    "Policy",
    "Statement",
    "dotted",
    "policy_of",
    "published",
]

Path = tuple[str, ...]
"""An attribute of ``context``, as ``("jamf", "risk")``."""

LARGEST = 10_000
"""Bytes a policy may have in UTF-8."""

ALWAYS_THERE = "connection"
"""The namespace that every evaluation has; AWS says what is in it, not how it is spelt."""

PUBLISHED: Mapping[str, frozenset[Path]] = {
    "crowdstrike": frozenset(
        {
            ("assessment", "overall"),
            ("assessment", "os"),
            ("assessment", "sensor_config"),
            ("assessment", "version"),
            ("cid",),
            ("platform",),
            ("serial_number",),
        }
    ),
    "jamf": frozenset({("risk",), ("groups",), ("osv",)}),
    "jumpcloud": frozenset({("device", "is_managed"), ("org_id",), ("system",), ("durt_id",)}),
    "saml": frozenset({("memberOf",)}),
}
"""The attributes AWS has published, by namespace."""

_UNLISTED = {ALWAYS_THERE, "active-directory", "mutual-authentication"}
"""Namespaces AWS names without publishing how their attributes are spelt."""

_MOST_BYTES = 4 * LARGEST
_DEEPEST = 40
"""Brackets in brackets, and ``if`` in a policy, that are read: the parser has a stack to lose."""


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One ``permit`` or ``forbid``.

    Attributes
    ----------
    effect
        ``permit`` or ``forbid``.
    scoped
        Its head or a condition names a principal, an action or a resource; AWS has not published
        which it passes.
    conditions
        How many ``when`` and ``unless`` it has.
    reads
        Attributes of ``context`` that its conditions read, or ask for with ``has``.
    unguarded
        For an attribute that is read where it may be missing: the attribute, and the first part of
        it that nothing asked for with ``has`` before.
    always
        It holds for a connection of which no user and no device is known. False where it is
        ``scoped``: then nobody can say.
    demands
        It is proven not to hold for everybody: some attribute must have, or must not have, a value.
        False proves nothing: that an attribute is there may be true of everybody.
    """

    effect: str
    scoped: bool
    conditions: int
    reads: tuple[Path, ...]
    unguarded: tuple[tuple[Path, Path], ...]
    always: bool
    demands: bool

    @property
    def reads_public_address(self) -> bool:
        """Whether it reads the address a user connects from; any spelling counts."""
        return any(
            path[0] == ALWAYS_THERE and any(_PUBLIC_ADDRESS.search(part) for part in path[1:])
            for path in self.reads
        )


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What is known of a policy's text.

    Attributes
    ----------
    problem
        Why it could not be read as Cedar; empty where it could.
    beyond
        What in it is Cedar and is not followed here, so that ``reads`` may lack something; empty
        where all is.
    size
        Bytes in UTF-8.
    dotted_hyphens
        Attributes with a hyphen written after a dot, which is not Cedar.
    """

    problem: str
    size: int
    dotted_hyphens: tuple[str, ...]
    beyond: str = ""
    statements: tuple[Statement, ...] = ()

    @property
    def doubt(self) -> str:
        """Why what is said of it may be wrong or lack something; empty where it does not."""
        return self.problem or self.beyond

    @property
    def permits(self) -> tuple[Statement, ...]:
        """Its ``permit`` statements."""
        return tuple(s for s in self.statements if s.effect == "permit")

    @property
    def forbids(self) -> tuple[Statement, ...]:
        """Its ``forbid`` statements."""
        return tuple(s for s in self.statements if s.effect == "forbid")

    @property
    def reads(self) -> tuple[Path, ...]:
        """Every attribute of ``context`` that it reads, once, in order."""
        return tuple(sorted({path for s in self.statements for path in s.reads}))

    @property
    def appears_to_restrict_addresses(self) -> bool:
        """Whether nobody seems to get in without the address being looked at.

        A ``forbid`` reads it, or every ``permit`` does. Whether it decides rightly is not looked at.
        """
        if self.doubt:
            return False
        return any(s.reads_public_address for s in self.forbids) or all(
            s.reads_public_address for s in self.permits
        )


def dotted(path: Path) -> str:
    """Return an attribute as Cedar spells it.

    >>> dotted(("jamf", "risk")), dotted(("active-directory", "groups"))
    ('context.jamf.risk', 'context["active-directory"].groups')
    """
    parts = (f".{part}" if _PLAIN.fullmatch(part) else f"[{json.dumps(part)}]" for part in path)
    return "context" + "".join(parts)


def published(path: Path) -> bool:
    """Tell whether an attribute, or what it is a part of, is not known to be outside AWS's lists.

    >>> published(("jamf", "risk")), published(("jamf", "diskEncryptionEnabled"))
    (True, False)
    >>> published(("crowdstrike", "assessment")), published(("connection", "anything"))
    (True, True)
    """
    if not path or path[0] in _UNLISTED:
        return True
    listed = PUBLISHED.get(path[0])
    if listed is None:
        return False
    return len(path) == 1 or any(known[: len(path) - 1] == path[1:] for known in listed)


@lru_cache(maxsize=512)
def policy_of(text: str) -> Policy:
    """Return what a policy says; never raises, whatever the text is.

    >>> policy_of('permit(principal, action, resource) when { context.jamf.risk == "LOW" };').reads
    (('jamf', 'risk'),)
    >>> policy_of("permit(").problem
    'unexpected end of input'
    """
    size = len(text.encode("utf-8", "surrogatepass"))
    bare = _without_strings(text)
    hyphens = tuple(sorted({_spelt(found) for found in _DOTTED_HYPHEN.finditer(bare)}))
    try:
        statements, beyond = _statements(text, bare, size)
    except _UnreadableError as error:
        return Policy(problem=str(error), size=size, dotted_hyphens=hyphens)
    except RecursionError:
        problem = tr("it is nested too deeply to be read here")
        return Policy(problem=problem, size=size, dotted_hyphens=hyphens)
    return Policy(
        problem="", size=size, dotted_hyphens=hyphens, beyond=beyond, statements=statements
    )


class _UnreadableError(Exception):
    """Why a text could not be read as Cedar."""


_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PUBLIC_ADDRESS = re.compile(r"public[ _-]?ip", re.IGNORECASE)
_QUIET = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\n]*', re.DOTALL)
_QUIET_OR_END = re.compile(f"{_QUIET.pattern}|;", re.DOTALL)
_DOTTED_HYPHEN = re.compile(
    r"(?P<before>\bcontext(?:\s*\.\s*\w+)*)\s*(?P<by>\.|\bhas\b)\s*(?P<name>[A-Za-z_]\w*"
    r"(?:-(?!(?:context|principal|action|resource|if|true|false)\b)[A-Za-z_]\w*(?!\w*\s*\())+)"
)


def _spelt(found: re.Match[str]) -> str:
    before = re.sub(r"\s+", "", found["before"])
    return f"{before} has {found['name']}" if found["by"] == "has" else f"{before}.{found['name']}"


def _without_strings(text: str) -> str:
    """Return a text with its strings emptied and its comments gone."""
    return _QUIET.sub(lambda found: '""' if found[0].startswith('"') else " ", text)


def _statements(text: str, bare: str, size: int) -> tuple[tuple[Statement, ...], str]:
    import cedarpy

    if size > _MOST_BYTES:
        raise _UnreadableError(
            tr("it has {size:,} bytes, far more than Client VPN takes", size=size)
        )
    if _depth(bare) > _DEEPEST or len(re.findall(r"\bif\b", bare)) > _DEEPEST:
        raise _UnreadableError(tr("it is nested too deeply to be read here"))
    try:
        parsed = json.loads(cedarpy.policies_to_json_str(text))
    except (ValueError, UnicodeError) as error:
        raise _UnreadableError(" ".join(str(error).split()) or tr("it is not Cedar")) from None
    if parsed.get("templates"):
        raise _UnreadableError(tr("it holds a template, which decides nothing by itself"))
    policies = [one for _, one in sorted(parsed["staticPolicies"].items(), key=_place)]
    if not policies:
        raise _UnreadableError(tr("it holds no permit and no forbid"))
    parts = _parts_of(text)
    if len(parts) != len(policies):
        raise _UnreadableError(tr("its statements could not be told apart"))
    made = [_statement(one, part) for one, part in zip(policies, parts, strict=True)]
    return tuple(one for one, _ in made), next((beyond for _, beyond in made if beyond), "")


def _parts_of(text: str) -> list[str]:
    """Return the text of each statement: a semicolon ends one and stands nowhere else in Cedar."""
    ends = [found.end() for found in _QUIET_OR_END.finditer(text) if found[0] == ";"]
    return [text[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]


def _place(item: tuple[str, Any]) -> tuple[int, str]:
    """Return where a policy stood in the text: cedarpy numbers them as it goes."""
    return int(item[0].removeprefix("policy") or 0), item[0]


def _depth(bare: str) -> int:
    deepest = now = 0
    for character in bare:
        if character in "([{":
            now += 1
            deepest = max(deepest, now)
        elif character in ")]}":
            now -= 1
    return deepest


def _statement(parsed: Mapping[str, Any], text: str) -> tuple[Statement, str]:
    in_head = any(parsed[part]["op"] != "All" for part in ("principal", "action", "resource"))
    found = _Reader()
    known: frozenset[Path] = frozenset()
    for condition in parsed["conditions"]:
        holds, fails = found.read(condition["body"], known)
        known |= holds if condition["kind"] == "when" else fails
    scoped = in_head or found.names_others
    made = Statement(
        effect=parsed["effect"],
        scoped=scoped,
        conditions=len(parsed["conditions"]),
        reads=tuple(sorted(found.reads)),
        unguarded=tuple(sorted(found.unguarded)),
        always=not scoped and _holds_for_the_unknown(text, parsed["effect"]),
        demands=any(
            _refutable(_denials(condition["body"], condition["kind"] == "when"))
            for condition in parsed["conditions"]
        ),
    )
    return made, found.beyond


@dataclass(frozen=True, kw_only=True)
class _Question:
    """A comparison of one attribute with a constant, which some value answers with no.

    ``share`` is what part of all values a yes takes; 1 where several of them together may take all.
    """

    path: Path
    share: float


def _denials(node: Any, wanted: bool) -> tuple[_Question, ...] | None:
    """Return questions that make an expression miss ``wanted`` if all are answered no.

    None where no such questions are known: whatever is not recognised proves nothing.
    """
    if not isinstance(node, Mapping) or len(node) != 1:
        return None
    ((operator, inside),) = node.items()
    if operator == "!":
        return _denials(inside["arg"], not wanted)
    if operator in {"&&", "||"}:
        sides = [_denials(inside[side], wanted) for side in ("left", "right")]
        if (operator == "&&") is wanted:
            return next((one for one in sides if _refutable(one)), None)
        left, right = sides
        return None if left is None or right is None else left + right
    question = _question(operator, inside, node, wanted)
    return None if question is None else (question,)


def _refutable(questions: tuple[_Question, ...] | None) -> bool:
    """Tell whether one connection can answer all of some questions with no."""
    if not questions:
        return False
    for one in questions:
        near = [q for q in questions if _overlap(one.path, q.path)]
        if len(near) > 1 and sum(q.share for q in near) >= 1:
            return False
    return True


def _overlap(one: Path, other: Path) -> bool:
    shared = min(len(one), len(other))
    return one[:shared] == other[:shared]


def _question(operator: str, inside: Any, node: Any, wanted: bool) -> _Question | None:
    if operator == "isInRange":
        return _range_question(inside, wanted)
    if operator == ".":
        path = _path(node)
        return _Question(path=path, share=1) if path else None
    if not isinstance(inside, Mapping) or "left" not in inside:
        return None
    path = _path(inside["left"])
    if not path:
        return None
    if operator == "like":
        real = any(part != "Wildcard" for part in inside["pattern"])
        return _Question(path=path, share=0 if wanted else 1) if real else None
    right = inside.get("right")
    if not isinstance(right, Mapping):
        return None
    if operator in {"containsAny", "containsAll"}:
        return _Question(path=path, share=0 if wanted else 1) if right.get("Set") else None
    if "Value" not in right:
        return None
    value = right["Value"]
    if operator == "contains":
        return _Question(path=path, share=0 if wanted else 1)
    if operator in {"==", "!="}:
        equal = (operator == "==") is wanted
        if not equal and path[-1] in _SETS:
            return None  # A set differs from any one value.
        return _Question(path=path, share=0 if equal and not isinstance(value, bool) else 1)
    # A score from 0 to 100 answers ">= 0" and "<= 100" with yes, whatever it is.
    if operator in {"<", "<=", ">", ">="} and isinstance(value, int) and 0 < value < 100:
        return _Question(path=path, share=1)
    return None


_SETS = {"memberOf", "groups"}


def _range_question(inside: Any, wanted: bool) -> _Question | None:
    """Return the question whether an address is in a range, unless every address is."""
    try:
        (asked,), (written,) = (side["ip"] for side in inside)
        network = ipaddress.ip_network(written["Value"], strict=False)
    except (KeyError, TypeError, ValueError):
        return None
    path = _path(asked)
    if not path or not network.prefixlen:
        return None
    return _Question(path=path, share=2.0**-network.prefixlen if wanted else 1)


def _holds_for_the_unknown(text: str, effect: str) -> bool:
    """Tell whether a statement holds where nothing is known but that somebody connects."""
    import cedarpy

    request = {
        "principal": {"type": "Unknown", "id": "principal"},
        "action": {"type": "Action", "id": "unknown"},
        "resource": {"type": "Unknown", "id": "resource"},
        "context": {ALWAYS_THERE: {}},
    }
    answer = cedarpy.is_authorized(request, text, [])
    return bool(answer.allowed if effect == "permit" else answer.diagnostics.reasons)


Known = frozenset[Path]
_NOTHING: Known = frozenset()


class _Reader:
    """Walks a condition in the order Cedar evaluates it, and keeps what may be missing."""

    def __init__(self) -> None:
        self.reads: set[Path] = set()
        self.unguarded: set[tuple[Path, Path]] = set()
        self.names_others = False
        self.beyond = ""

    def read(self, node: Any, known: Known) -> tuple[Known, Known]:
        """Walk an expression; return what is there for certain when it is true, and when false."""
        if not isinstance(node, Mapping) or len(node) != 1:
            return _NOTHING, _NOTHING
        ((operator, inside),) = node.items()
        if operator == "Var":
            if inside == "context":
                self.beyond = tr("it passes the whole context on")
            else:
                self.names_others = True
            return _NOTHING, _NOTHING
        if operator in {"&&", "||"}:
            return self._chain(operator, node, known)
        if operator == "!":
            holds, fails = self.read(inside["arg"], known)
            return fails, holds
        if operator == "if-then-else":
            return self._branch(inside, known)
        if operator == "has":
            return self._has(inside, known)
        if operator == ".":
            self._attribute(node, known)
            return _NOTHING, _NOTHING
        self._parts(operator, inside, known)
        return _NOTHING, _NOTHING

    def _chain(self, operator: str, node: Any, known: Known) -> tuple[Known, Known]:
        """Walk ``a && b && c``: what is right of an operator sees what the left has asked for."""
        operands = []
        while isinstance(node, Mapping) and operator in node:
            operands.append(node[operator]["right"])
            node = node[operator]["left"]
        results = []
        now = known
        for operand in (node, *reversed(operands)):
            holds, fails = self.read(operand, now)
            results.append((holds, fails))
            now |= holds if operator == "&&" else fails
        every = frozenset().union(*(r[operator == "||"] for r in results))
        common = frozenset.intersection(*(r[operator == "&&"] for r in results))
        return (every, common) if operator == "&&" else (common, every)

    def _branch(self, inside: Mapping[str, Any], known: Known) -> tuple[Known, Known]:
        holds, fails = self.read(inside["if"], known)
        then = self.read(inside["then"], known | holds)
        other = self.read(inside["else"], known | fails)
        return (holds | then[0]) & (fails | other[0]), (holds | then[1]) & (fails | other[1])

    def _has(self, inside: Mapping[str, Any], known: Known) -> tuple[Known, Known]:
        path = _path(inside["left"])
        if path is None:
            self.read(inside["left"], known)
            return _NOTHING, _NOTHING
        if path:
            self._look(path, known)
        asked = (*path, inside["attr"])
        self.reads.add(asked)
        return frozenset({asked}), _NOTHING

    def _attribute(self, node: Any, known: Known) -> None:
        path = _path(node)
        if path is not None:
            self.reads.add(path)
            self._look(path, known)
            return
        while isinstance(node, Mapping) and "." in node:
            node = node["."]["left"]
        if "Var" in node:
            self.beyond = tr(
                "it reads attributes of {name}, which AWS does not publish", name=node["Var"]
            )
        self.read(node, known)

    def _look(self, path: Path, known: Known) -> None:
        if path[0] == ALWAYS_THERE:
            return
        for end in range(1, len(path) + 1):
            if path[:end] not in known:
                self.unguarded.add((path, path[:end]))
                return

    def _parts(self, operator: str, inside: Any, known: Known) -> None:
        if operator == "Record":
            parts: Iterable[Any] = inside.values()
        elif isinstance(inside, list):
            parts = inside
        elif isinstance(inside, Mapping):
            parts = inside.values()
        else:
            parts = ()
        for part in parts:
            self.read(part, known)


def _path(node: Any) -> Path | None:
    """Return the attribute of ``context`` an expression is; empty for ``context`` itself."""
    parts: list[str] = []
    while isinstance(node, Mapping) and "." in node:
        parts.append(node["."]["attr"])
        node = node["."]["left"]
    return tuple(reversed(parts)) if node == {"Var": "context"} else None
