"""A redacted report says the same, and names nobody."""

import base64
import json
import re
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner

from auditlib.accepted import accepted_risks
from auditlib.audit import Audit, open_audit
from auditlib.aws.reads import OPTIONAL_READS, READS
from auditlib.cedar import policy_of
from auditlib.certificates import metadata_of, revocation_list_of
from auditlib.cli import main
from auditlib.errors import ParameterError, ReportError
from auditlib.language import LANGUAGES, spoken
from auditlib.pseudonyms import KEPT, Pseudonyms
from auditlib.redacted_documents import metadata, policy, revocation_list
from auditlib.redaction import (
    MEMBERS,
    key_in,
    redacted,
    redacted_audit,
    redacted_document,
    refuse_difference,
    translated,
)
from auditlib.report import report
from auditlib.schemas import SCHEMAS
from auditlib.snapshot import load, save
from tests import report_worlds, worlds
from tests.test_access_property import random_world
from tests.test_checks_cedar_policies import GROUP, HEAD

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "auditlib" / "sample"
EARLIER = ROOT / "auditlib" / "sample-earlier.zip"
WORLDS = [
    worlds.clean,
    worlds.clean_otherwise,
    worlds.exposed,
    report_worlds.exposed,
    report_worlds.hostile,
    report_worlds.refused,
    report_worlds.empty,
]


@pytest.fixture
def names() -> Pseudonyms:
    return Pseudonyms(b"k" * 32)


# -- nothing of the client's is in the output -----------------------------------------------------


def strings(value) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)
    elif isinstance(value, str):
        yield value


OF_AWS = {
    "AddressFamily", "AvailabilityZone", "Code", "IpProtocol", "Protocol", "QuotaCode", "QuotaName",
    "Region", "Runtime", "KeyAlgorithm", "SignatureAlgorithm", "ServiceCode", "State", "Status",
    "Type", "Version", "Stage", "ShadowMode", "Origin", "RuleAction", "InterfaceType",
    "TransportProtocol", "VpnProtocol", "TrustProviderType", "RenewalEligibility", "Unit",
    "EndpointIpAddressType", "TrafficIpAddressType", "NetworkType", "InstanceTenancy",
    "DhcpOptionsId", "AvailabilityZoneId", "AvailabilityZones", "Ipv6Pool", "HostnameType",
    "ValidationMethod", "ValidationStatus", "PeeringStatus", "ResourceType", "LastUpdateStatus",
    "RadiusStatus", "CertificateTransparencyLoggingPreference", "Export", "Message",
}  # fmt: skip
"""Members that hold words of AWS's own: states, kinds, Regions, zones."""
SAID_BY_THE_KIT = {
    "default", "local", "Internet", "internet", "network", "prod", "Name", "note", "env", "owner",
    "markdown", "amazon", "connections", "AWS",
}  # fmt: skip
"""Names and tags of the sample that the kit's own sentences hold too, or that AWS reserves."""


def originals(*snapshots) -> set[str]:
    """Return every id, name, address, ARN, account and text in some snapshots."""
    found: set[str] = set()

    def walk(value, member="") -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                walk(inner, key)
        elif isinstance(value, list):
            for inner in value:
                walk(inner, member)
        elif isinstance(value, str) and member not in OF_AWS:
            found.add(value)

    for snapshot in snapshots:
        found.add(snapshot.manifest.caller_arn)
        for call in snapshot.calls:
            found |= {call.account, call.error_message or ""}
            if call.service != "service-quotas":
                found.add(call.resource or "")
            if call.file:
                walk(snapshot.document(call))
    # What stands in a text: ids, addresses, accounts, ARNs, mail addresses, hosts.
    inner = re.compile(
        r"[a-z]+(?:-[a-z]+)*-[0-9a-f]{17}|[0-9]{12}|[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?:/[0-9]{1,2})?"
        r"|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[\w.+'-]+@[\w.-]+|[\w-]+\.example\.(?:com|net)"
    )
    found |= {part for text in set(found) for part in inner.findall(text)}
    times = re.compile(r"[-0-9TZ:. +]*")
    address = re.compile(r"[0-9]+(\.[0-9]+){3}(/[0-9]+)?")
    return {
        text
        for text in found - SAID_BY_THE_KIT - KEPT_TEXTS
        if not text.startswith("amazon-")
        if address.fullmatch(text)
        or re.fullmatch(r"[0-9]{12}", text)
        or (len(text) > 2 and not times.fullmatch(text))
    }


