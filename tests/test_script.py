"""The shell script for clients who collect themselves, run by the AWS CLI against the stand-in."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import botocore
import pandas as pd
import pytest
from click.testing import CliRunner

from auditlib.aws.collect import collect
from auditlib.aws.reads import READS, read_of
from auditlib.aws.script import script_of
from auditlib.cli import main
from auditlib.schemas import SCHEMAS
from auditlib.snapshot import encode, file_of, load, verify, version_numbers
from auditlib.tables import Tables
from tests.accounts import ACCOUNT, REGION, SmallAccount, small_account
from tests.aws_cli import AwsCli
from tests.standin import StandIn

SHELL = shutil.which("dash") or shutil.which("sh")
AWS_CLI = Path(sys.prefix) / "bin" / "aws"
NEW_MODELS = Path(botocore.__file__).parent / "data"

pytestmark = pytest.mark.skipif(
    not SHELL or not AWS_CLI.exists(), reason="needs a POSIX shell and the AWS CLI"
)


@pytest.fixture
def account(aws: StandIn) -> SmallAccount:
    return small_account(aws)


@pytest.fixture(scope="session")
def newest_cli(_standin: StandIn) -> Iterator[AwsCli]:
    """Start the AWS CLI with models as new as the kit's."""
    with AwsCli({**_standin.environment, "AWS_DATA_PATH": str(NEW_MODELS)}) as cli:
        yield cli


@pytest.fixture(scope="session")
def old_cli(aws_cli: AwsCli) -> AwsCli:
    """Return the AWS CLI with the models it came with."""
    return aws_cli


def run_script(
    aws: StandIn, cli: AwsCli, out: Path, *, new_models: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run the script as a client would: with the AWS CLI."""
    script = out.parent / "collect.sh"
    script.write_text(script_of(endpoint_url=aws.url), "utf-8")
    ran = subprocess.run(
        [str(SHELL), script, "-o", out],
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": f"{cli.folder}{os.pathsep}{os.environ['PATH']}"},
        check=False,
    )
    notes = out / "collect.txt"
    if new_models and notes.exists():
        # The CLI names the version it came with; the models it was lent are newer.
        text = re.sub(r"botocore/\S+", f"botocore/{botocore.__version__}", notes.read_text("utf-8"))
        notes.write_text(text, "utf-8")
    return ran


STUB = """#!/bin/sh
printf '%s\\n' "$*" >>"$STUB/asked"
for word in "$@"; do
  case $word in
  --log-group-name-prefix=*) printf '%s\\0' "${word#*=}" >>"$STUB/names" ;;
  esac
done
case "$1 ${2-}" in
"sts get-caller-identity") printf '%s\\n' "${IDENTITY-}" | tr ' ' '\\t' ; [ -n "${IDENTITY-}" ] ;;
"ec2 describe-regions") printf 'eu-west-1\\tus-east-1\\n' ;;
"--version ") echo aws-cli/2.40.0 Python/3.13 Linux exe/x86_64 ;;
*) cat "$STUB/$1-$2.json" ;;
esac
"""


class Stub:
    """The script with a stub in the AWS CLI's place, for what need not be slow."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "stub"
        self.folder.mkdir()
        (self.folder / "aws").write_text(STUB, "utf-8")
        (self.folder / "aws").chmod(0o755)
        self.work = folder / "work"
        self.work.mkdir()
        self.identity = f"{ACCOUNT} arn:aws:iam::{ACCOUNT}:user/auditor"
        for read in READS:
            self.answer(read.id, [] if read.page_size else {})

    def answer(self, read_id: str, records: object) -> None:
        document = {read_of(read_id).result_key: records}
        (self.folder / f"{read_id}.json").write_bytes(encode(document))

    def endpoint(self, log_group: str) -> None:
        id = "cvpn-endpoint-1"
        options = {"Enabled": True, "CloudwatchLogGroup": log_group}
        record = {"ClientVpnEndpointId": id, "ConnectionLogOptions": options}
        self.answer("ec2-describe-client-vpn-endpoints", [record])

    def run(self, *arguments: str, **options) -> subprocess.CompletedProcess[str]:
        (self.folder / "collect.sh").write_text(script_of(**options), "utf-8")
        environment = {
            "PATH": f"{self.folder}{os.pathsep}{os.environ['PATH']}",
            "STUB": str(self.folder),
            "IDENTITY": self.identity,
            "AWS_DEFAULT_REGION": REGION,
        }
        return subprocess.run(
            [str(SHELL), self.folder / "collect.sh", *arguments],
            cwd=self.work,
            capture_output=True,
            text=True,
            env=environment,
            check=False,
        )

    @property
    def asked(self) -> list[str]:
        return (self.folder / "asked").read_text("utf-8").splitlines()

    @property
    def names(self) -> list[str]:
        found = self.folder / "names"
        return found.read_text("utf-8").split("\0")[:-1] if found.exists() else []


