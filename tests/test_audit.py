"""The audit object: what a notebook holds in its hand."""

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import auditlib
from auditlib.audit import Audit, open_audit, tables_overview
from auditlib.aws.reads import READS
from auditlib.characters import visible
from auditlib.errors import AuditError, ParameterError, SnapshotError
from auditlib.export import export_tables
from auditlib.schemas import COVERAGE, SCHEMAS
from auditlib.snapshot import Snapshot, save
from tests.worlds import ACCOUNT, REGION, World


def small_world() -> World:
    world = World()
    vpc = world.vpc(name="main")
    group = world.security_group(vpc, "vpn", tags={"Name": "=1+1", "team": "a b"})
    world.associate(world.endpoint(vpc, (group,), name="staff"), world.subnet(vpc, "10.0.0.0/24"))
    return world


def broken() -> Audit:
    key = (ACCOUNT, REGION, "ec2-describe-client-vpn-endpoints", None)
    return Audit(Snapshot.from_documents({key: {"ClientVpnEndpoints": [{}]}}))


# -- opening --------------------------------------------------------------------------------------


def test_importing_the_kit_alone_is_light() -> None:
    code = "import auditlib, sys; print([m for m in ('pandas', 'boto3', 'jinja2') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_a_notebook_needs_is_in_the_kit_itself() -> None:
    assert auditlib.open_audit is open_audit
    assert auditlib.Audit is Audit
    assert {"open_audit", "Audit", "__version__"} <= set(dir(auditlib))
    assert not hasattr(auditlib, "close_audit")


def test_opening_without_a_path_opens_the_sample() -> None:
    audit = open_audit()
    assert len(audit.tables.client_vpn_endpoints) >= 5
    assert audit.findings


@pytest.mark.parametrize("kind", [str, Path])
def test_a_folder_is_opened_by_its_path(tmp_path: Path, kind: Any) -> None:
    save(small_world().snapshot(), tmp_path / "snapshot")
    audit = open_audit(kind(tmp_path / "snapshot"))
    assert audit.tables.client_vpn_endpoints["name"].tolist() == ["staff"]


def test_a_path_without_snapshot_is_named(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match="nowhere"):
        open_audit(tmp_path / "nowhere")


# -- what it says ---------------------------------------------------------------------------------


def test_findings_are_computed_once() -> None:
    audit = Audit(small_world().snapshot())
    assert audit.findings is audit.findings
    assert audit.finding(audit.findings[0].check.id) is audit.findings[0]


def test_a_mistyped_check_gets_the_nearest_ids() -> None:
    audit = Audit(small_world().snapshot())
    id = audit.findings[0].check.id
    with pytest.raises(ParameterError, match=f"no check called.*{id}"):
        audit.finding(id[:-1])


def test_reach_and_explain_are_asked_of_the_audit() -> None:
    world = small_world()
    endpoint = next(id for id in world._by_id if id.startswith("cvpn-endpoint-"))
    world.authorize(endpoint, "10.0.0.0/16")
    subnet = next(id for id in world._by_id if id.startswith("subnet-"))
    web = world.security_group(world.record(subnet)["VpcId"], "web")
    world.ingress(web, "10.0.0.0/16", "6", (443, 443))
    world.interface(subnet, web, ip="10.0.0.99")
    audit = Audit(world.snapshot())
    rows = audit.reach(endpoint, to="10.0.0.99", port=443)
    assert rows["ip"].tolist() == ["10.0.0.99"]
    assert len(audit.reach(summary=True)) >= 1
    assert audit.explain(endpoint, "10.0.0.99", 443).reachable == "yes"
    assert audit.explain(endpoint, "10.0.0.99", 22).reachable == "no"


def test_gaps_are_those_of_all_tables() -> None:
    audit = Audit(small_world().refuse("ec2-describe-vpcs").snapshot())
    assert set(audit.gaps["table"]) == {"vpcs", "vpc_cidr_blocks"}


def test_coverage_has_a_row_per_read_and_place() -> None:
    world = small_world()
    world.at("eu-west-1").vpc()
    world.refuse("ec2-describe-client-vpn-routes").refuse("ec2-describe-vpcs", region="eu-west-1")
    frame = Audit(world.snapshot()).coverage.set_index(["region", "operation"])
    assert tuple(Audit(world.snapshot()).coverage.columns) == COVERAGE.names
    everywhere = sum(read.region is not None for read in READS)
    assert len(frame) == 2 * (len(READS) - everywhere) + everywhere
    numbers = ["expected", "calls", "ok", "refused", "missing"]
    assert frame.loc[(REGION, "describe-vpcs"), numbers].tolist() == [1, 1, 1, 0, 0]
    assert frame.loc[("eu-west-1", "describe-vpcs"), numbers].tolist() == [1, 1, 0, 1, 0]
    assert frame.loc[(REGION, "describe-client-vpn-routes"), numbers].tolist() == [1, 1, 0, 1, 0]
    assert frame.loc[("eu-west-1", "describe-client-vpn-routes"), numbers].tolist() == [0] * 5
    assert frame.loc[(REGION, "describe-security-groups"), "items"] == 2


def test_coverage_counts_calls_that_were_never_made() -> None:
    snapshot = small_world().snapshot()
    documents = {
        call.key: snapshot.document(call)
        for call in snapshot.calls
        if call.file and call.operation not in {"describe-client-vpn-routes", "describe-vpcs"}
    }
    frame = Audit(Snapshot.from_documents(documents)).coverage.set_index("operation")
    assert frame.loc["describe-vpcs", ["expected", "calls", "missing"]].tolist() == [1, 0, 1]
    assert frame.loc["describe-client-vpn-routes", ["expected", "missing"]].tolist() == [1, 1]


