"""Reading a YAML file that a person wrote, with the line of whatever is wrong in it."""

import errno
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

from auditlib.errors import ParameterError
from auditlib.language import marked, tr
from auditlib.prefix import SCHEME, Prefix, prefix_of

__all__ = ["ConfigReader", "root_of", "text_in"]

_MOST = 2 * 2**20
"""Bytes a file may have that a person wrote: some ten thousand entries."""


def text_in(path: Path) -> str:
    """Return the text of a file that a person wrote, whatever it is and however long it goes on.

    Raises
    ------
    OSError
        When it cannot be read, or is too large for its kind.
    UnicodeDecodeError
        When it is not UTF-8.
    """
    with path.open("rb") as file:
        data = file.read(_MOST + 1)
    if len(data) > _MOST:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
    return data.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")


def root_of(path: Path) -> Any:
    """Return the root node of a YAML file; tags and aliases make no objects of it.

    Raises
    ------
    ParameterError
        When it cannot be read, or is no YAML; names the line.
    """
    import yaml

    try:
        return yaml.compose(text_in(path), Loader=yaml.SafeLoader)
    except OSError as error:
        raise ParameterError(
            tr("{path} cannot be read: {why}", path=path, why=error.strerror or error)
        ) from error
    except UnicodeDecodeError as error:
        raise ParameterError(tr("{path} is not UTF-8 text", path=path)) from error
    except Exception as error:
        # The library raises many kinds of errors for what nobody should have written.
        mark = getattr(error, "problem_mark", None)
        where = f"{path.name}:{mark.line + 1}" if mark else path.name
        raise ParameterError(
            tr(
                "{where}: no YAML: {error}",
                where=where,
                error=getattr(error, "problem", None) or type(error).__name__,
            )
        ) from error


class ConfigReader:
    """Turns YAML nodes into values, and says on which line something is wrong."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def wrong(self, node: Any, why: str) -> ParameterError:
        """Return the error about a node."""
        line = f":{node.start_mark.line + 1}" if node is not None else ""
        return ParameterError(f"{self._path.name}{line}: {why}")

    def mapping(
        self, node: Any, what: str, names: Collection[str], *, required: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        """Return the nodes of a mapping by key; unknown, repeated and lacking ones are refused."""
        import yaml

        from auditlib.tables import nearest

        if not isinstance(node, yaml.MappingNode):
            raise self.wrong(node, tr("{what} must be a list of KEY: VALUE", what=what))
        found: dict[str, Any] = {}
        for key, value in node.value:
            name = self.text(key)
            if name not in names:
                raise self.wrong(key, str(nearest(name, names, noun=marked("key"))))
            if name in found:
                raise self.wrong(key, tr("{name} is given twice", name=name))
            found[name] = value
        for name in required:
            if name not in found:
                raise self.wrong(node, tr("{what} lacks {name}", what=what, name=name))
        return found

    def items(self, node: Any) -> list[Any]:
        """Return the nodes of a list."""
        import yaml

        if not isinstance(node, yaml.SequenceNode):
            raise self.wrong(node, tr("a list is wanted here, each item after a dash"))
        return list(node.value)

    def texts(self, node: Any) -> tuple[str, ...]:
        """Return a list of texts; an empty one where there is no node."""
        return () if node is None else tuple(map(self.text, self.items(node)))

    def text(self, node: Any) -> str:
        """Return a text."""
        import yaml

        if not isinstance(node, yaml.ScalarNode) or not node.value:
            raise self.wrong(node, tr("a text is wanted here"))
        return str(node.value)

    def place(self, node: Any) -> Path:
        """Return a file or folder; a relative one is seen from the file that names it."""
        text = self.text(node)
        if "://" in text:
            raise self.wrong(node, tr("{text} is no folder of this machine", text=text))
        if "\0" in text:
            raise self.wrong(node, tr("{text} is no folder of this machine", text=text))
        return (self._path.resolve().parent / text).resolve()

    def store(self, node: Any) -> Path | Prefix:
        """Return where to write: a folder as :meth:`place` has it, or a place in S3."""
        text = self.text(node)
        if not text.startswith(SCHEME):
            return self.place(node)
        try:
            return prefix_of(text)
        except ParameterError as error:
            raise self.wrong(node, str(error)) from error
