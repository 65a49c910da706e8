"""Each read refused in turn, over HTTP: foretold, recorded, and nothing that needs it is called fine."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from auditlib.aws.collect import collect, summary_of
from auditlib.aws.policy import read_only_policy
from auditlib.aws.reads import READS, Read
from auditlib.check import Check, checks
from auditlib.cli import main
from auditlib.schemas import SCHEMAS
from auditlib.snapshot import Call, load, verify
from auditlib.tables import Tables
from tests.standin import StandIn
from tests.test_standin_audit import REGION, clean
from tests.worlds import NOW

ACTIONS = {a for statement in read_only_policy()["Statement"] for a in statement["Action"]}
CODES = {"UnauthorizedOperation", "AccessDenied", "AccessDeniedException"}


@pytest.fixture
def account(standing: StandIn) -> StandIn:
    """Return the stand-in with a model endpoint, built once: here it is only read."""
    if standing.world != __name__:
        standing.reset()
        clean(standing)
        standing.world = __name__
    standing.forget()
    return standing


def auditlib(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def read_all(aws: StandIn, out: Path, **more: bool) -> tuple[Call, ...]:
    told = collect(out, regions=[REGION], endpoint_url=aws.url, clock=lambda: NOW, **more)
    return told.manifest.calls


def id_of(call: Call) -> str:
    return f"{call.service}-{call.operation}"


def _reads_of(check: Check) -> set[str]:
    """Return the ids of the reads a check's verdict rests on, through views and parents.

    A read made per resource needs the answers that name the resources.
    """
    tables, reads = [check.population, *check.tables], set()
    while tables:
        name = tables.pop()
        inputs = SCHEMAS[name].inputs
        tables += inputs
        for read in READS:
            if not inputs and name in read.tables:
                reads |= {read.id, *read.parents}
    return reads


def test_every_action_of_the_policy_is_some_read_s_but_the_list_of_regions():
    assert {read.iam_action for read in READS} | {"ec2:DescribeRegions"} == ACTIONS


def test_the_account_makes_every_read_happen_and_is_fine(account, tmp_path):
    calls = read_all(account, tmp_path / "s")
    assert {id_of(call) for call in calls} == {read.id for read in READS}
    assert {call.status for call in calls} == {"ok"}
    assert auditlib("check", tmp_path / "s").exit_code == 0


@pytest.mark.parametrize("read", READS, ids=lambda read: read.id)
def test_a_refused_read_is_foretold_and_recorded_and_never_said_to_be_fine(
    account: StandIn, tmp_path: Path, read: Read
):
    out = tmp_path / "s"
    account.allow_only(*(ACTIONS - {read.iam_action}))

    # `permissions` says so beforehand, and which checks that leaves open.
    foretold = auditlib(
        *("permissions", "--region", REGION, "--endpoint-url", account.url, "--format", "json")
    )
    assert foretold.exit_code == 3
    rows = json.loads(foretold.stdout)
    refused = [row for row in rows if row["state"] == "refused"]
    assert {row["iam_action"] for row in refused} == {read.iam_action}
    left_open = {id for row in rows for id in row["leaves_open"]}

    # `collect` is refused just that, records it, and goes on.
    calls = read_all(account, out)
    denied = [call for call in calls if call.status == "denied"]
    assert {call.read.iam_action for call in denied} == {read.iam_action}
    assert {call.status for call in calls} == {"ok", "denied"}
    for call in denied:
        assert call.error_code in CODES
        assert call.error_message
        assert call.file is None
    assert verify(out) == ()
    snapshot = load(out)
    assert f"allow {read.iam_action}" in "\n".join(summary_of(snapshot.manifest))

    # `check` calls nothing fine that needs it.
    tables = Tables(snapshot)
    unanswered = {
        check.id for check in checks() if len(tables.gaps(check.population, *check.needs))
    }
    assert left_open == unanswered
    checked = auditlib("check", out, "--format", "json")
    findings = {found["check"]: found for found in json.loads(checked.stdout)["findings"]}
    needing = {check.id for check in checks() if read.id in _reads_of(check)}
    fine = {id for id, found in findings.items() if found["status"] in {"pass", "not_applicable"}}
    assert needing & fine == set()
    assert all(findings[id]["gaps"] for id in needing)
    assert checked.exit_code == (3 if needing else 0)

    # Once it is allowed, `--resume` reads what was missing, and what hangs on it.
    account.forget()
    whole = {call.key for call in read_all(account, out, resume=True)}
    answered = {call.key for call in calls if call.status == "ok"}
    dependent = {child.id for child in READS if read.id in child.parents}
    missing = {key for key in whole - answered if key[2] not in dependent}
    assert missing == {call.key for call in denied if id_of(call) == read.id}
