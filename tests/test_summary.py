"""Sentences and counts over a whole audit."""

from dataclasses import replace

import pandas as pd
import pytest

from auditlib import display, endpoints, summary
from auditlib.audit import Audit
from auditlib.check import Finding, Severity, Status, checks
from auditlib.check import audit as findings_of
from auditlib.export import findings_json
from auditlib.plots import severity_by_endpoint
from auditlib.schemas import GAPS
from auditlib.sheets import sheets
from auditlib.steps import first_steps
from auditlib.terminal import print_audit
from auditlib.words import count
from tests import report_worlds as worlds
from tests.pages import page
from tests.worlds import World, revocation_list

SEVERITIES = [severity.value for severity in Severity]


def audited(world: World) -> Audit:
    return Audit(world.snapshot(**worlds.MOMENT))


@pytest.fixture(scope="module")
def refused() -> Audit:
    return audited(worlds.refused())


def test_a_place_whose_endpoints_were_not_read_has_no_number_of_endpoints(refused):
    places = summary.places(refused).set_index("region")["endpoints"]
    assert dict(places) == {"ap-northeast-1": "2", "eu-west-1": "could not be read"}


def test_calls_are_counted_by_how_they_ended(refused):
    for place in summary.places(refused).to_dict("records"):
        ended = [place[k] for k in ("read", "denied", "failed", "unsupported")]
        assert sum(ended) == place["calls"]
    assert summary.places(refused)["denied"].sum() == 3


def test_a_refused_call_is_named_once_with_all_tables_that_lack_it(refused):
    calls = summary.refused_calls(refused.gaps)
    interfaces = calls[calls["operation"] == "describe-network-interfaces"]
    assert list(interfaces["region"]) == ["ap-northeast-1", "eu-west-1"]
    assert interfaces["tables"].iloc[0] == (
        "network_interface_addresses",
        "network_interface_groups",
        "network_interfaces",
    )


def test_no_refused_call_is_an_empty_frame_with_columns():
    calls = summary.refused_calls(audited(worlds.empty()).gaps)
    assert calls.empty
    assert "tables" in calls


def test_a_region_nobody_could_look_into_has_a_row_that_counts_no_pass(refused):
    rows = endpoints.by_endpoint(refused)
    unseen = rows[rows["endpoint_id"] == "endpoints could not be listed"]
    assert list(unseen["region"]) == ["eu-west-1"]
    assert unseen["not_assessed"].iloc[0] > 0


def test_every_endpoint_has_a_row_also_when_nothing_is_wrong():
    world = World()
    world.endpoint(world.vpc(), name="new")
    rows = endpoints.by_endpoint(audited(world))
    assert "new" in list(rows["name"])


def test_a_failing_check_counts_once_per_endpoint_it_names():
    audit = audited(worlds.exposed())
    rows = endpoints.by_endpoint(audit).set_index("name")
    ids = dict(zip(rows.index, rows["endpoint_id"], strict=True))
    for name in ("staff", "legacy"):
        failing = [
            finding.check.severity.value
            for finding in audit.findings
            if "endpoint_id" in finding.evidence
            and (finding.evidence["endpoint_id"] == ids[name]).any()
        ]
        assert {s: failing.count(s) for s in SEVERITIES} == rows.loc[name, SEVERITIES].to_dict()


def test_evidence_that_names_no_endpoint_has_a_row_of_its_own():
    rows = endpoints.by_endpoint(audited(worlds.exposed()))
    assert endpoints.NO_ENDPOINT in set(rows["endpoint_id"])


def test_the_verdict_counts_all_four_results_apart(refused):
    found = summary.tally(refused.findings)
    told = found["fail"] + found["information"]
    assert told == summary.counts(refused.findings)[Status.FAIL]
    assert found["information"] == sum(map(summary.is_note, refused.findings)) > 0
    said = " ".join(summary.verdict(refused))
    assert f"{found['fail']} fail" in said
    assert f"{found['information']} are for information" in said
    assert f"{found['not_assessed']} could not be assessed" in said
    assert "The endpoints of eu-west-1 could not be listed" in said


