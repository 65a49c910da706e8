"""Cards, tables and the characters in them."""

import html
import re
import sys
import unicodedata
from dataclasses import replace
from datetime import UTC, datetime

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell

from auditlib import display, open_audit, plots, summary
from auditlib.audit import Audit
from auditlib.characters import visible
from auditlib.check import Check, Finding, Severity, Status
from auditlib.errors import ParameterError
from auditlib.schemas import GAPS
from auditlib.sheets import unread_rows
from tests import report_worlds as worlds
from tests.pages import page


@pytest.fixture(scope="module")
def exposed() -> Audit:
    return Audit(worlds.exposed().snapshot(**worlds.MOMENT))


@pytest.fixture(scope="module")
def hostile() -> Audit:
    return Audit(worlds.hostile().snapshot(**worlds.MOMENT))


@pytest.fixture(scope="module")
def refused() -> Audit:
    return Audit(worlds.refused().snapshot(**worlds.MOMENT))


def finding(status: Status = Status.FAIL, rows: int = 1, **more: object) -> Finding:
    made = Check(
        id="vpn-sg-test",
        title="Nothing is wrong",
        severity=Severity.HIGH,
        population="security_groups",
        noun="security group",
        condition=("is wrong", "are wrong"),
        rationale="Anyone could use `a < b`.",
        remedy="Mend it.",
        verify="Look again.",
        reference="https://docs.aws.amazon.com/vpc/",
        function=pd.DataFrame,
        tables=(),
        **more,  # type: ignore[arg-type]
    )
    evidence = pd.DataFrame(
        {
            "account": ["111122223333"] * rows,
            "region": ["eu-west-1"] * rows,
            "group_id": [f"sg-{number}" for number in range(rows)],
            "reason": [f"Because of {number}." for number in range(rows)],
        }
    )
    gaps = pd.DataFrame(columns=list(GAPS.names))
    return Finding(
        check=made, status=status, answer="So.", evidence=evidence, gaps=gaps, population=rows
    )


# -- characters -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("vpn-users", "vpn-users"),
        ("営業部　端末", "営業部　端末"),
        ("naïve café", "naïve café"),
        ("a\u202eb", "a[U+202E]b"),
        ("a\u2066b\u2069", "a[U+2066]b[U+2069]"),
        ("a\u200bb", "a[U+200B]b"),
        ("a\u00adb", "a[U+00AD]b"),
        ("a\u00a0b", "a[U+00A0]b"),
        ("a\ufeffb", "a[U+FEFF]b"),
        ("a\u2028b", "a[U+2028]b"),
        ("a\tb\r\n", "a[U+0009]b[U+000D][U+000A]"),
        ("\x00\x1b[31m\x7f", "[U+0000][U+001B][31m[U+007F]"),
        ("\ud800", "[U+D800]"),
        ("\U000e0041", "[U+E0041]"),
        ("", ""),
    ],
)
def test_unseen_characters_are_written_out(text, shown):
    assert visible(text) == shown


@given(st.text())
def test_what_is_shown_holds_no_unseen_character(text):
    shown = visible(text)
    kinds = {unicodedata.category(character) for character in shown}
    assert not kinds & {"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"}
    shown.encode()


@given(st.text())
def test_no_text_in_a_table_becomes_markup(text):
    frame = pd.DataFrame({"name": [text], "group_id": [text]})
    made = display.table(frame, names={text: text + "<b>"}, caption=text).markup
    assert {tag for tag, _ in page(made).tags} <= {
        *("div", "p", "table", "thead", "tbody", "tr", "th", "td", "code", "span", "wbr")
    }
    assert not page(made).problems


def test_prose_marks_code_and_parts_paragraphs():
    assert str(display.prose("One\nline.\n\n\n\nRun `x<y` now.")) == (
        "<p>One line.</p><p>Run <code>x&lt;y</code> now.</p>"
    )


