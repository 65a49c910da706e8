"""The command line as scripts and people meet it: output, exit status, errors in one line."""

import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import auditlib
from auditlib.cli import main
from auditlib.snapshot import save
from tests.worlds import World

CONTRACT = [
    "account",
    "region",
    "endpoint_id",
    "subnet_id",
    "group",
    "eni_id",
    "ip",
    "protocol",
    "from_port",
    "to_port",
    "certainty",
    "via",
]


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def world():
    world = World()
    vpc = world.vpc()
    subnet = world.subnet(vpc, "10.0.1.0/24")
    group = world.security_group(vpc, "vpn")
    receiver = world.security_group(vpc, "db")
    world.ingress(receiver, group, "tcp", (5432, 5432))
    world.endpoint(vpc, (group,), name="corp-vpn")
    world.associate("cvpn-endpoint-00000000000000001", subnet)
    world.authorize("cvpn-endpoint-00000000000000001", "10.0.0.0/16", "staff")
    data = world.subnet(vpc, "10.0.2.0/24")
    world.interface(data, receiver, ip="10.0.2.50", name="db\x1b[31m\u202e")
    return world


@pytest.fixture
def saved(world, tmp_path):
    def keep(name="snapshot"):
        save(world.snapshot(), tmp_path / name)
        return tmp_path / name

    return keep


def test_check_exits_1_on_findings_and_0_when_nothing_is_that_severe(saved):
    snapshot = saved()
    found = run("check", snapshot)
    assert found.exit_code == 1, found.output
    assert "default-sg-has-rules" in found.stdout
    assert run("check", snapshot, "--fail-on", "critical").exit_code == 0


def test_check_exits_3_when_something_was_not_assessed(world, saved):
    world.refuse("ec2-describe-network-interfaces")
    shown = run("check", saved(), "--fail-on", "critical")
    assert shown.exit_code == 3
    assert "not_assessed" in shown.stdout
    (line,) = [line for line in shown.stdout.splitlines() if line.startswith("- ec2 ")]
    assert "ec2 describe-network-interfaces in ap-northeast-1" in line
    assert "was denied (UnauthorizedOperation); allow ec2:DescribeNetworkInterfaces" in line


def test_check_says_what_was_audited_and_counts_what_came_of_it(saved):
    snapshot = saved()
    first, *_, last, hint = run("check", snapshot).stdout.splitlines()
    assert first.startswith("Audit of account 111122223333 in ap-northeast-1, read on ")
    found = re.fullmatch(
        r"(\d+) fail \(.*(\d+) low.*\), (\d+) for information, (\d+) pass, 0 not assessed, "
        r"(\d+) not applicable\.",
        last,
    )
    assert found, last
    findings = json.loads(run("check", snapshot, "--format", "json").stdout)["findings"]
    statuses = [entry["status"] for entry in findings]
    low = [e for e in findings if (e["status"], e["severity"]) == ("fail", "low")]
    told = [e for e in findings if e["information"]]
    assert {e["severity"] for e in told} == {"info"}
    assert [int(n) for n in found.groups()] == [
        statuses.count("fail") - len(told),
        len(low),
        len(told),
        statuses.count("pass"),
        statuses.count("not_applicable"),
    ]
    assert "auditlib report" in hint


def test_check_says_how_many_findings_are_not_the_whole():
    last = run("check", Path(auditlib.__file__).with_name("sample")).stdout.splitlines()[-2]
    assert re.search(r"; \d+ of those that fail could be assessed only in part\.$", last), last


def test_check_prints_every_check_as_json(saved):
    from auditlib.check import checks

    shown = run("check", saved(), "--format", "json")
    document = json.loads(shown.stdout)
    assert {entry["check"] for entry in document["findings"]} == {made.id for made in checks()}
    assert set(document["findings"][0]) == {
        "check",
        "status",
        "severity",
        "title",
        "answer",
        "evidence",
        "gaps",
        "controls",
        "accepted",
        "information",
    }


