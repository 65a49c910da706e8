"""Snapshots on disk: written whole, loaded with suspicion, checked against their hashes."""

import io
import json
import os
import shutil
import stat
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from auditlib.aws.outcomes import refusal_of_text
from auditlib.aws.reads import read_of
from auditlib.cli import main, one_line
from auditlib.errors import SnapshotError
from auditlib.snapshot import (
    Call,
    Manifest,
    Snapshot,
    encode,
    file_of,
    load,
    save,
    verify,
    write_file,
)
from auditlib.tables import Tables
from tests.worlds import ACCOUNT, REGION, World

VPCS = f"{ACCOUNT}/{REGION}/ec2-describe-vpcs.json"
POLICY = "ec2-get-client-vpn-endpoint-authorization-policy"


@pytest.fixture
def snapshot() -> Snapshot:
    world = World()
    world.endpoint(world.vpc(name="本番"), name='"><script>')
    world.refuse("ec2-describe-subnets")
    return world.snapshot(started=datetime(2026, 11, 2, tzinfo=UTC))


@pytest.fixture
def folder(snapshot, tmp_path) -> Path:
    save(snapshot, tmp_path / "s")
    return tmp_path / "s"


def edit_manifest(folder: Path, edit) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text("utf-8"))
    edit(manifest)
    path.write_text(json.dumps(manifest), "utf-8")


def read_all_of(path: Path) -> None:
    snapshot = load(path)
    for call in snapshot.calls:
        snapshot.document(call)


def one_clear_line(path: Path) -> str:
    with pytest.raises(SnapshotError) as raised:
        read_all_of(path)
    text = str(raised.value)
    assert "\n" not in text
    assert str(path) in text
    return text


