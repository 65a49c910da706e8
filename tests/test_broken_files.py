"""Files from anyone: only the kit's own errors come out of them, one line each, and exit 2."""

import json
import os
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditlib import report
from auditlib.audit import Audit
from auditlib.changes import CHANGES
from auditlib.changes.plans import plan_of
from auditlib.check import Status
from auditlib.cli import main
from auditlib.errors import AuditError, ParameterError, ReportError
from auditlib.snapshot import load, save
from tests.worlds import ACCOUNT, REGION, World, clean

IN_TMP = [HealthCheck.function_scoped_fixture]
TEXT = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["\ud800", "\x00", "\u202e", "sg-1", "${x}", "$(x)", "-1", "2001-99-99", "*"]),
)
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
NAMES = sorted({field.name for made in CHANGES.values() for field in fields(made)})
ENTRY = st.one_of(
    VALUE,
    st.builds(
        lambda kind, given: {"account": ACCOUNT, "region": REGION, "change": kind, **given},
        st.one_of(st.sampled_from(sorted(CHANGES)), VALUE),
        st.dictionaries(st.sampled_from(NAMES), VALUE, max_size=8),
    ),
)


def outcome(make: Callable[[], Any]) -> tuple[Any, str | None]:
    """Return what comes of it, or the kit's own words of refusal; any other error fails the test."""
    try:
        return make(), None
    except AuditError as error:
        return None, str(error)


def auditlib(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def said_in_one_line(result: Result) -> str:
    assert result.exit_code == 2, result.output
    assert result.stderr.startswith("auditlib: ")
    assert result.stderr.count("\n") == 1
    return result.stderr


@settings(max_examples=60, deadline=None, suppress_health_check=IN_TMP)
@given(plan=st.one_of(VALUE, st.fixed_dictionaries({"changes": st.lists(ENTRY, max_size=3)})))
def test_any_plan_is_one_or_is_refused(tmp_path: Path, plan: object) -> None:
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(plan), "utf-8")
    changes, refused = outcome(lambda: plan_of(path))
    assert refused != ""
    for change in changes or ():
        json.dumps(change.to_dict(), ensure_ascii=False).encode()


@settings(max_examples=40, deadline=None, suppress_health_check=IN_TMP)
@given(data=st.one_of(st.binary(max_size=60), TEXT.map(lambda t: t.encode("utf-8", "replace"))))
@pytest.mark.parametrize("name", ["plan.yaml", "plan.json"])
def test_any_bytes_are_a_plan_or_are_refused(tmp_path: Path, name: str, data: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(b"changes: " + data if name.endswith("yaml") else data)
    changes, refused = outcome(lambda: plan_of(path))
    assert refused or isinstance(changes, tuple)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("deep.json", "[" * 100_000),
        ("deep.yaml", "changes: " + "[" * 5_000),
        ("number.yaml", "changes: [" + "9" * 5_000 + "]"),
        ("date.yaml", "changes: [2001-99-99]"),
        ("kind.yaml", "changes: [{change: [a]}]"),
        ("kind.json", '{"changes": [{"change": {"a": 1}}]}'),
        ("half.json", '{"changes": [{"change": "delete-security-group", "account": "111122223333", "region": "r", "group_id": "\\ud800"}]}'),
        ("tag.yaml", "changes: !!python/object/apply:os.system [true]"),
    ],
)  # fmt: skip
def test_a_plan_that_would_break_a_parser_is_one_line(tmp_path, name, text):
    save(clean().snapshot(), tmp_path / "s")
    (tmp_path / name).write_text(text, "utf-8")
    said_in_one_line(auditlib("preview", tmp_path / "s", "--plan", tmp_path / name))


def test_an_alias_that_multiplies_is_no_bomb(tmp_path):
    lines = ["a0: &a0 [x, x]"] + [f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 40)]
    (tmp_path / "p.yaml").write_text("\n".join([*lines, "changes: *a39"]), "utf-8")
    with pytest.raises(ParameterError, match="not part of a plan"):
        plan_of(tmp_path / "p.yaml")


FOLDER_FILES = sorted(call.file for call in clean().snapshot().calls if call.file)


