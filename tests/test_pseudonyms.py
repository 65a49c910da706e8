"""Pseudonyms: keyed, never shared, and of the form that checks look at."""

import re
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlib.addresses import Ranges, addresses
from auditlib.pseudonyms import KEPT, KEPT_WHOLE, Pseudonyms

KEY, OTHER = b"k" * 32, b"o" * 32

networks = st.one_of(
    st.builds(
        lambda number, length: str(ip_network((number >> (32 - length) << (32 - length), length))),
        st.integers(0, 2**32 - 1),
        st.integers(0, 32),
    ),
    st.builds(
        lambda number, length: str(
            ip_network((number >> (128 - length) << (128 - length), length))
        ),
        st.integers(2**100, 2**128 - 1),
        st.integers(0, 128),
    ),
)


@pytest.fixture
def names() -> Pseudonyms:
    return Pseudonyms(KEY)


# -- consistent, keyed ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "original"),
    [
        ("id", "sg-0123456789abcdef0"),
        ("account", "111122223333"),
        ("address", "10.20.30.40"),
        ("arn", "arn:aws:iam::111122223333:role/auditor"),
        ("text", "payroll"),
        ("host", "vpn.example.com"),
    ],
)
def test_the_same_key_gives_the_same_pseudonym_and_another_key_another(make, original):
    first, again = (getattr(Pseudonyms(KEY), make)(original) for _ in range(2))
    assert first == again != original
    assert getattr(Pseudonyms(OTHER), make)(original) != first


def test_a_text_has_the_same_letters_wherever_it_stands(names):
    assert names.text("dba", "group").partition("-")[2] == names.text("dba", "name")[5:]


@given(st.lists(st.text(max_size=3), unique=True, max_size=200))
def test_different_texts_never_become_one(texts):
    names = Pseudonyms(KEY)
    assert len({names.text(text) for text in texts}) == len(texts)
    assert len({names.id(f"sg-{text}") for text in texts}) == len(texts)


def test_what_is_empty_stays_empty(names):
    made = [names.text(""), names.word(""), names.account(""), names.address(""), names.host("")]
    assert made == [""] * 5


# -- forms ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "id",
    ["sg-0123456789abcdef0", "cvpn-endpoint-0123456789abcdef0", "i-01234567", "d-9567000001"],
)
def test_an_id_keeps_its_kind_and_its_length(names, id):
    made = names.id(id)
    kind = id.rpartition("-")[0]
    assert re.fullmatch(rf"{kind}-[0-9a-f]+", made)
    assert len(made) == len(id)


def test_what_only_looks_like_an_id_does_not_keep_its_beginning(names):
    assert names.id("acme-payroll-0123456789abcdef0").startswith("name-")


def test_an_account_stays_twelve_digits_and_aws_stays_aws(names):
    assert re.fullmatch("[1-9][0-9]{11}", names.account("111122223333"))
    assert names.account("amazon-elb") == "amazon-elb"
    assert names.account("AWS") == "AWS"
    assert names.account("AROAEXAMPLE:alice").startswith("name-")


@pytest.mark.parametrize(
    ("arn", "wanted"),
    [
        (
            "arn:aws:lambda:eu-west-1:111122223333:function:AWSClientVPN-hours:7",
            r"arn:aws:lambda:eu-west-1:[0-9]{12}:function:AWSClientVPN-function-[0-9a-f]{8}:name-[0-9a-f]{8}",
        ),
        (
            "arn:aws:sts::111122223333:assumed-role/Auditors/alice@example.com",
            r"arn:aws:sts::[0-9]{12}:assumed-role/name-[0-9a-f]{8}/name-[0-9a-f]{8}",
        ),
        (
            "arn:aws:acm:us-east-1:111122223333:certificate/aa375772-1d69-4cd0-8662-13bd98d61ed4",
            r"arn:aws:acm:us-east-1:[0-9]{12}:certificate/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
        ),
        ("arn:aws:acme:here::x", r"arn:aws:service-[0-9a-f]{8}:text-[0-9a-f]{8}::name-[0-9a-f]{8}"),
        ("arn:too:short", r"name-[0-9a-f]{8}"),
    ],
)
def test_an_arn_keeps_its_service_region_and_kind_and_nothing_else(names, arn, wanted):
    assert re.fullmatch(wanted, names.arn(arn))


@pytest.mark.parametrize("word", ["associate", "-1", "ap-northeast-1a", "RSA_2048", "$LATEST"])
def test_words_of_aws_stay(names, word):
    assert names.word(word) == word


@pytest.mark.parametrize("text", ["two words", "111122223333", "sg-0123456789abcdef0", "名前"])
def test_what_is_no_word_of_aws_does_not_pass_for_one(names, text):
    assert names.word(text).startswith("text-")


def test_an_interface_of_client_vpn_stays_one_and_goes_on_naming_its_endpoint(names):
    id = "cvpn-endpoint-0123456789abcdef0"
    assert names.description(f"Prod clientVPN Endpoint {id}").endswith(f" {names.id(id)}")
    assert "prod" not in names.description("Prod ClientVPN endpoint resource").lower()
    assert names.description("RDSNetworkInterface").startswith("text-")


# -- addresses ------------------------------------------------------------------------------------


@given(networks, networks)
def test_ranges_hold_each_other_as_before(one, two):
    names = Pseudonyms(KEY)
    a, b, c, d = map(addresses, (one, two, names.address(one), names.address(two)))
    assert (a <= b, b <= a, bool(a & b), a.size) == (c <= d, d <= c, bool(c & d), c.size)


@given(st.lists(networks, max_size=8))
def test_what_covers_everything_together_still_does(cidrs):
    names = Pseudonyms(KEY)
    before = Ranges.of(span for one in cidrs for span in addresses(one).spans)
    after = Ranges.of(span for one in cidrs for span in addresses(names.address(one)).spans)
    assert before.size == after.size


@pytest.mark.parametrize("network", [str(network) for network in KEPT])
def test_private_shared_and_public_ranges_stay_what_they_are(names, network):
    assert names.address(network) == network


@given(networks)
def test_an_address_stays_in_the_ranges_that_are_kept(cidr):
    made = ip_network(Pseudonyms(KEY).address(cidr))
    given_one = ip_network(cidr)
    for kept in KEPT:
        if kept.version == given_one.version:
            assert given_one.subnet_of(kept) == made.subnet_of(kept)
    if any(k.version == given_one.version and given_one.subnet_of(k) for k in KEPT_WHOLE):
        assert made == given_one


def test_a_vpc_is_not_where_it_was():
    moved = [Pseudonyms(bytes([n]) * 32).address("10.20.0.0/16") for n in range(32)]
    assert moved.count("10.20.0.0/16") < 3
    assert all(one.startswith("10.") and one.endswith(".0.0/16") for one in moved)


@pytest.mark.parametrize("wrong", ["10.0.0.1/8", "10.0.0.1/31", "fd00::1/64"])
def test_a_range_with_host_bits_keeps_some(wrong):
    for n in range(16):
        with pytest.raises(ValueError, match="host bits"):
            ip_network(Pseudonyms(bytes([n]) * 32).address(wrong))


@pytest.mark.parametrize("text", ["internal-db", "10.0.0.0/99", "fe80::1%eth-payroll", "10.0.0.٣"])
def test_what_is_no_address_is_replaced_as_a_text(names, text):
    assert names.address(text).startswith("address-")
