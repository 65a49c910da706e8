"""Characters that a reader would not see, made visible."""

import re
import unicodedata

__all__ = ["is_disguised", "is_unseen", "visible"]

_SPACES = frozenset({0x20, 0x3000})  # the ideographic space is ordinary in Japanese names
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"})


def visible(text: str) -> str:
    r"""Return the text with control, format and other unseen characters written out.

    A right-to-left override can make ``txt.exe`` read as ``exe.txt``, a zero-width space can make
    two names look the same, a line break can forge a row.

    >>> visible("a\u202eb"), visible("one\ntwo"), visible("vpn-users")
    ('a[U+202E]b', 'one[U+000A]two', 'vpn-users')
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_shown, text))


def _shown(character: str) -> str:
    return f"[U+{ord(character):04X}]" if is_unseen(character) else character


def is_unseen(character: str) -> bool:
    """Tell whether a reader would not see a character for what it is."""
    kind = unicodedata.category(character)
    return kind in _UNSEEN or (kind == "Zs" and ord(character) not in _SPACES)


_SOMETHING_ELSE = re.compile(
    r"<[a-z/!]|\[U\+[0-9A-F]{4,6}\]|^\s*[=@]|^\s*[+-].*\(|\]\(|\b(?:javascript:|vbscript:|data:text/)",
    re.IGNORECASE,
)


def is_disguised(name: str) -> bool:
    r"""Tell whether a name looks like markup, a link, a formula, or holds what nobody sees.

    >>> is_disguised("<img src=x>"), is_disguised("[x](https://e.example)"), is_disguised("a\u202eb")
    (True, True, True)
    >>> is_disguised(visible("a\u202eb"))
    True
    >>> is_disguised("web-1 (blue)"), is_disguised("10 < 20"), is_disguised("data: none")
    (False, False, False)
    """
    return bool(_SOMETHING_ELSE.search(name)) or any(map(is_unseen, name))
