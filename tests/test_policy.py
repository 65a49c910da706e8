"""The IAM policy in the documents is the one the table of reads asks for."""

import json
from pathlib import Path

import botocore.session
import pytest

from auditlib.aws.policy import BEFORE_READING, read_only_policy
from auditlib.aws.reads import READS

COMMITTED = Path(__file__).resolve().parent.parent / "docs" / "iam" / "read-only.json"
ACTIONS = read_only_policy()["Statement"][0]["Action"]


def test_the_committed_policy_is_current():
    assert json.loads(COMMITTED.read_text("utf-8")) == read_only_policy()


def test_the_policy_allows_each_read_and_nothing_else():
    assert set(ACTIONS) == {read.iam_action for read in READS} | set(BEFORE_READING)
    assert not [action for action in ACTIONS if "*" in action]


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_is_an_operation_that_only_reads(action):
    service, operation = action.split(":")
    service = {"servicequotas": "service-quotas"}.get(service, service)  # called otherwise in IAM
    model = botocore.session.get_session().get_service_model(service)
    assert operation in model.operation_names
    assert operation.startswith(("Describe", "Get", "List", "Export"))
