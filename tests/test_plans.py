"""Plan files in; scripts, Terraform and JSON out; the command line over both."""

import json
import re
import shutil
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest
from click.testing import CliRunner

from auditlib.changes import (
    CHANGES,
    AddAuthorizationRule,
    AuthorizeRule,
    CreateSecurityGroup,
    ModifyLogging,
)
from auditlib.changes.plans import SPOKEN, apply_script, plan_of, rollback_script, terraform_text
from auditlib.changes.preview import preview, proposal
from auditlib.cli import main
from auditlib.errors import ParameterError
from auditlib.language import LANGUAGES, spoken, tr
from auditlib.snapshot import save
from auditlib.tables import Tables
from tests.test_changes import ENDPOINT, PLACE, Small
from tests.worlds import ACCOUNT, REGION

DOCS = Path(__file__).parent.parent / "docs" / "plan-files.md"
HOSTILE = 'a\'; touch pwned; $(touch pwned) `touch pwned` "x" ${HOME} %{if} \\ \nrm -rf ~ ünï'
HEAD = f'account: "{ACCOUNT}"\nregion: {REGION}\nchanges:\n'


@pytest.fixture
def world() -> Small:
    return Small()


def plan(folder: Path, text: str, name: str = "plan.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_plan_in_yaml_and_in_json_says_the_same(tmp_path):
    yaml = plan(
        tmp_path,
        HEAD + "  - {change: authorize-rule, group_id: sg-1, peer: sg-2, protocol: tcp, "
        "from_port: 1, to_port: 2}\n",
    )
    (change,) = plan_of(yaml)
    assert change == AuthorizeRule(
        **PLACE, group_id="sg-1", peer="sg-2", protocol="tcp", from_port=1, to_port=2
    )
    as_json = json.dumps({"changes": [change.to_dict()]})
    assert plan_of(plan(tmp_path, as_json, "plan.json")) == (change,)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("- a\n", "needs a list called changes"),
        ("changes: [", "is no YAML"),
        ("more: 1\nchanges: []\n", "more is not part of a plan"),
        (HEAD + "  - {group: x}\n", "change 1: an entry needs the key change"),
        (HEAD + "  - {change: authorise-rule}\n", "authorize-rule"),
        (HEAD + "  - {change: revoke-rule, group_id: sg-1}\n", "revoke-rule needs rule_id"),
        (HEAD + "  - {change: revoke-rule, group: sg-1}\n", "group_id"),
        (HEAD + "  - {change: delete-security-group, group_id: 12}\n", "put quotes around it"),
        (HEAD + "  - {change: modify-logging, endpoint_id: e, enabled: maybe}\n", "true or false"),
        (HEAD + "  - {change: set-interface-groups, eni_id: e, group_ids: sg-1}\n", "a list of texts"),
        ("account: 111122223333\nchanges: [{change: delete-security-group, region: r, group_id: g}]\n", "quotes"),
    ],
)  # fmt: skip
def test_a_wrong_plan_is_refused_with_the_place_and_what_to_do(tmp_path, text, why):
    with pytest.raises(ParameterError, match=why):
        plan_of(plan(tmp_path, text))


def test_a_file_that_is_not_there_is_one_line(tmp_path):
    path = tmp_path / "none.yaml"
    with pytest.raises(ParameterError) as refused:
        plan_of(path)
    assert str(refused.value) == f"{path} cannot be read: No such file or directory."


@pytest.mark.parametrize("made", CHANGES.values(), ids=list(CHANGES))
def test_the_page_on_plan_files_names_every_change_and_field(made):
    (row,) = [line for line in DOCS.read_text("utf-8").splitlines() if f"| `{made.kind}`" in line]
    for field in fields(made):
        assert field.name in {"account", "region"} or f"`{field.name}`" in row


def test_the_example_of_the_page_is_a_plan(tmp_path):
    example = DOCS.read_text("utf-8").split("```yaml\n")[1].split("```")[0]
    assert [change.kind for change in plan_of(plan(tmp_path, example))] == [
        "create-security-group",
        "authorize-rule",
        "apply-security-groups",
    ]


# -- scripts --------------------------------------------------------------------------------------


def hostile_preview(world: Small):
    made = CreateSecurityGroup(
        **PLACE,
        vpc_id=world.main,
        group_name="x$(a) {};!*&",
        description="d$(b); !*",
        open_egress=False,
    )
    return preview(
        Tables(world.snapshot()),
        [
            made,
            AuthorizeRule(**PLACE, group_id=world.app, peer=made.group_id, description="$(c);{}"),
            AddAuthorizationRule(
                **PLACE,
                endpoint_id=ENDPOINT,
                destination_cidr="10.0.2.0/24",
                group_id=HOSTILE,
                description=HOSTILE,
            ),
            ModifyLogging(**PLACE, endpoint_id=ENDPOINT, enabled=True, log_group=HOSTILE),
        ],
    )


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
@pytest.mark.parametrize("text", [apply_script, rollback_script])
def test_shellcheck_finds_nothing_even_with_hostile_names(world, tmp_path, text):
    script = plan(tmp_path, text(hostile_preview(world)), "script.sh")
    checked = subprocess.run(
        ["shellcheck", str(script)], capture_output=True, text=True, check=False
    )
    assert checked.stdout == ""


