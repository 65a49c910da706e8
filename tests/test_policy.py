"""The documents that grant the kit its rights are the ones the table of reads asks for."""

import json
from pathlib import Path

import botocore.session
import hcl2
import pytest

from auditlib.aws.bucket import ACTIONS as FILES
from auditlib.aws.organization import ACTIONS as LISTING
from auditlib.aws.policy import (
    BEFORE_READING,
    bucket_policy,
    cloudformation,
    documents,
    listing_policy,
    read_only_policy,
    terraform,
    trail_policy,
)
from auditlib.aws.reads import OPTIONAL_READS, READS

COMMITTED = Path(__file__).resolve().parent.parent / "docs" / "iam"
STATEMENTS = {s["Sid"]: s["Action"] for s in read_only_policy()["Statement"]}
(APART,) = trail_policy()["Statement"]
ACTIONS = [action for actions in STATEMENTS.values() for action in actions]


@pytest.mark.parametrize("name", sorted(documents()))
def test_the_committed_document_is_current(name):
    assert (COMMITTED / name).read_text("utf-8") == documents()[name]


def test_no_other_document_lies_beside_them():
    assert {path.name for path in COMMITTED.iterdir()} == set(documents())


def test_the_policy_allows_each_read_and_nothing_else():
    assert sorted(ACTIONS) == sorted({read.iam_action for read in READS} | set(BEFORE_READING))
    assert not [action for action in ACTIONS if "*" in action]


def test_what_is_no_read_of_ec2_is_an_optional_part_of_its_own():
    needed = {sid for sid in STATEMENTS if not sid.startswith("Optional")}
    assert len(needed) == 1
    for sid, actions in STATEMENTS.items():
        services = {action.partition(":")[0] for action in actions}
        assert len(services) == 1
        assert (services == {"ec2"}) == (sid in needed or sid == "OptionalRegions")


def test_what_only_an_option_reads_is_allowed_by_a_document_of_its_own():
    assert APART["Action"] == sorted({read.iam_action for read in OPTIONAL_READS})
    assert not {*APART["Action"]} & {*ACTIONS}
    template = cloudformation()
    assert template["Parameters"][APART["Sid"]]["Default"] == "no"
    chosen = {name: one.get("Default", "given") for name, one in template["Parameters"].items()}
    role = resolved(template["Resources"]["Role"]["Properties"], chosen | {APART["Sid"]: "yes"})
    assert APART in role["Policies"][0]["PolicyDocument"]["Statement"]
    assert f'default     = ["{APART["Sid"]}"]' in terraform()


@pytest.mark.parametrize("action", [*ACTIONS, *APART["Action"], *LISTING])
def test_an_action_is_an_operation_that_only_reads(action):
    service, operation = action.split(":")
    service = {"servicequotas": "service-quotas"}.get(service, service)  # called otherwise in IAM
    model = botocore.session.get_session().get_service_model(service)
    assert operation in model.operation_names
    assert operation.startswith(("Describe", "Get", "List", "Export", "Lookup"))


def test_listing_accounts_allows_that_and_the_role_in_each():
    listing, role = listing_policy()["Statement"]
    assert sorted(listing["Action"]) == sorted(LISTING)
    assert (role["Action"], role["Resource"]) == (
        "sts:AssumeRole",
        "arn:aws:iam::*:role/auditlib-read-only",
    )


def test_the_bucket_is_listed_and_the_rest_is_of_objects_below_the_prefix():
    files, listing = bucket_policy()["Statement"]
    assert sorted([*files["Action"], listing["Action"]]) == sorted(FILES)
    assert files["Resource"] == f"{listing['Resource']}/client/*"
    assert listing["Action"] == "s3:ListBucket"


def resolved(value, chosen):
    """Return a part of the template as CloudFormation resolves it."""
    if isinstance(value, list):
        return [one for one in (resolved(v, chosen) for v in value) if one is not None]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"Fn::If"}:
        condition, yes, no = value["Fn::If"]
        parameter, wanted = cloudformation()["Conditions"][condition]["Fn::Equals"]
        return resolved(yes if chosen[parameter["Ref"]] == wanted else no, chosen)
    if value.keys() == {"Ref"}:
        return chosen.get(value["Ref"])
    return {key: resolved(one, chosen) for key, one in value.items()}


@pytest.mark.parametrize("without", [None, *(sid for sid in STATEMENTS if sid[:8] == "Optional")])
def test_the_template_grants_the_policy_less_what_was_left_out(without):
    template = cloudformation()
    chosen = {name: one.get("Default", "given") for name, one in template["Parameters"].items()}
    if without:
        chosen[without] = "no"
    role = resolved(template["Resources"]["Role"]["Properties"], chosen)
    granted = role["Policies"][0]["PolicyDocument"]["Statement"]
    assert granted == [s for s in read_only_policy()["Statement"] if s["Sid"] != without]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Condition"] == {"StringEquals": {"sts:ExternalId": "given"}}
    assert "Default" not in template["Parameters"]["ExternalId"]


def test_the_terraform_text_parses_and_names_the_same_statements():
    parsed = hcl2.loads(terraform())
    text = json.dumps(parsed)
    for sid, actions in STATEMENTS.items():
        assert sid in text
        assert all(action in text for action in actions)
    assert set(parsed["locals"][0]["statements"]) - {"__is_block__"} == {*STATEMENTS, APART["Sid"]}
