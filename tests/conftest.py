"""What all tests share: the stand-in for AWS, one server per process, an empty world per test."""

import gettext
import os
from collections.abc import Iterator

import pytest

from auditlib import language
from tests.standin import StandIn


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests that share what their module makes once in one process."""
    for item in items:
        made = getattr(item, "_fixtureinfo", None)
        found = made.name2fixturedefs.values() if made else ()
        if any(defs[-1].scope == "module" for defs in found):
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))


@pytest.fixture(scope="session")
def _standin() -> Iterator[StandIn]:
    with StandIn() as standin:
        yield standin


@pytest.fixture
def standing(_standin: StandIn, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """Return the stand-in as it was left, with the environment's credentials good there only."""
    for name, value in _standin.environment.items():
        if name != "AWS_ENDPOINT_URL":  # what is tested must be told where to go
            monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    return _standin


@pytest.fixture
def aws(standing: StandIn) -> StandIn:
    """Return the stand-in, empty."""
    standing.reset()
    return standing


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    """Speak English before every test, whatever language a command of an earlier one chose."""
    yield
    if language.current() != "en":
        language.use("en")
        gettext.textdomain("messages")
    for name in (language.VARIABLE, "LANGUAGE"):
        os.environ.pop(name, None)
