"""Many accounts: which they are, the work fanned out, what came of each, and the page over them."""

import os
import re
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from auditlib import history
from auditlib.audit import open_audit
from auditlib.check import Status
from auditlib.fleet import Executors, run
from auditlib.lanes import Lanes
from auditlib.overview import overview
from auditlib.schedule import config_of
from auditlib.visit import Visit
from tests.accounts import REGION
from tests.standin import ACCOUNT

FIRST, SECOND = (datetime(2026, 11, day, 3, tzinfo=UTC) for day in (20, 21))
ELSEWHERE = "eu-west-1"
SIZE = int(os.environ.get("ACCOUNTS", "8"))
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


class Killing(Lanes):
    """Lanes in which the process that works on one account is killed in the middle, once."""

    def __init__(self, number: int, account: str, mark: Path) -> None:
        super().__init__(number)
        self.account, self.mark = account, mark

    def submit(self, fn, visit, /):
        return super().submit(killed_once, fn, visit, self.account, self.mark)


def killed_once(fn, visit: Visit, account: str, mark: Path):
    if visit.account.account == account and not mark.exists():
        mark.touch()
        threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGKILL)).start()
    return fn(visit)


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_many_accounts_of_which_some_refuse_one_is_throttled_and_one_killed(aws, tmp_path):
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

    def both(moment, mark):
        reading, reporting = ThreadPoolExecutor(4), Killing(2, killed, tmp_path / mark)
        with reading, reporting:
            work = Executors(reading=reading, reporting=reporting, width=6)
            return ran(aws, config, moment, executors=work)

    status, first = both(FIRST, "first")
    opened(aws, changed, endpoints[changed])
    aws.account = killed
    aws.delete_endpoint(endpoints[killed])
    aws.account = ACCOUNT
    again, second = both(SECOND, "second")
    assert (tmp_path / "first").exists()
    assert (tmp_path / "second").exists()
    assert (status, again) == (3, 3)

    for summaries in (first, second):
        assert [summary["account"] for summary in summaries] == accounts
        by = {summary["account"]: summary for summary in summaries}
        assert {a for a in accounts if by[a]["status"] == "failed"} == set(refusing)
        assert all(role(a) in by[a]["error"] and by[a]["exit"] == 3 for a in refusing)
        assert by[throttled]["unlisted"] == [ELSEWHERE]
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
        assert bool(changes.get("new")) == (account == changed), changes
        assert bool(changes.get("resolved")) == (account == killed), changes
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
    assert checks.loc["connection-logging-off", "fail"] == 2
    assert (checks["not_assessed"] >= 1).all()
    shared = over.shared()
    assert set(shared.loc[shared["check"] == "connection-logging-off", "accounts"]) <= {2}
    page = (folder / "report" / "index.html").read_text("utf-8")
    for summary in summaries:
        assert summary["account"] in page
    links = set(re.findall(r'href="(\.\./[^"]+)"', page))
    assert len(links) == len(read)
    assert all((folder / "report" / link).resolve().is_file() for link in links)
