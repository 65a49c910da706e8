"""Many accounts: which they are, the work fanned out over executors, what came of each.

Reading waits for AWS and runs in threads; judging and reporting compute and run in processes. Both
are executors of :mod:`concurrent.futures`, so a cluster can take their place. What passes through
them is a :class:`~auditlib.visit.Visit` and a few words back; accounts are begun only as others
end, so memory does not grow with their number.
"""

import json
import logging
import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Executor,
    Future,
    ThreadPoolExecutor,
    wait,
)
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from auditlib.errors import AuditError, ParameterError
from auditlib.lanes import Lanes
from auditlib.language import current, spoken, tr
from auditlib.mirror import kept, over_all, read, reported
from auditlib.prefix import Prefix
from auditlib.schedule import Account, Config, refuse_without_pyarrow
from auditlib.snapshot import write_file
from auditlib.visit import LATEST, Interrupted, Visit, pointer

__all__ = ["A_BUG", "NOT_READ", "Executors", "Interrupted", "run"]

LOG = logging.getLogger("auditlib.fleet")

NOT_READ = 3
A_BUG = 70

ANSWERS_WITHIN = "30s"
"""How long a cluster is waited for."""

READERS = 4
"""Accounts read at once: each of them has threads of its own."""

Summary = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Executors:
    """Where the work is done.

    Attributes
    ----------
    reading, reporting
        May be one and the same.
    width
        Accounts under way at once.
    kernels
        Notebooks that one account runs at once.
    """

    reading: Executor
    reporting: Executor
    width: int
    kernels: int | None = 1


@contextmanager
def local(accounts: int, processes: int | None = None) -> Iterator[Executors]:
    """Give executors of this machine: threads to read, processes to report, for so many accounts."""
    number = min(accounts, processes or os.cpu_count() or 1)
    reading = ThreadPoolExecutor(min(READERS, max(1, accounts)), thread_name_prefix="reading")
    # One account needs no process of its own.
    reporting: Executor = Lanes(number) if number > 1 or processes else ThreadPoolExecutor(1)
    try:
        yield Executors(
            reading=reading,
            reporting=reporting,
            width=READERS + 2 * max(1, number),
            kernels=1 if number > 1 else None,
        )
    except BaseException:
        for executor in (reading, reporting):
            executor.shutdown(wait=False, cancel_futures=True)
        raise
    reading.shutdown()
    reporting.shutdown()


@contextmanager
def on_dask(address: str) -> Iterator[Executors]:
    """Give executors on a Dask cluster, whose workers see the same folders and have credentials.

    A task whose worker is lost is begun anew on another one; only its few words come back here.

    Raises
    ------
    ParameterError
        When Dask is not installed, or nothing answers at the address.
    """
    try:
        from distributed import Client
    except ImportError:
        raise ParameterError(
            tr("--dask needs Dask, which is not installed: pip install 'auditlib[dask]'")
        ) from None
    try:
        client: Any = Client(address, timeout=ANSWERS_WITHIN)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise ParameterError(
            tr("no Dask scheduler answers at {address}: {error}", address=address, error=error)
        ) from error
    with client:
        # Never taken for done because something like it was done before.
        executor = client.get_executor(pure=False)
        threads = max(1, sum(client.nthreads().values()))
        yield Executors(reading=executor, reporting=executor, width=2 * threads)


# -- a run ----------------------------------------------------------------------------------------


