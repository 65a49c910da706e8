"""The language in which the kit speaks: English, as it stands in the code, or a gettext catalogue.

A sentence is English where it is made, ``tr("{group} admits {cidr}", group=…, cidr=…)``; what is
put into it is given by name, so that a translator may move it, and never looked into for braces.
A process speaks one language at a time. It is chosen by ``--lang``, by the environment variable
``AUDITLIB_LANG`` (which is how the kernels of a report learn it), or with :func:`use`.

What machines read is in no language: names of columns, ids, statuses, hops in ``via``, and all that
a snapshot holds.
"""

import gettext
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from string import Formatter
from typing import Any, TypeVar, cast

__all__ = [
    "LANGUAGES",
    "VARIABLE",
    "current",
    "filled",
    "marked",
    "sentences",
    "spoken",
    "tr",
    "tr_as",
    "use",
]

LANGUAGES = {"en": "English", "ja": "日本語"}
"""The languages there are, by code, each by its own name."""

VARIABLE = "AUDITLIB_LANG"
"""Environment variable that names the language of a process."""

LOCALE = Path(__file__).parent / "locale"

_SOLID = {"ja"}  # languages that set no space between sentences

_chosen: str | None = None
_catalogue: gettext.NullTranslations | None = None  # none for English


def use(language: str) -> None:
    """Speak a language from now on.

    Raises
    ------
    ParameterError
        When there is no such language.
    """
    global _chosen, _catalogue  # noqa: PLW0603 # one language a process, as gettext itself has it
    if language not in LANGUAGES:
        from auditlib.errors import ParameterError  # its headings are marked

        raise ParameterError(f"there is no language {language!r}; one of: {', '.join(LANGUAGES)}")
    _catalogue = (
        None if language == "en" else gettext.translation("auditlib", LOCALE, languages=[language])
    )
    _chosen = language


def current() -> str:
    """Return the code of the language spoken now.

    >>> with spoken("en"):
    ...     current()
    'en'
    """
    if _chosen is None:
        use(os.environ.get(VARIABLE) or "en")
    return _chosen or "en"


@contextmanager
def spoken(language: str) -> Iterator[None]:
    """Speak a language inside a ``with`` block."""
    before = current()
    use(language)
    try:
        yield
    finally:
        use(before)


def tr(text: str, /, **values: object) -> str:
    """Return a text in the language spoken, with values put in by name.

    Whatever is in a value stays as it is: only the text of the kit itself has fields.

    >>> with spoken("en"):
    ...     tr("{group} admits {cidr}", group="{web}", cidr="10.0.0.0/16")
    '{web} admits 10.0.0.0/16'
    """
    if _chosen is None:
        current()
    said = text if _catalogue is None or not text else _catalogue.gettext(text)
    return filled(said, values) if values else said


Text = TypeVar("Text", bound=str)  # markupsafe's escapes what is put into it


def filled(said: Text, values: Mapping[str, object]) -> Text:
    """Return a text with values put in, spaced as the language spoken spaces what meets there.

    A translator cannot know whether a value is a word or an id: in Japanese a space stands between
    Japanese and Latin letters, and none between Japanese ones.

    >>> with spoken("ja"):
    ...     filled("{what} が", {"what": "1 件"}), filled("{what}が", {"what": "sg-1"})
    ('1 件が', 'sg-1 が')
    """
    if current() not in _SOLID:
        return cast("Text", said.format(**values))
    kind: Any = type(said)
    whole = kind("")
    for literal, field in _pieces(said):
        whole = _met(whole, kind(literal))
        whole = _met(whole, kind(field).format(**values))
    return cast("Text", whole)


@lru_cache(maxsize=2000)
def _pieces(said: str) -> tuple[tuple[str, str], ...]:
    """Return the parts of a text with fields: what stands before a field, and the field."""
    return tuple(
        (
            literal,
            ""
            if name is None
            else f"{{{name}{f'!{conversion}' if conversion else ''}{f':{form}' if form else ''}}}",
        )
        for literal, name, form, conversion in Formatter().parse(said)
    )


_JAPANESE = r"[々〆〇ぁ-んァ-ヶー一-龯]"
_TOO_WIDE = re.compile(rf"{_JAPANESE} \|{_JAPANESE}|{_JAPANESE}\| {_JAPANESE}")
_TOO_NARROW = re.compile(rf"{_JAPANESE}\|[0-9A-Za-z(]|[0-9A-Za-z)]\|{_JAPANESE}")


def _met(before: Any, after: Any) -> Any:
    """Return two pieces of a text as one."""
    edge = f"{before[-2:]}|{after[:2]}"
    if _TOO_WIDE.search(edge):
        return before[: -1 if before.endswith(" ") else None] + after.removeprefix(" ")
    return before + (" " if _TOO_NARROW.search(edge) else "") + after


def tr_as(role: str, text: str) -> str:
    """Return a text in the language spoken, where it depends on the role it plays in a sentence.

    >>> with spoken("en"):
    ...     tr_as("one", "is open")
    'is open'
    """
    if _chosen is None:
        current()
    return text if _catalogue is None or not text else _catalogue.pgettext(role, text)


def marked(text: str) -> str:
    """Return a text as it is: marked for translators where it stands, put through ``tr`` later.

    >>> marked("every address")
    'every address'
    """
    return text


def sentences(*parts: str) -> str:
    """Return sentences one after the other, as the language sets them; empty ones are left out.

    >>> with spoken("en"):
    ...     sentences("One.", "", "Two.")
    'One. Two.'
    """
    return ("" if current() in _SOLID else " ").join(filter(None, parts))
