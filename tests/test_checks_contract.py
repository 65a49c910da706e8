"""What holds for every check, the day it appears."""

import inspect
import re
from functools import cache
from pathlib import Path

import pandas as pd
import pytest

from auditlib import summary
from auditlib.aws.reads import READS, read_of, reads_for
from auditlib.check import Severity, Status, audit, checks
from auditlib.display import _COMMAND
from auditlib.gaps import reads_behind
from auditlib.schemas import GAPS, SCHEMAS
from auditlib.tables import Tables
from tests.worlds import clean, clean_otherwise, exposed

FOUNDING = {
    "authentication-is-certificate-only",
    "authorization-allows-everyone",
    "connection-logging-is-off",
    "default-sg-has-rules",
    "default-sg-is-used",
    "receiver-allows-address-not-group",
    "source-address-not-restricted",
    "vpn-sg-has-inbound-rules",
    "vpn-sg-is-default",
    "vpn-sg-is-shared",
    "vpn-sg-lets-members-in",
    "vpn-sg-limits-outbound",
    "vpn-sg-not-yet-effective",
}
VERBS = {
    "Add", "Apply", "Authorize", "Create", "Decide", "Empty", "Enable", "Give", "Move", "Name",
    "Let", "Narrow", "Remove", "Replace", "Revoke", "Route", "Associate", "Delete",
}  # fmt: skip
NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
ALL = {made.id: made for made in checks()}
every_check = pytest.mark.parametrize("id", sorted(ALL))
every_founding_check = pytest.mark.parametrize("id", sorted(FOUNDING))


def base_tables(name):
    """Return the base tables a table or view rests on."""
    inputs = SCHEMAS[name].inputs
    return {name} if not inputs else set().union(*map(base_tables, inputs))


def reads_needed(made):
    """Return the ids of the reads a check's verdict rests on."""
    return reads_behind(made.population, *made.needs)


@cache
def asked_in(world):
    """Return the ids of the reads that are made in a world: a handler's, say, only where one is."""
    return {f"{call.service}-{call.operation}" for call in world().snapshot().calls}


@cache
def found_in(world):
    """Return every finding in a world; worked out once for all checks."""
    return {f.check.id: f for f in audit(tables_of(world))}


@cache
def tables_of(world):
    """Return the tables of a world; what is worked out of them once serves every check."""
    return Tables(world().snapshot())


@cache
def wordless(world, spare):
    """Return the tables of a world with some of them emptied."""
    tables = tables_of(world)
    return tables.replace(**{name: tables[name].iloc[:0] for name in spare})


def test_the_founding_advice_is_complete():
    assert set(ALL) >= FOUNDING


@every_check
def test_its_id_is_kebab_case_and_its_tables_exist(id):
    made = ALL[id]
    assert re.fullmatch(r"[a-z]+(-[a-z]+)+", id)
    assert {made.population, *made.tables, *made.wording} <= set(SCHEMAS)


@every_check
def test_its_title_is_a_short_statement(id):
    title = ALL[id].title
    assert 10 <= len(title) <= 100
    assert title[0].isupper()
    assert not title.endswith(".")
    assert not title.lower().startswith(("ensure", "check", "should", "verify"))


@every_check
def test_its_texts_are_plain_sentences_of_readable_length(id):
    made = ALL[id]
    for text, most in ((made.rationale, 700), (made.remedy, 700), (made.verify, 450)):
        assert len(text) >= 40, text
        assert len(_COMMAND.sub("", text)) <= most, text  # a command is copied, not read
        assert text[-1] in ".]", text
        assert "<b>" not in text
        assert "**" not in text
        assert "\n" not in text
    for text in made.false_alarms:
        assert text.endswith(".")
    assert made.false_alarms


@every_check
def test_its_remedy_begins_with_a_verb(id):
    assert ALL[id].remedy.split()[0] in VERBS


@every_check
def test_its_verification_only_reads(id):
    words = re.findall(r"[a-z]+(?:-[a-z]+)+", ALL[id].verify)
    assert not [
        w
        for w in words
        if w.startswith(("create-", "delete-", "modify-", "authorize-", "revoke-", "apply-"))
    ]


@every_check
def test_it_rests_on_a_page_of_aws(id):
    assert re.fullmatch(r"https://docs\.aws\.amazon\.com/\S+\.html(#\S+)?", ALL[id].reference)


