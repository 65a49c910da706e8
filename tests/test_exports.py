"""Every export says the same as the HTML; each is what the place it goes to expects."""

import csv
import io
import json
import re
import zipfile
from collections import Counter
from dataclasses import replace
from datetime import date
from pathlib import Path
from xml.etree import ElementTree as ET

import botocore.session
import openpyxl
import pandas as pd
import pytest
from botocore.validate import ParamValidator
from bs4 import BeautifulSoup
from py_ocsf_models.events.findings.compliance_finding import ComplianceFinding

import auditlib
from auditlib import display, sheets, steps, summary, workbook
from auditlib.accepted import AcceptedRisk, AcceptedRisks
from auditlib.asff import asff_batches, asff_findings
from auditlib.audit import Audit, open_audit
from auditlib.characters import visible
from auditlib.check import Status
from auditlib.errors import ParameterError
from auditlib.export import FORMATS, export_audit, findings_csv, findings_json
from auditlib.instances import instances
from auditlib.junit import junit_xml
from auditlib.ocsf import ocsf_events
from auditlib.sheets import Sheet
from auditlib.snapshot import Snapshot
from auditlib.workbook import workbook_bytes
from tests import report_worlds as worlds

Said = dict[str, tuple[str, Counter[str], Counter[str]]]
"""By check: status, reasons that count, reasons that are accepted."""

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def accepting(of: Audit) -> Audit:
    """Accept a part of one finding and all of another, in hostile words."""
    words = {"reason": worlds.HOSTILE[0], "owner": "=1+1", "reference": worlds.OVERRIDE}
    until = date(2027, 3, 31)
    server = of.finding("vpn-sg-is-shared").evidence["eni_id"].dropna().iloc[0]
    entries = (
        AcceptedRisk(check="vpn-sg-is-shared", resource=server, until=until, **words),
        AcceptedRisk(check="connection-logging-is-off", resource="*", until=until, **words),
        AcceptedRisk(check="connection-logging-is-off", resource="gone", until=until, **words),
    )
    return Audit(of.snapshot, AcceptedRisks(entries=entries, day=date(2026, 11, 24), file="a.yaml"))


@pytest.fixture(
    scope="module", params=["exposed", "hostile", "refused", "empty", "accepted", "sample"]
)
def audit(request) -> Audit:
    if request.param == "sample":
        return open_audit()
    if request.param == "accepted":
        return accepting(Audit(worlds.hostile().snapshot(**worlds.MOMENT)))
    return Audit(getattr(worlds, request.param)().snapshot(**worlds.MOMENT))


@pytest.fixture(scope="module")
def book(audit):
    return openpyxl.load_workbook(io.BytesIO(workbook_bytes(audit)))


def reasons(frame: pd.DataFrame) -> Counter[str]:
    return Counter(visible(str(reason)) for reason in frame.get("reason", ()))


def said_by_the_audit(of: Audit) -> Said:
    return {
        f.check.id: (f.status.value, reasons(f.evidence), reasons(f.accepted)) for f in of.findings
    }


def said_by_html(of: Audit) -> Said:
    said: Said = {}
    for finding in of.findings:
        card = BeautifulSoup(str(display.card(finding).markup), "html.parser").article
        status = next(c for c in card["class"] if c != "card")
        counted: Counter[str] = Counter()
        waived: Counter[str] = Counter()
        for table in card.find_all("table"):
            heads = [th.text for th in table.thead.find_all("th")]
            if heads[0] != "Reason":
                continue
            for row in table.tbody.find_all("tr"):
                cell = row.td
                for below in cell.find_all("span", class_="below"):
                    below.extract()
                into = waived if cell.find("s") else counted
                into[" ".join(cell.text.split())] += 1
        said[card["id"]] = (status, counted, waived)
    return said


