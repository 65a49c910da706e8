"""Reach for people: counts, matrices, pictures and one way explained."""

from dataclasses import replace
from itertools import pairwise

import pandas as pd
import pytest

from auditlib import display, plots, reached, summary
from auditlib.audit import Audit
from auditlib.sheets import sheets
from tests import report_worlds as worlds
from tests.pages import page
from tests.worlds import World, clean


@pytest.fixture(scope="module")
def exposed() -> Audit:
    return Audit(worlds.exposed().snapshot())


def many(number: int, subnets: int = 1) -> Audit:
    """Return an audit where one endpoint reaches many receivers, each with a group of its own."""
    world = World()
    vpc = world.vpc(name="big")
    group = world.security_group(vpc, "vpn")
    home = world.subnet(vpc, "10.0.0.0/24", name="home")
    endpoint = world.endpoint(vpc, (group,), name="staff")
    world.associate(endpoint, home)
    world.authorize(endpoint, "10.0.0.0/16", "staff")
    places = [world.subnet(vpc, f"10.0.{n}.0/24", name=f"place-{n}") for n in range(1, subnets + 1)]
    for n in range(number):
        own = world.security_group(vpc, f"app-{n}")
        world.ingress(own, group, "tcp", (443, 443))
        world.interface(places[n % subnets], own, name=f"app-{n}")
    return Audit(world.snapshot())


def test_every_endpoint_has_a_row_also_one_that_reaches_nothing():
    world = worlds.exposed()
    world.endpoint(world.vpc("10.8.0.0/16"), name="idle")
    audit = Audit(world.snapshot())
    found = reached.by_group(audit, audit.reach())
    assert set(found["endpoint_id"]) == set(audit.tables.client_vpn_endpoints["endpoint_id"])
    assert list(found.loc[found["user_group"] == "–", "receivers"]) == [0]


def test_a_receiver_counts_once_with_its_surest_way(exposed):
    rows = exposed.reach()
    for found in reached.by_group(exposed, rows).to_dict("records"):
        assert found["reliable"] + found["fragile"] + found["unknown"] == found["receivers"]
    assert reached.by_group(exposed, rows)["fragile"].sum() > 0


def test_the_sheet_and_the_page_leave_out_the_endpoints_own_interfaces_alike(exposed):
    own = set(exposed.tables["endpoint_network_interfaces"]["eni_id"])
    assert own & set(exposed.reach()["eni_id"])
    (sheet,) = (s for s in sheets(exposed) if s.name == "who-reaches-what")
    assert len(sheet.frame) == len(reached.without_own(exposed, exposed.reach())) > 0
    assert not own & set(sheet.frame["eni_id"])
    assert "own interfaces are left out" in sheet.about


def test_few_receivers_stand_alone(exposed):
    by, labels = reached.receivers(exposed, exposed.reach())
    assert by == "interface"
    assert "app-1" in labels.values()


@pytest.mark.parametrize(
    ("number", "subnets", "by"),
    [(5, 1, "interface"), (30, 3, "security group"), (70, 30, "subnet"), (70, 65, "VPC")],
)
def test_many_receivers_are_put_together(number, subnets, by):
    audit = many(number, subnets)
    (matrix,) = reached.matrices(audit, audit.reach())
    assert matrix.by == by
    assert len(matrix.frame) <= reached.MOST_TOGETHER
    assert set(matrix.frame["staff"]) == {"TCP 443"}


def test_receivers_that_share_groups_are_one_row():
    world = worlds.exposed()
    vpc = world.vpc("10.7.0.0/16")
    group = world.security_group(vpc, "vpn-7")
    subnet = world.subnet(vpc, "10.7.1.0/24")
    endpoint = world.endpoint(vpc, (group,), name="seven")
    world.associate(endpoint, subnet)
    world.authorize(endpoint, "10.7.0.0/16")
    app = world.security_group(vpc, "app-7")
    world.ingress(app, group, "tcp", (443, 443))
    world.ingress(app, group, "tcp", (22, 22))
    for _ in range(40):
        world.interface(subnet, app)
    audit = Audit(world.snapshot())
    (matrix,) = reached.matrices(audit, audit.reach(endpoint=endpoint))
    assert matrix.by == "security group"
    (row,) = matrix.frame.to_dict("records")
    assert row == {"receiver": "app-7", "what": "40 interfaces", "everyone": "TCP 22, TCP 443"}


def test_the_matrix_says_what_is_not_reliable(exposed):
    cells = " ".join(
        str(v) for m in reached.matrices(exposed, exposed.reach()) for v in m.frame.values.ravel()
    )
    assert "TCP 443 (fragile)" in cells


