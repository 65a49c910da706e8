"""What is read out of a Cedar policy's text."""

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditlib.cedar import LARGEST, dotted, policy_of, published

HEAD = "(principal, action, resource)"


def permit(*conditions):
    return f"permit{HEAD} {' '.join(conditions)};"


def forbid(*conditions):
    return f"forbid{HEAD} {' '.join(conditions)};"


def only(text):
    policy = policy_of(text)
    assert policy.problem == ""
    (statement,) = policy.statements
    return statement


# -- what is read ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "paths"),
    [
        ('context.jamf.risk == "LOW"', {("jamf", "risk")}),
        ('context["jamf"]["risk"] == "LOW"', {("jamf", "risk")}),
        ('["LOW", "SECURE"].contains(context.jamf.risk)', {("jamf", "risk")}),
        ('context.saml.memberOf.contains("eng")', {("saml", "memberOf")}),
        ("context has crowdstrike.cid", {("crowdstrike",), ("crowdstrike", "cid")}),
        ('context["active-directory"].x == 1', {("active-directory", "x")}),
        ('context.connection.os like "win*"', {("connection", "os")}),
        ("if context.a.b then context.c.d else context.e.f", {("a", "b"), ("c", "d"), ("e", "f")}),
        ("{x: context.a.b}.x", {("a", "b")}),
        ("[context.a.b, 1].isEmpty()", {("a", "b")}),
        ("1 + context.a.n * 2 > 3", {("a", "n")}),
        ('decimal("1.0").lessThan(context.a.n)', {("a", "n")}),
        ('"context.jamf.risk" == "x"', set()),
        ("true // context.jamf.risk", set()),
    ],
)
def test_attributes_are_found_wherever_they_stand(condition, paths):
    text = f"permit{HEAD} when {{ {condition}\n }};"
    assert set(only(text).reads) == paths


def test_a_note_about_an_attribute_is_no_reading():
    statement = only('@note("reads context.jamf.risk") permit(principal, action, resource);')
    assert statement.reads == ()
    assert statement.always


# -- guards ---------------------------------------------------------------------------------------

RISK = 'context.jamf.risk == "HIGH"'
GUARD = "context has jamf && context.jamf has risk"


@pytest.mark.parametrize(
    "condition",
    [
        f"{GUARD} && {RISK}",
        f"context has jamf.risk && {RISK}",
        f"(context has jamf && true) && (context.jamf has risk && {RISK})",
        f"if context has jamf.risk then {RISK} else false",
        f"if !(context has jamf.risk) then false else {RISK}",
        f"!(context has jamf) || !(context.jamf has risk) || {RISK}",
        f"!(!(context has jamf.risk)) && {RISK}",
        'context.connection.public_ip == "192.0.2.1"',
        f"context has jamf.risk && ({RISK} || {RISK})",
    ],
)
def test_an_attribute_that_was_asked_for_is_guarded(condition):
    assert only(forbid(f"when {{ {condition} }}")).unguarded == ()


@pytest.mark.parametrize(
    ("condition", "first"),
    [
        (RISK, ("jamf",)),
        (f"context has jamf && {RISK}", ("jamf", "risk")),
        (f"{RISK} && {GUARD}", ("jamf",)),
        (f"{GUARD} || {RISK}", ("jamf",)),
        (f"!({GUARD}) && {RISK}", ("jamf",)),
        (f"(context has jamf || context has saml) && {RISK}", ("jamf",)),
        (f"context has jamf.osv && {RISK}", ("jamf", "risk")),
        (f"if context has jamf.risk then true else {RISK}", ("jamf",)),
        ("context.jamf has risk", ("jamf",)),
    ],
)
def test_an_attribute_that_may_be_missing_is_not(condition, first):
    found = only(forbid(f"when {{ {condition} }}")).unguarded
    assert first in {missing for _, missing in found}


def test_a_condition_guards_the_conditions_after_it():
    guarded = only(forbid("when { context has jamf.risk }", f"when {{ {RISK} }}"))
    assert guarded.unguarded == ()
    unless = only(forbid("unless { !(context has jamf.risk) }", f"when {{ {RISK} }}"))
    assert unless.unguarded == ()
    late = only(forbid(f"when {{ {RISK} }}", "when { context has jamf.risk }"))
    assert late.unguarded


@pytest.mark.parametrize("effect", ["when", "unless"])
def test_what_guards_inside_unless_is_the_same(effect):
    assert only(forbid(f"{effect} {{ {GUARD} && {RISK} }}")).unguarded == ()


# -- what always holds ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "always"),
    [
        (permit(), True),
        (permit("when { true }"), True),
        (permit("when { 1 == 1 }"), True),
        (permit("unless { false }"), True),
        (permit("when { !(context has jamf) }"), True),
        (permit("when { context has connection }"), True),
        (permit("when { false }"), False),
        (permit('when { context.jamf.risk == "LOW" }'), False),
        (permit('when { context.connection.public_ip == "192.0.2.1" }'), False),
        ('permit(principal == User::"a", action, resource);', False),
        ("permit(principal is User, action, resource);", False),
    ],
)
def test_a_permit_that_holds_where_nothing_is_known(text, always):
    assert only(text).always is always


