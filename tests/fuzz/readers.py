"""The doors: a function each that reads bytes as the kit reads somebody else's file or text.

Each lets the kit's own errors pass, one line each, and nothing else.
"""

import copy
import json
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any, get_type_hints

from auditlib import history as past
from auditlib import language
from auditlib.accepted import accepted_risks
from auditlib.audit import Audit
from auditlib.branding import branding_of
from auditlib.cedar import policy_of
from auditlib.certificates import metadata_of, revocation_list_of
from auditlib.changes import CHANGES, Change
from auditlib.changes.plans import plan_of
from auditlib.check import audit, checks
from auditlib.cli import one_line
from auditlib.display import card
from auditlib.errors import AuditError
from auditlib.export import findings_csv, json_text, records
from auditlib.gaps import reads_behind
from auditlib.pseudonyms import Pseudonyms
from auditlib.redacted_documents import metadata, policy, revocation_list
from auditlib.redaction import redacted_document
from auditlib.schedule import config_of
from auditlib.schemas import SCHEMAS
from auditlib.snapshot import Snapshot, load, save, verify
from auditlib.tables import Tables
from tests import worlds

__all__ = ["READERS", "SEEDS", "Choices", "refused"]

Reader = Callable[[bytes, Path], None]

KEY = b"k" * 32


@contextmanager
def refused() -> Iterator[None]:
    """Let the kit's own refusal pass, if it is one line that says something."""
    told = "nothing"
    try:
        yield
    except AuditError as error:
        told = str(error)
    assert told.strip()
    assert len(one_line(told).splitlines()) == 1, told
    one_line(told).encode()


class Choices:
    """Bytes as a row of choices; when they are used up, the first of everything is chosen."""

    def __init__(self, data: bytes) -> None:
        self._rest = iter(data)

    def number(self, below: int) -> int:
        """Return a number from 0 on, below another."""
        return (next(self._rest, 0) << 8 | next(self._rest, 0)) % below

    def one(self, of: Any) -> Any:
        """Return one of several things."""
        return of[self.number(len(of))]