@pytest.mark.parametrize(
    ("words", "wanted"), [(("check",), False), (("reach",), False), (("tables",), True)]
)
def test_what_needs_no_parquet_says_the_same_without_pyarrow(saved, words, wanted):
    code = (
        "import atexit, sys; from auditlib.cli import main; "
        "atexit.register(lambda: print('pyarrow' in sys.modules, file=sys.stderr)); main()"
    )
    asked = (*words, saved())
    command = [sys.executable, "-c", code, *map(str, asked)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == run(*asked).output
    assert done.stderr.split()[-1] == str(wanted)


def test_check_prints_csv_that_a_spreadsheet_reads(saved):
    shown = run("check", saved(), "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(shown.stdout)))
    assert {"check", "status", "severity", "reason"} <= set(rows[0])
    assert {row["status"] for row in rows} <= {"fail", "pass", "not_assessed", "not_applicable"}


def test_names_cannot_drive_the_terminal(saved):
    snapshot = saved()
    for command in ("check", "tables", "reach"):
        shown = run(command, snapshot)
        assert "\x1b" not in shown.output
        assert "\u202e" not in shown.output


def test_reach_keeps_the_contract(saved):
    shown = run("reach", saved(), "--to", "10.0.2.50", "--port", "5432", "--format", "json")
    assert shown.exit_code == 0, shown.output
    rows = json.loads(shown.stdout)
    assert [list(row) for row in rows] == [CONTRACT] * len(rows)
    (row,) = rows
    assert (row["group"], row["ip"], row["protocol"]) == ("staff", "10.0.2.50", "tcp")
    assert (row["from_port"], row["to_port"], row["certainty"]) == (5432, 5432, "reliable")


def test_reach_prints_a_table_and_csv(saved):
    snapshot = saved()
    assert "TCP 5432" in run("reach", snapshot, "--to", "10.0.2.50").stdout
    rows = list(csv.DictReader(io.StringIO(run("reach", snapshot, "--format", "csv").stdout)))
    assert "5432" in {row["from_port"] for row in rows}


def test_the_reach_table_names_what_decides_and_every_hop_when_asked(saved):
    question = ("reach", saved(), "--to", "10.0.2.50")
    short, whole = run(*question).stdout, run(*question, "--via").stdout
    for shown in (short, whole):
        assert "authorization: 10.0.0.0/16 for staff" in shown
        assert "ingress: sgr-" in shown
    assert "egress: " in whole
    assert "egress: " not in short


def test_the_reach_table_tells_each_way_out_in_one_row_after_the_interfaces(world, saved):
    endpoint = "cvpn-endpoint-00000000000000001"
    vpc = world.record(endpoint)["VpcId"]
    (association,) = world.associations(endpoint)
    subnet = association["TargetNetworkId"]
    world.endpoint_route(endpoint, "198.51.100.0/24", subnet)
    world.endpoint_route(endpoint, "203.0.113.0/24", subnet)
    world.authorize(endpoint, "198.51.100.0/24", "staff")
    world.authorize(endpoint, "203.0.113.0/24", "staff")
    world.route(vpc, "0.0.0.0/0", GatewayId="igw-1")
    lines = run("reach", saved()).stdout.splitlines()
    out = [line for line in lines if "leaves what was read" in line]
    assert len(out) == 1
    assert out == lines[-1:]
    assert "198.51.100.0/24 for staff and 203.0.113.0/24 for staff" in out[0]


def test_reach_folds_the_associations(saved):
    rows = json.loads(run("reach", saved(), "--summary", "--format", "json").stdout)
    assert "subnets" in rows[0]
    assert "subnet_id" not in rows[0]


def test_reach_exits_3_where_part_of_the_way_could_not_be_read(world, saved):
    world.refuse("ec2-describe-network-acls")
    shown = run("reach", saved(), "--format", "json")
    assert shown.exit_code == 3
    assert {row["certainty"] for row in json.loads(shown.stdout)} == {"unknown"}


def test_reach_exits_3_where_a_policy_could_not_be_read_and_takes_no_certainty_away(world, saved):
    world.refuse("ec2-get-client-vpn-endpoint-authorization-policy")
    shown = run("reach", saved(), "--format", "json")
    assert shown.exit_code == 3
    rows = json.loads(shown.stdout)
    assert "unknown" not in {row["certainty"] for row in rows}
    assert all("whether a Cedar policy narrows it" in row["via"][-1] for row in rows)


def test_reach_of_one_endpoint_does_not_mind_what_is_missing_elsewhere(world, saved):
    world.at("us-east-1").vpc()
    world.refuse("ec2-describe-network-acls", region="us-east-1")
    snapshot = saved()
    assert run("reach", snapshot).exit_code == 3
    assert run("reach", snapshot, "--endpoint", "cvpn-endpoint-00000000000000001").exit_code == 0


def test_an_endpoint_is_called_by_its_name(saved):
    snapshot = saved()
    by_name, by_id = (
        run("reach", snapshot, "--endpoint", endpoint, "--format", "json").stdout
        for endpoint in ("corp-vpn", "cvpn-endpoint-00000000000000001")
    )
    assert by_name == by_id
    assert json.loads(by_name)
    question = ("--to", "10.0.2.50", "--port", "5432", "--format", "json")
    shown = run("explain", snapshot, "--endpoint", "corp-vpn", *question)
    assert json.loads(shown.stdout)["endpoint_id"] == "cvpn-endpoint-00000000000000001"


def test_a_mistyped_name_of_an_endpoint_gets_the_nearest_with_its_id(saved):
    shown = run("reach", saved(), "--endpoint", "Corp-VPM")
    assert shown.exit_code == 2
    assert "the nearest: cvpn-endpoint-00000000000000001 (corp-vpn)." in shown.stderr


def test_a_name_of_two_endpoints_gets_the_ids_of_both(world, saved):
    ids = [
        "cvpn-endpoint-00000000000000001",
        world.endpoint(world.vpc(), (), name="corp-vpn"),
    ]
    shown = run("explain", saved(), "--endpoint", "corp-vpn", "--to", "10.0.2.50", "--port", "1")
    assert shown.exit_code == 2
    assert all(id in shown.stderr for id in ids)
    assert "give the id of one" in shown.stderr


def test_nothing_reached_is_said(saved):
    shown = run("reach", saved(), "--to", "10.0.2.50", "--port", "23")
    assert shown.stdout.strip() == "Nothing is reached."


def test_reach_tells_that_nobody_has_an_address_and_who_has_the_nearest(saved):
    snapshot = saved()
    shown = run("reach", snapshot, "--to", "10.0.2.51")
    assert "No interface that was read has 10.0.2.51; the nearest: 10.0.2.50" in shown.stdout
    assert "No interface" not in run("reach", snapshot, "--to", "10.0.2.50").stdout


def test_explain_names_every_blocker(saved):
    snapshot = saved()
    question = ("--endpoint", "cvpn-endpoint-00000000000000001", "--to", "10.0.2.50", "--port", 22)
    shown = run("explain", snapshot, *question)
    assert shown.exit_code == 0
    assert shown.stdout.count("✗") == 2
    document = json.loads(run("explain", snapshot, *question, "--format", "json").stdout)
    assert document["reachable"] == "no"
    assert {hop["step"] for hop in document["blockers"]} == {"authorization", "ingress"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("reach", "--endpoint", "cvpn-endpoint-0000000000000000"), "nearest"),
        (("reach", "--port", "70000"), "70000"),
        (("reach", "--to", "10.0.1"), "10.0.1"),
        (("explain", "--endpoint", "x", "--to", "10.0.2.50", "--port", "1"), "00001 (corp-vpn)"),
        (("report", "--out", "OUT", "--notebook", "99-none"), "99-none"),
        (("report", "--out", "OUT", "-p", "colour", "red"), "colour"),
    ],
)
def test_a_wrong_word_gets_one_clear_line(arguments, said, saved, tmp_path):
    command, *rest = (tmp_path / "out" if a == "OUT" else a for a in arguments)
    shown = run(command, saved(), *rest)
    assert shown.exit_code == 2
    (line,) = shown.stderr.splitlines()
    assert said in line