# -- there and back ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["s", "s.zip"])
def test_what_is_saved_loads_as_it_was(snapshot, tmp_path, name):
    save(snapshot, tmp_path / name)
    loaded = load(tmp_path / name)
    assert loaded.places == snapshot.places
    assert loaded.manifest.started == snapshot.manifest.started
    plain = [replace(call, sha256=None) for call in loaded.calls]
    assert plain == sorted(snapshot.calls, key=lambda call: call.order)
    for call in snapshot.calls:
        assert loaded.document(call) == snapshot.document(call)
    assert verify(tmp_path / name) == ()
    assert loaded.digest == snapshot.digest
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_the_same_snapshot_gives_the_same_bytes(snapshot, tmp_path):
    for name in ("a", "b"):
        save(snapshot, tmp_path / f"{name}.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_the_digest_tells_of_any_change(folder):
    before = load(folder).digest
    (folder / VPCS).write_bytes((folder / VPCS).read_bytes().replace(b"10.0", b"10.1"))
    changed = load(folder).digest
    edit_manifest(folder, lambda manifest: manifest.update(caller_arn="arn:other"))
    assert len({before, changed, load(folder).digest}) == 3


def test_saving_over_something_is_refused(snapshot, folder):
    with pytest.raises(SnapshotError, match="already exists"):
        save(snapshot, folder)
    (folder.parent / "empty").mkdir()
    save(snapshot, folder.parent / "empty")
    assert verify(folder.parent / "empty") == ()


def test_saving_where_nothing_can_be_written_is_one_line(snapshot, tmp_path):
    (tmp_path / "file").write_text("x", "utf-8")
    with pytest.raises(SnapshotError, match="cannot be written"):
        save(snapshot, tmp_path / "file" / "s")


def test_a_write_that_fails_leaves_nothing(tmp_path, monkeypatch):
    def fails(*_):
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", fails)
    with pytest.raises(OSError, match="disk full"):
        write_file(tmp_path / "a.json", b"{}")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(SnapshotError, match="disk full"):
        save(World().snapshot(), tmp_path / "s")
    assert list(tmp_path.iterdir()) == []


def test_a_document_is_encoded_as_the_cli_prints_it():
    time = datetime(2026, 11, 2, 9, tzinfo=UTC)
    assert encode({"T": "製", "When": time}) == (
        '{\n    "T": "製",\n    "When": "2026-11-02T09:00:00+00:00"\n}\n'.encode()
    )
    assert json.loads(encode({"lone": "\ud800"})) == {"lone": "\ud800"}
    with pytest.raises(TypeError):
        encode({"set": {1}})


@given(st.text(min_size=1, max_size=700))
def test_any_resource_has_a_file_of_its_own_that_names_it(resource):
    try:
        resource.encode()
    except UnicodeEncodeError:
        return
    file = file_of(ACCOUNT, REGION, read_of("logs-describe-log-groups"), resource)
    parts = file.split("/")
    assert not {"", ".", ".."} & set(parts)
    assert max(map(len, parts)) <= 210
    memory = Snapshot.from_documents(
        {(ACCOUNT, REGION, "logs-describe-log-groups", resource): {"logGroups": []}}
    )
    assert memory.calls[0].file == file


def test_a_snapshot_shows_itself_shortly(folder):
    assert repr(load(folder)).endswith(f"{ACCOUNT}/{REGION}; 22 of 23 calls answered>")


# -- without manifest -------------------------------------------------------------------------


def test_without_manifest_files_are_answers_and_nothing_else_is_known(folder):
    with_manifest = load(folder)
    (folder / "manifest.json").unlink()
    loaded = load(folder)
    assert not loaded.has_manifest
    assert loaded.manifest.botocore_version is None
    assert loaded.places == with_manifest.places
    assert loaded.call(ACCOUNT, REGION, "ec2-describe-subnets") is None
    for call in loaded.calls:
        original = with_manifest.call(*call.key)
        assert original is not None
        assert original.file == call.file
        assert loaded.document(call) == with_manifest.document(original)
    assert verify(folder) == ()


def test_long_and_odd_resources_are_told_from_their_files(tmp_path):
    for resource in ("/a/b", "製" * 100, "x" * 201, "..", "%2F"):
        file = tmp_path / file_of(ACCOUNT, REGION, read_of("logs-describe-log-groups"), resource)
        write_file(file, b'{"logGroups": []}')
    assert {call.resource for call in load(tmp_path).calls} == {
        "/a/b",
        "製" * 100,
        "x" * 201,
        "..",
        "%2F",
    }


def test_what_the_script_noted_is_used(folder):
    (folder / "manifest.json").unlink()
    (folder / "collect.txt").write_text(
        "aws-cli: aws-cli/1.46.3 Python/3.11 botocore/1.43.62\ncaller: arn:aws:iam::x\n"
        "started: 2026-11-02T09:00:00Z\nfinished: nonsense\nno colon\n",
        "utf-8",
    )
    manifest = load(folder).manifest
    assert manifest.botocore_version == "1.43.62"
    assert manifest.caller_arn == "arn:aws:iam::x"
    assert manifest.started == datetime(2026, 11, 2, 9, tzinfo=UTC)
    assert manifest.finished is None


def test_version_2_of_the_cli_tells_no_sdk_unless_an_answer_does(folder):
    (folder / "manifest.json").unlink()
    (folder / "collect.txt").write_text("aws-cli: aws-cli/2.1.0 botocore/2.0.0dev4\n", "utf-8")
    assert load(folder).manifest.botocore_version is None
    error = folder / ACCOUNT / REGION / POLICY / "cvpn-endpoint-1.error.txt"
    write_file(error, b"An error occurred (UnauthorizedOperation) when calling the X operation: no")
    assert load(folder).manifest.botocore_version == "1.43.104"


def test_errors_beside_missing_answers_become_their_outcome(folder):
    (folder / "manifest.json").unlink()
    place = folder / ACCOUNT / REGION
    texts = {
        "ec2-describe-subnets": "\nAn error occurred (UnauthorizedOperation) when calling the "
        "DescribeSubnets operation: You are not authorized. Encoded authorization failure "
        "message: xyz\n",
        "ec2-describe-vpcs": "An error occurred (X) when calling the Y operation: older refusal",
        f"{POLICY}/cvpn-endpoint-1": "An error occurred (InvalidClientVpnEndpointAuthorization"
        "Policy.NotFound) when calling the X operation: none",
        f"{POLICY}/cvpn-endpoint-2": "",
        "ec2-not-a-read": "x",
    }
    for name, text in texts.items():
        write_file(place / f"{name}.error.txt", text.encode())
    loaded = load(folder)

    def told(read_id, resource=None):
        call = loaded.call(ACCOUNT, REGION, read_id, resource)
        return call.status, call.error_code, call.error_message

    assert told("ec2-describe-subnets") == (
        "denied",
        "UnauthorizedOperation",
        "You are not authorized.",
    )
    assert told("ec2-describe-vpcs") == ("ok", None, None)
    assert told(POLICY, "cvpn-endpoint-1")[0] == "ok"
    assert told(POLICY, "cvpn-endpoint-2")[:2] == ("failed", "CommandFailed")


@pytest.mark.parametrize(
    ("text", "status", "code"),
    [
        ("aws: error: argument operation: Invalid choice, valid choices are:", "unsupported", None),
        ("Unknown options: --include-managed-resources", "unsupported", None),
        ('Could not connect to the endpoint URL: "https://x"', "failed", "EndpointConnectionError"),
        ("Unable to locate credentials", "failed", "CommandFailed"),
        (
            "An error occurred (Throttling) when calling the X operation (reached max retries: 4):"
            " Rate exceeded",
            "failed",
            "Throttling",
        ),
        ("An error occurred (AccessDenied) when calling the X operation: no", "denied", None),
    ],
)
def test_what_the_cli_says_is_understood(text, status, code):
    found = refusal_of_text(text)
    assert found[0] == status
    assert found[2]
    assert code is None or found[1] == code


def test_an_answer_without_policy_is_no_policy(folder):
    (folder / "manifest.json").unlink()
    place = folder / ACCOUNT / REGION / POLICY
    write_file(place / "cvpn-endpoint-1.json", b'{"ClientVpnEndpointId": "cvpn-endpoint-1"}')
    write_file(place / "cvpn-endpoint-2.json", b"")
    write_file(place / "cvpn-endpoint-3.json", b'{"PolicyDocument": "permit(a,b,c);"}')
    loaded = load(folder)
    files = [
        loaded.call(ACCOUNT, REGION, POLICY, f"cvpn-endpoint-{i}").file is None for i in (1, 2, 3)
    ]
    assert files == [True, True, False]


def test_a_folder_around_the_snapshot_does_no_harm(folder, tmp_path):
    assert load(tmp_path).places == ((ACCOUNT, REGION),)
    with zipfile.ZipFile(tmp_path / "outer.zip", "w") as archive:
        for path in folder.rglob("*.json"):
            archive.write(path, path.relative_to(tmp_path).as_posix())
        archive.writestr("__MACOSX/._s", "x")
    assert load(tmp_path / "outer.zip").digest == load(folder).digest


def test_other_files_in_the_folder_are_not_looked_at(folder):
    (folder / "notes.txt").write_text("mine", "utf-8")
    (folder / "deep").mkdir()
    (folder / "manifest.json").unlink()
    place = folder / ACCOUNT / REGION
    for name in ("ec2-not-a-read.json", "ec2-describe-vpcs/x.json", "readme.md"):
        write_file(place / name, b"{}")
    write_file(folder / ACCOUNT / "Not A Region" / "ec2-describe-vpcs.json", b"{}")
    write_file(place / "ec2-describe-client-vpn-routes.json", b"{}")
    write_file(place / "logs-describe-log-groups" / "a%2f.json", b"{}")
    assert {call.operation for call in load(folder).calls} >= {"describe-vpcs"}
    assert load(folder).call(ACCOUNT, REGION, "ec2-describe-client-vpn-routes") is None
    assert load(folder).places == ((ACCOUNT, REGION),)


# -- what is not believed ---------------------------------------------------------------------


def test_nothing_there_is_one_line(tmp_path):
    assert "no snapshot at" in one_clear_line(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    assert "is no snapshot" in one_clear_line(tmp_path / "empty")
    (tmp_path / "text.zip").write_text("no zip", "utf-8")
    assert "not a zip" in one_clear_line(tmp_path / "text.zip")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'{"Vpcs": [', "truncated"),
        (b"", "empty"),
        (b"<html>", "truncated, or not JSON"),
        (b"\xff\xfe\x00", "truncated, or not JSON"),
        (b"[" * 100_000, "truncated, or not JSON"),
        (b"[]", "not an object"),
        (b'{"Subnets": []}', 'no list "Vpcs"'),
        (b'{"Vpcs": {}}', 'no list "Vpcs"'),
    ],
)
@pytest.mark.parametrize("with_manifest", [True, False])
def test_a_truncated_or_foreign_answer_is_named(folder, data, said, with_manifest):
    (folder / VPCS).write_bytes(data)
    if not with_manifest:
        (folder / "manifest.json").unlink()
    text = one_clear_line(folder)
    assert said in text
    assert VPCS in text
    assert VPCS in "".join(verify(folder))


