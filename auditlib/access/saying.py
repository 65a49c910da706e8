"""What the analysis says: English as data, in the language spoken where it is shown.

A doubt or a label is read by programs (a hop in ``via``, a key) and by people (an explanation).
So it stays the English text wherever it goes, and remembers what it was made of.
"""

from collections.abc import Mapping
from typing import Any

from auditlib.language import marked, tr, tr_as

__all__ = ["Saying", "hop_shown", "said", "shown"]


class Saying(str):
    """An English text that can be shown in another language.

    Attributes
    ----------
    text, values
        What it was made of; a tuple of texts is a list.
    """

    text: str
    values: Mapping[str, Any]


def said(text: str, /, **values: Any) -> Saying:
    """Return a text, marked for translators, with values put in by name.

    >>> said("{gone} in {id} could not be read", gone=("pl-1", "pl-2"), id="rtb-1")
    'pl-1, pl-2 in rtb-1 could not be read'
    """
    plain = {
        name: ", ".join(value) if isinstance(value, tuple) else value
        for name, value in values.items()
    }
    made = Saying(text.format(**plain) if plain else text)
    made.text, made.values = text, values
    return made


def shown(text: str) -> str:
    """Return a text in the language spoken, where it is one that can be shown so.

    >>> shown(said("{id} has no route back", id="rtb-1")), shown("rtb-1")
    ('rtb-1 has no route back', 'rtb-1')
    """
    if not isinstance(text, Saying):
        return text
    return tr(text.text, **{name: _shown(value) for name, value in text.values.items()})


_HEADS = (
    marked("VPC route"), marked("authorization"), marked("egress"), marked("endpoint route"),
    marked("ingress"), marked("network ACL"), marked("receiver network ACL"), marked("return route"),
)  # fmt: skip


def hop_shown(hop: str) -> str:
    """Return a hop of ``via`` in the language spoken.

    >>> hop_shown("egress: sgr-1"), hop_shown(said("unknown: {doubt}", doubt="a doubt"))
    ('egress: sgr-1', 'unknown: a doubt')
    """
    if isinstance(hop, Saying):
        return shown(hop)
    head, colon, rest = hop.partition(": ")
    return f"{tr(head)}{colon}{_rest_shown(head, rest)}" if head in _HEADS else hop


def _rest_shown(head: str, rest: str) -> str:
    """Return what a hop names, its small words in the language spoken.

    >>> _rest_shown("authorization", "10.0.0.0/16 for dev"), _rest_shown("VPC route", "rtb-1 local")
    ('10.0.0.0/16 for dev', 'rtb-1 local')
    """
    first, _, last = rest.partition(" for " if head == "authorization" else " to ")
    if head == "authorization" and last:
        group = tr(last) if last == "everyone" else last
        return tr("{destination} for {group}", destination=first, group=group)
    if head == "endpoint route" and last:
        return tr("{destination} to {target}", destination=first, target=last)
    if rest.startswith("inside "):
        return tr("inside {subnet}", subnet=rest.removeprefix("inside "))
    entry = rest.partition(" entry ")
    if entry[2]:
        return tr("{acl} entry {number}", acl=entry[0], number=entry[2])
    return tr_as("list", ", ").join(rest.split(", "))


def _shown(value: object) -> object:
    if isinstance(value, tuple):
        return tr_as("list", ", ").join(map(shown, value))
    return shown(value) if isinstance(value, str) else value
