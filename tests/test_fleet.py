"""Many accounts: which they are, the work fanned out, what came of each, and the page over them."""

import json
import os
import re
import signal
import threading
from concurrent.futures import Executor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from auditlib import history
from auditlib.audit import Audit, open_audit
from auditlib.aws.organization import ACTIONS as LISTING
from auditlib.check import Status
from auditlib.errors import AwsError, ParameterError
from auditlib.fleet import Executors, Interrupted, run
from auditlib.lanes import Lanes
from auditlib.overview import ACCOUNTS, overview
from auditlib.report import overview_report
from auditlib.schedule import Account, config_of
from auditlib.snapshot import write_file
from auditlib.visit import DONE, FINDINGS, Visit, kept, read, reported, unlisted
from tests.accounts import REGION
from tests.pages import page
from tests.report_worlds import MOMENT, empty, exposed, hostile, refused
from tests.standin import ACCOUNT

FIRST, SECOND = (datetime(2026, 11, day, 3, tzinfo=UTC) for day in (20, 21))
ELSEWHERE = "eu-west-1"
SIZE = int(os.environ.get("ACCOUNTS", "7"))
"""Accounts in the great run: `make fleet` has twenty."""
OTHERS = [f"4444555566{number:02}" for number in range(30)]


def role(account: str) -> str:
    return f"arn:aws:iam::{account}:role/audit"


def written(folder: Path, *lines: str):
    path = folder / "runs.yaml"
    head = ["output: out", f"regions: [{REGION}]", f'role_arn: "{role("{account}")}"']
    path.write_text("\n".join([*head, *lines]) + "\n", "utf-8")
    return config_of(path)


def ran(aws, config, moment=FIRST, **more):
    told: list[dict] = []
    status = run(config, endpoint_url=aws.url, clock=lambda: moment, told=told.append, **more)
    return status, told


def populated(aws, account: str) -> str:
    """Build an endpoint on the default group of its VPC; return its id."""
    aws.account = account
    ec2 = aws.client("ec2", REGION)
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    endpoint = ec2.create_client_vpn_endpoint(
        ClientCidrBlock="172.20.0.0/22",
        ServerCertificateArn=f"arn:aws:acm:{REGION}:{account}:certificate/x",
        AuthenticationOptions=[
            {
                "Type": "certificate-authentication",
                "MutualAuthentication": {
                    "ClientRootCertificateChainArn": f"arn:aws:acm:{REGION}:{account}:certificate/x"
                },
            }
        ],
        ConnectionLogOptions={"Enabled": False},
    )["ClientVpnEndpointId"]
    ec2.associate_client_vpn_target_network(ClientVpnEndpointId=endpoint, SubnetId=subnet)
    aws.account = ACCOUNT
    return str(endpoint)


def opened(aws, account: str, endpoint: str) -> None:
    """Let everyone into a network through an endpoint."""
    aws.account = account
    aws.client("ec2", REGION).authorize_client_vpn_ingress(
        ClientVpnEndpointId=endpoint, TargetNetworkCidr="0.0.0.0/0", AuthorizeAllGroups=True
    )
    aws.account = ACCOUNT


# -- the whole ------------------------------------------------------------------------------------


class Killing(Executor):
    """An executor whose process that works on one account is killed in the middle, once."""

    def __init__(self, executor, account: str, mark: Path) -> None:
        self.executor, self.account, self.mark = executor, account, mark

    def submit(self, fn, visit, /):
        return self.executor.submit(killed_once, fn, visit, self.account, self.mark)


def killed_once(fn, visit: Visit, account: str, mark: Path):
    if visit.account.account == account and not mark.exists():
        mark.touch()
        threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGKILL)).start()
    return fn(visit)


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_many_accounts_of_which_some_refuse_one_is_throttled_and_one_killed(aws, tmp_path):
    @contextmanager
    def here():
        with ThreadPoolExecutor(4) as reading, Lanes(1 if SIZE < 20 else 2) as reporting:
            yield Executors(reading=reading, reporting=reporting, width=6)

    assert_two_runs_over_many_accounts_say_what_is(aws, tmp_path, here)