def test_an_odd_backtick_is_only_a_character():
    assert str(display.prose("a ` b <")) == "<p>a ` b &lt;</p>"


def test_prose_shows_unseen_characters_too():
    assert "[U+202E]" in display.prose("a\u202eb `c\u202ed`")
    assert "\u202e" not in display.prose("a\u202eb `c\u202ed`")


# -- tables ---------------------------------------------------------------------------------------


def test_a_long_frame_is_shown_with_a_bound_and_says_so():
    made = display.table(pd.DataFrame({"x": range(1000)}), rows=5)
    assert len(page(made.markup).all("tr")) == 6
    assert "The first 5 of 1,000 rows." in made.markup


def test_an_empty_frame_says_that_there_is_no_row():
    assert "No row." in display.table(pd.DataFrame({"x": []})).markup


def test_values_read_as_people_write_them():
    frame = pd.DataFrame(
        {
            "flag": pd.array([True, False, None], dtype="boolean"),
            "number": pd.array([1, 2, None], dtype="Int64"),
            "many": [("a", "b"), (), (("Name", "x"),)],
            "time": pd.to_datetime(["2026-11-20T09:00Z", None, None]),
        }
    )
    assert page(display.table(frame).markup).words == (
        "Flag Number Many Time yes 1 a, b 2026-11-20 09:00 UTC no 2 – – – – Name = x –"
    )


def test_a_very_long_text_is_cut_and_says_how_long_it_is():
    made = display.table(pd.DataFrame({"policy": ["x" * 5000]}))
    assert "… (5,000 characters)" in made.markup
    assert made.markup.count("x") < 2 * display.LONGEST + 100  # in the cell and in its label


def test_names_stand_beside_ids():
    made = display.table(
        pd.DataFrame({"group_id": ["sg-1"]}, index=pd.Index([7], name="rank")),
        names={"sg-1": "vpn-users"},
    )
    assert '<span class="name">vpn-users</span> <code>sg-1</code>' in made.markup
    assert "Rank" in made.markup


# -- cards ----------------------------------------------------------------------------------------


def test_a_failing_card_says_why_what_to_do_and_how_to_verify():
    text = page(display.card(finding()).markup).text
    for wanted in ("Fails", "High", "So.", "Because of 0.", "Anyone could use a < b."):
        assert wanted in text
    for head in ("Evidence", "Why it matters", "What to do", "How to verify"):
        assert head in text


def test_information_has_one_badge():
    one = finding()
    note = replace(one, check=replace(one.check, severity=Severity.INFO))
    tags = re.search(r'<p class="tags">.*?</p>', str(display.card(note).markup))
    assert tags
    assert page(tags[0]).words == "i Information"
    assert "Fails High" in page(display.card(one).markup).words


def test_calls_without_an_answer_stand_on_the_first_card_and_others_refer_to_it():
    with_them = [
        f for f in open_audit().findings if f.check.subject == "cedar_policies" and len(f.gaps)
    ]
    markup = str(display.cards(open_audit(), "cedar_policies").markup)
    assert len(with_them) > 5
    (label,) = re.findall(r'aria-label="Missing answers for ([^"]+)"', markup)
    assert page(markup).words.count(f"The same as for {label}") == len(with_them) - 1


def test_a_passing_card_tells_no_remedy():
    text = page(display.card(finding(Status.PASS, rows=0)).markup).text
    assert "Passes" in text
    assert "What to do" not in text
    assert "Evidence" not in text


def test_long_evidence_is_folded_with_its_count():
    made = display.card(finding(rows=display.SHOWN + 3))
    assert f"3 more of {display.SHOWN + 3} rows" in made.markup
    assert len(page(made.markup).all("details")) == 1


def test_endless_evidence_is_bounded_and_points_to_the_file_with_all_of_it():
    made = display.card(finding(rows=5000))
    assert (
        "All 5,000 rows are in findings.xlsx, on the sheet of this check, and in findings.json."
        in made.markup
    )
    assert len(page(made.markup).all("tr")) == display.FOLDED + 2  # and two heads