def test_traffic_that_leaves_is_a_row_and_not_dropped():
    world = worlds.exposed()
    vpc = world.vpc("10.6.0.0/16")
    subnet = world.subnet(vpc, "10.6.1.0/24")
    world.route(vpc, "0.0.0.0/0", GatewayId="igw-1")
    endpoint = world.endpoint(vpc, (world.security_group(vpc, "own"),), name="out")
    world.associate(endpoint, subnet)
    world.authorize(endpoint, "0.0.0.0/0")
    world.endpoint_route(endpoint, "0.0.0.0/0", subnet)
    audit = Audit(world.snapshot())
    rows = audit.reach(endpoint=endpoint)
    (matrix,) = reached.matrices(audit, rows)
    assert "out through igw-1" in set(matrix.frame["receiver"])
    found = reached.by_group(audit, rows).set_index("endpoint_id").loc[endpoint]
    assert found["leaves"] == "out through igw-1"
    assert "out through igw-1" in plots.paths(audit, rows).text


def test_what_lies_behind_a_transit_gateway_is_not_known_and_never_told_as_nothing_or_reached():
    world = World()
    vpc = world.vpc("10.6.0.0/16")
    subnet = world.subnet(vpc, "10.6.1.0/24")
    world.interface(subnet, world.security_group(vpc, "app"), ip="10.6.1.20", name="orders")
    endpoint = world.endpoint(TransitGatewayConfiguration={"TransitGatewayId": "tgw-1"})
    world.record(endpoint)["Status"] = {"Code": "available"}
    world.authorize(endpoint, "10.6.1.0/24", group="staff")
    world._add(
        "ec2-describe-client-vpn-routes",
        {
            "ClientVpnEndpointId": endpoint,
            "DestinationCidr": "10.6.0.0/16",
            "TransitGatewayAttachmentId": "tgw-attach-1",
            "Status": {"Code": "active"},
        },
        resource=endpoint,
    )
    audit = Audit(world.snapshot(**worlds.MOMENT))
    rows = audit.reach()
    (row,) = reached.by_group(audit, rows).to_dict("records")
    assert all(pd.isna(row[c]) for c in ("receivers", "reliable", "fragile", "unknown"))
    (said,) = reached.behind_gateways(audit, rows)[endpoint]
    assert said.startswith("10.6.1.0/24 is authorized for users in staff and routed to tgw-1.")
    assert "was not followed, so what is reached there is not known" in said
    assert "orders (10.6.1.20) has an address in it" in said
    told = page(display.who_reaches_what(audit, rows).markup).words
    assert "not known" in told
    assert "orders (10.6.1.20)" in told
    assert "orders (10.6.1.20)" in page(display.stories(audit).markup).words


def test_the_picture_tells_its_ways_in_words(exposed):
    made = plots.paths(exposed, exposed.reach())
    assert "staff to net-1 (reliable)" in made.text
    assert made == plots.paths(exposed, exposed.reach())


def test_a_column_of_the_picture_is_as_wide_as_its_longest_name():
    narrow = plots._placed([["vpn"], ["net"], ["db"]])
    wide = plots._placed([["vpn"], ["net"], ["営業部の端末" * 3]])
    assert narrow[:2] == wide[:2]
    assert wide[2][1] > 36 * plots.LETTER > narrow[2][1]
    for places in (narrow, wide):
        for (left, width), (after, _) in pairwise(places):
            assert after - left - width == pytest.approx(plots.BETWEEN)


def test_things_of_one_name_are_boxes_and_rows_of_their_own():
    world = World()
    main = world.vpc("10.0.0.0/16", name="main")
    other = world.vpc("10.1.0.0/16", name="other")
    for number, vpc in enumerate((main, other)):
        app = world.security_group(vpc, "app")
        place = world.subnet(vpc, f"10.{number}.1.0/24")
        for _ in range(12):
            world.interface(place, app)
    audit = Audit(world.snapshot())
    enis = audit.tables["network_interfaces"]["eni_id"]
    by, labels = reached.receivers(audit, pd.DataFrame({"eni_id": enis}))
    assert (by, set(labels.values())) == ("security group", {"app (main)", "app (other)"})


def test_what_one_endpoint_leads_to_stands_together_in_the_picture():
    columns = [["one", "two"], ["a", "b"], ["shared", "of two", "of one"]]
    users = {(1, "a"): ["one"], (1, "b"): ["two"], (2, "shared"): ["one", "two"]}
    users |= {(2, "of one"): ["one"], (2, "of two"): ["two"]}
    drawn, _ = plots._drawn(columns, {}, users)
    assert drawn[2] == ["of one", "shared", "of two"]