def test_sheets_terminal_pages_and_json_count_what_is_information_apart(refused, capsys):
    found = summary.tally(refused.findings)
    made = {sheet.name: sheet.frame for sheet in sheets(refused)}
    items = dict(made["summary"].itertuples(index=False))
    assert items["Checks: Fails"] == str(found["fail"])
    assert items["Checks: Information"] == str(found["information"])
    assert made["findings"]["status"].value_counts().to_dict() == {
        name: number for name, number in found.items() if number
    }
    print_audit(refused)
    last = capsys.readouterr().out.strip().splitlines()[-1]
    assert last.startswith(f"{found['fail']} fail (")
    assert f"{found['information']} for information" in last
    assert "info)" not in last
    fixes = display.fixes(refused)
    assert fixes.text == f"{found['fail']} fail and {found['information']} for information"
    told = [f["check"] for f in findings_json(refused)["findings"] if f["information"]]
    assert told == [f.check.id for f in refused.findings if summary.outcome(f) == "information"]


def test_the_verdict_of_an_empty_account_says_that_nothing_was_there():
    said = summary.verdict(audited(worlds.empty()))
    assert said[0].startswith("No Client VPN endpoint was seen in one Region")
    assert "fail" not in said[1]


def test_an_unread_account_is_not_called_empty_of_endpoints():
    world = World().refuse("ec2-describe-client-vpn-endpoints")
    said = " ".join(summary.verdict(audited(world)))
    assert "could not be listed, so nothing can be said of them" in said
    assert "pass" not in said


@pytest.mark.parametrize(
    ("statuses", "said"),
    [
        ([], "No check was made."),
        ([Status.PASS] * 2, "All 2 checks pass."),
        ([Status.FAIL, Status.PASS], "Of two checks, 1 fails (1 high) and 1 passes."),
        (
            [Status.FAIL, Status.FAIL, Status.NOT_ASSESSED, Status.NOT_APPLICABLE],
            "Of four checks, 2 fail (2 high), 1 could not be assessed and 1 does not apply.",
        ),
    ],
)
def test_the_result_is_told_in_numbers_that_add_up(statuses, said):
    audit = audited(worlds.empty())
    some = audit.findings[0]
    check = replace(some.check, severity=Severity.HIGH)
    audit.__dict__["findings"] = tuple(replace(some, status=s, check=check) for s in statuses)
    assert said in summary.verdict(audit)


def test_checks_that_saw_only_part_are_counted_in_words(refused):
    found = [f for f in refused.findings if f.status is Status.FAIL and len(f.gaps)]
    assert summary.verdict(refused)[-1].split()[1] == ("checks" if len(found) > 1 else "check")


def test_reading_again_comes_before_what_is_mild(refused):
    steps = first_steps(refused, 20)
    ranks = {f.check.id: f.check.severity.rank for f in refused.findings}
    again = next(i for i, step in enumerate(steps) if not step.check_id)
    assert "ec2:DescribeNetworkInterfaces" in steps[again].what
    assert all(ranks[step.check_id] >= Severity.HIGH.rank for step in steps[:again])
    assert all(ranks[step.check_id] < Severity.HIGH.rank for step in steps[again + 1 :])


def test_what_has_ended_comes_first_then_what_ends_soon_each_with_its_day(refused):
    certain = {made.id: made for made in checks()}
    some = next(f for f in refused.findings if f.status is Status.FAIL)

    def failing(id: str, **columns: object) -> Finding:
        rows = pd.DataFrame([{"endpoint_id": "cvpn-endpoint-1", "reason": "…", **columns}])
        return replace(some, check=certain[id], evidence=rows, gaps=some.gaps.head(0))

    audit = Audit(refused.snapshot)
    audit.__dict__["findings"] = (
        failing("sensitive-port-reachable-by-everyone"),
        failing(
            "server-certificate-expires-soon",
            not_after=pd.Timestamp("2026-11-25", tz="UTC"),
            imported=True,
        ),
        failing("saml-provider-is-unusable", until=pd.Timestamp("2026-11-01", tz="UTC")),
    )
    told = [(step.check_id, step.ends, step.sessions) for step in first_steps(audit)]
    assert told == [
        (
            "saml-provider-is-unusable",
            "Ended on 2026-11-01.",
            "",
        ),
        (
            "server-certificate-expires-soon",
            "Ends on 2026-11-25, four days after the snapshot.",
            "",
        ),
        ("sensitive-port-reachable-by-everyone", "", ""),
    ]