def test_what_all_rows_share_is_said_once():
    made = display.card(finding(rows=4))
    assert made.markup.count("111122223333") == 1
    assert "Region" not in [t for t in page(made.markup).text.split("\n") if t == "Region"]


def test_evidence_names_its_things_and_the_record_that_shows_it():
    found = finding(rows=2)
    evidence = found.evidence.assign(
        group_name=["<b>one</b>", "two"],
        region=["eu-west-1", "us-east-1"],
        source="111122223333/eu-west-1/ec2-describe-security-groups.json",
        record=[4, None],
    )
    made = display.card(replace(found, evidence=evidence))
    words = page(made.markup).words
    assert "(suspicious name) sg-0 eu-west-1" in words
    assert "two sg-1" in words
    assert "ec2-describe-security-groups.json #4" in words
    assert words.count("ec2-describe-security-groups.json") == 2


def test_evidence_without_a_record_number_names_the_file():
    evidence = finding().evidence.assign(
        source="a/b/ec2-describe-client-vpn-routes/cvpn-endpoint-1.json"
    )
    markup = display.card(replace(finding(), evidence=evidence)).markup
    assert "ec2-describe-client-vpn-routes/cvpn-endpoint-1.json" in markup


def test_lines_stay_lines_and_show_what_is_unseen():
    assert display.visible_lines("a\u202e\nb\t") == "a[U+202E]\nb[U+0009]"


def test_a_card_shows_controls_ratings_false_alarms_and_the_text_for_scanners():
    made = display.card(
        finding(
            controls={"CIS 7.0": ("6.5", "6.6")},
            ratings={"Security Hub": "Low"},
            false_alarms=("A VPC nobody uses.",),
            accepted_by_design="It is meant so.",
        )
    )
    text = page(made.markup).text
    for wanted in (
        "CIS 7.0: 6.5, 6.6",
        "Security Hub rates it Low.",
        "A VPC nobody uses.",
        "meant so",
    ):
        assert wanted in text
    alike = display.card(finding(ratings={"Security Hub": "High"})).markup
    assert "Security Hub" not in alike  # who rates it as we do tells nothing


def test_the_cards_of_a_subject_stand_together_the_failing_ones_first(exposed):
    made = display.cards(exposed, "sessions", "addressing")
    order = re.findall(r'<article class="card (\w+) \w+" id="([a-z-]+)"', str(made.markup))
    wanted = {f.check.id for f in exposed.findings if f.check.subject in {"sessions", "addressing"}}
    assert {id for _, id in order} == wanted
    assert [status for status, _ in order] == sorted(
        (status for status, _ in order),
        key=["fail", "not_assessed", "pass", "not_applicable"].index,
    )
    assert len(made.text.splitlines()) == len(wanted)


def test_each_severity_has_an_edge_of_its_own_on_failing_cards():
    edges = re.findall(r"\.card\.fail\.(\w+)\{([^}]+)\}", display.sheet())
    assert {severity for severity, _ in edges} == {severity.value for severity in Severity}
    assert len({rule for _, rule in edges}) == len(Severity)
    failing = finding()
    card = page(display.card(failing).markup).all("article")[0]
    assert str(card["class"]).split() == ["card", "fail", failing.check.severity.value]


def test_an_id_stays_on_one_line_unless_it_is_an_arn():
    frame = pd.DataFrame({"endpoint_id": ["cvpn-endpoint-0123456789abcdef0", "arn:" + "a" * 60]})
    codes = page(display.table(frame).markup).all("code")
    assert [code.get("class") for code in codes] == [None, "breaks"]


def test_a_column_of_sentences_takes_the_room_of_one_only_where_it_holds_one():
    short, long = pd.DataFrame({"about": ["for everyone"]}), pd.DataFrame({"about": ["word " * 12]})
    kinds = [page(display.table(frame).markup).all("td")[0]["class"] for frame in (short, long)]
    assert kinds == ["text", "long"]


