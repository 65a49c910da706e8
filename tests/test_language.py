"""What the kit says in another language: nothing lacks, nothing is stale, no field is lost."""

import ast
import base64
import importlib.util
import json
import os
import re
import string
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import openpyxl
import pytest
from babel.messages.catalog import Catalog
from click.testing import CliRunner

from auditlib import previewed
from auditlib.audit import open_audit
from auditlib.cli import main
from auditlib.controls import FRAMEWORKS
from auditlib.errors import ParameterError
from auditlib.export import findings_json, json_text
from auditlib.language import LANGUAGES, spoken, tr, use
from auditlib.report import report
from auditlib.words import head
from tests.pages import VOID

ROOT = Path(__file__).resolve().parent.parent
OTHERS = sorted(set(LANGUAGES) - {"en"})
GRAMMATICAL = {
    "does_do", "has_have", "is_are", "it_them", "its_their", "negated", "noun", "nouns", "plural",
    "s", "singular", "this_these",
}  # fmt: skip
"""Fields that hold a word of English grammar, which another language may leave out."""


@pytest.fixture(scope="module")
def messages():
    spec = importlib.util.spec_from_file_location("messages", ROOT / ".ci" / "messages.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module", params=OTHERS)
def language(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def catalogue(messages, language) -> Catalog:
    return messages.updated(language)


def shortened(message) -> str:
    return " ".join(str(message.id).split())[:90]


def test_every_text_has_a_translation(messages, catalogue):
    lacking = [
        (shortened(m), m.locations[0][0]) for m in catalogue if m.id and not messages.is_told(m)
    ]
    assert lacking == []


def test_the_catalogue_in_the_tree_is_the_current_one(messages, language, catalogue):
    assert messages.path_of(language).read_bytes() == messages.as_po(catalogue)


def test_nothing_is_fuzzy(messages, language):
    assert [shortened(m) for m in messages.read(language) if m.fuzzy and m.id] == []
    assert b", fuzzy" not in messages.path_of(language).read_bytes()


def test_the_compiled_catalogue_is_that_of_the_translations(messages, language, catalogue):
    compiled = messages.path_of(language).with_suffix(".mo").read_bytes()
    assert compiled == messages.as_mo(catalogue)


def fields_of(text: str) -> dict[str, str]:
    """Return the fields of a message, each with how it is set."""
    return {
        name: f"{conversion or ''}:{form}"
        for _, name, form, conversion in string.Formatter().parse(text)
        if name is not None
    }


def calls(*names: str):
    """Yield every call of these functions in the library, with the file and line it stands on."""
    for path in sorted((ROOT / "auditlib").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in names and node.args:
                yield f"{path.relative_to(ROOT)}:{node.lineno}", node


def keywords_by_message() -> dict[str, set[str]]:
    """Return what the calls that set a message give to it, by message.

    A message that is ``marked`` in one place is set in another of the same module.
    """
    found: dict[str, set[str]] = {}
    elsewhere: dict[str, set[str]] = {}
    for at, call in calls("tr"):
        given = {keyword.arg or "**" for keyword in call.keywords}
        if isinstance(call.args[0], ast.Constant):
            found[call.args[0].value] = found.get(call.args[0].value, given) & given
        else:
            elsewhere.setdefault(at.split(":")[0], set()).update(given)
    for at, call in calls("marked"):
        if isinstance(call.args[0], ast.Constant) and "{" in call.args[0].value:
            found.setdefault(call.args[0].value, set()).update(elsewhere.get(at.split(":")[0], ()))
    return found


def test_a_translation_has_the_fields_of_its_message_and_no_other(catalogue):
    given = keywords_by_message()
    wrong = []
    for message in catalogue:
        if isinstance(message.id, tuple):  # click's, which is given the fields of both
            (told,), fields = message.string, set().union(*map(_safe_fields, message.id))
            if not set(_safe_fields(told)) <= fields:
                wrong.append((shortened(message), set(), set(_safe_fields(told)) - fields, set()))
            continue
        keywords = given.get(message.id, set())
        if not message.id or not message.string or not (keywords or "{" in message.id):
            continue
        if not keywords and message.id not in given and "{" in message.id:
            keywords = {name.split(".")[0] for name in _safe_fields(message.id)}
        ours, theirs = _safe_fields(message.id), _safe_fields(message.string)
        if not keywords:
            continue  # never formatted: braces are only characters
        lost = {name for name in ours if name not in theirs and name not in GRAMMATICAL}
        new = {n for n in theirs if n not in ours and n.split(".")[0] not in keywords | GRAMMATICAL}
        changed = {name for name in theirs if name in ours and theirs[name] != ours[name]}
        if lost or new or changed:
            wrong.append((shortened(message), lost, new, changed))
    assert wrong == []


def _safe_fields(text: str) -> dict[str, str]:
    try:
        return fields_of(text)
    except ValueError:
        return {}


def test_no_sentence_is_made_while_a_module_is_imported():
    early = []
    for path in sorted((ROOT / "auditlib").rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        inside: set[ast.AST] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                for statement in node.body:
                    inside.update(ast.walk(statement))
            elif isinstance(node, ast.Lambda):
                inside.update(ast.walk(node.body))
        early += [
            f"{path.name}:{node.lineno}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
            and getattr(node.func, "id", "") in {"tr", "tr_as", "sentences"}
            and node not in inside
        ]
    assert early == []


def test_every_message_stands_where_it_is_made():
    """A message put together at run time would never be found by who collects them."""
    made = ast.JoinedStr | ast.BinOp
    assert [at for at, call in calls("tr", "marked") if isinstance(call.args[0], made)] == []


def test_a_message_begins_and_ends_with_a_word():
    """A blank at an end is glue of English grammar, which other languages do not have."""
    texts = (
        (at, call.args[0].value)
        for at, call in calls("tr", "marked")
        if isinstance(call.args[0], ast.Constant)
    )
    prompt = ": "  # waits for an answer behind it
    assert [
        (at, t) for at, t in texts if t.removesuffix(prompt).strip(" ") != t.removesuffix(prompt)
    ] == []


def test_values_are_never_read_as_messages():
    hostile = "{row.__class__} {0} {} %s {"
    assert tr("{name} is open.", name=hostile) == f"{hostile} is open."
    with spoken("ja"):
        assert hostile in tr("{items} and {last}", items=hostile, last="x")


def test_a_language_that_is_not_there_is_refused():
    with pytest.raises(ParameterError, match="no language 'tlh'; one of: en, ja"):
        use("tlh")


def test_the_environment_names_the_language_of_a_process():
    said = subprocess.run(
        [sys.executable, "-c", "from auditlib.words import count; print(count(3, 'gap'))"],
        env={**os.environ, "AUDITLIB_LANG": "ja", "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        check=True,
        encoding="utf-8",
    ).stdout
    assert "3" in said
    assert re.search(r"[ぁ-んァ-ン一-龥]", said)


def test_an_unknown_language_in_the_environment_is_told_in_a_line():
    done = subprocess.run(
        [sys.executable, "-m", "auditlib.cli", "checks"],
        env={**os.environ, "AUDITLIB_LANG": "tlh"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "no language 'tlh'" in done.stderr
    assert "Traceback" not in done.stderr


# -- what a reader sees ---------------------------------------------------------------------------

ENGLISH = re.compile(r"[A-Za-z][a-z'’-]*(?:,? [a-z][a-z'’-]+){3,}")
"""Four words and more in a row, all but the first of them small: a sentence, and no name."""


class Prose(HTMLParser):
    """The texts of a page but for code, which is in no language."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self.texts += [
            value for name, value in attrs if name in {"alt", "aria-label", "title"} and value
        ]

    def handle_endtag(self, tag: str) -> None:
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if not {"code", "pre", "style"} & set(self.open):
            self.texts.append(" ".join(data.split()))


def english_in(text: str, account: str) -> list[str]:
    """Return what reads as English and does not come from the account itself."""
    return [found[0] for found in ENGLISH.finditer(text) if found[0] not in account]


@pytest.fixture(scope="module")
def account() -> str:
    folder = ROOT / "auditlib" / "sample"
    return "\n".join(p.read_text("utf-8") for p in folder.rglob("*.json"))


@pytest.fixture(scope="module")
def made(tmp_path_factory, language):
    with spoken(language):
        return report(None, tmp_path_factory.mktemp(language) / "report")


def test_no_english_is_left_on_a_page(made, account):
    left = {}
    for path in (made.index, *made.pages):
        assert path.stat().st_size <= 300_000, path.name
        prose = Prose()
        prose.feed(path.read_text("utf-8"))
        if found := sorted({e for text in prose.texts for e in english_in(text, account)}):
            left[path.name] = found
    assert left == {}


UNJAPANESE = {
    "an id with a capital": r"[A-Z][a-z]+(-[a-z]+)*-[0-9a-f]{8,}",
    "a space before a particle": r"\d [件個行日枚本回] [をがにはへもの]|[ぁ-んァ-ー一-龯] [をがにはへ](?=[ぁ-ん一-龯])",
    "no space beside an id": r"[をがにはへ](?:eni|sg|cvpn-endpoint)-|[0-9a-f]{17}[ぁ-ん一-龯]",
    "a second word for a term": "認可ルール|メンテナンス時間帯|作業時間帯|回答|情報のみ",
    "a separator of another script": r"[ぁ-ん一-龯ー]; |[ぁ-ん一-龯ー], |\([^()]*[ぁ-ん一-龯ー][^()]*, ",
    "a full stop of another script": r"[ぁ-ん一-龯ー。)]\. |[ぁ-ん一-龯ー]\.$",
    "sentences joined by a comma": r"(?:です|ます|ません|ました|でした)、",
    "two full stops": r"。。|: 。",
    "a question mark of another script": r"か\?",
}

ONE_WORD = {
    "他の (write ほかの)": r"(?<!その)他の(?!者)|(?<!その)他[にで]",
    "わかる (write 分かる)": r"わか[りる]",
    "Web (write ウェブ)": r"\bWeb",
    "失効リスト (write 証明書失効リスト)": r"(?<!証明書)失効リスト",
    "差し替える (write 置き換える)": r"差し替え",
    "無指定 (write 指定なし)": r"無指定|指定なしによる",
    "接続ログを有効に (write 接続ログ記録を)": r"接続ログ[をが](?:有効|無効)",
    "未達成 (write 満たしていない)": r"未達成",
    "コントロール (write 管理策)": r"(?:の|い)コントロール",
    "本来の要件 (write あるべき状態)": r"本来の要件|あり得",
    "応答 of what was refused (write 情報)": r"応答(?:が不足|の不足|が欠け|のなかった|を得られ)",
    "私たち (write 本監査)": r"私たち",
    "模様 (write とみられます)": r"模様",
    "件 of addresses (write 個)": r"アドレス[^。、]{0,12}\d 件",
    "件目 (write つ目)": r"件目",
    "一部を除き適合 (write 一部のみ適合)": r"一部を除き",
    "喪失, 弱化, 安定化 (write 消失, 不安定化, 確実化)": r"喪失|弱化|(?<!不)安定化",
    "受信側 (write 接続先)": r"受信側",
    "近隣 (write 関連する)": r"近隣",
    "自動修正 (write すぐに使える修正)": r"自動修正|用意された修正",
    "第 2 要素 (write 多要素認証)": r"第 2 の?要素",
    "この監査, このレポート (write 本監査, 本レポート)": r"この(?:監査|レポート)",
    "AWS によれば (write AWS によると)": r"AWS によれば",
    "以前のスナップショット (write 前回の)": r"以前のスナップショット",
}
"""What is called in one way only, by the way it was called beside it."""


def test_japanese_pages_are_set_as_japanese_is(made):
    left = {}
    for path in (made.index, *made.pages):
        prose = Prose()
        prose.feed(path.read_text("utf-8"))
        for fault, pattern in UNJAPANESE.items():
            if found := {t for t in prose.texts if re.search(pattern, t)}:
                left[path.name, fault] = sorted(found)
    assert left == {}


def test_a_word_of_the_kit_in_a_table_is_in_the_language(made, account):
    """A head, or a cell that is one small word, is the account's own or translated."""
    left = {}
    for path in (made.index, *made.pages):
        page = path.read_text("utf-8")
        heads = {h for h in re.findall(r"<th[^>]*>([^<]+)</th>", page) if re.search("[a-z]", h)}
        cells = set(re.findall(r"<td[^>]*>(?:<[^>]+>)*([a-z]{2,})(?:<|$)", page))
        own = {h for h in heads if not re.search(r"[ぁ-んァ-ヶ一-龥]", h)} | cells
        if found := {one for one in own if f'"{one}"' not in account}:
            left[path.name] = found
    assert left == {}


def test_a_word_of_the_kit_in_the_workbook_is_in_the_language(made, language):
    columns = [
        "answer",
        "certainty",
        "counts",
        "severity",
        "state",
        "status",
        "via",
        "why",
    ]
    with spoken(language):
        heads = {head(column) for column in columns}
        by_protocol = head("protocol")
    left = []
    for sheet in openpyxl.load_workbook(made.findings.with_suffix(".xlsx"), read_only=True):
        names, *rows = sheet.iter_rows(min_row=4, values_only=True)
        for row in rows:
            told = dict(zip(names, row, strict=False))
            left += [
                (sheet.title, name, told[name])
                for name in heads & set(names)
                if told[name] and not re.search(r"[ぁ-んァ-ヶ一-龥]", str(told[name]))
            ]
            left += [(sheet.title, by_protocol)] * (told.get(by_protocol) == "all")
    assert left == []


def test_a_term_is_said_in_one_way(catalogue):
    left = {}
    for message in catalogue:
        texts = message.string if isinstance(message.string, tuple) else (message.string,)
        for fault, pattern in ONE_WORD.items():
            if any(re.search(pattern, text) for text in texts):
                left.setdefault(fault, []).append(shortened(message))
    assert left == {}


def test_what_a_check_finds_begins_with_its_particle_where_a_number_stands_before_it(catalogue):
    """ "5 件のうち 2 件" is followed by は, には or では: which, only the clause knows."""
    clauses = [(m.context, m.string) for m in catalogue if m.context in {"one", "many"}]
    assert clauses
    wrong = [
        told
        for role, told in clauses
        if bool(re.match("は、|には、|では、", told)) != (role == "many")
        or bool(re.search(r"(?:ます|です|ません)$", told)) != (role == "many")
    ]
    assert wrong == []


def test_a_control_is_told_as_what_is_required_and_never_as_what_is_so(language):
    """Beside "not met" a sentence would say that the account is as it should be."""
    titles = {one.title for framework in FRAMEWORKS.values() for one in framework.controls}
    with spoken(language):
        told = [tr(title).split("。")[0] for title in titles if title]
    assert told
    assert [text for text in told if not text.endswith("こと")] == []


@pytest.mark.parametrize("id", ["authorization-allows-everyone", "connection-logging-is-off"])
def test_a_verdict_is_a_table_in_every_language_or_in_none(id, language):
    tables = {}
    for one in ("en", language):
        with spoken(one):
            tables[one] = len(previewed.outcomes(open_audit(None).proposal(id)))
    assert tables[language] == tables["en"]


def test_a_page_names_its_language(made, language):
    for path in (made.index, *made.pages):
        assert f'<html lang="{language}">' in path.read_text("utf-8")


def test_a_page_in_another_language_says_the_same(made):
    """The verdicts, the evidence and their order are those of the English report."""
    told = json.loads(made.findings.read_text("utf-8"))["findings"]
    with spoken("en"):
        english = json.loads(json_text(findings_json(open_audit(None))))["findings"]
    machine = [name for name in english[0] if name not in {"title", "answer"}]
    said = {"reason", "extent", "stopped_by", "error_message"}  # prose, and no identity

    def without_prose(value):
        if isinstance(value, dict):
            return {k: without_prose(v) for k, v in value.items() if k not in said}
        return [without_prose(v) for v in value] if isinstance(value, list) else value

    for ours, theirs in zip(told, english, strict=True):
        for name in machine:
            assert without_prose(ours[name]) == without_prose(theirs[name]), ours["check"]
        assert ours["title"] != theirs["title"]


def test_pictures_carry_their_letters(made):
    """No machine needs a font of its own to show them."""
    page = made.index.read_text("utf-8")
    pictures = re.findall(r"data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)", page)
    assert pictures
    for picture in pictures:
        assert b"<text" not in base64.b64decode(picture)


@pytest.mark.parametrize("command", ["--help", "check --help", "report --help", "run --help"])
def test_help_is_in_the_language_asked_for(command, language):
    said = CliRunner().invoke(main, [*command.split(), "--lang", language]).output
    assert re.search(r"[ぁ-んァ-ン一-龥]", said)
    assert [found[0] for found in ENGLISH.finditer(" ".join(said.split()))] == []


@pytest.mark.parametrize(
    "command",
    [
        "check",
        "reach --summary",
        "explain --endpoint corp-vpn --to 10.0.0.1 --port 443",
        "preview --fix vpn-sg-has-inbound-rules",
        "controls",
        "tables",
        "find corp-vpn",
    ],
)
def test_no_english_is_left_in_the_terminal(command, language, account):
    name, *more = command.split()
    sample = str(ROOT / "auditlib" / "sample")
    said = CliRunner().invoke(main, [name, sample, *more, "--lang", language]).output
    assert re.search(r"[ぁ-んァ-ン一-龥]", said)
    assert english_in(" ".join(said.split()), account) == []


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("check --formt json", "--formt"),
        ("check x --format jsn", "jsn"),
        ("check x y", "y"),
        ("reach x --port", "--port"),
    ],
)
def test_a_mistyped_command_is_told_in_the_language_asked_for(command, told, language, account):
    said = CliRunner().invoke(main, ["--lang", language, *command.split()])
    assert said.exit_code == 2
    assert told in said.output
    assert english_in(" ".join(said.output.split()), account) == []
