"""The report in a real browser, without a network: it opens, it complains of nothing, it runs nothing."""

import re

import pytest
from pypdf import PdfReader

from auditlib.characters import visible
from tests.corpus import CORPUS
from tests.sample_report import FOLDER as SAMPLE
from tests.sample_report import NAMES


@pytest.fixture
def folder(hostile_report):
    return hostile_report.folder


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", NAMES)
def test_a_page_opens_without_complaint_and_asks_for_nothing(browser, folder, name, width, dark):
    url = (folder / f"{name}.html").as_uri()
    page = browser.open(url, width=width, dark=dark)
    assert page.complaints == []
    assert [address for address in page.requests if not address.startswith("data:")] == [url]
    assert page.value("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("trusting", [False, True], ids=["with-policy", "without-policy"])
@pytest.mark.parametrize("name", NAMES)
def test_hostile_names_run_nothing(browser, folder, name, trusting):
    page = browser.open((folder / f"{name}.html").as_uri(), ignore_policy=trusting)
    page.value("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.value("document.title") != "ran"
    assert page.value("document.querySelectorAll('script, iframe, object, embed, svg').length") == 0
    assert page.complaints == []


THEIRS = (
    "a[href^='javascript:' i], a[href^='data:' i], a[href*='..'], base, form, link:not([rel=icon])"
)


@pytest.mark.parametrize("trusting", [False, True], ids=["with-policy", "without-policy"])
def test_hostile_names_are_all_there_to_be_read(browser, folder, trusting):
    """Each text of the corpus from end to end, what nobody sees written out."""
    shown = ""
    for name in NAMES:
        page = browser.open((folder / f"{name}.html").as_uri(), ignore_policy=trusting)
        shown += page.value("document.body.textContent")
        assert page.value(f"document.querySelectorAll({THEIRS!r}).length") == 0
        page.close()
    folded = " ".join(shown.split())
    for kind, text in CORPUS.items():
        assert " ".join(visible(text).split()) in folded, kind
    assert "pay[U+202E]roll[U+200B]" in folded
    assert not re.search(
        "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069]", shown
    )


@pytest.mark.parametrize("trusting", [False, True], ids=["with-policy", "without-policy"])
@pytest.mark.parametrize("name", NAMES)
def test_the_sample_s_pages_open_without_complaint_and_run_nothing(browser, name, trusting):
    url = (SAMPLE / f"{name}.html").as_uri()
    page = browser.open(url, ignore_policy=trusting)
    assert page.complaints == []
    assert [address for address in page.requests if not address.startswith("data:")] == [url]
    assert page.value("document.title") != "pwned"
    assert page.value("document.querySelectorAll('script, iframe, object, embed, svg').length") == 0


@pytest.mark.parametrize("name", NAMES)
def test_the_stylesheet_is_in_force_under_the_policy(browser, folder, name):
    page = browser.open((folder / f"{name}.html").as_uri())
    assert page.value("getComputedStyle(document.querySelector('.banner h1')).fontWeight") == "700"
    assert page.value("document.styleSheets.length") == 1


def test_the_policy_stops_a_script_that_got_into_a_page(browser, folder, tmp_path):
    html = (folder / "index.html").read_text("utf-8")
    forged = tmp_path / "forged.html"
    forged.write_text(html.replace("</main>", "<script>document.title='ran'</script></main>"))
    assert browser.open(forged.as_uri()).value("document.title") != "ran"
    assert browser.open(forged.as_uri(), ignore_policy=True).value("document.title") == "ran"


def test_pictures_are_drawn(browser, folder):
    page = browser.open((folder / "index.html").as_uri())
    assert page.value("[...document.images].map(i => i.complete && i.naturalWidth > 100)") == [True]


def test_folded_evidence_is_printed_too_and_of_what_passes_one_line(browser, folder, tmp_path):
    page = browser.open((folder / "10-endpoint-security-groups.html").as_uri())
    browser.call("Emulation.setEmulatedMedia", page._session, media="print")
    shown, hidden = page.value(
        "[...document.querySelectorAll('main details > :not(summary)')].filter("
        "e => !e.closest('nav, .card.pass, .card.not_applicable')).reduce((n, e) => "
        "{ n[+(e.getBoundingClientRect().height === 0 || !e.checkVisibility())]++; return n }, [0, 0])"
    )
    assert (shown > 0, hidden) == (True, 0)
    tall = page.value(
        "[...document.querySelectorAll('main :is(.card.pass, .card.not_applicable)')].map("
        "e => e.getBoundingClientRect().height)"
    )
    assert tall
    assert max(tall) < 80


def test_a_phone_shows_no_label_of_an_empty_cell(browser):
    page = browser.open((SAMPLE / "50-what-changed.html").as_uri(), width=390)
    shown = page.value(
        "[...document.querySelectorAll('td[data-head]')].map(e => [!e.textContent, e.checkVisibility()])"
    )
    assert [True, False] in shown
    assert [True, True] not in shown


@pytest.mark.parametrize("name", NAMES)
def test_a_phone_breaks_no_id_of_a_cell_that_has_the_whole_width(browser, name):
    page = browser.open((SAMPLE / f"{name}.html").as_uri(), width=390)
    broken = page.value(
        "[...document.querySelectorAll('td[data-head] bdi:not(.wide)')].filter("
        "e => e.checkVisibility() && e.getClientRects().length > 1).map(e => e.textContent)"
    )
    assert broken == []
    assert page.value("document.documentElement.scrollWidth") <= 390


def test_a_phone_breaks_no_region_of_the_heading(browser):
    """Each word of the line under the title, in a column so narrow that a longer one could not but break."""
    page = browser.open((SAMPLE / "index.html").as_uri(), width=390)
    lines = page.value(
        "[...document.querySelectorAll('.banner .subject bdi')].map("
        "e => { e.parentElement.style.width = '9em'; return e.getClientRects().length })"
    )
    assert lines
    assert set(lines) == {1}


def test_names_of_calls_break_on_a_phone_and_not_on_a_screen(browser):
    rects = (
        "[...document.querySelectorAll('.card p bdi.wide')].map("
        "e => [e.closest('details') === null && e.getClientRects().length, e.textContent])"
    )
    url = (SAMPLE / "20-endpoint-settings.html").as_uri()
    assert {1} == {n for n, _ in browser.open(url).value(rects) if n}
    page = browser.open(url, width=390)
    assert page.value("document.documentElement.scrollWidth") <= 390
    assert max(n for n, _ in page.value(rects) if n) > 1


PRINTED = """
[...document.querySelectorAll('main .card')].map(card => {
  const inside = s => [...card.querySelectorAll(s)].map(e => getComputedStyle(e));
  return [card.matches('.pass, .not_applicable'), inside(':scope > header')[0].breakAfter,
          inside('footer, .wanted').every(s => s.breakInside === 'avoid')];
})
"""


def test_on_paper_lines_of_what_passes_make_no_chain_and_a_card_s_foot_stays_whole(browser):
    page = browser.open((SAMPLE / "20-endpoint-settings.html").as_uri())
    browser.call("Emulation.setEmulatedMedia", page._session, media="print")
    cards = {tuple(card) for card in page.value(PRINTED)}
    assert cards == {(True, "auto", True), (False, "avoid", True)}


def test_paper_holds_no_page_that_begins_with_the_last_line_of_a_paragraph(browser, tmp_path):
    page = browser.open((SAMPLE / "10-endpoint-security-groups.html").as_uri())
    sheets = PdfReader(page.pdf(tmp_path / "page.pdf")).pages
    assert len(sheets) > 20
    short = [sheet.extract_text().splitlines()[2] for sheet in sheets[1:]]
    assert [line for line in short if len(line) < 20 and line.endswith(".")] == []


LUMINANCE = """
(() => {
  const lum = c => { const v = c.map(x => x / 255).map(x => x <= .03928 ? x / 12.92 : ((x + .055) / 1.055) ** 2.4);
                     return .2126 * v[0] + .7152 * v[1] + .0722 * v[2]; };
  const rgb = text => (text.match(/[\\d.]+/g) || []).map(Number);
  const ground = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor);
                        if (c.length === 3 || c[3] > 0) return c; } return [255, 255, 255]; };
  const poor = new Set();
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement;
    if (!walk.currentNode.textContent.trim() || !e.checkVisibility()) continue;
    const [a, b] = [lum(rgb(getComputedStyle(e).color)), lum(ground(e))];
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) poor.add(e.className + ' ' + e.tagName + ' ' + ratio.toFixed(2));
  }
  return [...poor];
})()
"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", NAMES)
def test_text_stands_out_from_its_ground(browser, folder, name, dark):
    """Contrast of at least 4.5 to 1 (WCAG AA)."""
    page = browser.open((folder / f"{name}.html").as_uri(), dark=dark)
    assert page.value(LUMINANCE) == []
