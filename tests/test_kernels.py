"""Kernels of a report: copies of one process, apart from each other, gone when the report is."""

import base64
import gc
import operator
import os
import pickle
import shutil
import signal
import socket
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

import pytest
from nbformat import read, write
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from auditlib import kernels, language, open_audit, summary
from auditlib.errors import ParameterError, ReportError, SnapshotError
from auditlib.own import own_process
from auditlib.report import report
from auditlib.snapshot import save
from tests import report_worlds as worlds

forks = pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux only")


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("kernels") / "snapshot"
    save(worlds.empty().snapshot(), path)
    return path


def notebook(folder: Path, name: str, *code: str) -> Path:
    parameters = new_code_cell('snapshot: str = ""', metadata={"tags": ["parameters"]})
    cells = [new_markdown_cell("# Own"), parameters, *map(new_code_cell, code)]
    path = folder / f"{name}.ipynb"
    write(new_notebook(cells=cells), path)
    return path


def told(folder: Path, name: str) -> list[str]:
    return (folder / name).read_text().split()


def gone(pid: int) -> bool:
    """Wait until a process has ended; whoever has to may not have asked for its end yet."""
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.1)
    return False


def witness(folder: Path, name: str) -> str:
    """Return code that leaves the numbers of its process and of that one's parent."""
    at = f"pathlib.Path({str(folder / name)!r})"
    return f"import os, pathlib; {at}.write_text(f'{{os.getpid()}} {{os.getppid()}}')"


@forks
def test_the_kernels_of_a_report_are_copies_of_one_process_and_end_with_it(small, tmp_path):
    names = ("one", "two", "three")
    own = [notebook(tmp_path, n, witness(tmp_path, n)) for n in names]
    report(small, tmp_path / "out", own)
    pids, parents = zip(*(told(tmp_path, name) for name in names), strict=True)
    assert len(set(pids)) == len(names)
    assert len(set(parents)) == 1
    assert parents[0] != str(os.getpid())
    assert all(gone(int(pid)) for pid in (*pids, parents[0]))


def test_what_a_notebook_does_to_the_audit_is_seen_by_no_other(small, tmp_path):
    spoil = """
    import auditlib.words, pandas
    from auditlib import open_audit
    audit = open_audit(snapshot)
    audit.findings[0].evidence["spoilt"] = 1
    audit.tables.security_groups["spoilt"] = 1
    auditlib.words.spoilt = pandas.spoilt = 1
    """
    look = f"""
    import pathlib, auditlib.words, pandas
    from auditlib import open_audit
    audit = open_audit(snapshot)
    seen = ["spoilt" in audit.findings[0].evidence, "spoilt" in audit.tables.security_groups]
    seen += [hasattr(auditlib.words, "spoilt"), hasattr(pandas, "spoilt"), "spoilt" in globals()]
    pathlib.Path(r"{tmp_path}/seen").write_text(repr(any(seen)))
    """
    own = [notebook(tmp_path, "spoil", spoil), notebook(tmp_path, "look", look)]
    report(small, tmp_path / "out", own, kernels=1)
    assert (tmp_path / "seen").read_text() == "False"


@forks
def test_what_fixes_would_do_is_worked_out_once_for_notebooks_that_show_it(tmp_path):
    save(worlds.exposed().snapshot(), tmp_path / "snapshot")
    code = """
    import os, pathlib
    from auditlib import open_audit
    audit = open_audit(snapshot)
    failing = {f.check.id for f in audit.findings if f.status == "fail"}
    done = {id for one in vars(audit).get("fixes", ()) for id in one.checks}
    known = done == failing and len(failing) > 3
    pathlib.Path(r"%s").write_text(f"{known} {os.getpid()} {os.getppid()}")
    """
    own = [notebook(tmp_path, "plain", witness(tmp_path, "plain-said"))]
    for name in ("one", "two"):
        path = notebook(tmp_path, name, code % (tmp_path / f"{name}-said"))
        node = read(path, as_version=4)
        node.metadata["auditlib"] = {"shows_fixes": True}
        write(node, path)
        own.append(path)
    report(tmp_path / "snapshot", tmp_path / "out", own)
    known, pids, parents = zip(
        *(told(tmp_path, f"{name}-said") for name in ("one", "two")), strict=True
    )
    assert known == ("True", "True")
    plain, judged = told(tmp_path, "plain-said")
    # Those that need no fixes do not wait for them: they are copies of another process.
    assert len({*parents}) == 1
    assert judged not in parents
    assert all(gone(int(pid)) for pid in (*pids, *parents, plain, judged))