KEPT_TEXTS = {text for network in KEPT for text in (str(network), str(network.network_address))} | {
    "0.0.0.0/0", "0.0.0.0", "::/0",
}  # fmt: skip


@cache
def sample_originals() -> frozenset[str]:
    return frozenset(originals(load(SAMPLE), load(EARLIER)))


@cache
def key_without_coincidence() -> bytes:
    """Return a key under which no original address is, by chance, another one's pseudonym."""
    ranges = {text for text in sample_originals() if re.fullmatch(r"[0-9.]+(/[0-9]+)?", text)}
    for number in range(1000):
        key = number.to_bytes(32)
        names = Pseudonyms(key)
        if not {names.address(text) for text in ranges} & ranges:
            return key
    raise AssertionError("no such key")


def said(folder: Path) -> dict[str, str]:
    """Return all that the files of a report hold, what is packed or encoded in them opened."""
    found = {}
    for path in sorted(folder.rglob("*.*")):
        name = path.relative_to(folder).as_posix()
        if path.suffix == ".xlsx":
            with zipfile.ZipFile(path) as parts:
                found[name] = "".join(parts.read(part).decode() for part in parts.namelist())
            continue
        text = path.read_text("utf-8")
        pictures = re.findall(r"data:image/[a-z+]+;base64,([A-Za-z0-9+/=]+)", text)
        if path.suffix == ".ipynb":
            text = "\n".join(strings(json.loads(text)))  # nothing is hidden behind JSON's escapes
            pictures = re.findall(r"data:image/[a-z+]+;base64,([A-Za-z0-9+/=]+)", text)
        found[name] = text
        found[f"pictures of {name}"] = "\n".join(
            base64.b64decode(picture).decode("latin-1") for picture in pictures
        )
        found[f"text of {name}"] = unescaped(text)
    return found


def unescaped(text: str) -> str:
    import html

    return html.unescape(
        re.sub(r"<wbr>|</?bdi>", "", text).replace("\\n", "\n").replace('\\"', '"')
    )


def given_away(output: dict[str, str], secrets: frozenset[str]) -> dict[str, set[str]]:
    """Return, by file, which of the secrets it holds as a whole word."""
    found = {}
    for name, text in output.items():
        held = {one for one in secrets if one in text}
        held = {
            one
            for one in held
            if re.search(rf"(?<![\w.]){re.escape(one)}(?!\w|\.[0-9]|/[0-9])", text)
            or not re.search(r"\w", one)
        }
        if held:
            found[name] = held
    return found