def test_a_page_keeps_names_whole_in_text_alone():
    html = '<title>us-vpn</title><a href="https://a-b.example/">a-b</a><p id="a-b">in us-east-1'
    assert display.unbroken_page(html) == html.replace("us-east-1", "<bdi>us-east-1</bdi>")


def test_a_page_marks_what_is_longer_than_an_endpoint_s_id_and_leaves_what_fits_no_line_to_be_broken():
    call, long = "get-client-vpn-endpoint-authorization-policy", "-".join(["word"] * 12)
    assert display.unbroken_page(f"<p>{call}</p>") == f'<p><bdi class="wide">{call}</bdi></p>'
    assert display.unbroken(call) == f'<bdi class="wide">{call}</bdi>'
    assert display.unbroken_page(f"<p>{long}</p>") == f"<p>{long}</p>"
    assert display.unbroken(long) == long


def test_a_japanese_number_stays_with_what_it_counts():
    assert display.unbroken_page("<p>チェック 2 件</p>") == "<p>チェック 2\N{NO-BREAK SPACE}件</p>"
    assert display.unbroken_page("<p>1 ホップ</p>") == "<p>1\N{NO-BREAK SPACE}ホップ</p>"


def test_a_japanese_list_of_names_may_break_after_each():
    told = "<bdi>us-vpn</bdi>、<wbr><bdi>lab-vpn</bdi>"
    assert display.unbroken_page("<p>us-vpn、lab-vpn</p>") == f"<p>{told}</p>"


def test_no_japanese_line_begins_with_a_particle():
    kept = display.unbroken_page(
        "<p>IAM が (AWS) では <code>x</code> まで AWS または EC2 すべて</p>"
    )
    assert kept.replace("\N{NO-BREAK SPACE}", "_") == (
        "<p>IAM_が (AWS)_では <code>x</code>_まで AWS または EC2 すべて</p>"
    )


def test_a_japanese_line_may_end_at_a_comma_or_stop_whatever_follows():
    html = "<p><bdi>a-b</bdi>、<bdi>a-c</bdi>、IAM (AWS)、a-d が承認され、a-e、接続先。AWS、サーバー。</p>"
    assert display.unbroken_page(html).replace("\N{NO-BREAK SPACE}", "_") == (
        "<p><bdi>a-b</bdi>、<wbr><bdi>a-c</bdi>、<wbr>IAM (AWS)、<wbr><bdi>a-d</bdi>_が承認され、<wbr><bdi>a-e</bdi>、"
        "接続先。<wbr>AWS、サーバー。</p>"
    )


def test_the_sheet_loses_spaces_between_its_signs_and_none_in_its_strings():
    sheet = display.sheet()
    assert 'content:attr(data-head) ": ";' in sheet
    assert "{ " not in sheet
    assert "/*" not in sheet


def test_a_subject_that_no_check_has_is_refused_with_the_nearest(exposed):
    with pytest.raises(ParameterError, match="Did you mean sessions"):
        display.cards(exposed, "session")


def test_a_check_is_about_what_its_module_is_called_unless_it_says_another(exposed):
    subject = {f.check.id: f.check.subject for f in exposed.findings}
    assert subject["session-lasts-a-day"] == "sessions"
    assert subject["certificate-only-where-groups-are-wanted"] == "authentication"


def test_a_card_without_an_answer_names_the_call_and_what_to_allow(refused):
    made = display.card(refused.finding("vpn-sg-is-shared"))
    text = page(made.markup).text
    assert "Not assessed" in text
    assert "ec2 describe-network-interfaces" in text
    assert "ec2:DescribeNetworkInterfaces" in text


def test_every_card_is_well_formed_and_has_no_style_or_handler(hostile):
    names = summary.names(hostile)
    for found in hostile.findings:
        parsed = page(display.card(found, names).markup)
        assert not parsed.problems, found.check.id
        for tag, attributes in parsed.tags:
            assert tag not in {"script", "img", "style", "svg", "h1"}
            assert not {a for a in attributes if a == "style" or a.startswith("on")}


