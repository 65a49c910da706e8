"""The catalogues of translations: what there is to translate, what lacks, what is compiled.

messages.py update          bring every auditlib/locale/*/LC_MESSAGES/auditlib.po up to date, compile it
messages.py lacking LANG    print what lacks a translation, as JSON: [{"id", "role", "files", "text": ""}]
messages.py take LANG FILE  put translations from such JSON ("text" filled in) into the catalogue

Sentences are found where they are made: ``tr(…)`` and ``marked(…)`` in Python and in templates,
nouns that are counted, the texts of the checks and of the commands, and the notebooks' markdown.
"""

import ast
import io
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
LOCALE = ROOT / "auditlib" / "locale"
NAMED = {"tr": 0, "marked": 0, "tr_as": 1, "count": 1, "plural": 0}
"""Functions whose argument, at this place, is a text to translate."""

SHOWN = {
    "address", "after", "before", "by", "change", "check", "iam_action", "open", "outcome", "reason",
    "about", "column", "coverage", "digest", "earlier", "first_seen", "fragile", "gone", "hidden_objects", "new",
    "new_eni_id", "new_ip", "newly_raised", "not_assessed", "not_seen", "now", "object_id", "old_eni_id",
    "old_ip", "read", "reappeared", "receivers", "regions", "reliable", "resolved", "sessions_end",
    "severity", "snapshot", "state", "still_open", "table", "unchanged", "unknown", "unread", "when", "steps", "traffic", "user_group", "user_groups", "what",
    "acceptance", "accepted", "accepted_owner", "accepted_reason", "accepted_reference",
    "accepted_until", "accounts", "answer", "calls", "checks", "columns", "control", "controls",
    "counts", "critical", "error_code", "error_message", "evidence", "expected",
    "found_by", "framework", "gaps", "high", "id", "info", "item", "items",
    "level", "line", "low", "medium", "missing", "not_read",
    "ok", "operation", "part", "rated_by_others",
    "reference", "refused", "remedy", "row", "rows", "run",
    "says", "service", "standing", "stands_in", "tables", "taken", "title",
    "narrowed", "until", "via", "where", "worsened",
    "eni_name", "endpoint_name", "number", "outage", "step", "subnet_name", "what_to_do", "who", "by_when", "why",
}  # fmt: skip
"""Columns of the kit's pages, the workbook and the terminal that stand in no schema and no evidence."""

Found = tuple[str | tuple[str, str], str | None, str]  # text (or for one and for many), role, file


def _shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def of_python(source: str, file: str, named: dict[str, int] | None = None) -> Iterator[Found]:
    """Return the texts that calls in Python code name."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = (
            node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        )
        at = (named or NAMED).get(name)
        if at is None or len(node.args) <= at:
            continue
        for text in _constants(node.args[at]):
            if name == "tr_as":
                for role in _constants(node.args[0]):
                    yield text, role, file
            elif any(map(str.isalpha, text)):
                yield text, None, file


def _constants(node: ast.AST) -> Iterator[str]:
    """Return the texts an argument can be: itself, or either side of an ``if``."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from _constants(node.body)
        yield from _constants(node.orelse)


def of_templates() -> Iterator[Found]:
    """Return the texts of the templates."""
    from jinja2 import Environment
    from jinja2.ext import extract_from_ast

    from auditlib.display import add_filters, environment_settings

    environment = add_filters(Environment(**environment_settings()))  # noqa: S701 # only parsed
    environment.filters.update(markdown=str, shown=str)
    for path in sorted((ROOT / "auditlib" / "templates").rglob("*.j2")):
        tree = environment.parse(path.read_text("utf-8"))
        for _, _, text in extract_from_ast(tree, ("tr",), babel_style=False):
            if said := text[0] if isinstance(text, tuple) else text:
                yield said, None, _shown(path)


def of_notebooks() -> Iterator[Found]:
    """Return the notebooks' markdown cells, and the texts that their code names."""
    import nbformat

    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "markdown":
                yield cell.source, None, _shown(path)
            else:
                yield from of_python(cell.source, _shown(path))
                for node in ast.walk(ast.parse(cell.source)):
                    if isinstance(node, ast.keyword) and node.arg == "empty":  # shown
                        yield from ((text, None, _shown(path)) for text in _constants(node.value))


def of_checks() -> Iterator[Found]:
    """Return the texts of the checks."""
    from auditlib.check import registered, texts_of

    for made in registered():
        file = made.function.__module__.replace(".", "/") + ".py"
        for role, text in texts_of(made):
            yield text, role, file