def test_a_call_that_failed_asks_for_another_reading_and_no_permission():
    world = worlds.exposed()
    world.refuse("ec2-describe-security-groups", status="failed", code="RequestLimitExceeded")
    step = next(s for s in first_steps(audited(world), 20) if not s.check_id)
    assert step.what == "Collect again."


@pytest.mark.parametrize("version", ["1.43.0", "1.40.0"])
def test_what_an_old_sdk_left_out_asks_for_a_newer_one(version):
    audit = Audit(worlds.exposed().snapshot(**(worlds.MOMENT | {"botocore_version": version})))
    step = next(s for s in first_steps(audit, 40) if not s.check_id)
    assert step.what == "Take a newer boto3 or AWS CLI and collect again."


def test_only_calls_that_were_made_are_counted_as_unanswered():
    world = worlds.exposed()
    world.refuse("ec2-describe-network-acls")
    audit = audited(world)
    step = next(s for s in first_steps(audit, 20) if not s.check_id)
    assert len(summary.refused_calls(audit.gaps)) == 1
    assert "one call gave no answer" in step.why
    assert step.where == "ap-northeast-1 (account 111122223333)"


def test_where_nothing_was_refused_no_other_reading_is_asked_for():
    audit = audited(worlds.exposed())
    row = dict.fromkeys(GAPS.names, "") | {
        "table": "client_vpn_endpoints",
        "account": "111122223333",
        "region": "ap-northeast-1",
        "status": "untold",
    }
    finding = replace(audit.findings[0], gaps=pd.DataFrame([row]))
    audit.__dict__["findings"] = (finding,)
    step = next(s for s in first_steps(audit, 20) if not s.check_id)
    assert step.what == "Find out by hand what the snapshot cannot tell."
    assert "leaves one more question open" in step.why
    assert "call" not in step.why


def test_things_are_called_by_name_and_by_id_where_names_are_alike():
    finding = audited(worlds.exposed()).findings[0]
    ids = [f"sg-{n}" for n in range(5)]
    rows = pd.DataFrame({"endpoint_id": ["cvpn-endpoint-1"] * 5, "group_id": ids})
    called = {"sg-0": "default", "sg-1": "app", "sg-2": "web", "sg-3": "web"}
    said = summary.where(replace(finding, evidence=rows), called)
    assert (
        said
        == "endpoint cvpn-endpoint-1; security groups sg-0 (default), app, sg-2 (web) and 2 more"
    )
    users = pd.DataFrame({"group_id": ["research"]})
    assert summary.where(replace(finding, evidence=users), called) == ""


def test_the_severe_and_the_frequent_come_first():
    found = summary.by_urgency(audited(worlds.exposed()).findings)
    failing = [f for f in found if f.status is Status.FAIL]
    keys = [(-f.check.severity.rank, -len(f.evidence)) for f in failing]
    assert keys == sorted(keys)
    assert list(found[: len(failing)]) == failing


@pytest.mark.parametrize(
    ("name", "strange"),
    [
        ("<img src=x>", True),
        ('=HYPERLINK("x")', True),
        ("invoice\u202egpj.exe", True),
        ("[printer](javascript:alert(1))", True),
        ("web-1 (blue)", False),
        ("10 < 20", False),
        ("-", False),
        ("人事ポータル", False),
    ],
)
def test_names_that_look_like_something_else_are_told_with_what_has_them(name, strange):
    world = World()
    subnet = world.subnet(world.vpc(), "10.0.1.0/24", name=name)
    said = summary.strange_names(audited(world))
    assert (f"({subnet}): ask who set it" in said) == strange
    assert bool(said) == strange


def test_plain_names_come_first_and_disguised_ones_are_called_by_their_ids():
    world = World()
    vpc = world.vpc()
    names = ("=1+1", "zebra", "<b>", "crm")
    ids = [world.subnet(vpc, f"10.0.{n}.0/24", name=name) for n, name in enumerate(names)]
    assert summary.spoken(ids, summary.names(audited(world))) == [
        "zebra",
        "crm",
        f"{ids[0]} (suspicious name)",
        f"{ids[2]} (suspicious name)",
    ]


