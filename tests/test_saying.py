"""What the analysis says: English as data, another language where it is shown."""

import gettext
import json

import pytest

from auditlib import language
from auditlib.access import shown
from auditlib.access.saying import hop_shown, said
from auditlib.reached import exit_word

TOLD = {
    "{rule} is {status}": "{status}: {rule}",
    "everyone": "alle",
    "{destination} for {group}": "{group}, {destination}",
    "{routes} in {id} could not be read": "{id}: {routes}?",
    "out through {target}": "{target} hinaus",
}


class Catalogue(gettext.NullTranslations):
    def gettext(self, message: str) -> str:
        return TOLD.get(message, message)

    def pgettext(self, context: str, message: str) -> str:
        return " / " if (context, message) == ("list", ", ") else message


@pytest.fixture
def foreign(monkeypatch):
    monkeypatch.setattr(language, "_chosen", "xx")
    monkeypatch.setattr(language, "_catalogue", Catalogue())


def test_a_saying_is_its_english_text_in_whatever_language_is_spoken(foreign):
    rule = said("{destination} for {group}", destination="10.0.0.0/16", group=said("everyone"))
    doubt = said("{rule} is {status}", rule=rule, status="revoking")
    assert doubt == "10.0.0.0/16 for everyone is revoking"
    assert {doubt: 1}["10.0.0.0/16 for everyone is revoking"] == 1
    assert json.dumps([doubt]) == '["10.0.0.0/16 for everyone is revoking"]'


def test_what_is_put_into_a_saying_is_shown_in_the_language_too(foreign):
    rule = said("{destination} for {group}", destination="10.0.0.0/16", group=said("everyone"))
    doubt = said("{rule} is {status}", rule=rule, status="revoking")
    assert shown(doubt) == "revoking: alle, 10.0.0.0/16"
    assert (
        shown(said("{routes} in {id} could not be read", routes=("a", "b"), id="c")) == "c: a / b?"
    )


def test_the_rules_of_a_hop_are_listed_as_the_language_lists(foreign):
    assert hop_shown("ingress: sgr-1, sgr-2") == "ingress: sgr-1 / sgr-2"


def test_a_name_from_the_account_is_neither_translated_nor_looked_into(foreign):
    assert shown("everyone") == "everyone"
    rule = said("{destination} for {group}", destination="{0}", group="everyone")
    assert rule == "{0} for everyone"
    assert shown(rule) == "everyone, {0}"


def test_where_traffic_goes_on_is_said_in_the_language(foreign):
    last = said("leaves what was read through {target}", target="igw-1")
    assert exit_word(("egress: sgr-1", last)) == "igw-1 hinaus"