def said_by_json(of: Audit) -> Said:
    return {
        entry["check"]: (
            entry["status"],
            Counter(visible(row["reason"]) for row in entry["evidence"]),
            Counter(visible(row["reason"]) for row in entry["accepted"]),
        )
        for entry in findings_json(of)["findings"]
    }


def said_by_csv(of: Audit) -> Said:
    said: Said = {}
    for row in csv.DictReader(io.StringIO(findings_csv(of.findings), newline="")):
        kept = said.setdefault(row["check"], (row["status"], Counter(), Counter()))
        if row["source"]:
            reason = visible(re.sub(r"^'", "", row["reason"]))
            kept[2 if row["accepted_until"] else 1][reason] += 1
    return said


def said_by_instances(rows: list[tuple[str, str, str, str]]) -> Said:
    """From check, finding's status, record's status, words."""
    said: Said = {}
    for check, whole, status, reason in rows:
        kept = said.setdefault(check, (whole, Counter(), Counter()))
        if status in {"fail", "accepted"}:
            kept[1 if status == "fail" else 2][reason] += 1
    return said


def said_by_ocsf(of: Audit) -> Said:
    return said_by_instances(
        [
            (
                event["metadata"]["event_code"],
                event["unmapped"]["finding_status"],
                event["status_code"],
                event["message"],
            )
            for event in ocsf_events(of)
        ]
    )


def said_by_book(book) -> Said:
    said: Said = {}
    for row in rows_of(book["Findings"]):
        status = "fail" if row["status"] == "information" else row["status"]
        said[row["check"]] = (status, Counter(), Counter())
    for page in book:
        rows = rows_of(page)
        if rows and "counts" in rows[0]:
            check = next(c for c in said if c == page.title or same_sheet(c, page.title))
            for row in rows:
                said[check][1 if row["counts"] == "yes" else 2][row["reason"]] += 1
    return said


def same_sheet(check: str, title: str) -> bool:
    return title.endswith("…") and check.startswith(title[:-1])


def rows_of(page) -> list[dict[str, object]]:
    values = list(page.iter_rows(min_row=workbook.HEAD + 1, values_only=True))
    heads = [str(head).lower().replace(" ", "_") for head in values[0] if head is not None]
    return [
        dict(zip(heads, ("" if v is None else v for v in row), strict=False)) for row in values[1:]
    ]


def said_by_junit(of: Audit) -> Said:
    said: Said = {}
    for case in ET.fromstring(junit_xml(of)).iter("testcase"):  # noqa: S314 # our own text
        child = next((c for c in case if c.tag != "system-out"), None)
        status = {"failure": "fail", "error": "not_assessed", "skipped": "skipped"}.get(
            child.tag if child is not None else "", "pass"
        )
        if status == "skipped":
            applies = not child.get("message", "").startswith("Not applicable")
            status = "accepted" if applies else "not_applicable"
        lines = (child.text or "").split("\n") if status == "fail" else []
        out = (case.findtext("system-out") or "").split("\n")
        said[case.get("name")] = (
            status,
            Counter(line for line in lines if line and not line.startswith("What to do: ")),
            Counter(
                re.sub(r" – accepted until .*", "", line.removeprefix("Accepted: "))
                for line in out
                if line.startswith("Accepted: ")
            ),
        )
    return said


@pytest.mark.parametrize("form", ["html", "json", "csv", "ocsf", "junit"])
def test_it_says_the_same_as_the_audit(audit, form):
    said = globals()[f"said_by_{form}"](audit)
    expected = said_by_the_audit(audit)
    if form == "html":  # a page folds the spaces of a text
        expected = {
            check: (
                status,
                *(Counter({" ".join(r.split()): n for r, n in c.items()}) for c in both),
            )
            for check, (status, *both) in expected.items()
        }
        for finding in audit.findings:
            # What is too long for a card is cut, and the card says how many rows there are.
            check, total = finding.check.id, len(finding.evidence)
            shown, wanted = said[check][1], expected[check][1]
            if shown != wanted:
                assert f"All {total:,} rows are in" in str(display.card(finding).markup)
                assert shown.total() > 100
                assert shown <= wanted
                said[check] = (said[check][0], wanted, said[check][2])
    assert said == expected