def test_all_disguised_names_are_listed_and_somebody_is_to_be_asked_who_set_them():
    world = World()
    vpc = world.vpc()
    names = [f"=HYPERLINK({n})" for n in range(12)]
    ids = [world.subnet(vpc, f"10.0.{n}.0/24", name=name) for n, name in enumerate(names)]
    audit = audited(world)
    audit.__dict__["findings"] = ()
    assert summary.strange_names(audit).endswith("and 2 more): ask who set them.")
    (step,) = first_steps(audit, 0)
    assert step.what == "Ask who set 12 suspicious names."
    (sheet,) = (sheet for sheet in sheets(audit) if sheet.name == "suspicious-names")
    told = sheet.frame[["name", "id", "vpc_id", "endpoint_id"]].to_numpy().tolist()
    assert told == [[name, id, vpc, ()] for id, name in zip(ids, names, strict=True)]
    audit.__dict__["names"] = {}
    assert first_steps(audit, 0) == ()
    assert "suspicious-names" not in {sheet.name for sheet in sheets(audit)}


def test_pages_call_what_has_a_suspicious_name_by_its_id_and_one_place_repeats_it():
    world = World()
    vpc = world.vpc()
    group = world.security_group(vpc, "=1+1")
    endpoint = world.endpoint(vpc, (group,), name="staff")
    world.associate(endpoint, world.subnet(vpc, "10.0.1.0/24"))
    world.ingress(group, group)
    audit = audited(world)
    assert summary.names(audit)[group] == f"{group} (suspicious name)"
    assert audit.names[group] == "=1+1"  # as AWS holds it
    (found,) = summary.strange_things(audit).to_dict("records")
    assert found == {"name": "=1+1", "id": group, "vpc_id": vpc, "endpoint_id": (endpoint,)}
    told = display.strange_names(audit).markup
    assert "=1+1" in told
    assert "possible incident" in told
    reasons = " ".join(r for f in audit.findings for r in f.evidence.get("reason", ()))
    assert f"{group} (suspicious name)" in reasons
    assert "=1+1" not in reasons
    assert display.strange_names(audited(World())).markup == ""


@pytest.fixture(scope="module")
def defaulted() -> Audit:
    """Return an audit of two endpoints on default groups; the way to one's wiki was not read."""
    world = World()
    for n, name in enumerate(("known", "unread")):
        if n:
            world.at("us-east-1")
        vpc = world.vpc(f"10.{n}.0.0/16")
        endpoint = world.endpoint(vpc, name=name)
        world.associate(endpoint, world.subnet(vpc, f"10.{n}.1.0/24"))
        world.authorize(endpoint, f"10.{n}.0.0/16")
        for at in ("wiki", "=1+1"):
            subnet = world.subnet(vpc, f"10.{n}.{2 + len(at)}.0/24")
            world.interface(subnet, world.default_group(vpc), name=at)
    world.refuse("ec2-describe-network-acls", region="us-east-1")
    audit = audited(world)
    audit.__dict__["findings"] = findings_of(audit.tables, [MEMBERS, "connection-logging-is-off"])
    return audit


MEMBERS = "vpn-sg-lets-members-in"


def test_the_verdict_says_of_each_severe_finding_who_reaches_what_at_which_endpoint(defaulted):
    (line,) = (said for said in summary.verdict(defaulted) if said.startswith("High: "))
    told = defaulted[MEMBERS].evidence
    assert line == summary.verdict(defaulted)[0]
    first, second = line.removeprefix("High: ").split(". ")
    assert first.startswith("known shares a security group that admits every member")
    odd = told.loc[told["reason"].str.contains("suspicious name"), "eni_id"].iloc[0]
    assert first.endswith(f"every user reaches two receivers (wiki and {odd} (suspicious name))")
    assert second.startswith("unread shares a security group that admits every member")
    assert "whether packets get to two receivers (" in second
    assert second.endswith("could not be read.")
    assert not any(said.startswith("The most severe") for said in summary.verdict(defaulted))


