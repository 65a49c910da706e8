"""The report without a mouse: what is reached by Tab, in which order, and what a reader hears."""

import itertools

import pytest

from tests.browser.chromium import Page
from tests.sample_report import FOLDER as SAMPLE
from tests.sample_report import NAMES


def focused(page: Page) -> str:
    return page.value("document.activeElement.outerHTML.slice(0, 120)")


def test_the_first_tab_leads_past_the_list_of_pages(browser):
    page = browser.open((SAMPLE / "index.html").as_uri())
    page.press("Tab")
    assert 'class="skip"' in focused(page)
    assert page.value("document.activeElement.getBoundingClientRect().left") >= 0
    page.press("Enter")
    assert page.value("location.hash") == "#content"
    page.press("Tab")
    assert page.value("document.querySelector('main').contains(document.activeElement)")
    page.close()


def test_beside_the_text_every_page_is_a_tab_away(browser):
    page = browser.open((SAMPLE / "index.html").as_uri())
    page.press("Tab")
    seen = []
    for _ in NAMES[1:]:
        page.press("Tab")
        seen.append(page.value("document.activeElement.getAttribute('href')"))
    assert seen == [f"{name}.html" for name in NAMES[1:]]
    page.close()


def test_on_a_phone_the_list_of_pages_is_folded_and_opens_by_key(browser):
    page = browser.open((SAMPLE / "index.html").as_uri(), width=390)
    links = "[...document.querySelectorAll('.contents a')].filter(a => a.checkVisibility()).length"
    assert page.value(links) == 0
    assert page.value("document.querySelector('#verdict').getBoundingClientRect().top") < 600
    page.press("Tab")
    page.press("Tab")
    assert "<summary>" in focused(page)
    page.press("Enter")
    assert page.value(links) == len(NAMES) - 1
    page.close()


ORDER = """
(() => {
  const all = [...document.querySelectorAll('a[href], summary, [tabindex]')];
  return {
    forced: all.filter(e => e.tabIndex > 0).length,
    nameless: all.filter(e => !(e.getAttribute('aria-label') || e.textContent).trim()).length,
    tables: [...document.querySelectorAll('main table')].filter(
      t => !t.querySelector('th[scope], th')).length,
    pictures: [...document.images].filter(i => (i.alt || '').length < 20).length,
    headings: [...document.querySelectorAll('h1, h2, h3, h4')].map(h => +h.tagName[1]),
  };
})()
"""


@pytest.mark.parametrize("name", NAMES)
def test_what_a_screen_reader_meets_is_named_and_in_order(browser, name):
    page = browser.open((SAMPLE / f"{name}.html").as_uri())
    found = page.value(ORDER)
    levels = found.pop("headings")
    assert found == {"forced": 0, "nameless": 0, "tables": 0, "pictures": 0}
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    page.close()
