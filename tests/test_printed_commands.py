"""Commands as a page prints them: whole, accepted by the AWS CLI's model, and able to tell wrong from right."""

import re
import shlex
from collections import Counter
from dataclasses import replace
from functools import cache
from html import unescape
from pathlib import Path

import botocore.session
import jmespath
import nbformat
import pandas as pd
import pytest
from botocore import xform_name

from auditlib import display
from auditlib.check import Finding, Status, checks, registered, texts_of
from auditlib.language import LANGUAGES, spoken, tr
from auditlib.report import _markdown
from auditlib.schemas import GAPS

NOTEBOOKS = sorted((Path(__file__).resolve().parent.parent / "notebooks").glob("*.ipynb"))
GENERAL = {"--query", "--output", "--region"}

NOTHING_LEFT = {
    "SecurityGroupRules[?!IsEgress]": (
        {"SecurityGroupRules": [{"IsEgress": True}, {"IsEgress": False}]},
        {"SecurityGroupRules": [{"IsEgress": True}]},
    ),
    "RouteTables[].Routes[?State=='blackhole'][]": (
        {"RouteTables": [{"Routes": [{"State": "active"}, {"State": "blackhole"}]}]},
        {"RouteTables": [{"Routes": [{"State": "active"}]}]},
    ),
}  # fmt: skip
"""By query that is to return nothing: an answer of AWS's with the condition, and one without it."""

EMPTY_LIST = re.compile(r"\s*returns an empty list")


def marked_commands(markup: str) -> list[str]:
    """Return what a page shows as calls of the AWS CLI, as whoever copies one gets it."""
    found = re.findall(r'<code class="command">(.*?)</code>', markup, re.DOTALL)
    return [unescape(re.sub(r"<[^>]*>", "", one)) for one in found]


def written_commands(text: str) -> int:
    """Count the calls that a text writes out, by their beginning alone."""
    return len(re.findall(r"\baws [a-z0-9-]+ [a-z]+-[a-z]", text))


def card_of(check) -> str:
    """Return the card of a check that fails, which shows all its texts."""
    evidence = pd.DataFrame({"reason": ["It is so."]})
    finding = Finding(
        check=replace(check, advice=None), status=Status.FAIL, answer="It is so.", evidence=evidence, gaps=pd.DataFrame(columns=list(GAPS.names)),
        population=1,
    )  # fmt: skip
    return str(display.card(finding).markup)


@pytest.fixture(scope="module")
def printed() -> dict[str, list[str]]:
    """The calls on each check's card."""
    with spoken("en"):
        return {check.id: marked_commands(card_of(check)) for check in checks()}


@pytest.fixture(scope="module")
def calls(printed) -> list[str]:
    of_notebooks = (call for path in NOTEBOOKS for call in notebook_calls(path))
    return sorted({call for found in printed.values() for call in found} | {*of_notebooks})


def notebook_calls(path: Path) -> list[str]:
    """Return the calls of the AWS CLI in backticks, as a page shows a notebook's prose."""
    return [one for one in code_on_page(path) if one.startswith("aws ")]


def code_on_page(path: Path) -> list[str]:
    found = []
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "markdown":
            found += re.findall(r"<code>(.*?)</code>", _markdown(cell.source), re.DOTALL)
    return list(map(unescape, found))


def words_of(call: str) -> list[str]:
    """Return a call's words after ``aws``, with a word for each placeholder."""
    return shlex.split(re.sub(r"<[^<>]*>", "X", call.partition(" | ")[0]))[1:]


def query_of(call: str) -> str | None:
    words = words_of(call)
    return words[words.index("--query") + 1] if "--query" in words else None


@cache
def service_model(name: str):
    """Return a service's model, and its operations by the AWS CLI's names."""
    service = botocore.session.get_session().get_service_model(name)
    return service, {xform_name(one, "-"): one for one in service.operation_names}


def model(call: str):
    """Return botocore's model of the operation that a call makes, and the options it is given."""
    service, operation, *words = words_of(call)
    service, names = service_model(service)
    options = [word for word in words if word.startswith("--")]
    return service.operation_model(names[operation]), options