def test_a_process_of_the_kits_own_seldom_looks_for_garbage_and_gives_the_settings_back(
    monkeypatch,
):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("MKL_NUM_THREADS", "3")
    monkeypatch.delitem(sys.modules, "pyarrow", raising=False)
    before, known = gc.get_threshold(), sys.modules.get("rfc3987_syntax", "none")
    with own_process():
        assert gc.isenabled()
        assert gc.get_threshold() == (50_000, *before[1:])
        assert "rfc3987_syntax" in sys.modules
        assert "pyarrow" not in sys.modules
        assert "OMP_NUM_THREADS" not in os.environ
    with own_process(brief=True):
        assert (os.environ["OMP_NUM_THREADS"], os.environ["MKL_NUM_THREADS"]) == ("1", "3")
        with pytest.raises(ImportError, match="pyarrow"):
            import_module("pyarrow")
    assert gc.get_threshold() == before
    assert sys.modules.get("rfc3987_syntax", "none") is known
    assert "pyarrow" not in sys.modules
    assert "OMP_NUM_THREADS" not in os.environ
    assert os.environ["MKL_NUM_THREADS"] == "3"


def test_a_cell_that_fails_is_named_and_nothing_is_published(small, tmp_path):
    own = [notebook(tmp_path, "fine", "1"), notebook(tmp_path, "wrong", "1 / 0")]
    with pytest.raises(
        ReportError, match="notebook wrong failed in section 'Own' at the cell that begins '1"
    ):
        report(small, tmp_path / "out", own)
    assert not (tmp_path / "out").exists()


def test_a_kernel_that_dies_is_named(small, tmp_path):
    own = [notebook(tmp_path, "fine", "1"), notebook(tmp_path, "dies", "import os; os._exit(3)")]
    with pytest.raises(ReportError, match="notebook dies could not be run: DeadKernelError"):
        report(small, tmp_path / "out", own)


@forks
def test_without_the_process_to_fork_from_a_report_fails_and_does_not_hang(
    small, tmp_path, monkeypatch
):
    monkeypatch.setattr(kernels.sys, "executable", "/bin/false")
    own = [notebook(tmp_path, name, "1") for name in ("one", "two")]
    with pytest.raises(ReportError, match="the process that kernels are forked from has ended"):
        report(small, tmp_path / "out", own)


def test_where_the_system_does_not_fork_the_report_is_the_same(small, tmp_path, monkeypatch):
    wanted = ["00", "70"]
    forked = report(small, tmp_path / "forked", wanted)
    monkeypatch.setattr(kernels.sys, "platform", "darwin")
    started = []
    server = kernels.ForkServer.__init__
    monkeypatch.setattr(
        kernels.ForkServer, "__init__", lambda *given: (started.append(1), server(*given))[1]
    )
    plain = report(small, tmp_path / "plain", wanted)
    assert not started
    files = sorted(p.relative_to(forked.folder) for p in forked.folder.rglob("*.*"))
    assert len(files) == 7
    assert [(forked.folder / f).read_bytes() == (plain.folder / f).read_bytes() for f in files] == [
        True
    ] * 7


class Ends:
    """Something that ends the process that reads it."""

    def __reduce__(self):
        return os._exit, (3,)


@forks
def test_a_copy_tells_what_a_function_makes_of_the_audit_or_raises_and_its_end_is_told(small):
    server = kernels.ForkServer()
    server.open(small.parent, {"snapshot": small.name, "accepted": "", "today": ""})
    try:
        assert server.copies.made(summary.identity) == summary.identity(open_audit(small))
        with pytest.raises(ParameterError, match='no check called "no-such-check"'):
            server.copies.made(operator.getitem, "no-such-check")
        with pytest.raises(kernels.EndedError, match="a copy of the process that kernels"):
            server.copies.made(operator.eq, Ends())
        assert server.copies.made(operator.is_, None) is False
    finally:
        server.close()