def assert_two_runs_over_many_accounts_say_what_is(aws, tmp_path, executors) -> None:
    """Run twice with changes in between, on what ``executors`` gives; three refuse, one is
    throttled for good, and the process of one is killed in the middle, each time."""
    accounts = OTHERS[:SIZE]
    refusing, throttled, killed, changed = accounts[1:4], accounts[4], accounts[5], accounts[6]
    lines = ["history: history", "notebooks: []", "exports: [json]", "accounts:"]
    for account in accounts:
        place = ELSEWHERE if account == throttled else REGION
        lines += [f'  - account: "{account}"', f"    regions: [{place}]"]
    config = written(tmp_path, *lines)
    endpoints = {account: populated(aws, account) for account in (accounts[0], killed, changed)}
    for account in refusing:
        aws.deny("sts", "assume-role", resource=role(account))
    aws.throttle("ec2", region=ELSEWHERE)

    def once(moment, mark):
        with executors() as work:
            reporting = Killing(work.reporting, killed, tmp_path / mark)
            return ran(aws, config, moment, executors=replace(work, reporting=reporting))

    status, first = once(FIRST, "first")
    opened(aws, changed, endpoints[changed])
    aws.account = killed
    aws.delete_endpoint(endpoints[killed])
    aws.account = ACCOUNT
    again, second = once(SECOND, "second")
    assert (tmp_path / "first").exists()
    assert (tmp_path / "second").exists()
    assert (status, again) == (3, 3)

    for summaries in (first, second):
        assert [summary["account"] for summary in summaries] == accounts
        by = {summary["account"]: summary for summary in summaries}
        assert {a for a in accounts if by[a]["status"] == "failed"} == set(refusing)
        assert all(role(a) in by[a]["error"] and by[a]["exit"] == 3 for a in refusing)
        assert by[throttled]["unlisted"] == [ELSEWHERE]
        assert [a for a in accounts if by[a].get("read_again")] == [throttled]
        assert {a for a in accounts if by[a]["exit"] == 3} == {*refusing, throttled}
    read = [account for account in accounts if account not in refusing]
    by = {summary["account"]: summary for summary in second}
    for account in read:
        home = tmp_path / "out" / account
        assert (home / "latest").read_text() == "2026-11-21\n"
        assert sorted(p.name for p in home.iterdir()) == ["2026-11-20", "2026-11-21", "latest"]
        assert sorted(p.name for p in (home / "2026-11-21").iterdir()) == [
            "exports", "findings.parquet", "report", "run.json", "snapshot",
        ]  # fmt: skip
        runs = history.runs(config.history / account)
        assert len(runs) == 2
        changes = by[account]["changes"]
        assert bool(changes.keys() - {"unchanged"}) == (account in {changed, killed}), changes
    assert by[changed]["changes"]["new"]
    assert by[killed]["changes"]["resolved"]
    assert len(history.runs(config.history)) == 2 * len(read)
    assert_the_overview_says_what_the_accounts_say(tmp_path / "out", second, throttled)


def assert_the_overview_says_what_the_accounts_say(out: Path, summaries, throttled) -> None:
    folder = out / "overview" / "2026-11-21"
    assert (out / "overview" / "latest").read_text() == "2026-11-21\n"
    over = overview(folder)
    read = [summary for summary in summaries if summary["status"] == "done"]
    frame = over.accounts().set_index("account")
    for summary in (read[0], read[-1], next(s for s in read if s["account"] == throttled)):
        audit = open_audit(out / summary["snapshot"])
        told = frame.loc[summary["account"]]
        failing = [f for f in audit.findings if f.status is Status.FAIL]
        assert told["high"] == sum(len(f.evidence) for f in failing if f.check.severity == "high")
        cells = over.cells[over.cells["account"] == summary["account"]].set_index("check")
        assert cells["status"].to_dict() == {f.check.id: f.status.value for f in audit.findings}
    checks = over.checks().set_index("check")
    assert (checks["unread"] == 3).all()
    assert checks.loc["connection-logging-is-off", "fail"] == 2
    assert (checks["not_assessed"] >= 1).all()
    shared = over.shared()
    assert set(shared.loc[shared["check"] == "connection-logging-is-off", "accounts"]) <= {2}
    page = (folder / "report" / "index.html").read_text("utf-8")
    for summary in summaries:
        assert summary["account"] in page
    links = set(re.findall(r'href="(\.\./[^"]+)"', page))
    assert len(links) == len(read)
    assert all((folder / "report" / link).resolve().is_file() for link in links)


