"""Every check has worlds: to fail in, to pass in, denied, empty, and one for each false alarm."""

from functools import cache

import pytest

from auditlib.aws.reads import read_of
from auditlib.check import Status, audit, checks
from auditlib.gaps import reads_behind
from auditlib.tables import Tables
from tests.alarms import ALARMS, SMALLEST, Shown, sound, sound_with_directory
from tests.worlds import World, clean, clean_otherwise

ALL = {made.id: made for made in checks()}
every_check = pytest.mark.parametrize("id", sorted(ALL))
SHOWN = [(id, begins, shown) for (id, begins), several in ALARMS.items() for shown in several]
every_world = pytest.mark.parametrize(
    ("id", "begins", "shown"), SHOWN, ids=[f"{id}: {begins}" for id, begins, _ in SHOWN]
)


def found(world: World, id: str):
    return audit(Tables(world.snapshot()), only=[id])[0]


@cache
def found_in(make, id: str):
    return found(make(), id)


def meant(id: str, begins: str) -> list[str]:
    """Return the alarms of a check that begin so."""
    return [alarm for alarm in ALL[id].false_alarms if alarm.startswith(begins)]


@every_check
def test_it_fails_in_its_smallest_world(id):
    made = found_in(SMALLEST[id], id)
    assert made.status is Status.FAIL, made.answer
    assert not made.gaps["operation"].tolist(), "nothing was refused there"


@every_check
def test_it_passes_where_nothing_is_wrong(id):
    worlds = (clean, clean_otherwise, sound, sound_with_directory)
    assert Status.PASS in {found_in(world, id).status for world in worlds}


@every_check
def test_refused_what_it_needs_it_never_reads_as_fine_where_something_is_wrong(id):
    made = ALL[id]
    judged = reads_behind(made.population)
    for read in sorted(judged | reads_behind(*made.needs)):
        denied = found(SMALLEST[id]().refuse(read), id)
        assert denied.status in {Status.FAIL, Status.NOT_ASSESSED}, (read, denied.answer)
    nothing = SMALLEST[id]()
    for read in judged:
        nothing.refuse(read)
    told = found(nothing, id)
    assert told.status is Status.NOT_ASSESSED
    assert set(told.gaps["iam_action"]) & {read_of(read).iam_action for read in judged}


def test_in_an_empty_account_no_check_applies():
    assert {f.status for f in audit(Tables(World().snapshot()))} == {Status.NOT_APPLICABLE}


@every_check
def test_each_of_its_false_alarms_has_a_world(id):
    shown = [alarm for (check, begins) in ALARMS if check == id for alarm in meant(id, begins)]
    assert sorted(shown) == sorted(ALL[id].false_alarms)


def test_every_world_is_of_an_alarm_that_is_listed():
    assert all(len(meant(id, begins)) == 1 for id, begins in ALARMS)
    assert set(SMALLEST) == set(ALL)


@every_world
def test_the_world_shows_the_alarm(id: str, begins: str, shown: Shown):
    made = found_in(shown.world, id)
    assert made.status is shown.status, (made.answer, made.evidence.to_dict("records"))
    reasons = " ".join(made.evidence["reason"])
    assert shown.says in reasons, reasons
    if shown.beside:
        assert found_in(shown.world, shown.beside).status is Status.FAIL


RAISED_NEVER = (
    "not reported",
    "left out",
    "not looked",
    "only ended ones",
    "could not look",
    "held against rules that name",
)
"""How an alarm says that the check does not raise it."""


@every_world
def test_an_alarm_that_is_not_raised_says_so_and_one_that_is_does_not(id, begins, shown):
    (alarm,) = meant(id, begins)
    told = any(words in alarm for words in RAISED_NEVER)
    assert told is (shown.kind == "silent"), alarm
