"""Plan files in; scripts, Terraform and JSON out; the command line over both."""

import json
import re
import shutil
import subprocess
from dataclasses import fields
from functools import cache
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
from auditlib.changes.plans import (
    SPOKEN,
    apply_script,
    cli_text,
    plan_of,
    rollback_script,
    terraform_text,
    written,
)
from auditlib.changes.preview import preview, proposal
from auditlib.cli import main
from auditlib.errors import ParameterError
from auditlib.language import LANGUAGES, spoken, tr
from auditlib.snapshot import save
from auditlib.tables import Tables
from auditlib.terminal import print_preview
from tests.corpus import CORPUS, OVERRIDE
from tests.test_changes import ENDPOINT, PLACE, Small
from tests.worlds import ACCOUNT, REGION

DOCS = Path(__file__).parent.parent / "docs" / "plan-files.md"
UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069]")
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


TEXTS = (HOSTILE, *CORPUS.values(), "--endpoint-url=https://example.com", "file:///etc/passwd")


@cache
def hostile_preview():
    world = Small()
    made = CreateSecurityGroup(
        **PLACE,
        vpc_id=world.main,
        group_name="x$(a) {};!*&",
        description="file:///etc/passwd",
        open_egress=False,
    )
    return preview(
        Tables(world.snapshot()),
        [
            made,
            AuthorizeRule(**PLACE, group_id=world.app, peer=made.group_id, description="$(c);{}"),
            *(
                AddAuthorizationRule(
                    **PLACE,
                    endpoint_id=ENDPOINT,
                    destination_cidr="10.0.2.0/24",
                    group_id=text,
                    description=text,
                )
                for text in TEXTS
            ),
            ModifyLogging(
                **PLACE, endpoint_id=ENDPOINT, enabled=True, log_group=HOSTILE, log_stream=OVERRIDE
            ),
        ],
    )


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
@pytest.mark.parametrize("text", [apply_script, rollback_script])
def test_shellcheck_finds_nothing_even_with_hostile_names(tmp_path, text):
    script = plan(tmp_path, text(hostile_preview()), "script.sh")
    checked = subprocess.run(
        ["shellcheck", str(script)], capture_output=True, text=True, check=False
    )
    assert checked.stdout == ""


def calls_of(seen: bytes) -> list[list[str]]:
    """Return the words of each call of the stub."""
    return [call.split("\0")[:-1] for call in seen.decode().split("\0\n\0")[:-1]]


def value(call: list[str], option: str, name: str) -> str | None:
    """Return what a call gives an option, as a word of its own or in JSON."""
    if option in call:
        return call[call.index(option) + 1]
    apart = json.loads(call[call.index("--cli-input-json") + 1])
    return apart.get(name)


@pytest.mark.parametrize(("text", "name"), [(apply_script, "apply"), (rollback_script, "rollback")])
def test_hostile_names_reach_the_aws_cli_whole_and_run_nothing(tmp_path, text, name):
    found = hostile_preview()
    script = plan(tmp_path, text(found), "script.sh")
    fake = tmp_path / "bin" / "aws"
    fake.parent.mkdir()
    fake.write_text(
        '#!/usr/bin/env bash\nif [[ "$1" == sts ]]; then echo 111122223333; exit; fi\n'
        'if [[ "$2" == describe-client-vpn-authorization-rules ]]; then echo active; exit; fi\n'
        f"printf '%s\\0' \"$@\" >> '{tmp_path}/seen'\nprintf '\\0\\n\\0' >> '{tmp_path}/seen'\n"
        "echo sg-0123456789abcdef0\n"
    )
    fake.chmod(0o755)
    notes = [f"{step.number}\tsg-0123456789abcdef0\n" for step in found.steps]
    if name == "rollback":
        (tmp_path / "applied.txt").write_text("".join(notes))
    there = set(tmp_path.iterdir())
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
    assert {path.name for path in set(tmp_path.iterdir()) - there} <= {"seen", "applied.txt"}
    assert not UNSEEN.search((ran.stdout + ran.stderr).replace("\n", ""))
    calls = calls_of((tmp_path / "seen").read_bytes())
    kind = "authorize-client-vpn-ingress" if name == "apply" else "revoke-client-vpn-ingress"
    rules = [call for call in calls if call[1] == kind]
    assert {value(call, "--access-group-id", "AccessGroupId") for call in rules} == set(TEXTS)
    # No word is there but what was meant: an option, what belongs to it, or the text itself.
    for call in rules:
        assert len(call) - call.index("--client-vpn-endpoint-id") <= 12, call
    if name == "rollback":
        return
    assert {value(call, "--description", "Description") for call in rules} == set(TEXTS)
    (made,) = [call for call in calls if call[1] == "create-security-group"]
    assert value(made, "--group-name", "GroupName") == "x$(a) {};!*&"
    assert value(made, "--description", "Description") == "file:///etc/passwd"
    assert "file:///etc/passwd" not in made
    words = [word for call in calls for word in call]
    (logging,) = [json.loads(w) for w in words if w.startswith('{"Enabled')]
    assert (logging["CloudwatchLogGroup"], logging["CloudwatchLogStream"]) == (HOSTILE, OVERRIDE)
    sent = json.loads(next(w for w in words if w.startswith("[{")))
    assert sent[0]["UserIdGroupPairs"][0] == {
        "GroupId": "sg-0123456789abcdef0",
        "Description": "$(c);{}",
    }


