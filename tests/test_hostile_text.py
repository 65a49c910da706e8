"""Text that anyone in the account can write, in every way out that is no page: nothing obeys it."""

import csv
import io
import json
import re
from functools import cache
from html.parser import HTMLParser

import pytest
from click.testing import CliRunner

from auditlib.audit import Audit
from auditlib.cli import main
from auditlib.display import card
from auditlib.export import findings_csv, findings_json, json_text
from auditlib.snapshot import save
from tests.report_worlds import HOSTILE, hostile

UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069]")


@cache
def audited() -> Audit:
    return Audit(hostile().snapshot())


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


def test_a_terminal_is_driven_by_none_of_it(tmp_path):
    save(hostile().snapshot(), tmp_path / "s")
    told = CliRunner().invoke(main, ["check", str(tmp_path / "s")])
    assert told.exit_code == 1
    assert not UNSEEN.search(told.stdout)
    assert "pay[U+202E]roll" in told.stdout


def test_json_loses_nothing_of_it():
    text = json_text(findings_json(audited()))
    assert json.loads(text) == json.loads(json.dumps(findings_json(audited()), default=str))
    names = audited().tables["client_vpn_endpoints"]["name"].tolist()
    assert set(HOSTILE) <= set(names)


def test_no_cell_of_a_csv_is_a_formula():
    rows = list(csv.reader(io.StringIO(findings_csv(audited().findings))))
    assert len({len(row) for row in rows}) == 1
    assert not [cell for row in rows for cell in row if cell[:1] in set("=+-@\t\r")]
