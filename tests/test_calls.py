"""How often AWS is asked: what a company of ordinary size costs."""

from auditlib import open_audit
from auditlib.aws.collect import collect
from tests.standin.company_world import ENDPOINTS, GROUPS, INTERFACES, REGIONS, RULES, build

MOST = 100


def test_a_company_is_collected_and_checked_with_a_hundred_calls_at_most(aws, tmp_path):
    build(aws)
    aws.forget()
    manifest = collect(tmp_path / "s", regions=REGIONS, endpoint_url=aws.url).manifest
    assert {call.status for call in manifest.calls} == {"ok"}
    audit = open_audit(tmp_path / "s")
    assert {finding.status.value for finding in audit.findings} > {"pass", "fail"}
    least = {
        "client_vpn_endpoints": ENDPOINTS,
        "network_interfaces": INTERFACES,
        "security_groups": GROUPS,
        "security_group_rules": RULES,
    }
    assert all(len(audit.tables[table]) >= number for table, number in least.items())
    assert len(manifest.calls) < len(aws.calls) <= MOST, "every call but who calls is recorded"
    assert aws.writes == ()
