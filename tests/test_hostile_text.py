"""Text that anyone in the account can write, in every way out that is no page: nothing obeys it.

What it does in pages is looked at in ``tests/browser/``, in scripts in ``tests/test_plans.py``.
"""

import csv
import io
import json
import re
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import openpyxl
import pandas as pd
import pytest
from botocore.model import Shape
from click.testing import CliRunner

from auditlib import tables
from auditlib.asff import asff_findings
from auditlib.audit import Audit
from auditlib.aws.reads import READS
from auditlib.characters import visible
from auditlib.cli import main
from auditlib.display import card
from auditlib.errors import SnapshotError
from auditlib.export import csv_text, export_tables, findings_csv, findings_json, json_text
from auditlib.junit import junit_xml
from auditlib.ocsf import ocsf_events
from auditlib.redaction import MEMBERS
from auditlib.snapshot import file_of, load
from auditlib.workbook import CHARACTERS, workbook_bytes
from tests.corpus import CORPUS, FORMULAS, HOSTILE
from tests.report_worlds import hostile, written
from tests.shapes import output_shape
from tests.worlds import ACCOUNT, REGION

OBEYED = re.compile("[=+\\-@\t\r\n＝＋－＠]")
"""How a formula begins."""
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069]")


@cache
def audited() -> Audit:
    return Audit(hostile().snapshot())


# -- every field ----------------------------------------------------------------------------------

BY_PEOPLE = {
    "banner", "description", "function", "group_name", "host", "log", "metadata", "name", "policy",
    "prefix_list_name", "revocation_list", "tag", "text", "value",
}  # fmt: skip
"""What a member of AWS's answers holds where somebody may have chosen its text (``redaction.MEMBERS``)."""

NOT_IN_A_TABLE = {
    ("ec2-describe-vpcs", "EncryptionControl"),
    ("ec2-describe-security-groups", "IpPermissions"),
    ("ec2-describe-security-groups", "IpPermissionsEgress"),
    ("acm-describe-certificate", "DomainValidationOptions"),
    ("acm-describe-certificate", "RenewalSummary"),
    ("iam-get-saml-provider", "Tags"),
    ("lambda-get-function-configuration", "Environment"),
    ("lambda-get-function-configuration", "ImageConfigResponse"),
    ("lambda-get-function-configuration", "RuntimeVersionConfig"),
    ("service-quotas-list-service-quotas", "Quotas"),  # AWS's own names
    ("ec2-describe-transit-gateway-attachments", "Tags"),
}
"""Parts of answers of which no text is read, by the member they hang on."""


def texts_of(
    shape: Shape, path: tuple[str, ...] = (), above: frozenset[str] = frozenset()
) -> Iterator[tuple[str, ...]]:
    """Yield the path of every text that an answer may hold."""
    if shape.name in above:
        return
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            yield from texts_of(member, (*path, name), above | {shape.name})
    elif shape.type_name in {"list", "map"}:
        inner = shape.member if shape.type_name == "list" else shape.value
        yield from texts_of(inner, path, above | {shape.name})
    elif shape.type_name in {"string", "blob"} and not getattr(shape, "enum", None):
        yield path


@cache
def texts_of_reads() -> list[tuple[str, tuple[str, ...]]]:
    """Return read and path of every text in what the kit reads, as botocore knows it."""
    return [
        (read.id, path)
        for read in READS
        for path in texts_of(output_shape(read.service, read.operation))
    ]


INSIDE = {"PolicyDocument", "SAMLMetadataDocument", "LambdaFunctionArn", "FunctionArn"}
"""Members that hold a text among others, so far as their own language lets them."""


def test_every_field_that_can_be_written_holds_the_whole_corpus():
    """A new member of AWS's, or of the kit's, fails here until the hostile world has it."""
    held = defaultdict(set)
    for read_id, member, text in written(hostile()):
        held[read_id, member].add(text)
    fields = set()
    for read_id, path in texts_of_reads():
        chosen = MEMBERS.get(path[-1]) in BY_PEOPLE or path == ("AuthorizationRules", "GroupId")
        if not chosen or any((read_id, part) in NOT_IN_A_TABLE for part in path):
            continue
        fields.add(path[-1])
        texts = held[read_id, path[-1]]
        if path[-1] in INSIDE or path[-1] == "CertificateRevocationList":  # the issuer of each
            assert len(texts) >= len(HOSTILE), (read_id, path)
        else:
            assert set(HOSTILE) <= texts, (read_id, path)
    assert fields >= {"BannerText", "Username", "CommonName", "Key", "PrefixListName", "GroupId"}