# -- which accounts -------------------------------------------------------------------------------


def visited(monkeypatch) -> None:
    """Let every visit end at once: what is asked is only which accounts there are."""
    monkeypatch.setattr("auditlib.fleet.read", lambda visit: None)
    monkeypatch.setattr(
        "auditlib.fleet.reported",
        lambda visit: {
            **visit.head, "status": "done", "exit": 0, "role": visit.account.role_arn,
        },
    )  # fmt: skip
    monkeypatch.setattr("auditlib.report.overview_report", lambda *_, **__: None)


def listing(aws, config):
    return ran(aws, config, executors=inline())


def organization(aws) -> tuple[dict[str, str], dict[str, str]]:
    """Build units one in another, each with an account; return the ids of both by name."""
    client = aws.client("organizations", "us-east-1")
    client.create_organization(FeatureSet="ALL")
    root = parent = client.list_roots()["Roots"][0]["Id"]
    units, accounts = {}, {}
    for name, audit in (("upper", "yes"), ("lower", "no")):
        unit = client.create_organizational_unit(ParentId=parent, Name=name)
        units[name] = parent = unit["OrganizationalUnit"]["Id"]
        made = client.create_account(
            Email=f"{name}@example.com", AccountName=name, Tags=[{"Key": "audit", "Value": audit}]
        )
        accounts[name] = made["CreateAccountStatus"]["AccountId"]
        client.move_account(
            AccountId=accounts[name], SourceParentId=root, DestinationParentId=parent
        )
    return units, accounts


def test_accounts_of_an_organization_are_found_by_unit_and_tag(aws, tmp_path, monkeypatch):
    visited(monkeypatch)
    units, accounts = organization(aws)
    aws.allow_only(*LISTING, "sts:AssumeRole")  # docs/iam/many-accounts.json

    def found(*lines: str) -> set[str]:
        _, told = listing(aws, written(tmp_path, "organization:", *lines))
        assert all(summary["role"] == role(summary["account"]) for summary in told)
        return {summary["account"] for summary in told}

    both = set(accounts.values())
    assert found(f'  without: ["{ACCOUNT}"]') == both
    assert found("  ous: []") == {ACCOUNT, *both}
    assert found(f"  ous: [{units['upper']}]") == both
    assert found(f"  ous: [{units['lower']}]") == {accounts["lower"]}
    assert found(f"  ous: [{units['lower']}, {units['upper']}]") == both
    assert found(f"  ous: [{units['upper']}]", "  tags: {audit: 'yes'}") == {accounts["upper"]}
    assert found("  tags: {audit: 'no'}") == {accounts["lower"]}
    asked = {call.action for call in aws.calls}
    assert asked - {"sts:GetCallerIdentity", "sts:AssumeRole"} == set(LISTING)


def test_an_organization_that_refuses_is_a_gap_and_the_named_accounts_are_read(
    aws, tmp_path, monkeypatch
):
    visited(monkeypatch)
    organization(aws)
    aws.deny("organizations", "list-tags-for-resource")
    lines = ("organization:", "  tags: {audit: 'yes'}", f'accounts: ["{OTHERS[0]}"]')
    status, (named, gap) = listing(aws, written(tmp_path, *lines))
    assert (status, named["account"], named["status"]) == (3, OTHERS[0], "done")
    assert (gap["account"], gap["status"], gap["exit"]) == (None, "failed", 3)
    assert "organizations:ListTagsForResource" in gap["error"]


def test_no_account_with_such_a_tag_is_a_gap(aws, tmp_path, monkeypatch):
    visited(monkeypatch)
    organization(aws)
    status, (gap,) = listing(aws, written(tmp_path, "organization:", "  tags: {audit: maybe}"))
    assert (status, gap["exit"]) == (3, 3)


def test_a_closed_account_is_left_out_and_told(aws, tmp_path, monkeypatch):
    visited(monkeypatch)
    _, accounts = organization(aws)
    aws.client("organizations", "us-east-1").close_account(AccountId=accounts["lower"])
    status, told = listing(aws, written(tmp_path, "organization: {}"))
    by = {summary["account"]: summary for summary in told}
    assert (status, by[accounts["lower"]]["status"]) == (0, "left_out")
    assert by[accounts["upper"]]["status"] == "done"