def test_the_json_holds_the_numbers_that_people_are_shown(audit):
    document = findings_json(audit)
    counts = document["counts"]
    shown = dict(counts)
    assert shown.pop("evidence") == sum(len(f["evidence"]) for f in document["findings"])
    assert shown == summary.tally(audit.findings)
    assert sum(shown.values()) == len(document["findings"])
    fails = [f for f in document["findings"] if f["status"] == "fail"]
    assert counts["fail"] == sum(not f["information"] for f in fails)
    assert counts["information"] == sum(f["information"] for f in fails)
    passing = {summary.passes_as(f) for f in audit.findings} - {""}
    assert bool(passing) == bool(counts["passes_elsewhere"] + counts["has_come"])


def test_the_workbook_says_the_same_as_the_audit(audit, book):
    assert said_by_book(book) == said_by_the_audit(audit)


def test_security_hub_is_told_the_same_as_the_audit(audit):
    expected = said_by_the_audit(audit)
    numbers: dict[str, Counter[str]] = {}
    for one in asff_findings(audit):
        fields = one["ProductFields"]
        numbers.setdefault(fields["auditlib/check"], Counter())[fields["auditlib/status"]] += 1
        assert fields["auditlib/finding-status"] == expected[fields["auditlib/check"]][0]
    assert set(numbers) == set(expected)
    for check, (_, counted, waived) in expected.items():
        assert numbers[check]["fail"] == counted.total()
        assert numbers[check]["accepted"] == waived.total()


def test_what_could_not_be_read_is_in_every_export_and_passes_in_none(audit, book):
    events, imported = list(ocsf_events(audit)), list(asff_findings(audit))
    unread = [str(row["checks"]).split() for row in rows_of(book["What could not be read"])]
    for finding in audit.findings:
        if not len(finding.gaps):
            continue
        id = finding.check.id
        mine = [e for e in events if e["metadata"]["event_code"] == id]
        assert {e["compliance"]["status_id"] for e in mine} <= {0, 3}
        assert any(e["status_code"] == "not_assessed" and e["unmapped"]["gaps"] for e in mine)
        hub = [f for f in imported if f["ProductFields"]["auditlib/check"] == id]
        assert "NOT_AVAILABLE" in {f["Compliance"]["Status"] for f in hub}
        assert "PASSED" not in {f["Compliance"]["Status"] for f in hub}
        assert any(id in checks for checks in unread)


# -- the workbook ---------------------------------------------------------------------------------


def test_no_cell_is_a_formula_and_no_link_leaves_the_workbook(book):
    for page in book:
        for row in page.iter_rows():
            for cell in row:
                assert cell.data_type != "f", (page.title, cell.coordinate)
                if cell.hyperlink is not None:
                    assert cell.hyperlink.target is None
                    assert re.fullmatch(r"'.+'!A1", cell.hyperlink.location)


def test_every_link_leads_to_a_sheet(book):
    found = [
        cell.hyperlink.location
        for page in book
        for row in page.iter_rows()
        for cell in row
        if cell.hyperlink is not None
    ]
    assert found
    assert {re.fullmatch(r"'(.+)'!A1", place)[1].replace("''", "'") for place in found} <= set(
        book.sheetnames
    )


def test_heads_are_frozen_and_tables_have_filters(book):
    for page in book:
        assert page.freeze_panes == f"B{workbook.HEAD + 2}"
        if page.title != "Summary":
            assert page.auto_filter.ref.startswith(f"A{workbook.HEAD + 1}:")
        assert all(page.column_dimensions[c].width >= 9 for c in "AB")