def test_a_certificate_is_an_object(folder):
    (file,) = (folder / ACCOUNT / REGION / "acm-describe-certificate").iterdir()
    file.write_bytes(b'{"Certificate": []}')
    assert 'no object "Certificate"' in one_clear_line(folder)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_what_powershell_writes_is_read(folder, encoding):
    (folder / "manifest.json").unlink()
    (folder / VPCS).write_bytes((folder / VPCS).read_text("utf-8").encode(encoding))
    loaded = load(folder)
    vpcs = loaded.document(loaded.call(ACCOUNT, REGION, "ec2-describe-vpcs"))
    assert vpcs["Vpcs"][0]["Tags"] == [{"Key": "Name", "Value": "本番"}]


def first(**changes):
    def edit(manifest):
        call = next(c for c in manifest["calls"] if c["operation"] == "describe-vpcs")
        call.update(changes)

    return edit


@pytest.mark.parametrize(
    "edit",
    [
        first(file="../../../etc/passwd.json"),
        first(file="/etc/passwd"),
        first(file=f"{ACCOUNT}/{REGION}/ec2-describe-vpcs/../x.json"),
        first(file=f"{ACCOUNT}/{REGION}/ec2-describe-subnets.json"),
        first(file=None),
        first(status="denied"),
        first(status="fine"),
        first(account="abc"),
        first(region="../.."),
        first(service="EC2"),
        first(items="many"),
        first(items=-1),
        first(seconds="long"),
        first(sha256="abc"),
        first(started="yesterday"),
        first(resource=1),
        lambda manifest: manifest["calls"].append(manifest["calls"][0]),
        lambda manifest: manifest["calls"].append("x"),
        lambda manifest: manifest.update(calls={}),
        lambda manifest: manifest.update(places=[["x", "y"]]),
        lambda manifest: manifest.update(places=[1]),
        lambda manifest: manifest.update(format_version=None),
        lambda manifest: manifest.update(format_version=99),
        lambda manifest: manifest.update(botocore_version=1),
        lambda manifest: manifest.clear(),
    ],
)
def test_a_manifest_that_does_not_hold_is_refused(folder, edit):
    edit_manifest(folder, edit)
    assert "manifest.json" in one_clear_line(folder)