def test_a_picture_of_very_many_ways_stays_bounded():
    audit = many(60, 30)
    assert plots.paths(audit, audit.reach()).height < 1400


def test_nothing_reached_is_said_in_every_form():
    audit = Audit(worlds.empty().snapshot())
    rows = audit.reach()
    assert plots.paths(audit, rows).text == "Nothing is reached."
    assert "Nothing is reached" in display.reach_matrix(audit, rows).markup
    assert "Nothing is reached" in display.reach_evidence(audit, rows).markup
    assert "nothing is reached" in display.explain(audit).markup
    assert "No endpoint was seen." in display.who_reaches_what(audit, rows).markup


def test_what_was_not_read_is_named_beside_the_reach():
    audit = Audit(worlds.refused().snapshot())
    text = page(display.who_reaches_what(audit, audit.reach()).markup).words
    assert "so more may be reached than this page shows" in text
    assert "DescribeNetworkInterfaces" in text


def test_a_fragile_way_is_explained_before_a_reliable_one():
    audit = Audit(worlds.exposed().snapshot())
    audit.__dict__["findings"] = ()  # none that names a way
    found = reached.example(audit)
    assert found.certainty == "fragile"


def test_the_way_that_a_grave_finding_names_is_explained_first(exposed):
    found = reached.example(exposed)
    evidence = exposed.finding("sensitive-port-reachable-by-everyone").evidence
    named = evidence[evidence["endpoint_id"] == found.endpoint_id]
    assert found.group == "*"
    assert found.reachable == "yes"
    assert f"{found.protocol} {found.port}" in set(named["ports"].explode())


def test_a_finding_whose_ports_are_not_reached_names_no_way():
    audit = Audit(worlds.exposed().snapshot())
    finding = audit.finding("sensitive-port-reachable-by-everyone")
    count = len(finding.evidence)
    stale = finding.evidence.assign(ports=[("icmp -1", "sctp 9")] * count)
    audit.__dict__["findings"] = (replace(finding, evidence=stale),)
    assert reached.example(audit).certainty == "fragile"


def test_hops_stand_one_a_line(exposed):
    rows = exposed.reach()
    made = display.reach_evidence(exposed, rows, bound=1).markup
    via = reached.evidence(rows[rows["eni_id"].notna()])["by"].iloc[0]
    assert made.count("<li>") == len(via) > 1


def test_what_is_asked_is_explained_with_its_blockers(exposed):
    (staff,) = [i for i, n in summary.names(exposed).items() if n == "staff"]
    found = reached.example(exposed, endpoint=staff, address="10.0.2.11", port=22)
    assert (found.endpoint_id, found.to, found.port) == (staff, "10.0.2.11", 22)
    assert found.reachable == "no"
    text = page(display.explanation_html(found)).words
    assert "Not reached" in text
    assert "To open it:" in text


def test_an_explanation_is_well_formed_with_hostile_names():
    audit = Audit(worlds.hostile().snapshot())
    for made in (
        display.explain(audit),
        display.reach_matrix(audit, audit.reach()),
        display.reach_evidence(audit, audit.reach()),
        display.who_reaches_what(audit, audit.reach()),
    ):
        parsed = page(made.markup)
        assert not parsed.problems
        assert not {"script", "svg"} & {tag for tag, _ in parsed.tags}
        pictures = [dict(attributes)["src"] for tag, attributes in parsed.tags if tag == "img"]
        assert all(src.startswith("data:image/svg+xml;base64,") for src in pictures)
        assert "\u202e" not in made.markup


def test_evidence_of_reach_says_through_which_endpoint_and_repeats_no_suspicious_name(exposed):
    told = page(display.reach_evidence(exposed, exposed.reach()).markup).words
    assert "through staff" in told
    assert "through legacy" in told
    world = worlds.exposed()
    id = str(exposed.tables.client_vpn_endpoints["endpoint_id"].iloc[0])
    world.record(id)["Tags"] = [{"Key": "Name", "Value": "=HYPERLINK(1)"}]
    audit = Audit(world.snapshot())
    told = page(display.reach_evidence(audit, audit.reach()).markup).words
    assert f"through {id} (suspicious name)" in told
    assert "HYPERLINK" not in told


def test_evidence_of_reach_is_bounded_and_says_so():
    audit = many(60, 30)
    made = display.reach_evidence(audit, audit.reach(), bound=5)
    assert "The first 5 of 60 rows." in made.markup