def test_what_to_do_first_can_be_acted_on_from_its_sheet(audit, book):
    rows = rows_of(book["To do first"])
    told = steps.first_steps(audit)

    def how(step):
        return " ".join(
            [*filter(None, [step.how]), *(f"({n}) {p}" for n, p in enumerate(step.parts, 1))]
        )

    assert [(row["step"], row["what_to_do"], row["why"]) for row in rows] == [
        (visible(step.what), visible(how(step)), visible(step.why)) for step in told
    ]
    assert rows or not told
    assert [(row["who"], row["by_when"]) for row in rows] == [
        (visible(step.who), visible(step.by)) for step in told
    ]
    assert all(row["who"] and row["by_when"] for row in rows)


def test_names_stand_beside_ids_and_heads_are_as_people_read(audit, book):
    heads = [cell.value for cell in book["Who reaches what"][workbook.HEAD + 1]]
    assert heads[heads.index("Interface") + 1] == "Interface name"
    (sheet,) = [one for one in sheets.sheets(audit) if one.name == "who-reaches-what"]
    assert "eni_name" not in sheet.frame  # CSV keeps its columns
    called = {row["interface"]: row["interface_name"] for row in rows_of(book["Who reaches what"])}
    names = summary.names(audit)
    known = {id: names[id] for id in called if id in names}
    assert all(called[id] == visible(name).removeprefix(f"{id} ") for id, name in known.items())


def test_severities_have_colours(book):
    page = book["Findings"]
    column = next(cell.column for cell in page[workbook.HEAD + 1] if cell.value == "Severity")
    colours = {
        page.cell(row, column).value: page.cell(row, column).fill.fgColor.rgb
        for row in range(workbook.HEAD + 2, page.max_row + 1)
    }
    assert len(set(colours.values())) == len(colours) >= 3


def test_accepted_rows_are_struck_out():
    of = accepting(Audit(worlds.exposed().snapshot(**worlds.MOMENT)))
    page = openpyxl.load_workbook(io.BytesIO(workbook_bytes(of)))["vpn-sg-is-shared"]
    struck = {
        page.cell(row, 1).value: page.cell(row, 2).font.strike
        for row in range(workbook.HEAD + 2, page.max_row + 1)
    }
    assert bool(struck["no: accepted"])
    assert not struck["yes"]


@pytest.mark.parametrize("reference", ["", "NET-7"])
def test_a_column_of_references_is_shown_where_there_is_a_reference(reference, tmp_path):
    check = "connection-logging-is-off"
    risk = AcceptedRisk(
        check=check,
        resource="*",
        reason="lab",
        owner="Jane",
        until=date(2027, 3, 31),
        reference=reference,
    )
    risks = AcceptedRisks(entries=(risk,), day=date(2026, 11, 24), file="a.yaml")
    of = Audit(worlds.exposed().snapshot(**worlds.MOMENT), risks)
    (sheet,) = [sheet for sheet in sheets.sheets(of) if sheet.check_id == check]
    assert ("accepted_reference" in sheet.frame) is bool(reference)
    assert ("Accepted reference" in display.card(of.finding(check)).markup) is bool(reference)
    assert of.finding(check).accepted["accepted_reference"].tolist() == [reference]


def test_what_a_sheet_shows_stands_in_lines_that_can_be_read_and_links_lead_on(book):
    for page in book:
        (above,) = [r for r in page.merged_cells.ranges if r.min_row == 2]
        wide = sum(
            page.column_dimensions[openpyxl.utils.get_column_letter(n)].width
            for n in range(1, above.max_col + 1)
        )
        assert wide <= workbook.LINE * 1.25
        assert len(page["A2"].value or "") <= wide * page.row_dimensions[2].height / 13.5
        if page.title != "Summary":
            back = "Summary" if page.title == "Findings" else "Findings"
            assert (page["A3"].value, page["A3"].hyperlink.location) == (back, f"'{back}'!A1")