def test_hostile_names_are_shown_as_text(hostile):
    made = display.card(hostile.finding("vpn-sg-is-default"), summary.names(hostile))
    text = page(made.markup).text
    assert "{{ 7 * 7 }}" in text
    for name in (worlds.SCRIPT, worlds.IMAGE, "pay[U+202E]roll[U+200B]"):
        assert name in page(display.strange_names(hostile).markup).text
        assert name not in text  # its id stands for it


# -- the whole ------------------------------------------------------------------------------------


def test_coverage_tells_what_was_read_as_whom_and_what_was_refused(refused):
    text = page(display.coverage(refused).markup).text
    for wanted in ("111122223333", "eu-west-1", "user/auditor", "2026-11-20 09:00 UTC"):
        assert wanted in text
    assert "could not be read" in text
    assert "Not assessed, because an answer is missing" in text
    assert "vpn-sg-is-shared" in text


def test_coverage_of_a_complete_reading_says_so(exposed):
    assert "Every call was answered." in display.coverage(exposed).markup
    assert str(display.coverage(exposed)).startswith("All ")
    assert str(display.coverage(exposed).markup) in display.audit_html(exposed)


def test_the_verdict_counts_every_finding_once(exposed):
    made = display.verdict(exposed)
    numbers = [int(t) for t in page(made.markup).text.split() if t.isdigit()]
    assert sum(numbers[:5]) == len(exposed.findings)


def test_first_steps_are_a_short_list_that_says_where_and_what_ends_sessions(exposed):
    steps = page(display.first_steps(exposed).markup)
    assert len(steps.all("li")) == 6
    assert "No session was live there when it was read." in steps.words
    linked = page(display.first_steps(exposed, pages={"vpn-sg-lets-members-in": "10.html"}).markup)
    assert {"href": "10.html#vpn-sg-lets-members-in"} in linked.all("a")
    assert "what it opens and closes" in linked.words
    assert "what it opens and closes" not in steps.words
    assert "Where: endpoint legacy; security group sg-" in steps.words


def test_the_table_of_findings_names_titles_and_places_and_keeps_answers_short(exposed, refused):
    finding = exposed.finding("vpn-sg-is-default")
    words = page(display.findings(exposed).markup).words
    assert finding.check.title in words
    assert f"{summary.where(finding, summary.names(exposed))} · {finding.check.id}" in words
    partly = page(display.findings(refused).markup).words
    assert "There may be more: part could not be read." in partly


def test_what_no_answer_of_aws_tells_asks_for_no_permission(exposed):
    finding = exposed.finding("vpn-sg-is-default")
    row = dict.fromkeys(GAPS.names, "") | {
        "table": "client_vpn_endpoints",
        "operation": "describe-client-vpn-endpoints",
        "status": "untold",
        "error_message": "AWS leaves open how answers travel",
        "iam_action": "ec2:DescribeClientVpnEndpoints",
    }
    silent = replace(finding, gaps=pd.DataFrame([row]))
    words = page(display.card(silent).markup).words
    assert "No answer of AWS tells it AWS leaves open how answers travel" in words
    assert "ec2:DescribeClientVpnEndpoints" not in words


def test_what_answers_leave_open_is_no_call_to_be_allowed(exposed):
    finding = exposed.finding("vpn-sg-is-default")
    row = dict.fromkeys(GAPS.names, "") | {
        "table": "network_interfaces",
        "operation": "describe-network-interfaces",
        "resource": "cvpn-endpoint-1",
        "status": "missing",
        "error_message": "receivers behind tgw-1 were not seen",
        "iam_action": "ec2:DescribeNetworkInterfaces",
    }
    again = Audit(exposed.snapshot)
    again.__dict__["findings"] = (replace(finding, gaps=pd.DataFrame([row])),)
    words = page(display.card(again.findings[0]).markup).words
    assert "Left open by the answers" in words
    assert "Not in the snapshot" not in words
    sheet = unread_rows(again)
    assert dict(zip(sheet["status"], sheet["iam_action"], strict=True)) == {"left_open": ""}