def test_an_account_named_twice_over_is_read_once(aws, tmp_path, monkeypatch):
    visited(monkeypatch)
    organization(aws)
    config = written(tmp_path, "organization: {}", f'accounts: ["{ACCOUNT}"]')
    _, told = listing(aws, config)
    assert [summary["account"] for summary in told].count(ACCOUNT) == 1


def test_profiles_are_asked_whose_they_are(aws, tmp_path, monkeypatch):
    visited(monkeypatch)
    known = tmp_path / "config"
    known.write_text(
        "[profile good]\nregion=eu-west-1\naws_access_key_id=testing\n"
        "aws_secret_access_key=testing\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(known))
    path = tmp_path / "runs.yaml"
    path.write_text(f"output: out\nregions: [{REGION}]\nprofiles: [good, gone]\n")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    status, (good, gone) = listing(aws, config_of(path))
    assert (status, good["account"], good["status"]) == (3, ACCOUNT, "done")
    assert (gone["account"], gone["profile"], gone["exit"]) == (None, "gone", 3)
    assert "gone" in gone["error"]


# -- executors ------------------------------------------------------------------------------------


def doubled(number: int) -> int:
    return 2 * number


def died(mark: Path, times: int) -> str:
    with mark.open("a") as file:
        file.write("x")
    if mark.stat().st_size <= times:
        os.kill(os.getpid(), signal.SIGKILL)
    return "lived"


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_a_process_that_dies_is_tried_once_more_and_harms_no_other_lane(tmp_path):
    with Lanes(2) as lanes:
        once = lanes.submit(died, tmp_path / "once", 1)
        always = lanes.submit(died, tmp_path / "always", 99)
        others = [lanes.submit(doubled, number) for number in range(4)]
        assert once.result() == "lived"
        with pytest.raises(BrokenProcessPool):
            always.result()
        assert [other.result() for other in others] == [0, 2, 4, 6]
    assert (tmp_path / "always").read_text() == "xx"


def several(tmp_path, *accounts: str, more: tuple[str, ...] = ()):
    return written(tmp_path, f"accounts: {json.dumps(accounts)}", *more)


@pytest.mark.parametrize(
    ("error", "exit", "said"),
    [
        (BrokenProcessPool("gone"), 3, "died again"),
        (AwsError("no way in"), 3, "no way in"),
        (ZeroDivisionError("oops"), 70, "a bug in the kit: ZeroDivisionError: oops"),
    ],
)
def test_work_that_ends_badly_is_told_and_stops_no_other(
    aws, tmp_path, monkeypatch, error, exit, said
):
    visited(monkeypatch)
    fine = OTHERS[:5]

    def ended(visit):
        if visit.account.account == fine[1]:
            raise error

    monkeypatch.setattr("auditlib.fleet.read", ended)
    status, told = ran(aws, several(tmp_path, *fine), executors=inline())
    assert status == exit
    assert [summary["account"] for summary in told] == fine
    assert [summary["exit"] for summary in told] == [0, exit, 0, 0, 0]
    assert said in told[1]["error"]
    record = json.loads((tmp_path / "out/overview/2026-11-20/accounts.json").read_text())
    assert record["accounts"] == told


def inline(width: int = 3) -> Executors:
    pool = ThreadPoolExecutor(2)
    return Executors(reading=pool, reporting=pool, width=width)


def test_no_more_accounts_are_under_way_than_there_is_room_for(aws, tmp_path, monkeypatch):
    visited(monkeypatch)
    under_way, most = set(), []

    def begun(visit):
        under_way.add(visit.account.account)
        most.append(len(under_way))

    def ended(visit):
        under_way.discard(visit.account.account)
        return {**visit.head, "status": "done", "exit": 0}

    monkeypatch.setattr("auditlib.fleet.read", begun)
    monkeypatch.setattr("auditlib.fleet.reported", ended)
    _, told = ran(aws, several(tmp_path, *OTHERS), executors=inline(3))
    assert len(told) == len(OTHERS)
    assert max(most) <= 3


def test_what_did_not_get_through_is_read_when_the_day_is_run_again(aws, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    endpoint = populated(aws, ACCOUNT)
    aws.throttle("ec2", "DescribeClientVpnRoutes", resource=endpoint)
    aws.deny("ec2", "DescribeVpcs")
    account = Account(account=ACCOUNT, regions=(REGION,))
    visit = Visit(account=account, output=tmp_path, date="2026-11-20", endpoint_url=aws.url)

    def asked() -> set[str]:
        aws.forget()
        aws.deny("ec2", "DescribeVpcs")
        read(visit)
        return {call.operation for call in aws.calls} - {"GetCallerIdentity"}

    read(visit)
    write_file(visit.folder / DONE, json.dumps({**visit.head, "read_again": 1}).encode())
    assert kept(visit) is None
    assert not (visit.folder / DONE).exists()
    assert {"DescribeClientVpnRoutes", "DescribeVpcs"} <= asked()
    # What AWS refused, or has not, stays so that day.
    assert asked() == set()
    done = {**visit.head, "read_again": 0}
    write_file(visit.folder / DONE, json.dumps(done).encode())
    assert kept(visit) == done


def test_a_day_that_is_read_again_is_one_run_of_the_history(aws, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    endpoint = populated(aws, ACCOUNT)
    aws.throttle("ec2", "DescribeClientVpnRoutes", resource=endpoint)
    account = Account(account=ACCOUNT, regions=(REGION,))
    visit = Visit(
        account=account, output=tmp_path / "out", history=tmp_path / "history", notebooks=(),
        date="2026-11-20", endpoint_url=aws.url,
    )  # fmt: skip

    def once() -> tuple[dict, list[str]]:
        read(visit)
        summary = reported(visit)
        return summary, list(history.runs(visit.own_history)["run"])

    first, runs = once()
    assert first["read_again"] == 1
    assert runs == [first["digest"]]
    second, runs = once()  # as a cluster does that lost what a worker had read
    assert second["read_again"] == 1
    assert runs == [second["digest"]]
    aws.forget()
    assert kept(visit) is None
    again, runs = once()
    assert again["read_again"] == 0
    assert len({first["digest"], second["digest"], again["digest"]}) == 3
    assert runs == [again["digest"]]


@pytest.mark.parametrize(
    "held", [b"", b"{", b"\xff", b"[" * 100_000, b"[]", b"{}", b'{"account": "444455556666"}']
)
def test_a_summary_that_is_damaged_or_another_s_counts_for_none(tmp_path, held):
    account = Account(account=ACCOUNT, regions=(REGION,))
    visit = Visit(account=account, output=tmp_path, date="2026-11-20")
    write_file(visit.folder / DONE, held)
    assert kept(visit) is None
    assert not (visit.folder / DONE).exists()


def test_ctrl_c_ends_a_run_and_is_no_run(aws, tmp_path, monkeypatch):
    visited(monkeypatch)

    def pressed(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("auditlib.fleet.wait", pressed)
    with pytest.raises(Interrupted):
        ran(aws, several(tmp_path, *OTHERS[:2]), executors=inline())
    assert not (tmp_path / "out" / "overview").exists()


# -- the file -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (("organization: {}", "x: y"), 'There is no key called "x"'),
        (("organization:", "  units: []"), 'There is no key called "units"'),
        (("organization:", "  tags: [a]"), "tags must be a list of KEY: VALUE"),
        (("organization:", "  without: [7]"), "account must be twelve digits"),
        (('accounts: ["7"]',), "account must be twelve digits"),
        ((f'accounts: ["{ACCOUNT}"]', "exports: [docx]"), "docx must be one of xlsx"),
        ((f'accounts: ["{ACCOUNT}"]', "accepted: none.yaml"), "none.yaml"),
    ],
)
def test_what_is_wrong_in_the_file_is_told(tmp_path, lines, why):
    with pytest.raises(ParameterError, match=re.escape(why)):
        written(tmp_path, *lines)


def test_an_organization_needs_a_role_with_the_account_in_it(tmp_path):
    path = tmp_path / "runs.yaml"
    path.write_text(f"output: out\nregions: [{REGION}]\norganization: {{}}\n")
    with pytest.raises(ParameterError, match=r"runs.yaml:3: an organization needs a role_arn"):
        config_of(path)
    path.write_text(f"output: out\nrole_arn: '{role('{account}')}'\norganization: {{}}\n")
    with pytest.raises(ParameterError, match=r"runs.yaml:3: an organization needs regions"):
        config_of(path)


# -- the page over all accounts -------------------------------------------------------------------


def left(out: Path, accounts: dict[str, object]) -> Path:
    """Leave what a run leaves of these accounts (worlds, or why they were not read)."""
    entries = []
    for account, made in accounts.items():
        head = {"account": account, "date": "2026-11-20"}
        if isinstance(made, str):
            entries.append({**head, "status": "failed", "exit": 3, "error": made})
            continue
        audit = Audit(made.snapshot(**MOMENT))
        folder = out / account / "2026-11-20"
        write_file(folder / FINDINGS, history.parquet_of(audit))
        entries.append(
            {
                **head,
                "status": "done",
                "exit": 0,
                "gaps": len(audit.gaps),
                "not_assessed": sum(f.status is Status.NOT_ASSESSED for f in audit.findings),
                "unlisted": unlisted(audit),
                "changes": {"new": 2, "reappeared": 1, "resolved": 4, "unchanged": 9},
                "report": f"{account}/2026-11-20/report/index.html",
            }
        )
    record = {"date": "2026-11-20", "made": FIRST.isoformat(), "accounts": entries}
    folder = out / "overview" / "2026-11-20"
    write_file(folder / ACCOUNTS, json.dumps(record).encode())
    return folder


def test_the_page_over_accounts_names_the_worst_first_and_what_was_not_read(tmp_path):
    calm, bad, twin, blind, shut = OTHERS[:5]
    why = "refused <script>document.title='ran'</script>"
    worlds = {
        calm: empty(), bad: hostile(), twin: exposed(), blind: refused(), shut: why,
    }  # fmt: skip
    folder = left(tmp_path, worlds)
    over = overview(folder)
    ranked = list(over.accounts()["account"])
    assert ranked.index(bad) < ranked.index(calm)
    assert shut not in ranked
    assert set(over.unread()["account"]) == {blind, shut}
    (told,) = over.coverage
    assert told.startswith("5 accounts were asked for and 4 of them read.")
    assert "Nothing is known of 1" in told
    assert "Of 1 AWS did not even list the endpoints" in told
    checks = over.checks().set_index("check")
    default = checks.loc["vpn-sg-is-default"]
    assert (default["fail"], default["unread"]) == (3, 1)
    assert checks.loc["connect-handler-is-broken", "not_assessed"] >= 1
    shared = over.shared()
    assert (shared["accounts"] >= 2).all()
    assert {"vpn-sg-is-default"} <= set(shared["check"])
    assert (over.objects()["accounts"] >= 2).all()  # the worlds give their things the same ids

    index = overview_report(folder, folder / "report").read_text("utf-8")
    shown = page(index)
    assert "<script" not in index
    assert f"../../../{bad}/2026-11-20/report/index.html" in index
    for account in worlds:
        assert account in shown.words
    assert "Not read: refused <script>" in shown.words


def test_only_the_columns_that_are_asked_for_are_read(tmp_path, monkeypatch):
    asked = []
    real = history.columns_of

    def columns_of(path, columns, where=None):
        asked.append((tuple(columns), where))
        return real(path, columns, where)

    over = overview(left(tmp_path, {OTHERS[0]: exposed(), OTHERS[1]: exposed()}))
    monkeypatch.setattr(history, "columns_of", columns_of)
    assert over.checks()["fail"].max() == 2
    assert "reason" not in {column for columns, _ in asked for column in columns}
    asked.clear()
    assert not over.shared().empty
    assert all(where == [("status", "==", "fail")] for _, where in asked)


def test_a_snapshot_alone_is_an_overview_of_one():
    audit = Audit(exposed().snapshot(**MOMENT))
    over = overview("", audit)
    assert over.coverage == (
        "One account was asked for, and it was read. All calls were answered.",
    )
    assert list(over.accounts()["account"]) == [ACCOUNT]
    failing = {f.check.id for f in audit.findings if f.status is Status.FAIL}
    assert set(over.checks().query("fail == 1")["check"]) == failing
    assert over.shared().empty


def test_what_no_run_left_is_refused(tmp_path):
    with pytest.raises(ParameterError, match="is not what a run over accounts leaves"):
        overview(tmp_path)