@settings(max_examples=20, deadline=None, suppress_health_check=IN_TMP)
@given(
    data=st.data(),
    file=st.sampled_from(["manifest.json", *FOLDER_FILES]),
    with_manifest=st.booleans(),
    zipped=st.booleans(),
)
def test_any_damage_to_a_snapshot_is_named_or_makes_no_difference_to_what_is_told(
    tmp_path_factory: pytest.TempPathFactory,
    data: st.DataObject,
    file: str,
    with_manifest: bool,
    zipped: bool,
) -> None:
    folder = tmp_path_factory.mktemp("d") / "s"
    save(clean().snapshot(), folder)
    whole = (folder / file).read_bytes()
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, len(whole)))
    (folder / file).write_bytes(whole[:start] + data.draw(st.binary(max_size=8)) + whole[end:])
    if not with_manifest:
        (folder / "manifest.json").unlink()
    path = folder
    if zipped:
        path = folder.with_suffix(".zip")
        with zipfile.ZipFile(path, "w") as archive:
            for one in sorted(folder.rglob("*.json")):
                archive.write(one, one.relative_to(folder).as_posix())

    def read() -> Audit:
        audit = Audit(load(path))
        for name in set(audit.tables.names) - {"reached_interfaces", "opened_networks"}:
            _ = audit.tables[name]
        return audit

    audit, refused = outcome(lambda: (made := read(), made.gaps, made.coverage)[0])
    assert audit or str(path) in (refused or "") or file in (refused or "")