def test_each_statement_is_tried_alone():
    text = forbid("unless { context has jamf }") + '// "one;"\n' + permit('when { ";" == ";" }')
    forbidding, permitting = policy_of(text).statements
    assert (forbidding.effect, forbidding.always) == ("forbid", True)
    assert (permitting.effect, permitting.always) == ("permit", True)


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ('{a: context}.a.jamf.risk == "HIGH"', "whole context"),
        ('(if true then context else context).jamf.risk == "HIGH"', "whole context"),
        ('principal.department == "x"', "attributes of principal"),
    ],
)
def test_what_is_not_followed_is_said(condition, said):
    policy = policy_of(forbid(f"when {{ {condition} }}"))
    assert policy.problem == ""
    assert said in policy.doubt


def test_a_condition_that_names_a_principal_is_a_scope():
    statement = only(permit('when { action == Action::"connect" }'))
    assert statement.scoped
    assert not statement.always


def test_a_scope_is_seen():
    assert only('permit(principal, action == Action::"connect", resource);').scoped
    assert not only(permit()).scoped


# -- the address ----------------------------------------------------------------------------------

OFFICE = 'context.connection.public_ip == "192.0.2.1"'
GROUP = 'context.saml.memberOf.contains("eng")'


@pytest.mark.parametrize(
    ("text", "appears"),
    [
        (permit(f"when {{ {OFFICE} }}"), True),
        (permit('when { context.connection["publicIp"] == "192.0.2.1" }'), True),
        (permit(f"unless {{ {OFFICE} }}"), True),
        (permit(f"when {{ {GROUP} }}") + forbid(f"unless {{ {OFFICE} }}"), True),
        (permit(f"when {{ {OFFICE} }}") + permit(f"when {{ {GROUP} }}"), False),
        (permit(f"when {{ {GROUP} }}"), False),
        (permit(), False),
        (permit('when { context.saml.public_ip == "192.0.2.1" }'), False),
        (permit('when { context.connection.note == "public_ip" }'), False),
        ("permit(public_ip", False),
    ],
)
def test_it_appears_to_restrict_addresses_where_nobody_gets_round_the_question(text, appears):
    assert policy_of(text).appears_to_restrict_addresses is appears


# -- what is no Cedar -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "spelt"),
    [
        ("context.active-directory.groups == 1", ("context.active-directory",)),
        ("context has active-directory", ("context has active-directory",)),
        ("context.mutual-authentication.x == 1", ("context.mutual-authentication",)),
        ('context["active-directory"].groups == 1', ()),
        ('"context.active-directory" == "x"', ()),
        ("context.a.n-context.b.n > 1", ()),
        ("context.a.n-1 > 1", ()),
        ("true // context.active-directory\n", ()),
    ],
)
def test_hyphens_after_a_dot_are_seen_outside_strings_and_comments(condition, spelt):
    policy = policy_of(f"permit{HEAD} when {{ {condition} }};")
    assert policy.dotted_hyphens == spelt
    assert bool(policy.problem) is bool(spelt)


N = 9_000


@pytest.mark.parametrize(
    "text",
    [
        "",
        "// nothing",
        "permit(",
        "permit(principal == ?principal, action, resource);",
        "\x00",
        "\ud800",
        "<script>alert(1)</script>",
        "permit(principal, action, resource) when {" + "(" * N + "true" + ")" * N + "};",
        "permit(principal, action, resource) when {" + "[" * N + "]" * N + "};",
        "permit(principal, action, resource) when {" + "{a:" * N + "1" + "}" * N + "};",
        "permit(principal, action, resource) when {"
        + "if true then " * 2000
        + "true"
        + " else false" * 2000
        + "};",
        "permit(principal, action, resource) when { context" + ".a" * N + " == 1 };",
        "permit(principal, action, resource) when {" + "!" * N + "true};",
        "permit(principal, action, resource) when { 1" + " + 1" * N + " == 1 };",
        "permit(principal, action, resource);" * 2_000,
    ],
)
def test_text_that_cannot_be_read_has_a_problem_and_no_statements(text):
    policy = policy_of(text)
    assert policy.problem
    assert policy.statements == ()
    assert not policy.appears_to_restrict_addresses


def test_a_long_list_of_alternatives_is_read():
    groups = " || ".join(f'context.saml.memberOf.contains("g{n}")' for n in range(220))
    text = permit(f"when {{ {groups} }}")
    assert len(text) > LARGEST * 0.9
    assert only(text).reads == (("saml", "memberOf"),)


def test_size_is_counted_in_bytes():
    assert policy_of("// 営業部").size == 12


@settings(max_examples=200, deadline=None)
@given(st.text(string.printable + "é営\u202e", max_size=80))
def test_no_text_raises(text):
    policy = policy_of(text)
    assert policy.problem or policy.statements


# -- published attributes -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "known"),
    [
        (("crowdstrike", "assessment", "overall"), True),
        (("crowdstrike", "jailbroken"), False),
        (("jumpcloud", "device", "is_managed"), True),
        (("jumpcloud", "device"), True),
        (("jamf", "risk", "level"), False),
        (("okta",), False),
        (("active-directory", "x"), True),
    ],
)
def test_what_is_in_the_published_lists(path, known):
    assert published(path) is known


def test_an_attribute_is_spelt_as_cedar_wants_it():
    assert dotted(("active-directory", "a b")) == 'context["active-directory"]["a b"]'