ACCEPTED = """\
accepted:
  - {check: vpn-sg-is-shared, resource: "eni-*", reason: "Kaede agreed", owner: "Team Zebra", until: 2999-01-01, reference: NET-4711}
  - {check: authorization-allows-everyone, resource: "10.*", reason: "Kaede agreed", owner: "Team Zebra", until: 2999-01-01}
  - {check: vpn-sg-is-default, resource: "zebra-*", reason: "Kaede agreed", owner: "Team Zebra", until: 2999-01-01}
"""  # fmt: skip
WRITTEN = {"Kaede agreed", "Kaede", "Zebra", "Team Zebra", "NET-4711", "zebra"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    place = tmp_path_factory.mktemp("acme-holdings")
    snapshot = place / "acme-snapshot"
    save(load(SAMPLE), snapshot)
    (place / "acme-accepted.yaml").write_text(ACCEPTED, "utf-8")
    return report(
        snapshot,
        place / "out",
        parameters={"endpoint": "corp-vpn", "group": "dba", "address": "10.20.11.21", "port": 5432},
        places={"earlier": EARLIER},
        accepted=place / "acme-accepted.yaml",
        redaction=Pseudonyms(key_without_coincidence()),
    )


def test_no_original_is_in_any_file_of_a_redacted_report(made):
    assert given_away(said(made.folder), sample_originals() | WRITTEN) == {}


def test_the_search_finds_originals_in_every_kind_of_file_of_a_report_that_is_not_redacted():
    found = given_away(said(ROOT / "reports" / "sample"), sample_originals())
    kinds = {".html", ".ipynb", ".json", ".xlsx"}
    assert {Path(name).suffix for name in found} == kinds
    assert any(name.startswith("pictures of") for name in found)
    held = set().union(*found.values())
    for one in (
        "111122223333", "10.20.11.21", "corp-vpn", "dba", "tanaka@example.com", "corp.example.com",
        "cvpn-endpoint-3bc4985c025cd2272", "172.20.0.0/22", "東京 office-ips",
    ):  # fmt: skip
        assert one in sample_originals()
    assert len(held) > 200, sorted(sample_originals() - held)


def test_neither_the_snapshots_name_nor_a_path_of_the_machine_is_in_it(made):
    for name, text in said(made.folder).items():
        assert "acme" not in text.lower(), name
        assert "/tmp" not in text, name  # noqa: S108 # that it is not there
        assert "sample-earlier" not in text, name


def test_it_says_that_it_is_redacted(made):
    for path in made.folder.glob("*.html"):
        assert "Redacted: names, ids" in path.read_text("utf-8")


def test_its_parameters_are_told_in_pseudonyms(made):
    node = json.loads((made.folder / "notebooks" / "30-who-reaches-what.ipynb").read_text("utf-8"))
    names = Pseudonyms(key_without_coincidence())
    source = "".join(
        "".join(cell["source"])
        for cell in node["cells"]
        if "injected-parameters" in cell["metadata"].get("tags", ())
    )
    assert f'group = "{names.text("dba", "group")}"' in source
    assert f'address = "{names.address("10.20.11.21")}"' in source
    assert "port = 5432" in source


# -- it says the same -----------------------------------------------------------------------------


def same(snapshot, names: Pseudonyms) -> None:
    before, after = Audit(snapshot), Audit(redacted(snapshot, names))
    refuse_difference(before.findings, after.findings)
    assert len(before.reach()) == len(after.reach())


@pytest.mark.parametrize("path", [SAMPLE, EARLIER], ids=lambda path: path.stem)
def test_the_sample_is_judged_the_same(path, names):
    same(load(path), names)


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: f"{world.__module__}.{world.__name__}")
def test_a_world_is_judged_the_same(world, names):
    same(world().snapshot(), names)


@pytest.mark.parametrize("seed", range(6))
def test_a_random_world_is_judged_the_same(seed):
    world = random_world(Random(seed), ambiguous=seed % 3 == 0)  # noqa: S311 # worlds, no secrets
    same(world.snapshot(), Pseudonyms(bytes([seed]) * 32))


def test_every_table_is_as_full_as_before(names):
    """A member that a table reads and the list of members lacks would be missing here."""
    snapshot = load(SAMPLE)
    before, after = Audit(snapshot).tables, Audit(redacted(snapshot, names)).tables
    for table in SCHEMAS:
        one, two = before[table], after[table]
        assert len(one) == len(two), table
        for column in one.columns:
            many = [sorted(frame[column].isna().astype(int)) for frame in (one, two)]
            assert many[0] == many[1], f"{table}.{column}"
            if column not in {"source", "record", "reason"}:
                kinds = [frame[column].astype(str).nunique() for frame in (one, two)]
                assert kinds[0] == kinds[1], f"{table}.{column}"


def test_every_member_that_a_table_or_read_asks_for_is_listed():
    source = (ROOT / "auditlib" / "tables.py").read_text("utf-8")
    asked = set(
        re.findall(
            r"\.(?:part|each|text|texts|id|resource_id|whole|flag|truth|time|cidr|address|gather|"
            r'many|tags)\(\s*"(\w+)"',
            source,
        )
    )
    from auditlib import tables

    asked |= {*tables._ROUTE_TARGETS, *tables._PEERS, "Tags", "Key", "Value"}
    for read in (*READS, *OPTIONAL_READS):
        asked |= {*read.members, read.result_key, read.record_member, read.resource_parameter} - {
            None
        }
        paths = (path for _, path in read.resource_paths)
        asked |= {step.removesuffix("[]") for path in paths for step in path.split(".")}
    assert len(asked) > 150
    assert asked - set(MEMBERS) == set()