def of_heads() -> Iterator[Found]:
    """Return the heads of columns and the names of tables, as pages show them."""
    from auditlib.schemas import SCHEMAS
    from auditlib.words import english_head

    names = {column.name for schema in SCHEMAS.values() for column in schema.columns}
    for path in sorted((ROOT / "auditlib").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "evidence_of":
                names.update(" ".join(_constants(node.args[0])).split())
    for head in sorted(map(english_head, names | SHOWN)):
        yield head, "head", "auditlib/words.py"
    for name in SCHEMAS:
        yield name.replace("_", " "), "table", "auditlib/schemas.py"


def of_tables() -> Iterator[Found]:
    """Return what a row of each table is."""
    from auditlib.schemas import SCHEMAS

    for schema in SCHEMAS.values():
        yield schema.row, None, "auditlib/schemas.py"


def of_commands() -> Iterator[Found]:
    """Return the help of the command line."""
    import click

    from auditlib.cli import main
    from auditlib.commands import texts_of

    for text in texts_of(main):
        yield text, None, "auditlib/cli.py"
    for path in sorted(Path(click.__file__).parent.glob("*.py")):
        if path.stem in {"core", "decorators", "exceptions", "formatting", "parser", "types"}:
            source = path.read_text("utf-8")
            yield from of_python(source, "click", {"_": 0})
            for node in ast.walk(ast.parse(source)):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "ngettext":
                    one, many = (text for at in node.args[:2] for text in _constants(at))
                    yield (one, many), None, "click"


def template() -> Catalog:
    """Return all there is to translate."""
    made = Catalog(
        project="auditlib", charset="utf-8", creation_date=datetime(2026, 1, 1, tzinfo=UTC)
    )
    found: list[Found] = []
    for path in sorted((ROOT / "auditlib").rglob("*.py")):
        if path.stem == "language":
            continue  # says how, and nothing
        found += of_python(path.read_text("utf-8"), _shown(path))
    for source in (of_checks, of_heads, of_tables, of_commands, of_templates, of_notebooks):
        found += source()
    for text, role, file in sorted(found, key=lambda one: (one[2], found.index(one))):
        made.add(text, locations=[(file, 0)], context=role)
    for message in made:
        message.flags.discard("python-format")
    return made


def is_told(message: Message) -> bool:
    """Say whether a message has a translation."""
    return bool(message.string[0] if isinstance(message.string, tuple) else message.string)


def path_of(language: str) -> Path:
    """Return the file of a language's translations."""
    return LOCALE / language / "LC_MESSAGES" / "auditlib.po"


def read(language: str) -> Catalog:
    """Return a language's translations."""
    with path_of(language).open("rb") as file:
        return read_po(file, locale=language)


def as_po(catalogue: Catalog) -> bytes:
    """Return a catalogue as it stands in its file."""
    text = io.BytesIO()
    write_po(
        text, catalogue, width=100, omit_header=False, ignore_obsolete=True, include_lineno=False
    )
    return text.getvalue()


def as_mo(catalogue: Catalog) -> bytes:
    """Return a catalogue compiled."""
    text = io.BytesIO()
    write_mo(text, catalogue)
    return text.getvalue()


def updated(language: str) -> Catalog:
    """Return a language's translations with what is to be translated now, nothing guessed."""
    old = read(language) if path_of(language).exists() else Catalog(locale=language)
    told = {(m.id, m.context): m.string for m in old if m.id and is_told(m) and not m.fuzzy}
    new = template()
    made = Catalog(
        locale=language,
        project="auditlib",
        charset="utf-8",
        header_comment=f"# Translations of auditlib: {language}.",
        creation_date=new.creation_date,
        revision_date=new.creation_date,
        fuzzy=False,
    )
    for message in new:
        if message.id:
            made.add(
                message.id,
                told.get((message.id, message.context), ""),
                locations=message.locations,
                context=message.context,
            )
    for message in made:
        message.flags.discard("python-format")
    return made


def save(language: str, catalogue: Catalog) -> None:
    """Write a language's catalogue and compile it."""
    path = path_of(language)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(as_po(catalogue))
    path.with_suffix(".mo").write_bytes(as_mo(catalogue))


def lacking(language: str) -> list[dict[str, object]]:
    """Return what lacks a translation."""
    return [
        {"id": m.id, "role": m.context, "files": sorted({f for f, _ in m.locations}), "text": ""}
        for m in updated(language)
        if m.id and not is_told(m)
    ]


def take(language: str, file: Path) -> None:
    """Put translations into a catalogue; those of texts that are gone are named."""
    catalogue = updated(language)
    for entry in json.loads(file.read_text("utf-8")):
        many = isinstance(entry["id"], list)
        message: Message | None = catalogue.get(
            tuple(entry["id"]) if many else entry["id"], entry.get("role")
        )
        if message is None:
            print(f"gone: {entry['id'][:80]!r}", file=sys.stderr)
        elif entry["text"]:
            message.string = (entry["text"],) if many else entry["text"]
    save(language, catalogue)


def main(words: list[str]) -> int:
    """Do what the command line asks."""
    match words:
        case ["update"]:
            for folder in sorted(LOCALE.iterdir()):
                catalogue = updated(folder.name)
                save(folder.name, catalogue)
                print(f"{folder.name}: {sum(not is_told(m) for m in catalogue if m.id)} lack")
        case ["lacking", language]:
            print(json.dumps(lacking(language), ensure_ascii=False, indent=1))
        case ["take", language, file]:
            take(language, Path(file))
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
