"""Errors as a person meets them in a notebook: a short card, no wall of a traceback."""

import re
import textwrap

import pytest
from IPython.core.interactiveshell import InteractiveShell
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_notebook

from auditlib import errors
from auditlib.errors import AuditError, ParameterError

KINDS = [getattr(errors, name) for name in errors.__all__]


def shown(error: BaseException, capsys: pytest.CaptureFixture[str]) -> str:
    """Return what a shell prints for an error, without its colours."""
    shell = InteractiveShell.instance()
    try:
        raise error
    except type(error):
        shell.showtraceback()
    return re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_error_of_the_kit_is_its_heading_and_its_message(kind, capsys):
    told = shown(kind("there is no check 'x'; is it 'y'?"), capsys)
    assert told == f"{kind.heading} ({kind.__name__})\nthere is no check 'x'; is it 'y'?\n"


def test_every_kind_says_in_its_heading_what_it_is_about():
    assert len({kind.heading for kind in KINDS}) == len(KINDS)


def test_a_long_message_is_wrapped_and_loses_nothing(capsys):
    message = "what happened, where, and what to do about it " * 12
    _, *lines = shown(AuditError(message), capsys).splitlines()
    assert max(map(len, lines)) <= 92
    assert " ".join(lines) == message.strip()


def test_a_name_in_a_message_cannot_colour_or_turn_the_text(capsys):
    told = shown(ParameterError("no group 'a\x1b[2Jb\u202ec'"), capsys)
    assert "\x1b" not in told
    assert "\u202e" not in told


def test_a_bug_keeps_its_traceback(capsys):
    told = shown(ZeroDivisionError("division by zero"), capsys)
    assert "Traceback" in told
    assert "raise error" in told


SOURCE = """
from auditlib import open_audit
audit = open_audit()
audit.finding("vpn-sg-is-shard")
"""


def test_a_notebook_that_fails_shows_the_card_alone():
    node = new_notebook(cells=[new_code_cell(textwrap.dedent(SOURCE))])
    with pytest.raises(CellExecutionError):
        NotebookClient(node, kernel_name="python3").execute()
    (output,) = [o for o in node.cells[0].outputs if o.output_type == "error"]
    assert output.ename == "UnknownNameError"
    assert len(output.traceback) == 2
    assert "vpn-sg-is-shared" in output.traceback[1]
