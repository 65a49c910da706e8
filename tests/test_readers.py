"""Whatever comes in through a door, only the kit's own errors come out, in one line.

``make fuzz`` goes on for as long as it is let; what it found is tried here (``tests/fuzz/cases``).
"""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditlib import history
from auditlib.errors import ParameterError
from tests.fuzz import readers
from tests.fuzz.__main__ import CASES, WORDS

FOUND = sorted(path for path in CASES.rglob("*") if path.is_file())
WORD = st.sampled_from(WORDS.split())
SOUP = st.lists(
    WORD | st.text(max_size=4) | st.sampled_from(["\n", "\n  ", " ", ": ", "[", "{", "]"])
)


@st.composite
def bent(draw: st.DrawFn, seeds: tuple[bytes, ...]) -> bytes:
    """Return what a door takes gladly, with a piece of it replaced, or something else altogether."""
    if draw(st.booleans()):
        return draw(
            st.binary(max_size=80) | SOUP.map("".join).map(lambda t: t.encode("utf-8", "replace"))
        )
    whole = draw(st.sampled_from(seeds))
    start = draw(st.integers(0, len(whole)))
    end = draw(st.integers(start, min(len(whole), start + 40)))
    piece = draw(st.binary(max_size=8) | WORD.map(str.encode))
    return whole[:start] + piece + whole[end:]


@pytest.mark.parametrize("path", FOUND, ids=lambda p: "/".join(p.parts[-2:]))
def test_what_was_found_once_is_refused_or_read(path):
    readers.run(path.parent.name, path.read_bytes())


DEAR = {"history", "history_cells", "answers", "archive", "files", "manifest", "notes"}
"""Doors behind which whole snapshots are judged."""


@pytest.mark.parametrize("door", list(readers.READERS))
def test_only_the_kit_s_own_errors_come_out(door):
    @settings(max_examples=8 if door in DEAR else 25, deadline=None, database=None)
    @given(data=bent(readers.SEEDS()[door]))
    def pushed(data):
        readers.run(door, data)

    pushed()


@pytest.mark.parametrize("column", ["run", "taken", "check", "severity", "status", "identity", ""])
def test_whatever_a_column_of_a_history_holds_it_is_read_or_refused(column):
    number = (*history.COLUMNS, "").index(column)
    for value in range(len(readers.ODD_CELLS)):
        readers.run("history_cells", bytes([0, number, 0, value]))


@pytest.mark.parametrize(
    "door", sorted(set(readers.READERS) - {"answers", "files", "history_cells"})
)
def test_a_door_takes_what_it_is_made_for(door, monkeypatch):
    """So that what is pushed at it is not refused at its outermost check."""
    refusals = []

    def raising(self, *args):
        refusals.append(str(args))
        super(ParameterError, self).__init__(*args)

    monkeypatch.setattr(ParameterError, "__init__", raising, raising=False)
    monkeypatch.setattr(history, "_damaged", lambda place: pytest.fail(f"{place} is refused"))
    readers.run(door, readers.SEEDS()[door][0])
    # A plan with every kind of change has some that AWS would refuse.
    assert len(refusals) <= (5 if door == "plan_json" else 0), refusals


def test_a_reader_that_lets_another_error_out_fails(monkeypatch):
    def broken(data: bytes, folder: Path) -> None:
        with readers.refused():
            raise KeyError("x")

    monkeypatch.setattr(readers, "READERS", {"broken": broken})
    with pytest.raises(KeyError):
        readers.run("broken", b"")