def _written(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


# -- snapshots ------------------------------------------------------------------------------------


@cache
def _world() -> Snapshot:
    world = worlds.exposed()
    vpc = world.vpc("10.5.0.0/16", name="more")
    other = world.vpc("10.6.0.0/16", ipv6="2001:db8::/56")
    world.peering(vpc, other)
    endpoint = world.endpoint(vpc, (world.security_group(vpc, "own"),), name="own")
    world.associate(endpoint, world.subnet(vpc, "10.5.1.0/24"))
    world.connection(endpoint, Username="kaede")
    world.connect_handler(endpoint)
    world.policy(
        endpoint, 'permit(principal, action, resource) when { context.jamf.risk == "LOW" };'
    )
    world.revocation_list(endpoint, worlds.revocation_list())
    return world.snapshot()


@cache
def _tables() -> Tables:
    return Tables(_world())


@cache
def _documents() -> dict[tuple[str, str, str, str | None], Any]:
    return {call.key: _world().document(call) for call in _world().calls if call.file}


@cache
def _folder() -> Mapping[str, bytes]:
    """Return the files of the whole snapshot."""
    with tempfile.TemporaryDirectory() as place:
        save(_world(), Path(place) / "s.zip")
        with zipfile.ZipFile(Path(place) / "s.zip") as archive:
            return {name: archive.read(name) for name in archive.namelist()}


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        yield (*path, key)
        if isinstance(inner, dict | list):
            yield from _places(inner, (*path, key))


@cache
def _places_in(key: tuple[str, str, str, str | None]) -> tuple[tuple[Any, ...], ...]:
    return tuple(_places(_documents()[key]))


LOST = object()
AGAIN = object()
ODD: tuple[Any, ...] = (
    LOST, AGAIN, None, True, False, 0, -1, 65536, 2**31, 2**63, 2**70, 1.5, float("inf"), float("nan"),
    "", " ", "x", "-", "0", "-1", "none", "null", "*", "all", "\x00", "\ud800", "\u202e", "²", "١",
    "x" * 20_000, "not-invented-yet", "default", "local", "0.0.0.0/0", "::/0", "10.0.0.0/33", "10.0.0.1/8",
    "10.0.0.0/255.0.0.0", "fe80::1%eth0/64", "256.1.1.1", "1.2.3", "::ffff:10.0.0.1", "10.0.1.0/24",
    "2026-13-01", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "2026-11-02T01:00:00",
    "2026-11-02 09:00:00", "20261102", "1e400", "9" * 400, "arn:aws:iam::aws:policy/x", "arn:::::",
    [], {}, [None], [[]], [{}], ["x"], [1], {"Code": "x"}, {"Key": "Name"}, [{"Key": "Name", "Value": None}],
    [{"Key": ["Name"], "Value": {}}],
)  # fmt: skip


@cache
def _checks_behind(read_id: str) -> tuple[str, ...]:
    return tuple(
        made.id for made in checks() if read_id in reads_behind(made.population, *made.needs)
    )


def answers(data: bytes, folder: Path) -> None:
    """Judge a snapshot in which values were lost, repeated, mistyped or made up."""
    choices = Choices(data)
    documents = dict(_documents())
    touched: dict[str, None] = {}
    for _ in range(1 + choices.number(3)):
        key = choices.one(sorted(_documents(), key=str))
        place = choices.one(_places_in(key))
        documents[key] = copy.deepcopy(documents[key])
        _bend(documents[key], place, choices.one(ODD))
        touched[key[2]] = None
    snapshot = Snapshot.from_documents(documents, _refusals(), botocore_version="1.44.5")
    concerned = [id for read_id in touched for id in _checks_behind(read_id)]
    with refused():
        for document in documents.values():
            redacted_document(document, Pseudonyms(KEY))
        if not concerned:
            return
        tables = Tables(snapshot)
        found = audit(tables, only=[choices.one(concerned)])
        for finding in found:
            _ = finding.answer
            json_text([records(finding.evidence), records(finding.gaps)]).encode()
            str(card(finding).markup).encode()
        findings_csv(found).encode()


def _refusals() -> list[Any]:
    return [call for call in _world().calls if not call.file]


def _bend(document: Any, place: tuple[Any, ...], value: Any) -> None:
    inside = document
    for step in place[:-1]:
        try:
            inside = inside[step]
        except (KeyError, IndexError, TypeError):
            return  # an earlier change took it away
    last = place[-1]
    try:
        if value is LOST:
            del inside[last]
        elif value is AGAIN and isinstance(inside, list):
            inside.append(inside[last])
        else:
            inside[last] = [inside[last], inside[last]] if value is AGAIN else value
    except (KeyError, IndexError, TypeError):
        return


def _read_whole(path: Path, choices: Choices) -> None:
    with refused():
        snapshot = load(path)
        _ = snapshot.digest, snapshot.places, repr(snapshot)
        verify(path)
        tables = Tables(snapshot)
        read = [name for name in tables.names if not SCHEMAS[name].inputs]
        for name in read:
            _ = tables[name]
        json_text(records(tables.gaps(*read))).encode()


def files(data: bytes, folder: Path) -> None:
    """Load a folder of which one file holds any bytes, or is cut, or has bytes put into it."""
    choices = Choices(data[:8])
    name = choices.one(sorted(_folder()))
    whole = _folder()[name]
    rest = data[8:]
    if choices.number(2):
        at = choices.number(len(whole) + 1)
        rest = whole[:at] + rest + whole[at + choices.number(40) :]
    bare = choices.number(2) and name != "manifest.json"
    for one, held in _folder().items():
        if bare and one == "manifest.json":
            continue
        path = folder / "s" / one
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(rest if one == name else held)
    _read_whole(folder / "s", choices)


def manifest(data: bytes, folder: Path) -> None:
    """Load a folder with any bytes for a manifest."""
    path = folder / "s" / worlds.ACCOUNT / worlds.REGION / "ec2-describe-vpcs.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(b'{"Vpcs": []}')
    _written(folder / "s", "manifest.json", data)
    _read_whole(folder / "s", Choices(b""))


def notes(data: bytes, folder: Path) -> None:
    """Load a folder without manifest with any bytes for the script's notes and an error text."""
    place = folder / "s" / worlds.ACCOUNT / worlds.REGION
    place.mkdir(parents=True)
    _written(place, "ec2-describe-vpcs.json", b'{"Vpcs": []}')
    told, _, error = data.partition(b"\0")
    _written(folder / "s", "collect.txt", told)
    _written(place, "ec2-describe-subnets.error.txt", error)
    _read_whole(folder / "s", Choices(b""))


def archive(data: bytes, folder: Path) -> None:
    """Load any bytes as a zip."""
    _read_whole(_written(folder, "s.zip", data), Choices(b""))


# -- files that people write ----------------------------------------------------------------------


def plan_yaml(data: bytes, folder: Path) -> None:
    """Read any bytes as a plan in YAML."""
    _plan(_written(folder, "plan.yaml", data))


def plan_json(data: bytes, folder: Path) -> None:
    """Read any bytes as a plan in JSON."""
    _plan(_written(folder, "plan.json", data))


def _plan(path: Path) -> None:
    with refused():
        for change in plan_of(path):
            json_text(change.to_dict()).encode()
            _tried(change)


def _tried(change: Change) -> None:
    """Make a change on the tables, if AWS would take it, and write it as code."""
    with refused():
        tables = _tables()
        after = change.apply(tables)
        back = change.inverse(tables)
        back.problems(after)
        for one in (change, back):
            for text in (one.words(), one.terraform(), *one.cli()):
                text.encode()


def accepted(data: bytes, folder: Path) -> None:
    """Read any bytes as a file of accepted risks."""
    with refused():
        risks = accepted_risks(_written(folder, "accepted.yaml", data))
        for entry in risks.entries:
            json_text([entry.reason, entry.owner, entry.resource]).encode()


def run_file(data: bytes, folder: Path) -> None:
    """Read any bytes as the file of scheduled runs."""
    with refused():
        config_of(_written(folder, "runs.yaml", data))


def branding(data: bytes, folder: Path) -> None:
    """Read any bytes as a file with branding."""
    with refused():
        branding_of(_written(folder, "engagement.yaml", data))


def logo(data: bytes, folder: Path) -> None:
    """Read any bytes as a logo."""
    _written(folder, "logo", data)
    with refused():
        branding_of(_written(folder, "engagement.yaml", b"branding: {logo: logo}"))


def history(data: bytes, folder: Path) -> None:
    """Read any bytes as a run of a history, and any cells in a file that is one."""
    _written(folder, f"20261102T090000Z-{'0' * 16}.parquet", data)
    with refused():
        json_text(records(past.runs(folder))).encode()
        past.past(folder, before=worlds.NOW)


def history_cells(data: bytes, folder: Path) -> None:
    """Read a run of a history in which a column or what is said of it was made up."""
    import pyarrow
    from pyarrow import parquet

    choices = Choices(data)
    name = choices.one((*past.COLUMNS, ""))
    table = parquet.read_table(BytesIO(_run_of_a_history()))
    if name:
        try:
            column = pyarrow.array([choices.one(ODD_CELLS)] * table.num_rows)
        except (pyarrow.ArrowException, ValueError, OverflowError):
            return
        table = table.set_column(table.column_names.index(name), name, column)
    else:
        table = table.replace_schema_metadata({"auditlib": choices.one(ODD_TEXTS)})
    target = BytesIO()
    try:
        parquet.write_table(table, target)
    except pyarrow.ArrowException:
        return
    history(target.getvalue(), folder)


ODD_TEXTS = (
    "",
    "{",
    "[]",
    "null",
    "1",
    "[" * 5_000,
    '{"accounts": 1}',
    '{"regions": "x"}',
    "x\ud7ff",
    '{"a": [1]}',
)
ODD_CELLS: tuple[Any, ...] = (
    *ODD_TEXTS, None, True, 1, -1, 2**62, 1.5, float("nan"), b"x", "x" * 20_000, [], ["x"], {"a": 1}, worlds.NOW,
    worlds.NOW.replace(year=9999), worlds.NOW.replace(year=1),
)  # fmt: skip


@cache
def _run_of_a_history() -> bytes:
    moment = worlds.NOW
    return past.parquet_of(Audit(worlds.clean().snapshot(started=moment, finished=moment)))


# -- documents inside AWS's answers ---------------------------------------------------------------


def _text_of(data: bytes) -> str:
    """Return bytes as a text such as JSON can hold: half characters too."""
    return data.decode("utf-8", "surrogateescape")


def cedar(data: bytes, folder: Path) -> None:
    """Read any text as a Cedar policy; it is never refused, only called unreadable."""
    text = _text_of(data)
    read = policy_of(text)
    assert read.problem or read.statements
    policy(text, Pseudonyms(KEY))


def crl(data: bytes, folder: Path) -> None:
    """Read any text as a revocation list, and any bytes as what such a text encodes."""
    from base64 import encodebytes

    inside = encodebytes(data).decode()
    for text in (
        _text_of(data),
        f"-----BEGIN X509 CRL-----\n{inside}-----END X509 CRL-----\n",
    ):
        read = revocation_list_of(text)
        assert read.problem or read.issued
        revocation_list(text, Pseudonyms(KEY))


def saml(data: bytes, folder: Path) -> None:
    """Read any text as a SAML provider's metadata."""
    text = _text_of(data)
    metadata_of(text)
    metadata(text, Pseudonyms(KEY))


def certificate(data: bytes, folder: Path) -> None:
    """Read any bytes as the certificate in a SAML provider's metadata."""
    from base64 import b64encode

    head, end = _saml_around()
    text = head + b64encode(data).decode() + end
    metadata_of(text)
    metadata(text, Pseudonyms(KEY))


@cache
def _saml_around() -> tuple[str, str]:
    text = worlds.saml_metadata()
    head, _, rest = text.partition("<ds:X509Certificate>")
    _, _, end = rest.partition("</ds:X509Certificate>")
    return f"{head}<ds:X509Certificate>", f"</ds:X509Certificate>{end}"


@cache
def _der(text: str, of: str) -> bytes:
    from base64 import b64decode

    inside = text.split(of)[1].partition("<" if of.startswith("<") else "-----END")[0]
    return b64decode("".join(inside.split()))


READERS: Mapping[str, Reader] = {
    reader.__name__: reader
    for reader in (
        answers, files, manifest, notes, archive, plan_yaml, plan_json, accepted, run_file, branding,
        history, history_cells, logo, cedar, crl, saml, certificate,
    )
}  # fmt: skip
"""The doors by name."""


def _zip_seed() -> bytes:
    target = BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr(f"{worlds.ACCOUNT}/{worlds.REGION}/ec2-describe-vpcs.json", '{"Vpcs": []}')
    return target.getvalue()


def _picture(kind: str) -> bytes:
    from PIL import Image

    target = BytesIO()
    Image.new("RGB", (4, 3), "red").save(target, kind)
    return target.getvalue()


_TYPICAL = {"tuple": ["sg-00000000000000001"], "str": "10.7.0.0/16", "bool": True, "int": 443}
_NAMED = {
    "account": worlds.ACCOUNT, "region": worlds.REGION, "group_id": "sg-00000000000000001",
    "endpoint_id": "cvpn-endpoint-00000000000000001", "peer_kind": "ipv4", "protocol": "tcp",
    "vpc_id": "vpc-00000000000000001", "eni_id": "eni-00000000000000002",
    "rule_id": "sgr-00000000000000001", "target_subnet": "subnet-00000000000000001",
}  # fmt: skip


def _plan_seed() -> str:
    """Return a plan with each kind of change, every field of it given."""
    entries = []
    for kind, made in CHANGES.items():
        entry: dict[str, Any] = {"change": kind}
        for name, hint in get_type_hints(made).items():
            if name in {field.name for field in fields(made)}:
                entry[name] = next(value for kind, value in _TYPICAL.items() if kind in str(hint))
                entry[name] = _NAMED.get(name, entry[name])
        entries.append(entry)
    return json.dumps({"changes": entries})


@cache
def SEEDS() -> Mapping[str, tuple[bytes, ...]]:  # noqa: N802 # a constant that is dear to make
    """Return what each door takes gladly, to begin from."""
    crl_text = worlds.revocation_list()
    saml_text = worlds.saml_metadata()
    rule = (
        "changes: [{account: '111122223333', region: ap-northeast-1, change: authorize-rule, "
        "group_id: sg-00000000000000001, peer_kind: ipv4, peer: 10.0.0.0/8, protocol: tcp, "
        "from_port: 1, to_port: 2}]"
    )
    risk = (
        "accepted:\n  - {check: vpn-sg-is-shared, resource: 'eni-*', reason: a, owner: b, "
        "until: 2999-01-01, reference: c}\n"
    )
    run = (
        "output: runs\nhistory: s3://example-b/h\nrole_arn: 'arn:aws:iam::{account}:role/x'\nregions: [eu-west-1]\nnotebooks: ['00']\nexports: [csv]\n"
        "fail_on: high\ntrail: 8\nlanguage: ja\naccounts:\n  - '111122223333'\n  - {account: '444455556666',"
        " role_arn: 'arn:aws:iam::{account}:role/x', external_id: e}\norganization: {ous: [ou-exam-12345678],"
        " tags: {audit: vpn}, without: ['777788889999']}\nbranding: {consultant: c, client: d, contact: e}\n"
    )
    texts = {
        "plan_yaml": rule,
        "plan_json": _plan_seed(),
        "accepted": risk,
        "run_file": run,
        "branding": "branding: {consultant: c, client: d, contact: e}",
        "cedar": 'permit(principal, action, resource) when { context.jamf.risk == "LOW" && context has saml };',
        "crl": crl_text,
        "saml": saml_text,
        "notes": "aws-cli: aws-cli/1.46.3 botocore/1.43.62\nstarted: 2026-11-02T09:00:00Z\0"
        "An error occurred (UnauthorizedOperation) when calling the X operation: no",
    }
    return {
        **{name: (text.encode(),) for name, text in texts.items()},
        "answers": (b"",),
        "files": (b"\0" * 8 + b"{}",),
        "manifest": (_folder()["manifest.json"],),
        "archive": (_zip_seed(),),
        "history": (_run_of_a_history(),),
        "history_cells": (b"\0\0\0\1",),
        "logo": (_picture("PNG"), _picture("JPEG")),
        "crl": (crl_text.encode(), _der(crl_text, "-----BEGIN X509 CRL-----")),
        "certificate": (_der(saml_text, "<ds:X509Certificate>"),),
    }


def run(name: str, data: bytes) -> None:
    """Push bytes through a door."""
    if language.current() != "en":
        language.use("en")
    with tempfile.TemporaryDirectory() as place:
        READERS[name](data, Path(place))