@every_check
def test_its_controls_name_a_version_and_its_ratings_a_tool(id):
    made = ALL[id]
    for framework, numbers in made.controls.items():
        assert re.search(r"v\d|\(20\d\d-\d\d\)|Rev\. \d", framework), framework
        assert numbers
        assert all(isinstance(n, str) and n for n in numbers)
    for tool, rating in made.ratings.items():
        assert tool
        assert rating


@every_check
def test_its_condition_reads_in_every_answer(id):
    singular, plural = ALL[id].condition
    assert singular != plural
    assert not singular.startswith(("does not", "has no", "has nothing"))
    assert " its " not in singular, "a sentence on many would need another word"


@every_check
def test_it_says_that_sessions_end_where_its_remedy_does(id):
    said = re.search(r"(resets?|disconnects?) (the |every active |live )?sessions?", ALL[id].remedy)
    assert ALL[id].ends_sessions == (said is not None)


@every_check
def test_it_does_not_promise_what_aws_does_not_list(id):
    made = ALL[id]
    for text in (made.rationale, made.remedy, made.verify, *made.false_alarms):
        assert "acts at once" not in text
        assert "not end sessions" not in text
        assert "Support" not in text, "AWS's guide is what a check rests on"


@every_check
def test_its_subject_has_a_name(id):
    assert ALL[id].subject in summary._SUBJECTS


@every_check
def test_its_severity_is_known(id):
    assert ALL[id].severity in Severity


@every_check
def test_its_noun_has_a_plural(id):
    """Whatever tells the judged from others stands before the noun: "VPC-attached endpoint"."""
    assert not re.search(r"\b(?:that|with|in|of|on|without|which)\b", ALL[id].noun)


@every_check
def test_its_card_is_shown_in_a_notebook(id):
    shown = "\n".join(path.read_text("utf-8") for path in sorted(NOTEBOOKS.glob("*.ipynb")))
    by_itself = f'audit.finding(\\"{id}\\")' in shown
    cells = re.findall(r"show\.cards\(audit, ([^)]*)\)", shown)
    subjects = {subject for cell in cells for subject in re.findall(r"[a-z_]+", cell)}
    assert by_itself or ALL[id].subject in subjects, (
        "name its subject in a show.cards(audit, …) of a notebook, or give it a subject named there"
    )


@every_founding_check
@pytest.mark.parametrize("world", [clean, clean_otherwise])
def test_it_passes_in_a_clean_world(id, world):
    found = found_in(world)[id]
    assert found.status is Status.PASS, found.evidence.to_dict("records")
    assert found.answer.startswith("The only")


@every_founding_check
def test_it_fails_in_the_exposed_world_with_evidence_that_can_be_traced(id):
    found = found_in(exposed)[id]
    assert found.status is Status.FAIL
    assert set(SCHEMAS[found.check.population].key) <= set(found.evidence)
    assert {"account", "region", "reason"} <= set(found.evidence)
    assert not found.evidence["reason"].isna().any()
    assert not found.evidence[["source", "record"]].isna().any(axis=None)
    for reason in found.evidence["reason"]:
        assert reason.endswith(".")
        assert not re.search(r"[.!?] [A-Z]", reason), "one sentence"
        assert "nan" not in reason.lower().split()
        assert "None" not in reason
        assert "<NA>" not in reason
    assert not found.evidence.duplicated(
        [c for c in found.evidence if c not in {"group_ids", "rule_ids"}]
    ).any()


@every_check
def test_evidence_has_its_columns_even_when_empty(id):
    made, tables = ALL[id], tables_of(clean)
    given = {
        name: tables[made.population if name == "judged" else name].iloc[:0]
        for name in inspect.signature(made.function).parameters
    }
    frame = made.function(**given)
    assert frame.empty
    assert {*SCHEMAS[made.population].key, "reason"} <= set(frame.columns)


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_rows_in_tables_changes_nothing(seed):
    tables = Tables(exposed().snapshot())
    mixed = tables.replace(
        **{
            name: tables[name].sample(frac=1, random_state=seed).reset_index(drop=True)
            for name, schema in SCHEMAS.items()
            if not schema.inputs
        }
    )
    for before, after in zip(audit(tables), audit(mixed), strict=True):
        assert before.answer == after.answer
        pd.testing.assert_frame_equal(before.evidence, after.evidence)