def test_no_snapshot_is_one_clear_line(tmp_path):
    shown = run("check", tmp_path / "nothing")
    assert shown.exit_code == 2
    assert len(shown.stderr.splitlines()) == 1
    assert "Traceback" not in shown.output


def test_tables_are_listed_and_exported(saved, tmp_path):
    snapshot = saved()
    assert "security_group_rules" in run("tables", snapshot).stdout
    shown = run("tables", snapshot, "--export", tmp_path / "out")
    assert shown.exit_code == 0
    assert (tmp_path / "out" / "security_group_rules.csv").is_file()


@pytest.mark.parametrize("command", sorted(main.commands))
def test_every_command_explains_itself(command):
    shown = run(command, "--help")
    assert shown.exit_code == 0
    assert len(shown.stdout.splitlines()) > 4


def test_an_address_nobody_has_is_a_reason_with_its_neighbours_and_no_false_remedy(saved):
    question = ("--endpoint", "corp-vpn", "--to", "10.0.2.51", "--port", "5432", "--group", "staff")
    shown = run("explain", saved(), *question).stdout
    (line,) = [line for line in shown.splitlines() if "receiver: " in line]
    assert "that was read has the address 10.0.2.51; the nearest read: 10.0.2.50 of eni-" in line
    assert "(corp-vpn): no interface that was read has the address.\n" in shown
    assert "to open it" not in shown