def test_no_text_is_read_that_is_not_known_to_be_somebody_s_or_aws_s():
    """What a table reads has a kind in ``redaction.MEMBERS``, so that no field is overlooked above."""
    read = set(re.findall(r'"([A-Za-z][A-Za-z0-9]+)"', Path(tables.__file__).read_text("utf-8")))
    assert {p[-1] for _, p in texts_of_reads() if p[-1] in read and p[-1] not in MEMBERS} == set()


def test_the_corpus_has_every_kind_of_attack():
    everything = "\n".join(HOSTILE)
    for sign in (
        "<script", "onerror=", "<svg", "data:text/html", "javascript:", "](", "$$", "<!--", "</style>",
        "\u202e", "\u2066", "\u200b", "\u0430", "\x00", "\x1b", "../", "!!python", "{{", "{%", "$(", "`",
        "${", "%{", "=HYPERLINK",
    ):  # fmt: skip
        assert sign in everything
    assert max(map(len, HOSTILE)) == 255
    assert len(set(HOSTILE)) == len(CORPUS)


# -- nothing is obeyed ----------------------------------------------------------------------------


class Tags(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.comments: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_comment(self, data):
        self.comments.append(data)


@pytest.mark.parametrize("finding", audited().findings, ids=lambda f: f.check.id)
def test_a_card_holds_no_element_attribute_or_comment_of_theirs(finding):
    html = str(card(finding).markup)
    tags = Tags(html)
    assert not tags.comments
    assert not {tag for tag, _ in tags.seen} & {"script", "svg", "iframe", "h1", "object", "base"}
    for tag, attributes in tags.seen:
        assert not [name for name in attributes if name.startswith("on")], tag
        if tag == "a":
            assert re.match(r"https://|#|[\w/.-]+\.html(#|$)", attributes["href"] or "")
        if tag == "img":
            assert (attributes["src"] or "").startswith("data:image/svg+xml;base64,")
    assert not UNSEEN.search(html.replace("\n", ""))


@pytest.mark.parametrize(
    "arguments",
    [
        ("check",),
        ("check", "--format", "json"),
        ("check", "--format", "csv"),
        ("check", "--format", "ocsf"),
        ("check", "--format", "asff"),
        ("check", "--format", "junit"),
        ("controls",),
        (
            "explain",
            "--endpoint",
            audited().tables["client_vpn_endpoints"]["endpoint_id"][0],
            "--to",
            "10.9.1.5",
            "--port",
            "22",
        ),
        ("preview", "--fix", "connection-logging-is-off"),
        ("reach",),
        ("reach", "--format", "csv"),
        ("find", "pay"),
        ("tables",),
    ],
    ids=" ".join,
)
def test_a_terminal_is_driven_by_none_of_it(monkeypatch, arguments):
    monkeypatch.setattr("auditlib.audit.open_audit", lambda *_: audited())
    command, *rest = arguments
    told = CliRunner().invoke(main, [command, "snapshot", *rest])
    assert told.exit_code in {0, 1, 3}, told.output
    assert not UNSEEN.search(told.output.replace("\r\n", "\n"))
    if arguments == ("check",):
        assert "pay[U+202E]roll" in told.stdout


def test_no_cell_of_a_csv_is_a_formula():
    rows = list(csv.reader(io.StringIO(findings_csv(audited().findings))))
    assert len({len(row) for row in rows}) == 1
    assert not [cell for row in rows for cell in row if OBEYED.match(cell)]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_text_is_no_formula_in_a_csv_and_is_found_again_behind_an_apostrophe(text):
    made = csv_text(pd.DataFrame({"name": pd.Series([text], dtype="str")}))
    ((_,), (cell,)) = csv.reader(io.StringIO(made, newline=""))
    assert not OBEYED.match(cell)
    assert cell.removeprefix("'") == visible(text)


# -- nothing is lost ------------------------------------------------------------------------------

KEPT = {
    "client_vpn_endpoints": {
        "name",
        "description",
        "banner_text",
        "connection_log_group",
        "connection_log_stream",
    },
    "client_vpn_authorization_rules": {"group_id", "description"},
    "client_vpn_routes": {"description"},
    "client_vpn_connections": {"username", "common_name"},
    "security_groups": {"name", "group_name", "description"},
    "security_group_rules": {"description"},
    "network_interfaces": {"name", "description"},
    "vpcs": {"name"},
    "subnets": {"name"},
    "prefix_list_entries": {"description"},
}
"""Where the tables hold what people wrote."""


def test_the_tables_hold_each_text_as_it_was_written():
    for table, columns in KEPT.items():
        frame = audited().tables[table]
        for column in columns:
            assert set(HOSTILE) <= set(frame[column].dropna()), (table, column)


def test_tables_in_csv_give_each_text_back(tmp_path):
    export_tables(audited(), tmp_path)
    for table, columns in KEPT.items():
        with (tmp_path / f"{table}.csv").open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        assert not [cell for row in rows for cell in row.values() if OBEYED.match(cell)], table
        for column in columns:
            assert {visible(text) for text in HOSTILE} <= {
                row[column].removeprefix("'") for row in rows
            }, column


def texts_in(value: object) -> set[str]:
    """Return every text in what JSON holds."""
    if isinstance(value, str):
        return {value}
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return {text for one in inner for text in texts_in(one)}


@pytest.mark.parametrize("made", [findings_json, ocsf_events])
def test_json_and_ocsf_hold_each_text_of_the_evidence_as_it_was_written(made):
    text = json_text(made(audited()))
    assert not UNSEEN.search(text.replace("\n", ""))
    held = texts_in(json.loads(text))
    assert evidence_texts() <= held
    assert set(HOSTILE) <= held


def evidence_texts() -> set[str]:
    """Return every text in the evidence."""
    return {
        value
        for finding in audited().findings
        for column in finding.evidence.columns
        for value in finding.evidence[column]
        if isinstance(value, str)
    }


def test_a_workbook_holds_each_text_of_the_evidence_and_obeys_none():
    data = workbook_bytes(audited())
    cells: set[object] = set()
    for page in openpyxl.load_workbook(io.BytesIO(data)):
        for row in page.iter_rows():
            for cell in row:
                assert cell.data_type != "f"
                if cell.hyperlink is not None:
                    assert cell.hyperlink.target is None
                cells.add(cell.value)
    lost = {text for text in evidence_texts() if visible(text) not in cells}
    assert {text for text in lost if text and len(visible(text)) < CHARACTERS} == set()
    assert {visible(text) for text in HOSTILE} & cells
    with zipfile.ZipFile(io.BytesIO(data)) as parts:
        assert not [name for name in parts.namelist() if "external" in name.lower()]


def test_asff_and_junit_are_well_formed_and_show_what_is_unseen():
    found = json.loads(json_text({"Findings": asff_findings(audited())}))["Findings"]
    assert not [text for text in texts_in(found) if UNSEEN.search(text)]
    assert any("pay[U+202E]roll" in one["Description"] for one in found)
    said = ET.fromstring(junit_xml(audited()))  # noqa: S314 # our own text
    told = "".join(said.itertext())
    assert not UNSEEN.search(told.replace("\n", ""))
    assert "pay[U+202E]roll" in told


# -- names of files -------------------------------------------------------------------------------


@pytest.mark.parametrize("text", HOSTILE, ids=list(CORPUS))
def test_a_file_in_a_zip_that_is_called_so_is_refused_in_one_line_or_not_looked_at(tmp_path, text):
    path = tmp_path / "s.zip"
    name = text.replace("\x00", "")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{ACCOUNT}/{REGION}/ec2-describe-vpcs.json", '{"Vpcs": []}')
        for place in (
            f"{ACCOUNT}/{REGION}/{name}.json",
            f"{ACCOUNT}/{REGION}/logs-describe-log-groups/{name}.json",
        ):
            archive.writestr(place, '{"logGroups": []}')
    told = CliRunner().invoke(main, ["verify", str(path)])
    assert not UNSEEN.search(told.output.replace("\n", ""))
    if told.exit_code == 2:
        assert told.stderr.startswith("auditlib: ")
        assert told.stderr.count("\n") == 1
        return
    assert [call.read.id for call in load(path).calls if call.resource is None] == [
        "ec2-describe-vpcs"
    ]
    assert [one.name for one in tmp_path.iterdir()] == ["s.zip"]


@pytest.mark.parametrize("text", HOSTILE, ids=list(CORPUS))
def test_a_file_of_a_log_group_that_is_called_so_is_found_again(tmp_path, text):
    read = next(read for read in READS if read.id == "logs-describe-log-groups")
    file = tmp_path / "s" / file_of(ACCOUNT, REGION, read, text)
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"logGroups": [{"logGroupName": text}]}), "utf-8")
    (call,) = load(tmp_path / "s").calls
    assert call.resource == text
    assert tmp_path / "s" in file.resolve().parents


def test_a_refusal_never_shows_what_a_terminal_would_obey(tmp_path):
    (tmp_path / "s.zip").write_bytes(b"")
    for text in HOSTILE:
        with pytest.raises(SnapshotError):
            load(tmp_path / text.replace("/", "-").replace("\x00", "")[:60])
        told = CliRunner().invoke(main, ["check", str(tmp_path / "s.zip"), "--format", text])
        assert told.exit_code == 2