@pytest.mark.parametrize(
    "text", [apply_script, rollback_script, cli_text, terraform_text], ids=lambda t: t.__name__
)
def test_no_code_holds_a_character_that_nobody_sees(text):
    assert not UNSEEN.search(text(hostile_preview()).replace("\n", ""))


def test_a_terminal_that_shows_the_preview_is_driven_by_none_of_it(capsys):
    print_preview(hostile_preview())
    assert not UNSEEN.search(capsys.readouterr().out.replace("\n", ""))


@pytest.mark.parametrize("text", TEXTS)
def test_the_aws_cli_sends_each_text_as_it_is(aws, text):
    """The real one: it reads no file that a text names, and takes no text for an option."""
    from awscli.clidriver import create_clidriver

    change = AddAuthorizationRule(
        **PLACE, endpoint_id="e", destination_cidr="10.0.2.0/24", group_id=text, description=text
    )
    create_clidriver().main([*change.cli(), "--endpoint-url", aws.url])
    sent = aws.calls[-1].parameters
    assert (sent["AccessGroupId"], sent["Description"]) == (text, text)


@pytest.mark.parametrize(
    "strange", ["sg-1\nrm -rf ~", "$(x)", "file:///x", "--x", "sg\u202e", "a b", "${x}", ""]
)
def test_what_is_no_id_is_refused_before_anything_is_made_of_it(world, strange):
    tables = Tables(world.snapshot())
    for change in (
        AuthorizeRule(**PLACE, group_id=strange, peer=world.app),
        AuthorizeRule(**PLACE, group_id=world.app, peer=strange),
        AuthorizeRule(**PLACE, group_id=world.app, peer=world.app, protocol=strange),
    ):
        with pytest.raises(ParameterError) as refused:
            change.apply(tables)
        assert not UNSEEN.search(str(refused.value))


def test_a_blank_that_is_not_set_stops_the_script_before_anything_else(world, tmp_path):
    world.authorize(ENDPOINT, "10.0.2.0/24")
    found = proposal(Tables(world.snapshot()), ["authorization-allows-everyone"])
    script = apply_script(found)
    assert ': "${GROUP_FOR_10_0_2_0_24:?set GROUP_FOR_10_0_2_0_24 first' in script
    assert '--access-group-id "${GROUP_FOR_10_0_2_0_24:?}"' in script


FAKE_AWS = """#!/bin/bash
case "$2" in
  get-caller-identity) echo {account} ;;
  describe-client-vpn-authorization-rules)
    if [[ -s {folder}/states ]]; then head -n 1 {folder}/states; sed -i 1d {folder}/states; fi ;;
esac
echo "$2" >> {folder}/calls
echo "$@" >> {folder}/words
"""