def test_nothing_to_do_is_said():
    nothing = Audit(worlds.empty().snapshot())
    assert "Nothing failed, and nothing was left unread." in display.first_steps(nothing).markup


def test_the_table_of_findings_links_to_their_cards(exposed):
    made = display.findings(exposed, pages={"vpn-sg-is-default": "10.html"})
    assert 'href="10.html#vpn-sg-is-default"' in made.markup
    assert len(page(made.markup).all("tr")) == len(exposed.findings) + 1


def test_a_picture_is_an_image_with_words_for_it(exposed):
    made = plots.severity_by_endpoint(exposed)
    (image,) = page(display.picture(made).markup).all("img")
    assert image["alt"] == made.text
    assert image["src"].startswith("data:image/svg+xml;base64,")


def test_a_moment_nobody_recorded_is_said_to_be_so():
    assert summary.when(None) == "a time the snapshot does not record"
    assert summary.when(datetime(2026, 1, 2, 3, 4, tzinfo=UTC)) == "2026-01-02 03:04 UTC"


# -- in a notebook --------------------------------------------------------------------------------


@pytest.fixture
def shell():
    made = InteractiveShell.instance()
    yield made
    InteractiveShell.clear_instance()
    sys.displayhook = sys.__displayhook__


def shown(shell, value):
    data, metadata = shell.display_formatter.format(value)
    html = data.get("text/html")
    assert html is None or html.startswith('<div class="mathjax_ignore')
    return html and display.out_of_notebook(html), metadata.get("text/html")


def test_a_notebook_shows_findings_frames_and_pictures_as_the_report_does(shell, exposed):
    sheet = display.init_notebook(exposed)
    names = summary.names(exposed)
    finding = exposed.finding("vpn-sg-is-default")
    told = display.card(finding, names, display.proposals_of(exposed, finding))
    assert shown(shell, finding) == (told.markup, {"auditlib": "html"})
    frame = exposed.tables.subnets
    assert shown(shell, frame)[0] == display.table(frame, names=names).markup
    picture = plots.severity_by_endpoint(exposed)
    assert shown(shell, picture)[0] == display.picture(picture).markup
    assert shown(shell, sheet)[1] == {"auditlib": "stylesheet"}
    assert shown(shell, exposed)[0] == display.coverage(exposed).markup


def test_names_are_optional_in_a_notebook(shell):
    display.init_notebook()
    assert "<table>" in shown(shell, pd.DataFrame({"x": [1]}))[0]


def test_outside_a_notebook_nothing_is_set_up():
    assert "<style>" in display.init_notebook().markup


def test_a_failing_card_is_headed_with_what_is_wrong_and_says_what_should_be():
    audit = Audit(worlds.exposed().snapshot(**worlds.MOMENT))
    for finding in audit.findings:
        markup = display.card(finding).markup
        (head,) = re.findall("<h3[^>]*>(.*?)</h3>", markup)
        words = page(markup).words
        if finding.status is Status.FAIL:
            assert finding.answer.startswith(html.unescape(head))
            assert f": {finding.check.title}." in words
            assert ("Should be:" in words) != (finding.check.severity is Severity.INFO)
        else:
            assert html.unescape(head) == finding.check.title
            assert "Should be:" not in words


def test_what_lies_outside_of_what_was_read_is_listed_with_what_would_tell():
    shown = page(display.coverage(open_audit()).markup).words
    (open_question,) = summary.beyond(open_audit()).to_dict("records")
    assert open_question["resource"] in shown
    assert "Collect what lies there too, or look there by hand" in shown
    folded = display.coverage(open_audit(), folded=True).markup
    assert folded.index("<details") < folded.index("<table")
