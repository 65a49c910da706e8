"""What all tests share: the stand-in for AWS, one server per process, an empty world per test."""

import gettext
import os
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

from auditlib import audit as auditing
from auditlib import check, kernels, language
from auditlib.kernels import executed as executed_as_it_is
from auditlib.report import Report, report
from auditlib.snapshot import save
from tests import report_worlds
from tests.aws_cli import AwsCli
from tests.judged import Judged
from tests.standin import StandIn

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = {"snapshot": "", "accepted": "", "today": ""}
"""What opens the bundled sample."""


# How long an example takes depends on what runs beside it.
settings.register_profile("kit", deadline=None)
settings.load_profile("kit")


class ByWhatIsShared(LoadScopeScheduling):
    """Sends tests one by one to the next free process, but those that share what a file makes
    (a report, a JupyterLab), or what is made here for some files, to one, so that it is made once."""

    def _split_scope(self, nodeid: str) -> str:
        return _shared(nodeid.partition("::")[0]) or nodeid


@cache
def _shared(file: str) -> str:
    """Return what the tests of a file share; empty where they share nothing."""
    text = (ROOT / file).read_text("utf-8")
    if "(hostile_report" in text:
        return "hostile_report"
    return file if 'scope="module"' in text else ""


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByWhatIsShared:
    return ByWhatIsShared(config, log)


@pytest.fixture(scope="session", autouse=True)
def _judged() -> Iterator[None]:
    """Judge each account once for all tests: an audit of the same is the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(auditing, "findings_of", Judged())
        yield


@pytest.fixture(scope="session", autouse=True)
def _warm_kernels() -> Iterator[None]:
    """Let the kernel of a report's only notebook be a copy of one process, as those of several are.

    As a new interpreter, which it is otherwise, it would import for seconds first.
    """
    started: list[kernels.ForkServer] = []

    def executed(
        node: Any,
        parameters: Mapping[str, object],
        folder: Path,
        home: Path,
        copies: kernels.Copies | None = None,
    ) -> Any:
        if copies is None and sys.platform == "linux" and language.current() == "en":
            if not started:
                started.append(kernels.ForkServer())
                started[0].open(ROOT, SAMPLE)
            copies = started[0].copies
        return executed_as_it_is(node, parameters, folder, home, copies)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernels, "executed", executed)
        yield
    for server in started:
        server.close()


@pytest.fixture
def new_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the kernel of a report's only notebook be a new interpreter, as it is for everybody."""
    monkeypatch.setattr(kernels, "executed", executed_as_it_is)


@pytest.fixture
def judged_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Judge each account each time it is asked for: where that it is the same is what is tested."""
    monkeypatch.setattr(auditing, "findings_of", check.audit)


@pytest.fixture(scope="session")
def hostile_report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Return the report with all pages on the hostile world, compared with the exposed one.

    It is to be read, and not to be written into. Files whose fixtures take it run in one process.
    """
    folder, past = (tmp_path_factory.mktemp(name) for name in ("hostile", "past"))
    save(report_worlds.hostile().snapshot(**report_worlds.MOMENT), folder / "client-2026")
    save(report_worlds.exposed().snapshot(), past / "earlier")
    places = {"earlier": past / "earlier"}
    return report(folder / "client-2026", folder / "out", places=places)


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