def test_what_is_severe_at_one_endpoint_is_one_sentence_and_tells_receivers_once():
    world = World()
    vpc = world.vpc()
    endpoint = world.endpoint(vpc, name="old")
    world.associate(endpoint, world.subnet(vpc, "10.0.1.0/24"))
    world.authorize(endpoint, "10.0.0.0/16")
    world.interface(world.subnet(vpc, "10.0.2.0/24"), world.default_group(vpc), name="wiki")
    world.record(endpoint)["ConnectionLogOptions"]["CloudwatchLogGroup"] = "/vpn/quiet"
    world.log_group("/vpn/quiet")
    world.log_stream("/vpn/quiet", "connections", days_ago=75)
    audit = audited(world)
    only = [MEMBERS, "sensitive-port-reachable-by-everyone", "endpoint-is-idle"]
    audit.__dict__["findings"] = findings_of(audit.tables, only)
    line = summary.verdict(audit)[0]
    assert line == (
        "High: old, which nobody seems to use, lets every user reach an administration or database port "
        "and shares a security group that admits every member (VPN clients included): every user reaches "
        "one receiver (wiki)."
    )
    assert not any(said.startswith("What is in order") for said in summary.verdict(audit))


def test_subjects_wholly_in_order_are_named_and_no_others():
    audit = audited(worlds.exposed())
    (said,) = (one for one in summary.verdict(audit) if one.startswith("In order: "))
    by_subject: dict[str, list[bool]] = {}
    for found in audit.findings:
        if found.status is not Status.NOT_APPLICABLE:
            passes = found.status is Status.PASS and not found.overtaken
            by_subject.setdefault(found.check.subject, []).append(passes)
    assert any(map(all, by_subject.values()))
    for subject, passes in by_subject.items():
        told = f"{summary._SUBJECTS[subject]} ({count(len(passes), 'check')}"
        assert (told in said) == all(passes)
    assert {f.check.subject for f in audit.findings} <= set(summary._SUBJECTS)


@pytest.mark.parametrize("beyond", [False, True])
def test_a_subject_that_was_looked_at_in_part_is_in_order_as_far_as_that(beyond):
    world = worlds.exposed()
    if beyond:
        world.endpoint(TransitGatewayConfiguration={"TransitGatewayId": "tgw-1"})
    (said,) = (one for one in summary.verdict(audited(world)) if one.startswith("In order: "))
    assert ("client addresses (four checks, as far as was looked at)" in said) == beyond
    assert ("client addresses (four checks)" in said) != beyond


@pytest.mark.parametrize("refused", ["", "ec2-describe-client-vpn-target-networks"])
def test_where_no_way_is_known_it_is_said_whether_all_was_read(refused):
    world = World()
    vpc = world.vpc()
    endpoint = world.endpoint(vpc, name="staff")
    world.associate(endpoint, world.subnet(vpc, "10.0.1.0/24"))
    world.interface(world.subnet(vpc, "10.0.2.0/24"), world.default_group(vpc), name="wiki")
    if refused:  # no authorization rule leads there in any case
        world.refuse(refused)
    audit = audited(world)
    audit.__dict__["findings"] = findings_of(audit.tables, [MEMBERS])
    (line,) = (said for said in summary.verdict(audit) if said.startswith("High: "))
    assert ("users do not get to one receiver (wiki) today" in line) != bool(refused)
    assert ("whether packets get to one receiver (wiki) could not be read" in line) == bool(refused)


def test_checks_that_saw_only_part_say_where_and_what_to_allow(refused):
    said = next(said for said in summary.verdict(refused) if "saw only part" in said)
    assert "AWS refused " in said
    assert "ec2:DescribeNetworkInterfaces" in said
    assert "ap-northeast-1" in said
    assert "With these permissions" not in said


def test_what_no_permission_would_show_is_told_beside_the_permissions(refused):
    why = "leaves what was read through tgw-0123456789abcdef0"
    partly = [f for f in refused.findings if f.status is Status.FAIL and len(f.gaps)]
    (one, *_) = (f for f in partly if (f.gaps["status"] == "denied").any())
    untold = one.gaps.head(1).assign(status="untold", error_message=why, iam_action="")
    both = replace(one, gaps=pd.concat([one.gaps, untold]))
    more = f"With these permissions one check would still see only part: {why}."
    assert summary._partly([both], {}).endswith(more)
    assert more not in summary._partly([one], {})


