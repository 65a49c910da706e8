"""Scheduled runs: accounts from a file, each read, reported on, compared with its last run.

What a run leaves (everything appears whole or not at all)::

    <output>/<account>/<date>/snapshot/      AWS's answers
    <output>/<account>/<date>/report/        the pages
    <output>/<account>/<date>/run.json       the summary line; there last of all
    <output>/<account>/latest                the date of the last complete run

A run that was killed goes on where it stopped when it is started again on the same day (UTC): an
account with a ``run.json`` is not read twice. One output has one run at a time.
"""

import json
import logging
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditlib.branding import Branding, read_branding
from auditlib.config import ConfigReader, root_of
from auditlib.errors import AuditError, ParameterError
from auditlib.snapshot import write_file

if TYPE_CHECKING:
    from auditlib.comparison import Comparison

__all__ = ["KEYS", "Account", "Config", "Interrupted", "config_of", "run"]

LOG = logging.getLogger("auditlib.schedule")

KEYS = (
    "output", "accounts", "regions", "notebooks", "language", "history", "fail_on", "branding",
)  # fmt: skip
"""What the file of scheduled runs may say."""

_SEVERITIES = ("info", "low", "medium", "high", "critical")


class Interrupted(Exception):  # noqa: N818 # not an error: someone pressed Ctrl-C
    """Raised when Ctrl-C ended the collection of an account."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """An account to read, and how to get there."""

    account: str
    regions: tuple[str, ...] = ()
    all_regions: bool = False
    profile: str | None = None
    role_arn: str | None = None
    external_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Config:
    """What a scheduled run does.

    Attributes
    ----------
    output, history
        Folders; a relative one is seen from the file.
    notebooks
        Names or numbers; all of them where none is named.
    fail_on
        Severity from which a finding makes the exit status 1.
    branding
        Whose reports they are, and for whom.
    """

    output: Path
    accounts: tuple[Account, ...]
    notebooks: tuple[str, ...] = ()
    history: Path | None = None
    fail_on: str | None = None
    branding: Branding | None = None


# -- the file -------------------------------------------------------------------------------------


def config_of(path: Path) -> Config:
    """Return the configuration in a YAML file.

    Raises
    ------
    ParameterError
        When it cannot be read or something in it is wrong; names the line.
    """
    return _Reader(path).config(root_of(path))


class _Reader(ConfigReader):
    """Reads the file of scheduled runs."""

    def config(self, root: Any) -> Config:
        """Return the whole."""
        known = self.mapping(
            root,
            "the file",
            KEYS,
            required=("output", "accounts"),
        )
        regions = self.texts(known.get("regions"))
        if (language := known.get("language")) is not None and self.text(language) != "en":
            raise self.wrong(language, "language can only be en")
        accounts = tuple(self._account(node, regions) for node in self.items(known["accounts"]))
        if not accounts:
            raise self.wrong(known["accounts"], "accounts names none")
        ids = [account.account for account in accounts]
        for id, node in zip(ids, self.items(known["accounts"]), strict=True):
            if ids.count(id) > 1:
                raise self.wrong(node, f"account {id} is named twice")
        notebooks = self.texts(known.get("notebooks"))
        self._refuse_unknown_notebooks(known.get("notebooks"), notebooks)
        severity = known.get("fail_on")
        if severity is not None and self.text(severity) not in _SEVERITIES:
            raise self.wrong(severity, f"fail_on must be one of {', '.join(_SEVERITIES)}")
        return Config(
            output=self.place(known["output"]),
            accounts=accounts,
            notebooks=notebooks,
            history=self.place(known["history"]) if "history" in known else None,
            fail_on=None if severity is None else self.text(severity),
            branding=read_branding(self, known["branding"]) if "branding" in known else None,
        )

    def _account(self, node: Any, regions: tuple[str, ...]) -> Account:
        names = {"account", "regions", "all_regions", "profile", "role_arn", "external_id"}
        known = self.mapping(node, "an account", names, required=("account",))
        id = self.text(known["account"])
        if len(id) != 12 or not id.isascii() or not id.isdigit():
            raise self.wrong(
                known["account"],
                f'account must be twelve digits in quotes, as "111122223333", not {id}',
            )
        every = known.get("all_regions")
        if every is not None and every.value not in {"true", "false"}:
            raise self.wrong(every, "all_regions must be true or false")
        own = self.texts(known.get("regions")) or regions
        all_regions = every is not None and every.value == "true"
        if all_regions and "regions" in known:
            raise self.wrong(known["regions"], "give regions or all_regions, not both")
        if not own and not all_regions:
            raise self.wrong(node, f"account {id} has no regions: give regions or all_regions")
        if "external_id" in known and "role_arn" not in known:
            raise self.wrong(known["external_id"], "external_id goes with role_arn")
        return Account(
            account=id,
            regions=() if all_regions else own,
            all_regions=all_regions,
            **{
                name: self.text(known[name])
                for name in ("profile", "role_arn", "external_id")
                if name in known
            },
        )

    def _refuse_unknown_notebooks(self, node: Any, names: tuple[str, ...]) -> None:
        from auditlib.report import notebooks

        ours = notebooks()
        known = {*ours, *(name.split("-", 1)[0] for name in ours)}
        for name, item in zip(names, self.items(node) if node is not None else [], strict=True):
            if name not in known:
                raise self.wrong(item, f"there is no notebook {name}; there are {', '.join(ours)}")


# -- the run --------------------------------------------------------------------------------------


def run(
    config: Config,
    *,
    endpoint_url: str | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    told: Callable[[Mapping[str, Any]], None] = lambda _: None,
) -> int:
    """Do everything a configuration asks for; return the exit status.

    An account that cannot be read is told in its summary and does not stop the others.

    Parameters
    ----------
    endpoint_url
        Address to call instead of AWS.
    told
        Called with the summary of each account when it is done.

    Returns
    -------
    int
        The worst of the accounts: 1 a finding at or above ``fail_on``; 3 an account, or part of
        one, was not read or assessed; 0 otherwise. Without ``fail_on``, 3 only where an account
        could not be read at all.

    Raises
    ------
    ParameterError
        When another run works on the same output.
    Interrupted
        After Ctrl-C; what was read is kept.
    """
    date = f"{clock():%Y-%m-%d}"
    statuses = []
    with _lock(config.output):
        for account in config.accounts:
            summary = _one(config, account, date, endpoint_url)
            statuses.append(summary["exit"])
            told(summary)
    return next((status for status in (1, 3) if status in statuses), 0)


def _one(config: Config, account: Account, date: str, endpoint_url: str | None) -> dict[str, Any]:
    home = config.output / account.account
    folder = home / date
    done = folder / "run.json"
    if done.exists():
        LOG.info("done already", extra={"account": account.account, "date": date})
        kept: dict[str, Any] = json.loads(done.read_text("utf-8"))
        return kept
    head = {"account": account.account, "date": date}
    try:
        if not _is_read(folder / "snapshot"):
            LOG.info("reading", extra=head)
            _collect(account, folder / "snapshot", endpoint_url)
        LOG.info("reporting", extra=head)
        summary = head | _reported(config, home, date)
    except AuditError as error:
        LOG.error("failed", extra={**head, "error": str(error)})
        return head | {"status": "failed", "exit": 3, "error": str(error)}
    write_file(done, (json.dumps(summary, ensure_ascii=False) + "\n").encode())
    write_file(home / "latest", f"{date}\n".encode())
    LOG.info("done", extra=head)
    return summary


def _is_read(snapshot: Path) -> bool:
    """Whether a collection into a folder ran to its end; what AWS refused stays so."""
    from auditlib.aws.collect import NOT_COLLECTED
    from auditlib.snapshot import MANIFEST, load

    if not (snapshot / MANIFEST).exists():
        return False
    return all(call.error_code != NOT_COLLECTED for call in load(snapshot).calls)


def _collect(account: Account, snapshot: Path, endpoint_url: str | None) -> None:
    from auditlib.aws.collect import collect

    collected = collect(
        snapshot,
        profile=account.profile,
        regions=account.regions,
        all_regions=account.all_regions,
        role_arn=account.role_arn,
        external_id=account.external_id,
        endpoint_url=endpoint_url,
        resume=True,
    )
    if collected.interrupted:
        raise Interrupted
    if others := {id for id, _ in collected.manifest.places} - {account.account}:
        shutil.rmtree(snapshot)
        raise ParameterError(
            f"account {account.account} was asked for, and the credentials are of {min(others)}: "
            "give the right profile or role"
        )


def _reported(config: Config, home: Path, date: str) -> dict[str, Any]:
    from auditlib import history
    from auditlib.check import Status
    from auditlib.comparison import compare
    from auditlib.report import report

    folder = home / date
    for left in folder.glob(".report-*"):  # of a run that was killed
        shutil.rmtree(left, ignore_errors=True)
    earlier = _last(home, date)
    places = {} if earlier is None else {"earlier": home / earlier / "snapshot"}
    past = config.history if config.history and config.history.is_dir() else None
    known = {**places, **({"history": past} if past else {})}
    made = report(
        folder / "snapshot",
        folder / "report",
        config.notebooks or None,
        places=_taken(config, known),
        branding=config.branding,
    )
    found = compare(made.audit, places.get("earlier"), past)
    if config.history:
        history.append(config.history, made.audit)
    failing = [f for f in made.audit.findings if f.status is Status.FAIL]
    return {
        "status": "done",
        "exit": _exit(config, found),
        "snapshot": f"{home.name}/{date}/snapshot",
        "report": f"{home.name}/{date}/report/index.html",
        "digest": made.audit.snapshot.digest,
        "fail": {s: sum(f.check.severity == s for f in failing) for s in _SEVERITIES},
        "not_assessed": sum(f.status is Status.NOT_ASSESSED for f in made.audit.findings),
        "gaps": len(made.audit.gaps),
        "compared_with": earlier,
        "changes": None
        if found.drift is None
        else {
            state: int(count)
            for state, count in found.drift.findings["state"].value_counts().items()
        },
    }


def _taken(config: Config, places: Mapping[str, Path]) -> dict[str, Path]:
    """Return those parameters that some notebook of the report takes."""
    from auditlib.report import notebooks

    ours = notebooks()
    chosen = [
        notebook
        for name, notebook in ours.items()
        if not config.notebooks or {name, name.split("-", 1)[0]} & set(config.notebooks)
    ]
    known = {parameter.name for notebook in chosen for parameter in notebook.parameters}
    return {name: path for name, path in places.items() if name in known}


def _exit(config: Config, found: "Comparison") -> int:
    from auditlib.check import Severity, Status

    if config.fail_on is None:
        return 0
    worst = Severity(config.fail_on).rank
    findings = found.new.findings
    if any(f.status is Status.FAIL and f.check.severity.rank >= worst for f in findings):
        return 1
    return 3 if any(len(f.gaps) for f in findings) else 0


def _last(home: Path, date: str) -> str | None:
    """Return the date of the last complete run before one."""
    dates = [path.parent.name for path in home.glob("*/run.json") if path.parent.name < date]
    return max(dates, default=None)


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Let one run at a time into a folder; the system lets go of it when a run is killed."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / ".lock").open("a")
    except OSError as error:
        raise ParameterError(f"{folder} cannot be written: {error.strerror or error}") from error
    with file:
        if not _locked(file):
            raise ParameterError(
                f"another run works on {folder}: wait for it, or give another output"
            )
        yield


def _locked(file: Any) -> bool:
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined, unused-ignore]
        except OSError:
            return False
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
