"""When what ends, and which endpoints are in use."""

from datetime import UTC, datetime, timedelta

import pytest
from defusedxml import ElementTree

from auditlib import display, open_audit, timeline
from auditlib.audit import Audit
from auditlib.drawing import Picture
from tests import report_worlds
from tests.worlds import World

NOW = datetime(2026, 11, 2, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def sample() -> Audit:
    return open_audit()


@pytest.fixture(scope="module")
def picture(sample) -> Picture:
    return timeline.picture(sample)


def words(made: Picture) -> list[str]:
    root = ElementTree.fromstring(made.svg)
    return ["".join(e.itertext()).strip() for e in root.iter("{http://www.w3.org/2000/svg}text")]


def test_what_ends_first_stands_above(sample):
    found = timeline.validity(sample)
    assert list(found["ends"]) == sorted(found["ends"])
    assert found.iloc[0][["what", "name", "standing"]].tolist() == [
        "revocation list",
        "contractor-vpn",
        "ended",
    ]
    assert set(found["what"]) == {
        "revocation list",
        "server certificate",
        "SAML signing certificate",
    }


def test_every_certificate_and_list_that_was_read_is_in_the_frame(sample):
    found = timeline.validity(sample)["what"].value_counts()
    lists = sample.tables["client_certificate_revocation_lists"]
    assert found["server certificate"] == len(sample.tables["server_certificates"])
    assert found["revocation list"] == lists["imported"].sum()


def test_the_picture_names_each_with_its_day(sample, picture):
    told = words(picture)
    for row in timeline.validity(sample).itertuples():
        ended = "ended " if row.standing == "ended" else ""
        assert f"{ended}{row.ends:%Y-%m-%d}" in told
        assert f"{row.ends:%Y-%m-%d}" in picture.text
        assert row.name in picture.text


def test_a_phone_is_shown_the_same_as_lists_each_below_its_heading(picture):
    (until, ends), (since, sessions) = picture.lists
    assert (until, since) == ("Valid until", "Sessions since (UTC)")
    assert all(item in picture.text for item in (*ends, *sessions))
    page = str(display.picture(picture).markup)
    assert f"<p>{until}</p><ul><li><bdi>{ends[0].partition(':')[0]}</bdi>" in page
    assert page.count("<li>") == len(ends) + len(sessions)


def test_sessions_are_those_that_aws_listed(sample, picture):
    found = timeline.sessions(sample)
    assert len(found) == len(sample.tables["client_vpn_connections"])
    assert found["hours"].tolist() == [10.3, 0.8, 0.8]
    assert "corp-vpn (2)" in words(picture)
    assert "corp-vpn two sessions, the oldest since 2026-11-02 00:10 UTC" in picture.text


def test_the_same_snapshot_gives_the_same_bytes(sample, picture):
    assert timeline.picture(sample).svg == picture.svg


def test_no_user_and_no_client_s_name_is_drawn(picture):
    assert "example.net" not in picture.text
    assert b"tanaka" not in picture.svg


@pytest.mark.parametrize(
    ("starts", "ends", "standing"),
    [
        (-1, 1, "valid"),
        (-1, 0, "ended"),
        (1, 2, "not yet"),
        (-1, None, "unknown"),
        (None, 1, "valid"),
    ],
)
def test_a_thing_is_judged_by_the_moment_it_was_read(starts, ends, standing):
    def day(days: int | None) -> datetime | None:
        return None if days is None else NOW + timedelta(days)

    assert timeline._standing(day(starts), day(ends), NOW) == standing


def test_where_nothing_is_told_nothing_is_called_valid():
    assert timeline._standing(NOW, NOW + timedelta(1), None) == "unknown"


def test_nothing_read_is_said_and_not_drawn_as_fine():
    audit = Audit(World().snapshot())
    made = timeline.picture(audit)
    assert "nothing with an end was read" in words(made)
    assert made.text == "Validity: nothing with an end was read. Sessions: none was seen."


def test_a_refused_call_is_said_below_the_picture():
    world = report_worlds.exposed().refuse("ec2-describe-client-vpn-connections")
    made = timeline.picture(Audit(world.snapshot()))
    assert "One kind of call gave no answer, so more may end" in made.caption