def test_a_thing_without_a_name_has_none():
    world = World()
    subnet = world.subnet(world.vpc(), "10.0.1.0/24")
    assert subnet not in summary.names(audited(world))


def test_the_picture_is_the_same_for_the_same_data_and_carries_no_date():
    audit = audited(worlds.hostile())
    first, second = severity_by_endpoint(audit), severity_by_endpoint(audit)
    assert first == second
    assert b"<dc:date>" not in first.svg


def test_names_in_a_picture_are_neither_mathematics_nor_markup():
    from xml.etree import ElementTree

    made = severity_by_endpoint(audited(worlds.hostile()))
    texts = "".join(ElementTree.fromstring(made.svg).itertext())  # noqa: S314 # our own
    assert "$\\frac{1}{0}$" in texts
    assert "<script>" in texts
    assert "[U+202E]" in texts
    assert "営業部の端末" in texts


def test_the_words_for_a_picture_say_its_numbers(refused):
    made = severity_by_endpoint(refused)
    rows = endpoints.by_endpoint(refused)
    for row in rows.to_dict("records"):
        assert (row["name"] or row["endpoint_id"]) in made.text
        if row["not_assessed"]:
            assert f"{row['not_assessed']} lacking an answer" in made.text


def test_a_picture_of_nothing_is_drawn_and_says_so():
    made = severity_by_endpoint(audited(worlds.empty()))
    assert made.text == "No endpoint was seen."
    assert f"<p>{made.text}</p>" in display.picture(made).markup
    assert made.svg.startswith(b"<?xml")


def test_a_step_says_how_much_of_it_goes_with_the_fix_of_another():
    world = World()
    vpc = world.vpc()
    default = world.default_group(vpc)
    vpn, app = world.subnet(vpc, "10.0.1.0/24"), world.subnet(vpc, "10.0.2.0/24")
    endpoint = world.endpoint(vpc, name="staff")
    world.associate(endpoint, vpn)
    world.authorize(endpoint, "10.0.0.0/16")
    world.interface(app, default, name="wiki")

    def told() -> tuple[str, str]:
        (step,) = (
            s
            for s in first_steps(audited(world), 20)
            if s.check_id == "sensitive-port-reachable-by-everyone"
        )
        return step.where, step.why

    where, why = told()
    assert where == "endpoint staff; interface wiki"
    assert "All of it goes with the fix of vpn-sg-lets-members-in" in why
    ssh = world.security_group(vpc, "ssh")
    world.ingress(ssh, "10.0.1.0/24", "tcp", (22, 22))
    world.interface(app, default, ssh, name="both")  # stays open by its own rule
    assert "One of its 2 rows goes with the fix of vpn-sg-lets-members-in" in told()[1]
    world.interface(app, default, name="files")
    assert "2 of its 3 rows go with the fix of vpn-sg-lets-members-in" in told()[1]


@pytest.mark.parametrize("both", [False, True])
def test_a_check_whose_warning_has_come_for_some_is_no_plain_pass(both):
    world = World()
    vpc = world.vpc()
    ended, fine = (
        world.endpoint(vpc, name=name, authentication=("certificate-authentication",))
        for name in ("ended", "fine")
    )
    world.revocation_list(ended, revocation_list(days=-1))
    world.revocation_list(fine, revocation_list(days=-1 if both else 90))
    audit = audited(world)
    only = ["revocation-list-has-expired", "revocation-list-expires-soon"]
    audit.__dict__["findings"] = findings_of(audit.tables, only)
    soon = audit["revocation-list-expires-soon"]
    assert soon.status is Status.PASS
    label = "Overtaken" if both else "Passes in part"
    assert summary.passes_as(soon) == label
    row = page(display.findings(audit).markup).words
    who = "ended and fine" if both else "ended"
    assert f"! {label}" in row
    assert f"It has come at {who}: revocation-list-has-expired." in row
    assert "None of the 2" not in row
    assert (
        "at 1 of the 2 mutual-authentication endpoints; the other one does not use" in row
    ) != both
    assert ("(fine) until " in soon.answer) != both
    assert "✓ Passes" not in row
    assert f"! {label}" in page(display.card(soon).markup).words
    assert summary.passes_as(audit["revocation-list-has-expired"]) == ""