@pytest.fixture
def stub(tmp_path: Path) -> Stub:
    return Stub(tmp_path)


def answers(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*.json")
        if path.name != "manifest.json"
    }


def test_the_script_and_collect_load_to_equal_tables(aws, newest_cli, account, tmp_path):
    aws.page_size = 5
    collect(tmp_path / "a", endpoint_url=aws.url)
    before = len(aws.calls)
    ran = run_script(aws, newest_cli, tmp_path / "b")
    assert ran.returncode == 0, ran.stderr
    assert "33 answers" in ran.stdout
    assert "0 refused" in ran.stdout
    ours, theirs = load(tmp_path / "a"), load(tmp_path / "b")
    assert {(c.key, c.status) for c in ours.calls} == {(c.key, c.status) for c in theirs.calls}
    assert verify(tmp_path / "b") == ()
    left, right = Tables(ours), Tables(theirs)
    for name in SCHEMAS:
        assert left.gaps(name).empty
        assert right.gaps(name).empty
        ours, theirs = (t[name].drop(columns="read_at", errors="ignore") for t in (left, right))
        pd.testing.assert_frame_equal(ours, theirs)
    # Every file is what the CLI prints, to the byte, but for times: version 1 of the CLI prints
    # them as they come over the wire; collect, as version 2 does.
    our_files, their_files = answers(tmp_path / "a"), answers(tmp_path / "b")
    assert set(our_files) == set(their_files)
    for name in our_files:
        assert without_times(our_files[name]) == without_times(their_files[name])
    # Neither makes a call that the table does not list.
    listed = {(read.service, read.iam_action.partition(":")[2]) for read in READS}
    for calls in (aws.calls[:before], aws.calls[before:]):
        asked = {(call.service, call.operation) for call in calls}
        assert asked == listed | {("sts", "GetCallerIdentity")}


def without_times(data: bytes) -> bytes:
    data = re.sub(rb'"\d{4}-\d\d-\d\dT[^"]*"', b'"a time"', data)
    return re.sub(rb'(At|Time|NotBefore|NotAfter)": [0-9.]+(,?)\n', rb'\1": "a time"\2\n', data)


def test_what_the_script_was_refused_is_named_as_collect_names_it_and_read_next_time(
    aws, newest_cli, account, tmp_path
):
    aws.deny("ec2", "describe-client-vpn-routes", resource=account.endpoints[0])
    aws.deny("logs", "describe-log-groups")
    aws.fail("ec2", "describe-subnets", status=400, code="OptInRequired")
    manifest = collect(tmp_path / "a", endpoint_url=aws.url).manifest
    aws.switches.no_policy_code = None  # the id alone: a whole answer that is not asked for again
    ran = run_script(aws, newest_cli, tmp_path / "b")
    assert ran.returncode == 3
    assert ran.stdout.count(".error.txt") == 3

    def refused(calls):
        return {(c.key, c.status, c.error_code, c.error_message) for c in calls if c.status != "ok"}

    snapshot = load(tmp_path / "b")
    assert refused(snapshot.calls) == refused(manifest.calls)
    assert len(refused(manifest.calls)) == 3
    assert {(c.key, c.items) for c in snapshot.calls if c.file is None and c.status == "ok"} == {
        (c.key, c.items) for c in manifest.calls if c.file is None and c.status == "ok"
    }
    aws._faults.clear()
    before = len(aws.calls)
    assert run_script(aws, newest_cli, tmp_path / "b").returncode == 0
    made = Counter(call.operation for call in aws.calls[before:])
    assert made == {
        "GetCallerIdentity": 1,
        "DescribeClientVpnRoutes": 1,
        "DescribeLogGroups": 1,
        "DescribeSubnets": 1,
    }
    assert {call.status for call in load(tmp_path / "b").calls} == {"ok"}
    assert not list((tmp_path / "b").rglob("*.error.txt"))


