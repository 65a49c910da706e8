"""Characters that a reader would not see, made visible."""

import unicodedata

__all__ = ["visible"]

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
    code, kind = ord(character), unicodedata.category(character)
    if kind in _UNSEEN or (kind == "Zs" and code not in _SPACES):
        return f"[U+{code:04X}]"
    return character