def run(
    config: Config,
    *,
    endpoint_url: str | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    told: Callable[[Mapping[str, Any]], None] = lambda _: None,
    processes: int | None = None,
    dask: str | None = None,
    executors: Executors | None = None,
) -> int:
    """Do everything a configuration asks for; return the exit status.

    An account that cannot be read, or whose work dies, is told in its summary and does not stop
    the others.

    Parameters
    ----------
    endpoint_url
        Address to call instead of AWS.
    told
        Called with the summary of each account, in the order of the accounts.
    processes
        Processes that report; as many as there are cores by default.
    dask
        Address of the scheduler of a Dask cluster to work on.
    executors
        Where to work instead of on this machine.

    Returns
    -------
    int
        The worst of the accounts: 70 the kit itself failed in one; 1 a finding at or above
        ``fail_on``; 3 an account, or part of one, was not read or assessed; 0 otherwise. Without
        ``fail_on``, 3 only where nothing is known of an account, or of one of its Regions.

    Raises
    ------
    ParameterError
        When another run works on the same output, or pyarrow is not installed.
    AwsError
        When the output is a place in S3 that cannot be used, or that another run took over.
    Interrupted
        After Ctrl-C; what was read is kept.
    """
    refuse_without_pyarrow()
    date = f"{clock():%Y-%m-%d}"
    with ExitStack() as stack:
        stack.enter_context(spoken(config.language or current()))
        check_lock = stack.enter_context(_locked(config.output, endpoint_url))
        entries = list(_entries(config, date, endpoint_url))
        visits = [entry for entry in entries if isinstance(entry, Visit)]
        if executors is None:
            given = on_dask(dask) if dask else local(len(visits), processes)
            executors = stack.enter_context(given)
        summaries = []
        try:
            for summary in _summaries(entries, executors):
                check_lock()
                summaries.append(summary)
                told(summary)
        except KeyboardInterrupt as pressed:
            raise Interrupted from pressed
        with over_all(config.output, date, summaries, endpoint_url) as output:
            _overview(output, config, date, summaries, clock())
            check_lock()
    statuses = {summary["exit"] for summary in summaries}
    return next((status for status in (A_BUG, 1, NOT_READ) if status in statuses), 0)


def _overview(
    output: Path,
    config: Config,
    date: str,
    summaries: Sequence[Mapping[str, Any]],
    moment: datetime,
) -> None:
    """Write what came of all accounts, and the page over them."""
    from auditlib.overview import ACCOUNTS
    from auditlib.report import overview_report

    folder = output / "overview" / date
    record = {"date": date, "made": moment.isoformat(), "accounts": summaries}
    write_file(folder / ACCOUNTS, (json.dumps(record, ensure_ascii=False) + "\n").encode())
    if len(summaries) > 1:
        overview_report(folder, folder / "report", branding=config.branding)
    write_file(output / "overview" / LATEST, pointer(date))


# -- which accounts -------------------------------------------------------------------------------


def _entries(config: Config, date: str, endpoint_url: str | None) -> Iterator["Visit | Summary"]:
    """Yield a visit per account, once each; a summary where there is none to be made."""
    seen = set()
    for found in _accounts(config, endpoint_url):
        if isinstance(found, dict):
            yield {"date": date} | found
        elif found.account not in seen:
            seen.add(found.account)
            yield Visit(
                account=found,
                output=config.output,
                date=date,
                language=current(),
                notebooks=config.notebooks,
                accepted=config.accepted,
                history=config.history,
                exports=config.exports,
                fail_on=config.fail_on,
                branding=config.branding,
                endpoint_url=endpoint_url,
                trail=config.trail,
            )


def _accounts(config: Config, endpoint_url: str | None) -> Iterator["Account | Summary"]:
    from auditlib.aws.organization import account_of

    for account in config.accounts:
        if account.account:
            yield account
            continue
        try:
            yield account.of(account_of(profile=account.profile, endpoint_url=endpoint_url))
        except AuditError as error:
            yield _failed({"account": None, "profile": account.profile}, str(error))
    if config.organization is not None:
        yield from _members(config, endpoint_url)


def _members(config: Config, endpoint_url: str | None) -> Iterator["Account | Summary"]:
    from auditlib.aws.organization import members

    wanted = config.organization
    assert wanted is not None  # noqa: S101 # the caller looked
    try:
        found = members(
            ous=wanted.ous,
            tags=wanted.tags,
            profile=wanted.profile,
            role_arn=wanted.role_arn,
            external_id=wanted.external_id,
            endpoint_url=endpoint_url,
        )
    except AuditError as error:
        yield _failed({"account": None, "organization": True}, str(error))
        return
    if not found:
        why = tr("no account of the organization is in these units and has these tags")
        yield _failed({"account": None, "organization": True}, why)
    for member in found:
        if member.account in wanted.without:
            continue
        if member.state != "ACTIVE":
            why = tr("AWS says it is {state}: it was not read", state=member.state)
            yield {"account": member.account, "status": "left_out", "exit": 0, "error": why}
        else:
            yield wanted.member.of(member.account)


# -- the work -------------------------------------------------------------------------------------