def test_a_manifest_that_is_truncated_is_refused(folder):
    (folder / "manifest.json").write_text('{"calls": [', "utf-8")
    assert "manifest.json" in one_clear_line(folder)


def test_an_answer_the_manifest_lists_and_the_folder_lacks_is_named(folder):
    for file in (folder / ACCOUNT / REGION).glob("ec2-describe-vpc*.json"):
        file.unlink()
    text = one_clear_line(folder)
    assert "and 1 more" in text
    assert "--resume" in text


def test_a_call_of_a_newer_kit_is_kept_and_its_file_found(folder):
    name = f"{ACCOUNT}/{REGION}/ec2-describe-something.json"
    call = Call(account=ACCOUNT, region=REGION, service="ec2", operation="describe-something")
    record = vars(call) | {"file": name, "sha256": None}
    edit_manifest(folder, lambda manifest: manifest["calls"].append(record))
    (folder / name).write_text('{"A": 1}', "utf-8")
    loaded = load(folder)
    found = loaded.call(ACCOUNT, REGION, "ec2-describe-something")
    assert found.read is None
    assert loaded.document(found) == {"A": 1}
    assert verify(folder) == (f"{name} has no hash in the manifest",)
    (folder / name).write_text("[]", "utf-8")
    assert "not an object" in one_clear_line(folder)


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_a_link_is_not_followed(folder, tmp_path):
    (tmp_path / "secret.json").write_text('{"Vpcs": []}', "utf-8")
    (folder / VPCS).unlink()
    (folder / VPCS).symlink_to(tmp_path / "secret.json")
    assert "is a link" in one_clear_line(folder)