def question(exposed, **asked):
    endpoint = exposed.tables.client_vpn_endpoints["endpoint_id"].iloc[0]
    return exposed.explain(endpoint=endpoint, **asked)


def test_the_picture_of_one_way_marks_every_blocker(exposed):
    explanation = question(exposed, to="10.9.9.9", port=22)
    made = plots.hops(explanation)
    assert made.svg.count("✕".encode()) == len(
        [hop for path in explanation.paths for hop in path.hops if hop.state == "closed"]
    )
    assert "not reached" in made.text
    assert made == plots.hops(explanation)


def test_the_picture_of_an_open_way_has_no_cross(exposed):
    rows = exposed.reach()
    row = rows[(rows["certainty"] == "reliable") & rows["eni_id"].notna()].iloc[0]
    group = None if row["group"] == "*" else row["group"]
    port = 22 if row["protocol"] == "all" else int(row["from_port"])
    explanation = exposed.explain(endpoint=row["endpoint_id"], to=row["ip"], port=port, group=group)
    assert explanation.reachable == "yes"
    made = plots.hops(explanation)
    assert made.svg.count("✓".encode()) >= len(explanation.paths[0].hops)
    assert "every hop open" in made.text


def test_an_explanation_shows_its_picture_with_its_words(exposed):
    explanation = question(exposed, to="10.9.9.9", port=22)
    html = display.explanation_html(explanation)
    assert html.count("<img ") == 1
    assert "stopped by" in html


@pytest.mark.parametrize(
    ("bend", "said"),
    [
        (lambda w, endpoint: None, None),
        (
            lambda w, endpoint: w.policy(endpoint, "permit(principal, action, resource);"),
            "upper bound: the Cedar policy of",
        ),
        (
            lambda w, endpoint: w.refuse("ec2-get-client-vpn-endpoint-authorization-policy"),
            "upper bound: whether a Cedar policy narrows it could not be read",
        ),
    ],
)
def test_what_a_policy_may_take_away_stands_beside_the_reach(bend, said):
    world = clean()
    bend(world, "cvpn-endpoint-00000000000000001")
    audit = Audit(world.snapshot())
    text = page(display.who_reaches_what(audit, audit.reach()).markup).words
    assert ("An authorization policy can only take away from it" in text) == bool(said)
    assert said is None or said in text


def test_what_is_reached_from_some_associations_only_is_marked_so():
    audit = many(3)
    (whole,) = reached.matrices(audit, audit.reach())
    assert set(whole.frame["staff"]) == {"TCP 443"}
    world = World()
    vpc = world.vpc()
    group = world.security_group(vpc, "vpn")
    endpoint = world.endpoint(vpc, (group,))
    for number in (1, 2):
        world.associate(endpoint, world.subnet(vpc, f"10.0.{number}.0/24"))
    world.authorize(endpoint, "10.0.0.0/16")
    app = world.security_group(vpc, "app")
    world.ingress(app, group, "tcp", (443, 443))
    world.interface(world.subnet(vpc, "10.0.9.0/24"), app)
    both = Audit(world.snapshot())
    rows = both.reach()
    rows = rows[rows["from_port"] == 443]
    subnets = sorted(set(rows["subnet_id"]))
    assert len(subnets) == 2
    (full,) = reached.matrices(both, rows)
    assert set(full.frame["everyone"]) == {"TCP 443"}
    (part,) = reached.matrices(both, rows[rows["subnet_id"] == subnets[0]])
    cells = [cell for name in part.frame.columns[2:] for cell in part.frame[name] if cell != "–"]
    assert cells
    assert all(cell.endswith("(from 1 of 2 associations)") for cell in cells)


def test_ways_that_a_severe_finding_names_stand_first(exposed):
    rows = reached.gravest_first(exposed, exposed.reach())
    assert len(rows) == len(exposed.reach())
    grave = {
        (endpoint, eni): finding.check.severity.rank
        for finding in reversed(summary.by_urgency(exposed.findings))
        if finding.status.value == "fail" and {"endpoint_id", "eni_id"} <= set(finding.evidence)
        for endpoint, eni in zip(
            finding.evidence["endpoint_id"], finding.evidence["eni_id"], strict=True
        )
    }
    inside = rows[rows["eni_id"].notna()]
    pairs = zip(inside["endpoint_id"], inside["eni_id"], strict=True)
    ranks = [grave.get(pair, 0) for pair in pairs]
    assert ranks == sorted(ranks, reverse=True)
    assert ranks[0] > 0
    assert rows["eni_id"].isna().is_monotonic_increasing