def test_preview_calls_an_endpoint_by_its_name_too(saved):
    snapshot = saved()
    fix = ("--fix", "connection-logging-is-off", "--format", "json")
    by_name, by_id = (
        run("preview", snapshot, *fix, "--endpoint", endpoint)
        for endpoint in ("corp-vpn", "cvpn-endpoint-00000000000000001")
    )
    assert by_name.exit_code == by_id.exit_code
    assert json.loads(by_name.stdout) == json.loads(by_id.stdout)


def test_preview_fills_in_where_a_log_went_in_the_earlier_snapshot_as_the_page_does(
    world, tmp_path
):
    endpoint = world.record("cvpn-endpoint-00000000000000001")
    for name, log in (
        ("old", {"Enabled": True, "CloudwatchLogGroup": "/vpn/staff"}),
        ("new", {"Enabled": False}),
    ):
        endpoint["ConnectionLogOptions"] = log
        save(world.snapshot(), tmp_path / name)
    asked = ("preview", tmp_path / "new", "--fix", "connection-logging-is-off", "--format", "cli")
    assert "LOG_GROUP" in run(*asked).stdout
    told = run(*asked, "--earlier", tmp_path / "old").stdout
    assert "LOG_GROUP" not in told
    assert '"CloudwatchLogGroup": "/vpn/staff"' in told
    plan = ("--plan", tmp_path / "plan.yaml", "--earlier", tmp_path / "old")
    Path(tmp_path / "plan.yaml").write_text("changes: []", "utf-8")
    refused = run("preview", tmp_path / "new", *plan)
    assert (refused.exit_code, "--earlier goes with --fix only" in refused.stderr) == (2, True)


# -- accepted risks, exports, controls, the catalogue ---------------------------------------------


def test_accepted_risks_leave_the_exit_status_and_stay_visible(world, saved, tmp_path):
    snapshot, file = saved(), tmp_path / "accepted.yaml"
    for entry in json.loads(run("check", snapshot, "--format", "json").stdout)["findings"]:
        if entry["status"] == "fail":
            told = ("--reason", "a test", "--owner", "Jane", "--until", "2999-12-31")
            done = run("accept", snapshot, entry["check"], "*", *told, "--file", file)
            assert done.exit_code == 0, done.output
    shown = run("check", snapshot, "--accepted", file)
    assert shown.exit_code == 0, shown.output
    assert "accepted until 2999-12-31 by Jane: a test" in shown.stdout
    document = json.loads(run("check", snapshot, "--accepted", file, "--format", "json").stdout)
    statuses = {entry["status"] for entry in document["findings"]}
    assert "accepted" in statuses
    assert "fail" not in statuses
    assert all(e["accepted"] for e in document["findings"] if e["status"] == "accepted")
    assert {e["standing"] for e in document["accepted_risks"]["entries"]} == {"accepted"}