def test_the_repr_tells_places_endpoints_and_what_to_ask_next() -> None:
    audit = Audit(small_world().snapshot())
    assert f"{ACCOUNT}/{REGION}" in repr(audit)
    assert "1 Client VPN endpoints; everything was read" in repr(audit)
    assert "see .findings" in repr(audit)
    _ = audit.findings
    assert f"{len(audit.findings)} findings" in repr(audit)
    denied = Audit(small_world().refuse("ec2-describe-network-interfaces").snapshot())
    assert "1 calls could not be read, see .gaps" in repr(denied)
    assert "nothing was looked at" in repr(Audit(Snapshot.from_documents({})))


def test_the_repr_of_a_broken_snapshot_says_what_is_wrong() -> None:
    assert "has no ClientVpnEndpointId" in repr(broken())


def test_jupyter_shows_an_audit_as_html() -> None:
    html = Audit(small_world().snapshot())._repr_html_()
    assert html is not None
    assert ACCOUNT in html


# -- overview and export --------------------------------------------------------------------------


def test_the_overview_has_a_row_per_table() -> None:
    frame = tables_overview(Audit(small_world().refuse("ec2-describe-vpcs").snapshot()))
    assert frame["table"].tolist() == list(SCHEMAS)
    rows = frame.set_index("table")
    assert rows.loc["security_groups", ["rows", "gaps"]].tolist() == [2, 0]
    assert rows.loc["vpcs", ["rows", "gaps", "kind"]].tolist() == [0, 1, "table"]
    assert rows.loc["ingress_rules", "kind"] == "view"


def read_csv(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8-sig", newline="") as text:
        return list(csv.DictReader(text))


def test_every_table_is_exported_with_its_rows_and_columns(tmp_path: Path) -> None:
    audit = Audit(small_world().refuse("ec2-describe-vpcs").snapshot())
    files = export_tables(audit, tmp_path / "new" / "folder")
    assert [file.stem for file in files] == [*SCHEMAS, "gaps"]
    for file in files[:-1]:
        assert len(read_csv(file)) == len(audit.tables[file.stem])
        assert file.read_bytes().startswith(b"\xef\xbb\xbf")
        header = file.read_text(encoding="utf-8-sig").splitlines()[0]
        assert header == ",".join(SCHEMAS[file.stem].names)
    assert [row["table"] for row in read_csv(files[-1])] == ["vpcs", "vpc_cidr_blocks"]


@pytest.mark.parametrize(
    "name", ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "\nx", "'x", "＝1", "＋1", "－1", "＠x"]
)
def test_no_text_becomes_a_formula_and_the_apostrophe_can_be_taken_away(
    tmp_path: Path, name: str
) -> None:
    world = World()
    world.vpc(name=name)
    export_tables(Audit(world.snapshot()), tmp_path)
    (row,) = read_csv(tmp_path / "vpcs.csv")
    shown = visible(name)
    assert row["name"] == (shown if shown.startswith("[") else "'" + shown)
    assert json.loads(row["tags"]) == {"Name": name}


@pytest.mark.parametrize("name", ["vpn", "東京", "a=1", "a,b", 'say "so"', "two\nlines", "<b>"])
def test_other_text_is_exported_as_a_reader_sees_it(tmp_path: Path, name: str) -> None:
    world = World()
    world.vpc(name=name)
    export_tables(Audit(world.snapshot()), tmp_path)
    assert [row["name"] for row in read_csv(tmp_path / "vpcs.csv")] == [visible(name)]


def test_lists_and_missing_values_are_exported_as_text(tmp_path: Path) -> None:
    world = World()
    vpc = world.vpc()
    world.endpoint(vpc, (world.security_group(vpc), world.security_group(vpc)))
    export_tables(Audit(world.snapshot()), tmp_path)
    (row,) = read_csv(tmp_path / "client_vpn_endpoints.csv")
    assert row["security_group_ids"].count("sg-") == 2
    assert row["transit_gateway_id"] == ""
    assert row["dns_servers"] == ""


def test_parquet_keeps_types_and_lists(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    audit = Audit(small_world().snapshot())
    files = export_tables(audit, tmp_path, "parquet")
    assert [file.name for file in files] == [
        *(f"{name}.parquet" for name in SCHEMAS),
        "gaps.parquet",
    ]
    frame = pd.read_parquet(tmp_path / "security_groups.parquet")
    assert sorted(frame["tags"].iloc[1]) == ["Name==1+1", "team=a b"]
    assert frame["name"].tolist()[1] == "=1+1"
    rules = pd.read_parquet(tmp_path / "security_group_rules.parquet")
    assert str(rules.dtypes["from_port"]) == "Int64"
    assert len(pd.read_parquet(tmp_path / "vpc_peering_connections.parquet")) == 0


def test_parquet_without_pyarrow_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ParameterError, match=r"auditlib\[parquet\]"):
        export_tables(Audit(small_world().snapshot()), tmp_path / "out", "parquet")
    assert not (tmp_path / "out").exists()


def test_an_unknown_format_and_a_folder_that_cannot_be_written_are_told(tmp_path: Path) -> None:
    audit = Audit(small_world().snapshot())
    with pytest.raises(ParameterError, match="csv or parquet"):
        export_tables(audit, tmp_path, "xlsx")  # type: ignore[arg-type]
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(AuditError, match="cannot be written"):
        export_tables(audit, tmp_path / "file" / "inside")