@every_check
def test_tables_that_only_word_reasons_change_no_evidence(id):
    made = ALL[id]
    needed = set().union(*(base_tables(t) for t in (made.population, *made.tables)))
    spare = {t for t in made.wording if not SCHEMAS[t].inputs} - needed
    bare = wordless(exposed, frozenset(spare))
    before = found_in(exposed)[id].evidence.drop(columns="reason")
    after = audit(bare, only=[id])[0].evidence.drop(columns="reason")
    pd.testing.assert_frame_equal(before, after)


NEEDED = {id: reads_needed(made) for id, made in ALL.items()}
WORLDS = (clean, clean_otherwise, exposed)
REFUSALS = [(world, read) for world in WORLDS for read in sorted(set().union(*NEEDED.values()))]


@pytest.mark.parametrize(("world", "read"), REFUSALS)
def test_a_refused_read_never_reads_as_fine(world, read):
    if read not in asked_in(world):
        return  # nothing there to ask about, so nothing to refuse
    needing = [id for id, reads in NEEDED.items() if read in reads]
    refused = audit(Tables(world().refuse(read).snapshot()), only=needing)
    assert len(refused) == len(needing) > 0
    for found in refused:
        id = found.check.id
        judged = [one for table in base_tables(ALL[id].population) for one in reads_for(table)]
        showing = {one.id for one in judged} | {parent for one in judged for parent in one.parents}
        if found_in(world)[id].status is Status.NOT_APPLICABLE and read not in showing:
            assert found.status is Status.NOT_APPLICABLE, f"nothing {id} could be about"
            continue
        assert found.status in {Status.FAIL, Status.NOT_ASSESSED}, id
        assert list(found.gaps.columns) == list(GAPS.names), id
        assert read_of(read).iam_action in set(found.gaps["iam_action"]), id
        if world is not exposed and id in FOUNDING:
            assert found.status is Status.NOT_ASSESSED, f"nothing is wrong, and {id} found it"


def test_every_read_that_a_check_needs_is_refused_in_some_test():
    needed = set().union(*NEEDED.values())
    assert needed <= {read.id for read in READS}
    assert sum(map(len, NEEDED.values())) > 2 * len(ALL)
    assert needed <= set().union(*map(asked_in, WORLDS))


@every_founding_check
def test_a_read_refused_for_one_endpoint_of_two_is_not_fine(id):
    made = ALL[id]
    per_endpoint = [
        read
        for read in sorted(reads_needed(made))
        if read_of(read).resource_parameter == "ClientVpnEndpointId"
    ]
    for read in per_endpoint:
        world = clean()
        vpc = world.vpc("10.9.0.0/16")
        world.revoke(world.default_group(vpc))
        second = world.endpoint(vpc, (world.security_group(vpc, "vpn-second"),))
        world.refuse(read, resource=second)
        found = audit(Tables(world.snapshot()), only=[id])[0]
        assert found.status in {Status.FAIL, Status.NOT_ASSESSED}, read
        assert second in set(found.gaps["resource"])
    assert all(read_of(read).resources for read in per_endpoint)


@cache
def found_by(botocore):
    """Return every finding in the clean world, read by a botocore release."""
    return {f.check.id: f for f in audit(Tables(clean().snapshot(botocore_version=botocore)))}


POSTURE = {"device-posture-not-checked", "device-posture-decides-nothing"}


@every_check
def test_what_an_old_sdk_leaves_out_is_never_fine_and_the_rest_is_judged(id):
    """Before 1.43.104 it does not know device posture, before 1.42.92 no transit gateways."""
    old, older = found_by("1.43.0"), found_by("1.42.0")
    needs = {ALL[id].population, *ALL[id].needs}
    bases = set().union(*map(base_tables, needs))
    known = found_in(clean)[id].status
    if id in POSTURE or "client_vpn_authorization_policies" in bases:
        assert old[id].status in {Status.FAIL, Status.NOT_ASSESSED}
        assert "not known to" not in old[id].answer, "the call is known, the members are not"
        assert "SDK that may leave out what is needed" in old[id].answer
        assert "1.43.104" in old[id].answer
    else:
        assert (old[id].status, old[id].answer) == (known, found_in(clean)[id].answer)
    if "client_vpn_endpoints" in bases and known is not Status.NOT_APPLICABLE:
        assert older[id].status in {Status.FAIL, Status.NOT_ASSESSED}