@pytest.mark.parametrize(("text", "name"), [(apply_script, "apply"), (rollback_script, "rollback")])
def test_hostile_names_reach_the_aws_cli_whole_and_run_nothing(world, tmp_path, text, name):
    found = hostile_preview(world)
    script = plan(tmp_path, text(found), "script.sh")
    fake = tmp_path / "bin" / "aws"
    fake.parent.mkdir()
    fake.write_text(
        '#!/usr/bin/env bash\nif [[ "$1" == sts ]]; then echo 111122223333; exit; fi\n'
        f"printf '%s\\0' \"$@\" >> '{tmp_path}/seen'\nprintf '\\n\\0' >> '{tmp_path}/seen'\n"
        "echo sg-0123456789abcdef0\n"
    )
    fake.chmod(0o755)
    notes = [f"{step.number}\tsg-0123456789abcdef0\n" for step in found.steps]
    if name == "rollback":
        (tmp_path / "applied.txt").write_text("".join(notes))
    ran = subprocess.run(
        ["bash", str(script), "--apply"],
        input="yes\n" * 9,
        env={"PATH": f"{fake.parent}:/usr/bin:/bin", "HOME": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    words = (tmp_path / "seen").read_bytes().decode().split("\0")
    assert HOSTILE in words
    assert not (tmp_path / "pwned").exists()
    if name == "apply":
        assert "x$(a) {};!*&" in words
        assert (
            json.loads(next(w for w in words if w.startswith("{")))["CloudwatchLogGroup"] == HOSTILE
        )
        sent = json.loads(next(w for w in words if w.startswith("[{")))
        assert sent[0]["UserIdGroupPairs"][0] == {
            "GroupId": "sg-0123456789abcdef0",
            "Description": "$(c);{}",
        }


def test_a_blank_that_is_not_set_stops_the_script_before_anything_else(world, tmp_path):
    world.authorize(ENDPOINT, "10.0.2.0/24")
    found = proposal(Tables(world.snapshot()), ["authorization-allows-everyone"])
    script = apply_script(found)
    assert ': "${GROUP_FOR_10_0_2_0_24:?set GROUP_FOR_10_0_2_0_24 first' in script
    assert '--access-group-id "${GROUP_FOR_10_0_2_0_24}"' in script


def test_the_terraform_text_parses_and_obeys_no_template_in_a_name(world):
    hcl2 = pytest.importorskip("hcl2")
    text = terraform_text(hostile_preview(world))
    kinds = [next(iter(block)).strip('"') for block in hcl2.loads(text)["resource"]]
    assert kinds == [
        "aws_security_group",
        "aws_vpc_security_group_ingress_rule",
        "aws_ec2_client_vpn_authorization_rule",
    ]
    assert "$${HOME} %%{if}" in text


# -- the command line -----------------------------------------------------------------------------


@pytest.fixture
def snapshot(world, tmp_path) -> Path:
    save(world.snapshot(), tmp_path / "snapshot")
    return tmp_path / "snapshot"


def run(*arguments):
    return CliRunner().invoke(main, ["preview", *map(str, arguments)])


def test_a_plan_is_previewed_from_the_command_line_in_every_format(world, snapshot, tmp_path):
    given = plan(
        tmp_path,
        HEAD + f"  - {{change: revoke-rule, group_id: {world.app}, rule_id: {world.rule}}}\n",
    )
    told = run(snapshot, "--plan", given)
    assert told.exit_code == 0
    assert (
        f"Verdict: also closes TCP 443 on {world.eni} for group staff of {ENDPOINT}." in told.stdout
    )
    as_json = json.loads(run(snapshot, "--plan", given, "--format", "json").stdout)
    assert as_json["steps"][0]["inverse"]["change"] == "authorize-rule"
    assert [row["change"] for row in as_json["access"]] == ["lost"]
    assert (
        "revoke-security-group-ingress" in run(snapshot, "--plan", given, "--format", "cli").stdout
    )
    assert world.rule in run(snapshot, "--plan", given, "--format", "terraform").stdout


def test_out_writes_the_four_files_once(world, snapshot, tmp_path):
    world_rule = f"  - {{change: revoke-rule, group_id: {world.app}, rule_id: {world.rule}}}\n"
    given, out = plan(tmp_path, HEAD + world_rule), tmp_path / "out"
    assert run(snapshot, "--plan", given, "--out", out).exit_code == 0
    assert {path.name for path in out.iterdir()} == {
        "apply.sh",
        "rollback.sh",
        "main.tf",
        "preview.json",
    }
    (out / "applied.txt").write_text("1\t\n")
    again = run(snapshot, "--plan", given, "--out", out)
    assert again.exit_code == 2
    assert "roll back first" in again.stderr


def test_what_cannot_be_judged_exits_3(world, tmp_path):
    world.refuse("ec2-describe-network-acls")
    world.record(ENDPOINT)["ConnectionLogOptions"] = {"Enabled": False}
    save(world.snapshot(), tmp_path / "snapshot")
    told = run(tmp_path / "snapshot", "--fix", "connection-logging-is-off")
    assert told.exit_code == 3
    assert "cannot be judged" in told.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--fix", "vpn-sg-is-default", "--plan", "x.yaml"),
        ("--plan", "x.yaml", "--endpoint", "e"),
        ("--fix", "no-such-check"),
        ("--fix", "routed-but-not-authorized", "--out", "nowhere"),
    ],
)
def test_wrong_usage_is_told_and_exits_2(snapshot, arguments):
    assert run(snapshot, *arguments).exit_code == 2


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_language_changes_the_code_of_a_script(language):
    blank = "set {name} first: only you know it"
    with spoken(language):
        told = {text: tr(text) for text in (*SPOKEN, blank)}
    for text, other in told.items():
        assert sorted(re.findall(r"\$[a-z_]+", other)) == sorted(re.findall(r"\$[a-z_]+", text))
        assert other.count("$") == text.count("$")
        assert not re.search(r"\$[a-z_]+[^\x00-\x7f]", other), "a variable's name may go on there"
        assert set("'\"`\\\n") & set(other) <= set(text)
    assert told[blank].count("}") == 1