def test_a_redacted_snapshot_that_is_judged_otherwise_is_refused():
    exposed, clean = Audit(worlds.exposed().snapshot()), Audit(worlds.clean().snapshot())
    with pytest.raises(ReportError, match="redaction would change what"):
        refuse_difference(exposed.findings, clean.findings)


# -- members --------------------------------------------------------------------------------------


def every_document() -> Iterator[tuple]:
    for snapshot in (load(SAMPLE), load(EARLIER), *(world().snapshot() for world in WORLDS[:4])):
        for call in snapshot.calls:
            if call.file:
                yield call, snapshot.document(call)


def test_no_text_passes_whatever_member_it_stands_in(names):
    def filled(value):
        if isinstance(value, dict):
            return {"Zebra Holdings": "Zebra Holdings", **{k: filled(v) for k, v in value.items()}}
        return [filled(v) for v in value] if isinstance(value, list) else "Zebra Holdings"

    seen = 0
    for call, document in every_document():
        for one in (filled(document), filled(dict.fromkeys(MEMBERS, 1))):
            text = json.dumps(redacted_document(one, names, call.read), ensure_ascii=False)
            seen += text.count("text-")
            assert "Zebra" not in text
    assert seen > 1000


def test_a_member_that_is_not_listed_is_left_out(names):
    kept = redacted_document({"VpcId": "vpc-1", "VpcDoorCode": "4711", "Owner": {"a": 1}}, names)
    assert set(kept) == {"VpcId"}


def test_an_account_written_as_a_number_is_replaced(names):
    kept = redacted_document({"OwnerId": 111122223333, "Type": 111122223333, "ToPort": 443}, names)
    assert kept["OwnerId"] == names.account("111122223333")
    assert "111122223333" not in json.dumps(kept)
    assert kept["ToPort"] == 443


def test_a_tag_that_is_a_number_is_replaced_and_a_quota_is_not(names):
    tag = redacted_document({"Key": "Door", "Value": "4711"}, names)
    assert "4711" not in tag["Value"]
    assert redacted_document({"QuotaCode": "L-1", "Value": 60.0}, names)["Value"] == 60.0


def test_a_default_group_stays_one_and_a_prefix_list_of_awss_keeps_its_name(names):
    assert redacted_document({"GroupName": "default"}, names) == {"GroupName": "default"}
    name = "com.amazonaws.eu-west-1.s3"
    ours = redacted_document({"OwnerId": "AWS", "PrefixListName": name}, names)
    theirs = redacted_document({"OwnerId": "111122223333", "PrefixListName": name}, names)
    assert ours["PrefixListName"] == name != theirs["PrefixListName"]


# -- documents in answers -------------------------------------------------------------------------

POLICIES = [
    GROUP,
    f'// by Zebra\npermit{HEAD} when {{ context.saml.memberOf.contains("Zebra") }};',
    f'@note("Zebra") forbid{HEAD} unless {{ context.connection.public_ip.isInRange(ip("192.0.2.0/24")) }};',
    f'permit{HEAD} when {{ context["active-directory"].groups.contains("Zebra") && context.jamf.risk like "*Zebra*" }};',
    f"permit{HEAD} when {{ context.active-directory.x == 1 }};",
    'permit(principal == User::"Zebra", action, resource);',
    f"permit{HEAD} when {{ context.zebra.secret == 1 && context has zebra }};",
    f'permit{HEAD} when {{ true || context.jamf.osv == "営業部" }};',
    f'permit{HEAD} when {{ "a" == "b" }};',
    f'permit{HEAD} when {{ context.jumpcloud.device.is_managed && decimal("1.5").lessThan(decimal("2.0")) }};',
    'permit( "Zebra',
    f'permit{HEAD} when {{ context.jamf.risk == "\\q Zebra" }};',
    "",
]


@pytest.mark.parametrize("text", POLICIES)
def test_a_policy_keeps_its_structure_and_size_and_no_word_of_the_clients(text, names):
    made = policy(text, names)
    before, after = policy_of(text), policy_of(made)
    assert "zebra" not in made.lower()
    assert "192.0.2" not in made or names.address("192.0.2.0/24") in made
    assert made.isascii()
    for what in ("size", "doubt", "dotted_hyphens", "appears_to_restrict_addresses"):
        one, two = getattr(before, what), getattr(after, what)
        assert (one == two) if what == "size" else (bool(one) == bool(two)), what
    for old, new in zip(before.statements, after.statements, strict=True):
        assert (old.effect, old.scoped, old.conditions, old.always, old.demands) == (
            (new.effect, new.scoped, new.conditions, new.always, new.demands)
        )
        assert (len(old.reads), len(old.unguarded)) == (len(new.reads), len(new.unguarded))