def test_the_same_snapshot_makes_the_same_bytes(judged_anew, tmp_path):
    made = []
    for name in ("one", "two"):
        of = accepting(Audit(worlds.exposed().snapshot(**worlds.MOMENT)))
        paths = export_audit(of, tmp_path / name)
        made.append({p.relative_to(tmp_path / name): p.read_bytes() for p in paths})
    assert made[0] == made[1]
    with zipfile.ZipFile(io.BytesIO(made[0][Path("findings.xlsx")])) as parts:
        core = parts.read("docProps/core.xml").decode()
    assert "2026-11-20T09:04:00Z" in core


def test_a_text_too_long_for_a_cell_is_cut_and_said(monkeypatch):
    text = "x" * 40_000
    page = book_of(monkeypatch, pd.DataFrame({"reason": [text, "\U0001f600" * 20_000, "short"]}))
    first, second, third = (page.cell(workbook.HEAD + 2 + n, 1).value for n in range(3))
    assert first.endswith("… (cut: 40,000 characters)")
    assert len(first) == workbook.CHARACTERS
    assert len(second.encode("utf-16-le")) // 2 <= workbook.CHARACTERS
    assert second.endswith("(cut: 20,000 characters)")
    assert third == "short"
    assert page.cell(3, 2).value.startswith("2 texts were too long for a cell and cut")


def test_rows_beyond_what_a_sheet_holds_are_left_out_and_said(monkeypatch):
    monkeypatch.setattr(workbook, "ROWS", 10)
    page = book_of(monkeypatch, pd.DataFrame({"reason": [str(n) for n in range(50)]}))
    assert page.max_row == 10
    assert page.cell(3, 2).value.startswith("The first 6 of 50 rows")


def book_of(monkeypatch, frame):
    """Return the first sheet of a workbook that holds this frame."""
    monkeypatch.setattr(workbook, "sheets", lambda _: (Sheet(name="findings", title="Findings", about="All.", frame=frame),))  # fmt: skip
    of = Audit(worlds.empty().snapshot())
    return openpyxl.load_workbook(io.BytesIO(workbook_bytes(of))).worksheets[0]


def test_sheet_names_fit_and_differ_whatever_the_ids():
    blank = Sheet(name="", title="", about="", frame=pd.DataFrame())
    ids = [f"a-check-with-a-very-long-name-{n}" for n in ("one", "two", "TWO")]
    names = workbook._names([replace(blank, name=id, check_id=id) for id in ids])
    assert len({name.lower() for name in names.values()}) == 3
    assert all(len(name) <= 31 for name in names.values())


# -- CSV ------------------------------------------------------------------------------------------


def test_each_sheet_and_each_table_is_a_csv_file_without_formulas(audit, tmp_path):
    export_audit(audit, tmp_path, ["csv"])
    wanted = {f"{sheet.name}.csv" for sheet in sheets.sheets(audit)}
    assert {p.name for p in (tmp_path / "csv").glob("*.csv")} == wanted
    assert {p.stem for p in (tmp_path / "csv" / "tables").iterdir()} >= set(audit.tables.names)
    for path in (tmp_path / "csv").rglob("*.csv"):
        with path.open(encoding="utf-8-sig", newline="") as file:
            for row in csv.reader(file):
                assert not [cell for cell in row if cell.startswith(FORMULA) and not number(cell)]


def number(cell: str) -> bool:
    return re.fullmatch(r"-?\d+", cell) is not None


# -- OCSF and ASFF --------------------------------------------------------------------------------


def test_every_ocsf_event_is_a_compliance_finding_with_an_id_of_its_own(audit):
    events = ocsf_events(audit)
    for event in events:
        ComplianceFinding.model_validate(json.loads(json.dumps(event)))
        assert event["class_uid"] == 2003
        assert event["type_uid"] == 200301
    uids = [event["metadata"]["uid"] for event in events]
    assert len(set(uids)) == len(uids)