@forks
def test_a_process_that_was_begun_early_is_taken_once_and_ended_where_nobody_took_it(
    small, tmp_path
):
    own = [notebook(tmp_path, n, witness(tmp_path, n)) for n in ("one", "two")]
    with language.spoken("ja"), kernels.begun_early():
        (early,) = kernels._READY
        with language.spoken("en"):
            report(small, tmp_path / "out", own)
        assert not kernels._READY
        assert told(tmp_path, "one")[1] == told(tmp_path, "two")[1] == str(early._process.pid)
        assert early._process.returncode == 0
    assert 'lang="en"' in (tmp_path / "out" / "one.html").read_text("utf-8")
    with kernels.begun_early():
        (unused,) = kernels._READY
        with pytest.raises(SnapshotError):
            report(tmp_path / "nothing", tmp_path / "out", own)
    assert unused._process.returncode == -signal.SIGKILL
    assert not kernels._READY


@forks
def test_a_snapshot_that_cannot_be_understood_is_told_by_the_copy_in_the_kits_words(
    small, tmp_path
):
    shutil.copytree(small, tmp_path / "broken")
    (tmp_path / "broken" / "manifest.json").write_text("{}")
    server = kernels.ForkServer()
    server.open(tmp_path, {"snapshot": "broken", "accepted": "", "today": ""})
    try:
        with pytest.raises(SnapshotError, match="broken"):
            server.copies.made(summary.identity)
    finally:
        server.close()


@forks
def test_a_killed_report_leaves_no_process(small, tmp_path):
    wait = "; import time; time.sleep(600)"
    own = [notebook(tmp_path, n, witness(tmp_path, n) + wait) for n in ("one", "two")]
    command = [sys.executable, "-c", "from auditlib.cli import main; main()"]
    command += ["report", str(small), "--out", "out"]
    for path in own:
        command += ["--notebook", str(path)]
    running = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL)
    for _ in range(300):
        if all((tmp_path / n).exists() and len(told(tmp_path, n)) == 2 for n in ("one", "two")):
            break
        time.sleep(0.1)
    running.send_signal(signal.SIGKILL)
    running.wait()
    pids = {int(pid) for name in ("one", "two") for pid in told(tmp_path, name)}
    assert len(pids) == 3
    assert all(gone(pid) for pid in pids)


class Sleeps:
    """Something that keeps the process that reads it busy."""

    def __reduce__(self):
        return time.sleep, (600,)


@forks
def test_a_report_killed_while_it_waits_for_an_answer_ends_the_process_and_its_copies(small):
    server = kernels.ForkServer()
    server.open(small.parent, {"snapshot": small.name, "accepted": "", "today": ""})
    call = base64.b64encode(pickle.dumps((operator.is_, (Sleeps(),)))).decode()
    pid = server.copies.ask({"call": call, "file": os.devnull})
    server.copies._way.shutdown(socket.SHUT_RD)
    server.copies.tell({"pid": pid})
    server.close()
    assert server._process.returncode == 0
    assert gone(pid)


@forks
def test_a_kernel_ends_when_the_process_it_is_a_copy_of_is_killed(small, tmp_path):
    own = notebook(tmp_path, "one", witness(tmp_path, "one") + "; import time; time.sleep(600)")
    command = [sys.executable, "-c", "from auditlib.cli import main; main()"]
    command += ["report", str(small), "--out", "out", "--notebook", str(own), "--notebook", "70"]
    running = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    for _ in range(600):
        if (tmp_path / "one").exists() and len(told(tmp_path, "one")) == 2:
            break
        time.sleep(0.1)
    kernel, server = map(int, told(tmp_path, "one"))
    os.kill(server, signal.SIGKILL)
    assert gone(kernel)
    running.kill()
    running.wait()