@pytest.mark.parametrize(
    "text",
    [
        worlds.revocation_list(days=20, entries=3),
        worlds.revocation_list(days=-5, entries=0),
        "-----BEGIN X509 CRL-----\nZebra\n-----END X509 CRL-----\n",
        "Zebra",
    ],
)
def test_a_revocation_list_ends_when_it_did(text, names):
    before, after = (revocation_list_of(one) for one in (text, revocation_list(text, names)))
    for what in ("problem", "issued", "next_update", "entries"):
        assert getattr(before, what) == getattr(after, what), what
    assert "Zebra" not in revocation_list(text, names)
    assert before.issuer is None or "Example" not in (after.issuer or "")


@pytest.mark.parametrize(
    "text",
    [
        worlds.saml_metadata(20, 400),
        worlds.saml_metadata(valid_until=worlds.NOW),
        worlds.saml_metadata(400, use="encryption"),
        worlds.saml_metadata().replace("<ds:X509Certificate>", "<ds:X509Certificate>Zebra"),
        worlds.saml_metadata().replace(
            "entityID", 'validUntil="9999-12-31T23:59:59-14:00" entityID'
        ),
        worlds.saml_metadata().replace("entityID", 'validUntil="Zebra" entityID'),
        worlds.saml_metadata(valid_until=worlds.NOW).replace(
            "<md:IDPSSODescriptor", '<md:IDPSSODescriptor validUntil="Zebra"'
        ),
        "<Zebra",
    ],
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_metadata_ends_when_it_did(text, names, language):
    with spoken(language):
        before, after = (metadata_of(one) for one in (text, metadata(text, names)))
    for what in ("problem", "valid_until", "certificate_ends"):
        assert getattr(before, what) == getattr(after, what), what
    assert "example" not in metadata(text, names)
    assert "Zebra" not in metadata(text, names)


# -- accepted risks, parameters, keys -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("check", "resource"),
    [
        ("vpn-sg-is-shared", "*"),
        ("vpn-sg-is-shared", "eni-*"),
        ("vpn-sg-is-shared", "eni-00000000000000003"),
        ("vpn-sg-is-shared", "111122223333/ap-northeast-1/*"),
        ("vpn-sg-is-shared", "111122223333/*/eni-*"),
        ("vpn-sg-is-shared", "eni-0*3"),
        ("authorization-allows-everyone", "0.0.*"),
        ("authorization-allows-everyone", "0.0.0.0/0"),
        ("receiver-admits-all-ports-from-vpn", "sgr-*"),
        ("vpn-sg-is-default", "zebra"),
    ],
)
def test_an_accepted_risk_takes_out_the_same_evidence(check, resource, names, tmp_path):
    file = tmp_path / "accepted.yaml"
    entry = {"check": check, "resource": resource, "reason": "Zebra said so", "owner": "Zebra",
             "until": "2999-01-01"}  # fmt: skip
    file.write_text(json.dumps({"accepted": [entry]}), "utf-8")
    before = Audit(report_worlds.exposed().snapshot(), accepted_risks(file))
    after = redacted_audit(before, names)  # which refuses any other outcome
    taken = [len(audit.finding(check).accepted) for audit in (before, after)]
    assert taken[0] == taken[1]
    assert bool(taken[0]) == (resource != "zebra")
    assert after.accepted is not None
    told = after.accepted.standing(after.findings)
    assert "ebra" not in told.to_json()
    assert set(told["standing"]) == ({"accepted"} if taken[0] else {"matches nothing"})


def on_the_sample(check: str, resource: str, folder: Path) -> Audit:
    entry = {"check": check, "resource": resource, "reason": "so", "owner": "Jo",
             "until": "2999-01-01"}  # fmt: skip
    (folder / "accepted.yaml").write_text(json.dumps({"accepted": [entry]}), "utf-8")
    return open_audit(None, folder / "accepted.yaml")