def test_accepted_evidence_is_suppressed_with_its_reason():
    of = accepting(Audit(worlds.exposed().snapshot(**worlds.MOMENT)))
    waived = [event for event in ocsf_events(of) if event["status_code"] == "accepted"]
    assert {event["status"] for event in waived} == {"Suppressed"}
    assert all("accepted until 2027-03-31 by =1+1" in event["comment"] for event in waived)
    hub = [f for f in asff_findings(of) if f["ProductFields"]["auditlib/status"] == "accepted"]
    assert len(hub) == len(waived) == 2
    assert {f["Workflow"]["Status"] for f in hub} == {"SUPPRESSED"}
    assert all("accepted until 2027-03-31" in f["Note"]["Text"] for f in hub)


LENGTHS = {"Title": 256, "Description": 1024, "Id": 512, "GeneratorId": 512}


def test_security_hub_would_take_every_batch(audit):
    shape = (
        botocore.session.get_session()
        .get_service_model("securityhub")
        .operation_model("BatchImportFindings")
        .input_shape
    )
    batches = asff_batches(audit)
    assert sum(len(b["Findings"]) for b in batches.values()) == len(asff_findings(audit))
    for name, batch in batches.items():
        report = ParamValidator().validate(batch, shape)
        assert not report.has_errors(), report.generate_report()
        assert 1 <= len(batch["Findings"]) <= 100
        places = {(f["AwsAccountId"], f["Region"]) for f in batch["Findings"]}
        assert len(places) == 1
        assert name.startswith("-".join(*places))
        for one in batch["Findings"]:
            assert all(1 <= len(one[key]) <= most for key, most in LENGTHS.items())
            assert 1 <= len(one["Resources"]) <= 32
            assert len(one["Remediation"]["Recommendation"]["Text"]) <= 512
            assert len(one.get("Note", {}).get("Text", "x")) <= 512
            assert re.fullmatch(
                r"arn:aws:securityhub:[a-z0-9-]+:\d{12}:product/\d{12}/default", one["ProductArn"]
            )
            enums(one, shape.members["Findings"].member)


def enums(value, shape):
    """Hold texts against the values botocore knows; its own validation does not."""
    if shape.type_name == "structure":
        for key, held in value.items():
            assert key in shape.members, key
            enums(held, shape.members[key])
    elif shape.type_name == "list":
        for held in value:
            enums(held, shape.member)
    elif shape.type_name == "string" and shape.enum:
        assert value in shape.enum


def test_the_same_thing_keeps_its_id_when_words_or_places_in_files_change(judged_anew, audit):
    again = {one.uid for one in instances(Audit(audit.snapshot, audit.accepted))}
    assert again == {one.uid for one in instances(audit)}
    assert len(again) == len(instances(audit))


def test_a_snapshot_without_an_account_cannot_go_to_security_hub():
    of = Audit(Snapshot.from_documents({}, []))
    with pytest.raises(ParameterError, match="names no account"):
        asff_findings(of)
    assert {event["status_code"] for event in ocsf_events(of)} == {"not_assessed"}


# -- JUnit ----------------------------------------------------------------------------------------


def test_junit_counts_what_it_holds_and_never_skips_what_was_not_assessed(audit):
    suite = ET.fromstring(junit_xml(audit)).find("testsuite")  # noqa: S314 # our own text
    tags = {"tests": "testcase", "failures": "failure", "errors": "error", "skipped": "skipped"}
    for name, tag in tags.items():
        assert int(suite.get(name)) == len(list(suite.iter(tag)))
    unread = sum(f.status is Status.NOT_ASSESSED for f in audit.findings)
    assert int(suite.get("errors")) == unread


def test_the_formats_are_the_ones_the_command_line_offers():
    text = Path(auditlib.__file__).with_name("cli.py").read_text("utf-8")
    offered = ", ".join(f'"{name}"' for name in FORMATS)
    assert f"click.Choice([{offered}])" in text