def answer(shape, depth: int = 0):
    """Return an answer of a shape in which every member is there."""
    if shape.type_name == "structure":
        return {name: answer(one, depth + 1) for name, one in shape.members.items() if depth < 8}
    if shape.type_name == "list":
        return [answer(shape.member, depth + 1)]
    return {"boolean": True, "integer": 1, "long": 1}.get(shape.type_name, "x")


def test_a_card_shows_every_call_as_it_is_written(printed):
    for check in registered():
        texts = " ".join(text for _, text in texts_of(check))
        assert len(printed[check.id]) == written_commands(texts), check.id
        flat = " ".join(texts.split())
        assert [call for call in printed[check.id] if call not in flat] == []
    assert sum(map(len, printed.values())) > 50


def test_prose_keeps_what_stands_in_quotes_and_marks_the_rest():
    said = "Run `x < y`, then aws ec2 describe-vpcs --query 'Vpcs[?IsDefault==`true`]', and look. A ` is one."
    markup = str(display.prose(said, commands=True))
    assert marked_commands(markup) == ["aws ec2 describe-vpcs --query 'Vpcs[?IsDefault==`true`]'"]
    assert "<code>x &lt; y</code>" in markup
    assert markup.endswith("and look. A ` is one.</p>")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_page_shows_what_notebooks_write_as_code_as_it_is_written(path):
    cells = nbformat.read(path, as_version=4).cells
    written = [
        code for cell in cells if cell.cell_type == "markdown"
        for code in re.findall(r"`([^`]+)`", cell.source)
    ]  # fmt: skip
    assert Counter(code_on_page(path)) == Counter(written)


def test_every_call_is_one_that_the_aws_cli_has_with_all_it_needs(calls):
    for call in calls:
        operation, options = model(call)
        known = {f"--{xform_name(name, '-')}" for name in operation.input_shape.members}
        assert [one for one in options if one not in known | GENERAL] == [], call
        needed = {f"--{xform_name(name, '-')}" for name in operation.input_shape.required_members}
        assert needed - set(options) == set(), call


def test_every_query_finds_something_in_an_answer_that_holds_everything(calls):
    queries = {call: query for call in calls if (query := query_of(call))}
    assert len(queries) > 20
    for call, query in queries.items():
        operation, _ = model(call)
        full = answer(operation.output_shape)
        if query in NOTHING_LEFT:
            assert jmespath.search(re.sub(r"\[\?.*?\]", "[]", query), full), call
        else:
            assert jmespath.search(query, full), call


def test_a_query_that_is_to_return_nothing_returns_something_as_long_as_the_condition_is_there(
    printed,
):
    told = {}
    for check in checks():
        for call in printed[check.id]:
            text = " ".join(check.verify.split())
            if (query := query_of(call)) and EMPTY_LIST.match(text.partition(call)[2]):
                told[query] = call
    assert set(told) == set(NOTHING_LEFT)
    for query, (with_it, without_it) in NOTHING_LEFT.items():
        assert jmespath.search(query, with_it)
        assert jmespath.search(query, without_it) == []


def test_the_outbound_rules_that_a_query_shows_are_those_there_are():
    rules = [{"IsEgress": True, "CidrIpv4": "0.0.0.0/0"}, {"IsEgress": False}]
    shown = jmespath.search("SecurityGroupRules[?IsEgress]", {"SecurityGroupRules": rules})
    assert shown == rules[:1]


@pytest.mark.parametrize("language", sorted(set(LANGUAGES) - {"en"}))
def test_calls_are_the_same_in_every_language(language, printed):
    with spoken(language):
        told = {check.id: marked_commands(card_of(check)) for check in checks()}
        notebooks = [
            (cell.source, tr(cell.source))
            for path in NOTEBOOKS
            for cell in nbformat.read(path, as_version=4).cells
            if cell.cell_type == "markdown"
        ]
    assert told == printed
    for english, other in notebooks:
        assert commands_in_backticks(other) == commands_in_backticks(english)


def commands_in_backticks(text: str) -> list[str]:
    return sorted(one for one in re.findall(r"`([^`]+)`", text) if " " in one or "-" in one)