def test_an_old_cli_says_unsupported_and_what_it_cannot_see_is_known(
    aws, old_cli, account, tmp_path
):
    ran = run_script(aws, old_cli, tmp_path / "b", new_models=False)
    assert ran.returncode == 3
    assert " 0 refused, 2 not known to this AWS CLI" in ran.stdout
    assert "this AWS CLI does not know these calls; update it" in ran.stdout
    assert ran.stdout.count("authorization-policy/") == 2
    snapshot = load(tmp_path / "b")
    odd = {(c.operation, c.status) for c in snapshot.calls if c.status != "ok"}
    assert odd == {("get-client-vpn-endpoint-authorization-policy", "unsupported")}
    version = snapshot.manifest.botocore_version
    assert version_numbers(version) < version_numbers("1.43.104")
    assert snapshot.manifest.caller_arn == f"arn:aws:iam::{ACCOUNT}:user/auditor"
    assert snapshot.manifest.started <= snapshot.manifest.finished


def test_regions_are_those_given_now_or_then_or_the_profiles(stub):
    assert stub.run("-o", "a", "eu-west-1", "us-east-1", regions=["x-y-1"]).returncode == 0
    assert stub.run("-o", "b", regions=["eu-west-1"]).returncode == 0
    assert stub.run("-o", "c", all_regions=True).returncode == 0
    assert stub.run("-o", "d").returncode == 0

    def regions(name):
        return [region for _, region in load(stub.work / name).places]

    assert regions("a") == regions("c") == ["eu-west-1", "us-east-1"]
    assert regions("b") == ["eu-west-1"]
    assert regions("d") == [REGION]


def test_what_is_the_same_in_every_region_is_asked_for_once(stub):
    arn = f"arn:aws:iam::{ACCOUNT}:saml-provider/idp"
    saml = {"Type": "federated-authentication", "FederatedAuthentication": {"SamlProviderArn": arn}}
    record = {"ClientVpnEndpointId": "cvpn-endpoint-1", "AuthenticationOptions": [saml]}
    stub.answer("ec2-describe-client-vpn-endpoints", [record])
    document = {"SAMLMetadataDocument": "<a/>"}
    (stub.folder / "iam-get-saml-provider.json").write_bytes(encode(document))
    assert stub.run("-o", "s", "eu-west-1", "ap-northeast-1").returncode == 0
    assert len([line for line in stub.asked if line.startswith("iam ")]) == 1
    snapshot = load(stub.work / "s")
    (call,) = [call for call in snapshot.calls if call.service == "iam"]
    assert (call.region, call.resource) == ("us-east-1", arn)
    assert [region for _, region in snapshot.places] == ["ap-northeast-1", "eu-west-1"]


def test_a_refused_parent_leaves_its_children_out(stub):
    (stub.folder / "ec2-describe-client-vpn-endpoints.json").unlink()
    assert stub.run("-o", "s").returncode == 3
    snapshot = load(stub.work / "s")
    assert not [call for call in snapshot.calls if call.resource]
    (refused,) = [call for call in snapshot.calls if call.status != "ok"]
    assert (refused.operation, refused.error_code) == (
        "describe-client-vpn-endpoints",
        "CommandFailed",
    )
    assert not Tables(snapshot).gaps("client_vpn_routes").empty


