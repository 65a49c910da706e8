"""Terraform's language: blocks and comments in which no text of the account is obeyed."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from auditlib import words
from auditlib.changes.change import is_new
from auditlib.characters import is_unseen

__all__ = ["Raw", "block", "comment", "identifier", "literal", "reference"]

_NOT_A_NAME = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True)
class Raw:
    """Terraform's own text, not to be quoted."""

    text: str


def identifier(text: str) -> str:
    """Return a Terraform name.

    >>> identifier("sg-new-vpn-staff"), identifier("10.0.0.0/8")
    ('sg_new_vpn_staff', 'x10_0_0_0_8')
    """
    name = _NOT_A_NAME.sub("_", text.lower()).strip("_")
    return name if name[:1].isalpha() else f"x{name}"


def reference(id: str) -> "str | Raw":
    """Return a group's id; where it is only made by the same text, Terraform's name for it."""
    return Raw(f"aws_security_group.{identifier(id)}.id") if is_new(id) else id


def literal(value: object) -> str:
    r"""Return a value as Terraform writes it: no template in a text is obeyed, and all of it is seen.

    >>> print(literal('a "b" ${c} %{d}' + chr(0x202e)))
    "a \"b\" $${c} %%{d}\u202e"
    """
    if isinstance(value, Raw):
        return value.text
    if not isinstance(value, str):
        return json.dumps(value)
    text = "".join(map(_character, value))
    return f'"{text.replace("${", "$${").replace("%{", "%%{")}"'


_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}


def _character(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    code = ord(character)
    if is_unseen(character):
        return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
    return character


def block(resource: str, name: str, arguments: Mapping[str, object]) -> str:
    """Return a resource block; arguments without a value are left out."""
    given = {key: value for key, value in arguments.items() if value is not None}
    width = max(len(key) for key in given)
    lines = [f"  {key:<{width}} = {literal(value)}" for key, value in given.items()]
    return "\n".join([f'resource "{resource}" "{name}" {{', *lines, "}"]) + "\n"


def comment(*lines: str) -> str:
    """Return lines as a comment, their indent kept; whatever they hold, each stays one line."""
    indents = [" " * (len(line) - len(line.lstrip())) for line in lines]
    told = [words.clean(line, 500) for line in lines]
    return "".join(f"# {indent}{text}\n" for indent, text in zip(indents, told, strict=True))