def test_accepting_everything_still_exits_3_when_something_was_not_read(world, saved, tmp_path):
    world.refuse("ec2-describe-network-interfaces")
    snapshot, file = saved(), tmp_path / "accepted.yaml"
    from auditlib.check import checks

    text = "accepted:\n" + "".join(
        f"  - {{check: {made.id}, resource: '*', reason: a, owner: b, until: 2999-12-31}}\n"
        for made in checks()
    )
    file.write_text(text, "utf-8")
    assert run("check", snapshot, "--accepted", file).exit_code == 3


def test_a_wrong_file_of_accepted_risks_exits_2_in_one_line(saved, tmp_path):
    (tmp_path / "a.yaml").write_text("accepted:\n  - check: vpn-sg-is-sharde\n", "utf-8")
    for command in (("check", saved()), ("report", saved("other"), "--out", tmp_path / "out")):
        shown = run(*command, "--accepted", tmp_path / "a.yaml")
        assert shown.exit_code == 2
        assert len(shown.stderr.splitlines()) == 1
        assert "a.yaml has two errors; line 2: this entry lacks resource" in shown.stderr
        assert 'line 2: There is no check called "vpn-sg-is-sharde"' in shown.stderr


def test_what_matches_nothing_is_told_beside_machine_formats(saved, tmp_path):
    entry = "{check: vpn-sg-is-shared, resource: gone, reason: a, owner: b, until: 2999-12-31}"
    (tmp_path / "a.yaml").write_text(f"accepted:\n  - {entry}\n", "utf-8")
    shown = run("check", saved(), "--accepted", tmp_path / "a.yaml", "--format", "json")
    assert "a.yaml, line 2: vpn-sg-is-shared for gone matches no evidence." in shown.stderr
    json.loads(shown.stdout)


@pytest.mark.parametrize("form", ["ocsf", "asff", "junit"])
def test_check_prints_the_formats_of_others_with_the_same_exit_status(saved, form):
    shown = run("check", saved(), "--format", form)
    assert shown.exit_code == 1
    if form == "junit":
        assert shown.stdout.startswith("<?xml")
    else:
        found = json.loads(shown.stdout)
        assert len(found["Findings"] if form == "asff" else found) > 10


def test_export_writes_every_format_or_the_ones_asked_for(saved, tmp_path):
    snapshot = saved()
    assert run("export", snapshot, "--out", tmp_path / "all").exit_code == 0
    held = {p.name for p in (tmp_path / "all").iterdir()}
    files = {"findings.xlsx", "findings.json", "findings.ocsf.json", "findings.junit.xml"}
    assert held == files | {"csv", "asff"}
    run("export", snapshot, "--out", tmp_path / "one", "--format", "junit")
    assert [p.name for p in (tmp_path / "one").iterdir()] == ["findings.junit.xml"]


def test_controls_are_answered_in_the_terminal_and_for_programs(saved):
    snapshot = saved()
    shown = run("controls", snapshot, "--framework", "CIS AWS 7.0.0")
    assert shown.exit_code == 1
    assert re.search(r"not met +6\.5 The default security group", shown.stdout)
    assert re.search(r"not covered +6\.3", shown.stdout)
    rows = json.loads(run("controls", snapshot, "--format", "json").stdout)
    assert {"framework", "control", "answer", "part", "evidence", "checks"} <= set(rows[0])
    rows = list(csv.DictReader(io.StringIO(run("controls", snapshot, "--format", "csv").stdout)))
    assert {row["framework"] for row in rows} >= {"PCI DSS v4.0.1"}
    wrong = run("controls", snapshot, "--framework", "CIS AWS 99")
    assert wrong.exit_code == 2
    assert "Did you mean CIS AWS Foundations v7.0" in wrong.stderr


def test_checks_lists_explains_and_names_the_nearest():
    from auditlib.check import checks

    listed = run("checks").stdout
    assert all(made.id in listed for made in checks())
    shown = run("checks", "default-sg-has-rules")
    assert "Security Hub EC2.2 rates it High." in shown.stdout
    assert "CIS AWS Foundations v7.0: 6.5" in shown.stdout
    assert "ec2:DescribeSecurityGroups" in shown.stdout
    wrong = run("checks", "default-sg-has-rule")
    assert wrong.exit_code == 2
    assert "Did you mean default-sg-has-rules" in wrong.stderr
