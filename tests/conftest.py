"""What all tests share: the stand-in for AWS, one server per process, an empty world per test."""

import gettext
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from auditlib import audit as auditing
from auditlib import check, language
from tests.aws_cli import AwsCli
from tests.judged import Judged
from tests.standin import StandIn

ROOT = Path(__file__).resolve().parent.parent


class ByWhatIsShared(LoadScopeScheduling):
    """Sends tests one by one to the next free process, but those of a file that share what the
    file makes (a report, a JupyterLab) to one, so that it is made once."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return file if _shares(file) else nodeid


@cache
def _shares(file: str) -> bool:
    return 'scope="module"' in (ROOT / file).read_text("utf-8")


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByWhatIsShared:
    return ByWhatIsShared(config, log)


@pytest.fixture(scope="session", autouse=True)
def _judged() -> Iterator[None]:
    """Judge each account once for all tests: an audit of the same is the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(auditing, "findings_of", Judged())
        yield


@pytest.fixture
def judged_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Judge each account each time it is asked for: where that it is the same is what is tested."""
    monkeypatch.setattr(auditing, "findings_of", check.audit)


@pytest.fixture(scope="session")
def _standin() -> Iterator[StandIn]:
    with StandIn() as standin:
        yield standin


@pytest.fixture(scope="session")
def aws_cli(_standin: StandIn) -> Iterator[AwsCli]:
    with AwsCli(_standin.environment) as cli:
        yield cli


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