def test_an_accepted_risk_may_name_a_group_of_users(names, tmp_path):
    before = on_the_sample("authorized-but-unreachable", "research", tmp_path)
    after = redacted_audit(before, names)
    assert len(after.finding("authorized-but-unreachable").accepted) == 1


def test_a_pattern_that_pseudonyms_cannot_tell_is_refused_by_its_name(names, tmp_path):
    """It takes out rows that name several rules, by a part of each one's id."""
    audit = on_the_sample("sensitive-port-reachable-by-everyone", "sgr-[9a]*", tmp_path)
    with pytest.raises(ParameterError, match=r"'sgr-\[9a\]\*' .*Name each id whole") as refused:
        redacted_audit(audit, names)
    assert "bug" not in str(refused.value)


def test_parameters_in_the_accounts_names_are_told_in_pseudonyms(names):
    given = {"endpoint": "corp-vpn", "group": "*", "port": "22", "fix": "vpn-sg-is-default"}
    made = translated(given, names)
    assert made == given | {"endpoint": names.text("corp-vpn", "name")}
    assert translated({"group": "4711", "port": 22}, names) == (
        {"group": names.text("4711", "group"), "port": 22}
    )
    with pytest.raises(ParameterError, match="auditlib redact"):
        translated({"plan": "plan.yaml"}, names)


def test_a_key_is_kept_only_where_it_is_asked_for_and_for_its_owner_alone(tmp_path):
    assert key_in(None) != key_in(None)
    file = tmp_path / "key"
    key = key_in(file)
    assert key == key_in(file)
    assert file.stat().st_mode & 0o077 == 0
    file.write_text("no key", "ascii")
    with pytest.raises(ParameterError, match="holds no key"):
        key_in(file)
    with pytest.raises(ParameterError, match="cannot be written"):
        key_in(tmp_path / "missing" / "key")


# -- the command line -----------------------------------------------------------------------------


def run(*arguments, exit_code: int = 0) -> str:
    done = CliRunner().invoke(main, list(map(str, arguments)))
    assert done.exit_code == exit_code, done.output
    return done.output


def test_a_redacted_snapshot_is_one_that_every_command_takes(tmp_path):
    out = tmp_path / "redacted.zip"
    run("redact", SAMPLE, "--out", out, "--redact-key", tmp_path / "key")
    assert {path.name for path in tmp_path.iterdir()} == {"redacted.zip", "key"}
    run("verify", out)
    before, after = (
        json.loads(run("check", path, "--format", "json", exit_code=1)) for path in (SAMPLE, out)
    )
    for one, two in zip(before["findings"], after["findings"], strict=True):
        assert (one["check"], one["status"], len(one["evidence"])) == (
            (two["check"], two["status"], len(two["evidence"]))
        )
    assert load(out).manifest.redacted
    assert "already exists" in run("redact", SAMPLE, "--out", out, exit_code=2)


def test_the_same_key_makes_the_same_snapshot_and_another_one_another(tmp_path):
    save(report_worlds.refused().snapshot(), tmp_path / "world")
    for name, key in (("one", "k"), ("two", "k"), ("three", "other")):
        run("redact", tmp_path / "world", "--out", tmp_path / name, "--redact-key", tmp_path / key)
    one, two, three = (load(tmp_path / name).digest for name in ("one", "two", "three"))
    assert one == two != three


def test_exports_are_redacted_too(tmp_path):
    key = tmp_path / "key"
    key.write_text(key_without_coincidence().hex(), "ascii")
    run("export", SAMPLE, "--out", tmp_path / "out", "--redact-key", key)
    assert given_away(said(tmp_path / "out"), sample_originals()) == {}


def test_what_cannot_be_redacted_is_refused_before_a_kernel_starts(tmp_path):
    own = tmp_path / "own.ipynb"
    own.write_text((ROOT / "notebooks" / "00-overview.ipynb").read_text("utf-8"), "utf-8")
    base = ("report", SAMPLE, "--out", tmp_path / "out", "--redact")
    assert "not the kit's" in run(*base, "--notebook", own, exit_code=2)
    assert "a history" in run(*base, "--history", tmp_path, exit_code=2)
    assert "auditlib redact" in run(*base, "-p", "plan", "mine.yaml", exit_code=2)
    assert not (tmp_path / "out").exists()