def zip_of(path: Path, *members: tuple[str, bytes], mode: int = 0, method: int = 8) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            info.compress_type = method
            archive.writestr(info, data)
    return path


@pytest.mark.parametrize(
    "name",
    [
        f"../{VPCS}",
        f"{ACCOUNT}/../../{VPCS}",
        f"/{VPCS}",
        f"C:/{VPCS}",
        f"..\\{VPCS}",
        f"{ACCOUNT}//x.json",
        f"./{VPCS}",
    ],
)
def test_a_zip_with_paths_that_climb_out_is_refused(tmp_path, name):
    path = zip_of(tmp_path / "s.zip", (name, b'{"Vpcs": []}'))
    assert "is refused" in one_clear_line(path)


def test_a_zip_with_links_is_refused(tmp_path):
    path = zip_of(tmp_path / "s.zip", (VPCS, b"/etc/passwd"), mode=stat.S_IFLNK | 0o777)
    assert "link" in one_clear_line(path)


def test_a_zip_made_on_windows_is_read(tmp_path):
    path = zip_of(tmp_path / "s.zip", (VPCS.replace("/", "\\"), b'{"Vpcs": []}'))
    assert load(path).places == ((ACCOUNT, REGION),)


def test_a_zip_bomb_is_refused(tmp_path):
    zeros = io.BytesIO(b"\0" * (65 * 2**20)).getvalue()
    path = zip_of(tmp_path / "s.zip", (VPCS, zeros))
    assert path.stat().st_size < 2**20
    assert "times its size" in one_clear_line(path)


def test_a_zip_with_too_much_is_refused(tmp_path, monkeypatch):
    path = zip_of(tmp_path / "s.zip", (VPCS, b"{}"), (VPCS.replace("vpcs", "x"), b"{}"))
    monkeypatch.setattr("auditlib.snapshot.MOST_FILES", 1)
    assert "2 files" in one_clear_line(path)
    monkeypatch.setattr("auditlib.snapshot.MOST_FILES", 2)
    monkeypatch.setattr("auditlib.snapshot.MOST_BYTES", 3)
    assert "4 bytes" in one_clear_line(path)


def test_a_zip_whose_members_overlap_is_refused(tmp_path):
    data = os.urandom(4096)
    path = zip_of(tmp_path / "s.zip", (VPCS, data), method=0)
    raw = path.read_bytes()
    start = raw.index(b"PK\x01\x02")
    entry = raw[start : raw.index(b"PK\x05\x06")]
    other = entry.replace(b"describe-vpcs", b"describe-vpcx")
    end = bytearray(raw[raw.index(b"PK\x05\x06") :])
    end[8:12] = (2).to_bytes(2, "little") * 2
    end[12:16] = (2 * len(entry)).to_bytes(4, "little")
    path.write_bytes(raw[:start] + entry + other + bytes(end))
    assert "overlap" in one_clear_line(path)