def narrowed(world, folder: Path, script: str, *states: str) -> tuple[str, list[str]]:
    """Run a script where AWS answers so of a new authorization rule; return what it said, and its calls."""
    world.authorize(ENDPOINT, "10.0.2.0/24")
    fake = folder / "bin" / "aws"
    fake.parent.mkdir()
    fake.write_text(FAKE_AWS.format(account=ACCOUNT, folder=folder))
    fake.chmod(0o755)
    (folder / "states").write_text("".join(f"{state}\n" for state in states))
    written(proposal(Tables(world.snapshot()), ["authorization-allows-everyone"]), folder / "plan")
    if script == "rollback.sh":
        (folder / "plan" / "applied.txt").write_text("1\t\n2\t\n")
    ran = subprocess.run(
        ["bash", str(folder / "plan" / script), "--apply"],
        input="yes\n" * 3,
        env={
            "PATH": f"{fake.parent}:/usr/bin:/bin",
            "GROUP_FOR_10_0_2_0_24": "dba",
            "POLL_SECONDS": "0",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    calls = (folder / "calls").read_text().split()
    return f"{ran.returncode} {ran.stdout} {ran.stderr}", calls[1:]


LOOK = "describe-client-vpn-authorization-rules"


def test_a_rule_is_removed_only_once_the_one_that_replaces_it_is_active(world, tmp_path):
    said, calls = narrowed(world, tmp_path, "apply.sh", "", "authorizing", "active")
    assert said.startswith("0 "), said
    assert calls == ["authorize-client-vpn-ingress", *[LOOK] * 3, "revoke-client-vpn-ingress"]
    looked = next(line for line in (tmp_path / "words").read_text().splitlines() if LOOK in line)
    assert '"destination-cidr", "Values": ["10.0.2.0/24"]' in looked
    assert '"group-id", "Values": ["dba"]' in looked


@pytest.mark.parametrize(
    ("states", "looks", "why"),
    [
        ((), 60, "is not active yet: nothing further was changed"),
        (("active authorizing",) * 60, 60, "is not active yet"),
        (("failed",), 1, "could not make the rule of 10.0.2.0/24 active"),
    ],
)
def test_a_rule_that_does_not_become_active_stops_the_script_before_anything_is_removed(
    world, tmp_path, states, looks, why
):
    said, calls = narrowed(world, tmp_path, "apply.sh", *states)
    assert said.startswith("1 ")
    assert why in said
    assert calls == ["authorize-client-vpn-ingress", *[LOOK] * looks]


def test_rolling_back_waits_for_the_rule_that_it_brings_back(world, tmp_path):
    said, calls = narrowed(world, tmp_path, "rollback.sh", "authorizing", "active")
    assert said.startswith("0 "), said
    assert calls == ["authorize-client-vpn-ingress", LOOK, LOOK, "revoke-client-vpn-ingress"]
    assert "AuthorizationRules[?AccessAll].Status.Code" in (tmp_path / "words").read_text()


def said_in_terraform(literal: str) -> str:
    """Return what Terraform takes a quoted text for; a template in it fails the test."""
    inside = literal.removeprefix('"').removesuffix('"')
    assert not re.search(r"(?<!\$)\$\{|(?<!%)%\{", inside), inside
    return re.sub(
        r"\$\$\{|%%\{|\\(?:u[0-9a-f]{4}|U[0-9a-f]{8}|.)",
        lambda found: (
            found[0][1:]
            if found[0][0] in "$%"
            else {"n": "\n", "r": "\r", "t": "\t"}.get(found[0][1], found[0][1])
            if found[0][1] not in "uU"
            else chr(int(f"0x{found[0][2:]}", 0))
        ),
        inside,
    )


def test_the_terraform_text_parses_and_holds_each_text_as_it_is():
    hcl2 = pytest.importorskip("hcl2")
    text = terraform_text(hostile_preview())
    blocks = [
        (kind.strip('"'), next(iter(named.values())))
        for block in hcl2.loads(text)["resource"]
        for kind, named in block.items()
    ]
    assert [kind for kind, _ in blocks] == [
        "aws_security_group",
        "aws_vpc_security_group_ingress_rule",
        *["aws_ec2_client_vpn_authorization_rule"] * len(TEXTS),
    ]
    rules = [held for kind, held in blocks if "authorization_rule" in kind]
    for name in ("access_group_id", "description"):
        assert [said_in_terraform(rule[name]) for rule in rules] == list(TEXTS)
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