@dataclass(kw_only=True)
class _Work:
    """What is under way."""

    executors: Executors
    waiting: deque[tuple[int, Visit]]
    under_way: dict[Future[Any], tuple[int, Visit, bool]] = field(default_factory=dict)
    ended: dict[int, Summary] = field(default_factory=dict)

    def begin(self) -> None:
        """Begin with as many accounts as there is room for."""
        while self.waiting and len(self.under_way) < self.executors.width:
            number, visit = self.waiting.popleft()
            if (summary := kept(visit)) is not None:
                LOG.info("done already", extra=visit.head)
                self.ended[number] = summary
                continue
            self._submit(self.executors.reading, read, number, visit, reading=True)

    def step(self) -> None:
        """Wait until something has ended, and take it."""
        # Never without a limit: Windows sees Ctrl-C only between two waits.
        done, _ = wait(self.under_way, timeout=0.5, return_when=FIRST_COMPLETED)
        for future in done:
            number, visit, was_reading = self.under_way.pop(future)
            try:
                result = future.result()
            except Interrupted:
                raise
            except AuditError as error:
                self.ended[number] = _failed(visit.head, str(error))
            except Exception as error:
                self.ended[number] = _broken(visit, error)
            else:
                if was_reading:
                    LOG.info("reporting", extra=visit.head)
                    reporting = self.executors.reporting
                    self._submit(reporting, reported, number, visit, reading=False)
                else:
                    LOG.info("done", extra=visit.head)
                    self.ended[number] = result

    def _submit(
        self,
        executor: Executor,
        task: Callable[[Visit], Any],
        number: int,
        visit: Visit,
        *,
        reading: bool,
    ) -> None:
        try:
            self.under_way[executor.submit(task, visit)] = number, visit, reading
        except BrokenExecutor as error:
            self.ended[number] = _broken(visit, error)


def _summaries(entries: Sequence["Visit | Summary"], executors: Executors) -> Iterator[Summary]:
    """Yield the summaries of all entries in their order, each as soon as those before it are."""
    from dataclasses import replace

    work = _Work(
        executors=executors,
        waiting=deque(
            (number, replace(entry, kernels=executors.kernels))
            for number, entry in enumerate(entries)
            if isinstance(entry, Visit)
        ),
        ended={n: entry for n, entry in enumerate(entries) if not isinstance(entry, Visit)},
    )
    for number in range(len(entries)):
        while number not in work.ended:
            work.begin()
            if work.under_way:
                work.step()
        yield work.ended.pop(number)


def _failed(head: Mapping[str, Any], why: str) -> Summary:
    LOG.error("failed", extra={**head, "error": why})
    return {**head, "status": "failed", "exit": NOT_READ, "error": why}


def _broken(visit: Visit, error: Exception) -> Summary:
    """Return the summary of an account whose work died, or in which the kit itself failed."""
    # Dask's word for a worker that died again and again with the same task.
    if isinstance(error, BrokenExecutor) or type(error).__name__ == "KilledWorker":
        return _failed(
            visit.head,
            tr(
                "the process that worked on the account died, and died again when it was tried "
                "once more: look whether the machine has memory enough"
            ),
        )
    LOG.error("a bug in the kit", exc_info=error, extra=visit.head)
    why = tr(
        "this is a bug in the kit: {kind}: {error}; nothing was concluded",
        kind=type(error).__name__,
        error=error,
    )
    return {**visit.head, "status": "failed", "exit": A_BUG, "error": why}


# -- one run at a time ----------------------------------------------------------------------------


def _locked(
    output: Path | Prefix, endpoint_url: str | None
) -> AbstractContextManager[Callable[[], None]]:
    """Let one run at a time into an output; give what raises when that does not hold any more."""
    if isinstance(output, Path):
        return _lock(output)
    from auditlib.aws.bucket import Bucket, lock

    return lock(Bucket(place=output, endpoint_url=endpoint_url))


@contextmanager
def _lock(folder: Path) -> Iterator[Callable[[], None]]:
    """Let one run at a time into a folder; the system lets go of it when a run is killed."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / ".lock").open("a")
    except OSError as error:
        raise ParameterError(
            tr(
                "{folder} cannot be written: {error}",
                folder=folder,
                error=error.strerror or error,
            )
        ) from error
    with file:
        if not _holds(file):
            raise ParameterError(
                tr(
                    "another run works on {folder}: wait for it, or give another output",
                    folder=folder,
                )
            )
        yield lambda: None


def _holds(file: Any) -> bool:
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