def test_a_zip_with_the_same_file_twice_is_refused(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = zip_of(tmp_path / "s.zip", (VPCS, b"{}"), (VPCS, b"{}"))
    assert "twice" in one_clear_line(path)


def test_a_zip_packed_in_an_odd_way_is_refused(tmp_path):
    path = zip_of(tmp_path / "s.zip", (VPCS, b"{}"), method=zipfile.ZIP_LZMA)
    assert "deflate" in one_clear_line(path)


def test_an_encrypted_zip_is_refused(tmp_path):
    path = zip_of(tmp_path / "s.zip", (VPCS, b"{}"))
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(bytes(raw))
    assert "encrypted" in one_clear_line(path)


def test_a_zip_that_was_cut_or_damaged_is_named(folder, snapshot, tmp_path):
    save(snapshot, tmp_path / "s.zip")
    raw = (tmp_path / "s.zip").read_bytes()
    (tmp_path / "cut.zip").write_bytes(raw[: len(raw) // 2])
    assert "zip" in one_clear_line(tmp_path / "cut.zip")
    damaged = bytearray(raw)
    at = raw.index(VPCS.encode()) + len(VPCS) + 10
    damaged[at : at + 10] = b"\0" * 10
    (tmp_path / "damaged.zip").write_bytes(bytes(damaged))
    assert VPCS in one_clear_line(tmp_path / "damaged.zip")


# -- verify -----------------------------------------------------------------------------------


def run(*arguments: object):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_verify_says_that_all_is_as_collected(folder):
    result = run("verify", folder)
    assert result.exit_code == 0
    assert load(folder).digest in result.stdout


def test_verify_names_every_difference_and_exits_1(folder):
    (folder / VPCS).write_text('{"Vpcs": []}', "utf-8")
    (folder / f"{ACCOUNT}/{REGION}/ec2-describe-security-groups.json").unlink()
    write_file(folder / ACCOUNT / REGION / "ec2-describe-subnets.json", b'{"Subnets": []}')
    result = run("verify", folder)
    assert result.exit_code == 1
    assert sorted(result.stdout.splitlines()) == sorted(
        [
            f"{VPCS} was changed after it was collected",
            f"{ACCOUNT}/{REGION}/ec2-describe-security-groups.json is missing",
            f"{ACCOUNT}/{REGION}/ec2-describe-subnets.json is not in the manifest",
        ]
    )


def test_verify_without_manifest_says_so_and_exits_3(folder):
    (folder / "manifest.json").unlink()
    result = run("verify", folder)
    assert result.exit_code == 3
    assert "no manifest.json" in result.stdout


def test_what_cannot_be_read_is_one_line_and_exits_2(tmp_path):
    hostile = tmp_path / "no\x1b[31m\nsnapshot"
    result = run("verify", hostile)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert "\x1b" not in result.stderr


@given(st.text())
def test_one_line_is_one_line(text):
    shown = one_line(text)
    assert len(shown.splitlines()) <= 1
    assert "\x1b" not in shown


def test_an_empty_manifest_has_no_places():
    assert Snapshot(Manifest(), {}.__getitem__).places == ()


def test_the_first_pages_of_an_answer_are_no_answer(snapshot, tmp_path):
    save(snapshot, tmp_path / "s")
    (tmp_path / "s" / "manifest.json").unlink()
    document = json.loads((tmp_path / "s" / VPCS).read_text()) | {"NextToken": "abc"}
    (tmp_path / "s" / VPCS).write_text(json.dumps(document))
    (problem,) = verify(tmp_path / "s")
    assert "ec2-describe-vpcs.json holds the first pages only" in problem
    with pytest.raises(SnapshotError, match="--max-items"):
        Tables(load(tmp_path / "s"))["vpcs"]


@pytest.mark.parametrize("zipped", [False, True])
def test_an_empty_folder_of_a_region_is_a_region_that_was_not_read(snapshot, tmp_path, zipped):
    path = tmp_path / "s"
    save(snapshot, path)
    (path / "manifest.json").unlink()
    (path / ACCOUNT / "eu-west-1").mkdir()
    if zipped:
        path = Path(shutil.make_archive(str(tmp_path / "z"), "zip", tmp_path, "s"))
    loaded = load(path)
    assert loaded.places == ((ACCOUNT, REGION), (ACCOUNT, "eu-west-1"))
    gaps = Tables(loaded).gaps("client_vpn_endpoints")
    assert gaps["region"].tolist() == ["eu-west-1"]
    assert verify(path) == ()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system makes no copies of a process")
def test_copies_of_a_process_read_the_same_zip_at_the_same_time(folder, tmp_path):
    save(load(folder), tmp_path / "s.zip")
    shared, whole = load(tmp_path / "s.zip"), load(folder)
    calls = [call for call in shared.calls if call.file]
    expected = [whole.document(call) for call in whole.calls if call.file]
    assert len(calls) == len(expected) > 5
    copies = []
    for _ in range(3):
        if not (copy := os.fork()):
            os._exit(_differs(shared, calls * 60, expected * 60))
        copies.append(copy)
    ends = [os.waitstatus_to_exitcode(os.waitpid(copy, 0)[1]) for copy in copies]
    assert ends == [0, 0, 0]


def _differs(snapshot, calls, expected):
    """Return 1 where a snapshot does not give what is expected, for a process to end with."""
    try:
        return int([snapshot.document(call) for call in calls] != expected)
    except Exception:
        return 1