def test_the_script_writes_nothing_when_aws_does_not_know_who_calls(stub):
    stub.identity = ""
    ran = stub.run("-o", "s")
    assert ran.returncode == 2
    assert "sign in" in ran.stderr
    assert list(stub.work.iterdir()) == []


def test_a_region_that_is_no_region_is_refused(stub):
    ran = stub.run("-o", "s", "../../x")
    assert ran.returncode == 2
    assert "no region" in ran.stderr
    assert not [line for line in stub.asked if not line.startswith("sts ")]


@pytest.mark.parametrize(
    "name",
    [
        "$(touch hacked)`touch hacked`;touch hacked",
        "--region=elsewhere",
        "-o",
        "a b'd*é製品%2F",
        "x" * 450,
        ".",
        "..",
        "None",
    ],
)
def test_a_hostile_name_is_a_name_and_nothing_else(stub, name):
    stub.endpoint(name)
    ran = stub.run("-o", "s")
    assert ran.returncode == 0, ran.stderr
    assert stub.names == [name]
    calls = load(stub.work / "s").calls
    assert {call.resource for call in calls if call.service == "logs"} == {name}
    assert [p.name for p in stub.work.iterdir()] == ["s"]


@pytest.mark.parametrize(
    "name", ["file:///etc/passwd", "https://example.com/", 'a"b', "tab\there", "two\nlines"]
)
def test_a_name_the_shell_cannot_be_trusted_with_is_left_out_and_a_gap(stub, name):
    stub.endpoint(name)
    assert stub.run("-o", "s").returncode == 0
    assert stub.names == []
    assert not Tables(load(stub.work / "s")).gaps("log_groups").empty


def test_a_text_that_looks_like_a_key_names_nothing(stub):
    stub.answer(
        "ec2-describe-client-vpn-endpoints",
        [{"Description": 'x"\n    "ClientVpnEndpointId": "evil', "ClientVpnEndpointId": "real"}],
    )
    assert stub.run("-o", "s").returncode == 0
    resources = {call.resource for call in load(stub.work / "s").calls}
    assert resources == {None, "real", "ec2", "vpc"}


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="needs shellcheck")
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"regions": ["eu-west-1", "us-east-1"]},
        {"all_regions": True, "profile": "a'b $(c)", "endpoint_url": "http://127.0.0.1:1/'x"},
    ],
)
def test_the_script_is_clean(options, tmp_path):
    (tmp_path / "collect.sh").write_text(script_of(**options), "utf-8")
    checked = subprocess.run(
        ["shellcheck", "-s", "sh", tmp_path / "collect.sh"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.stdout == ""
    assert checked.returncode == 0


def test_every_read_stands_in_the_script():
    text = script_of()
    for read in READS:
        assert f"aws {read.service} {read.operation} --region" in text


def test_printing_the_script_calls_nobody(aws):
    result = CliRunner().invoke(main, ["collect", "--script", "--region", "eu-west-1"])
    assert result.exit_code == 0
    assert result.stdout.startswith("#!/bin/sh\n")
    assert "eu-west-1" in result.stdout
    assert aws.calls == ()


def test_names_are_encoded_as_the_snapshot_encodes_them(tmp_path):
    read = next(read for read in READS if read.service == "logs")
    functions = re.search(r"^encoded\(\) \{.*?^\}\n", script_of(), re.DOTALL | re.MULTILINE)
    assert functions
    for name in ("/aws/vpn", "a~b-c_d.e", "製品 #1", "x" * 200, "y/" * 300, "'\"\\"):
        shown = subprocess.run(
            [str(SHELL), "-c", f'{functions[0]}encoded "$1"', "sh", name],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        wanted = file_of(ACCOUNT, REGION, read, name)
        assert f"{ACCOUNT}/{REGION}/{read.id}/{shown}.json" == wanted


def test_the_script_is_the_same_every_time():
    texts = {hashlib.sha256(script_of().encode()).hexdigest() for _ in range(3)}
    assert len(texts) == 1