@pytest.mark.parametrize(
    "arguments",
    [
        ("preview", "{s}", "--fix", "connection-logging-is-off", "--out", "{full}/x"),
        ("tables", "{s}", "--export", "{full}/x"),
        ("report", "{s}", "--out", "{full}/x", "--notebook", "70"),
        ("export", "{s}", "--out", "{full}/x"),
        ("redact", "{s}", "--out", "{full}/x"),
        ("redact", "{s}", "--out", "{full}/x.zip"),
        ("redact", "{s}", "--out", "{s}-x", "--redact-key", "{full}/x"),
        ("accept", "{s}", "default-sg-has-rules", "*", "--reason", "a", "--owner", "b", "--until",
         "2999-01-01", "--unmatched", "--file", "{full}/x.yaml"),
        ("history", "{full}/x", "{s}"),
        ("new", "client", "--out", "{full}/x"),
        ("lab", "{s}", "--notebooks", "{full}/x", "--no-browser"),
        ("demo", "--out", "{full}/x"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_an_output_that_cannot_be_written_is_one_line(tmp_path, arguments):
    if os.geteuid() == 0:
        # Root may write anywhere, but not below a file.
        (tmp_path / "full").touch()
    else:
        (tmp_path / "full").mkdir(mode=0o500)
    world = World()
    world.endpoint(world.vpc(), logging=False)
    save(world.snapshot(), tmp_path / "s")
    filled = [a.format(s=tmp_path / "s", full=tmp_path / "full") for a in arguments]
    assert f"{tmp_path / 'full'}" in said_in_one_line(auditlib(*filled))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("style", ["table", "json", "csv"])
def test_a_full_disk_behind_the_output_is_told_in_one_line(tmp_path, style):
    save(clean().snapshot(), tmp_path / "s")
    command = [sys.executable, "-c", "from auditlib.cli import main; main()"]
    with Path("/dev/full").open("wb") as full:
        made = subprocess.run(
            [*command, "check", str(tmp_path / "s"), "--format", style],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert made.returncode == 2, made.stderr
    assert made.stderr.startswith("auditlib: ")
    assert made.stderr.count("\n") == 1


# -- no room, and too much ------------------------------------------------------------------------


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """Let the system refuse every larger file, as a full disk or a quota does."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(
    "arguments",
    [
        ("export", "{s}", "--out", "{out}"),
        ("tables", "{s}", "--export", "{out}"),
        ("preview", "{s}", "--fix", "connection-logging-is-off", "--out", "{out}"),
        ("redact", "{s}", "--out", "{out}"),
        ("redact", "{s}", "--out", "{out}.zip"),
        ("new", "client", "--out", "{out}"),
    ],
    ids=" ".join,
)
def test_a_disk_that_fills_up_is_one_line_and_leaves_no_half_file(tmp_path, arguments):
    world = World()
    world.endpoint(world.vpc(), logging=False)
    save(world.snapshot(), tmp_path / "s")
    with no_file_larger_than(700):
        told = auditlib(*(a.format(s=tmp_path / "s", out=tmp_path / "out") for a in arguments))
    assert "File too large" in said_in_one_line(told)
    assert not (tmp_path / "out.zip").exists()
    assert not list(tmp_path.rglob("*.part"))


def test_of_reports_written_at_once_into_one_folder_one_is_there_whole(tmp_path):
    target = tmp_path / "out"
    pages = ("index.html", "findings.json", "notebooks/00.ipynb")

    def publish(writer: int) -> str | None:
        try:
            report._publish(dict.fromkeys(pages, str(writer)), target)
        except ReportError as error:
            return str(error)
        return None

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(publish, range(200)))
    assert None in told
    assert all("cannot be written" in said for said in told if said)
    assert len({(target / page).read_text() for page in pages}) == 1
    assert list(tmp_path.iterdir()) == [target]


def test_a_disk_that_fills_up_leaves_the_older_report(tmp_path):
    target = tmp_path / "out"
    report._publish({"index.html": "older", "notebooks/00.ipynb": "older"}, target)
    with no_file_larger_than(700), pytest.raises(ReportError, match="File too large"):
        report._publish({"index.html": "newer", "notebooks/00.ipynb": "newer" * 200}, target)
    assert {p.read_text() for p in target.rglob("*.*")} == {"older"}
    assert list(tmp_path.iterdir()) == [target]


def test_of_a_member_that_stands_twice_the_last_counts_for_verdict_and_evidence(tmp_path):
    world = World()
    vpc = world.vpc()
    world.endpoint(vpc, logging=False)
    save(world.snapshot(), tmp_path / "s")
    (tmp_path / "s" / "manifest.json").unlink()
    path = tmp_path / "s" / ACCOUNT / REGION / "ec2-describe-client-vpn-endpoints.json"
    members = path.read_text("utf-8").strip().removeprefix("{")
    path.write_text('{"ClientVpnEndpoints": [],' + members, "utf-8")
    assert Audit(load(tmp_path / "s")).finding("connection-logging-is-off").status is Status.FAIL
    path.write_text("{" + members.removesuffix("}") + ', "ClientVpnEndpoints": []}', "utf-8")
    audit = Audit(load(tmp_path / "s"))
    assert audit.finding("connection-logging-is-off").status is Status.NOT_APPLICABLE
    assert audit.tables["client_vpn_endpoints"].empty


MUCH = 100 * 2**20


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("plan.yaml", ("preview", "{s}", "--plan", "{file}")),
        ("plan.json", ("preview", "{s}", "--plan", "{file}")),
        ("accepted.yaml", ("check", "{s}", "--accepted", "{file}")),
        ("runs.yaml", ("run", "{file}", "--check-only")),
        ("logo", ("report", "{s}", "--out", "{s}/out", "--config", "{config}")),
    ],
    ids=lambda a: a if isinstance(a, str) else None,
)
def test_a_file_of_100_mb_is_refused_before_it_is_read(tmp_path, name, arguments):
    save(clean().snapshot(), tmp_path / "s")
    with (tmp_path / name).open("wb") as file:
        file.truncate(MUCH)
    config = tmp_path / "engagement.yaml"
    config.write_text("branding: {logo: logo}\n", "utf-8")
    given = {"s": tmp_path / "s", "file": tmp_path / name, "config": config}
    tracemalloc.start()
    try:
        told = said_in_one_line(auditlib(*(a.format(**given) for a in arguments)))
        assert tracemalloc.get_traced_memory()[1] < MUCH
    finally:
        tracemalloc.stop()
    assert "too large" in told or "larger than 5 MB" in told


@pytest.mark.parametrize("filling", [b" ", b"[", b'{"Vpcs": [' + b" " * 54, b"\0"], ids=repr)
def test_an_answer_of_100_mb_that_is_none_is_one_line(tmp_path, filling):
    save(clean().snapshot(), tmp_path / "s")
    (tmp_path / "s" / "manifest.json").unlink()
    path = tmp_path / "s" / ACCOUNT / REGION / "ec2-describe-vpcs.json"
    path.write_bytes(filling * (MUCH // len(filling)))
    assert "ec2-describe-vpcs.json" in said_in_one_line(auditlib("check", tmp_path / "s"))


def test_a_sound_answer_of_100_mb_says_what_it_says_without_its_bulk(tmp_path):
    world = World()
    world.endpoint(world.vpc(), logging=False)
    save(world.snapshot(), tmp_path / "s")
    (tmp_path / "s" / "manifest.json").unlink()
    said = auditlib("check", tmp_path / "s", "--format", "csv")
    path = tmp_path / "s" / ACCOUNT / REGION / "ec2-describe-client-vpn-endpoints.json"
    document = json.loads(path.read_bytes())
    document["ClientVpnEndpoints"][0]["LaterMember"] = "x" * MUCH
    path.write_text(json.dumps(document), "utf-8")
    assert auditlib("check", tmp_path / "s", "--format", "csv").output == said.output
    assert "connection-logging-is-off,fail" in said.output
