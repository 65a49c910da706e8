"""Every sample page by axe-core, light and dark: it finds nothing at all."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.browser.chromium import Page
from tests.sample_report import FOLDER as SAMPLE
from tests.sample_report import NAMES

RUN = """
axe.run(document, %s).then(found => found.violations.map(
  one => `${one.impact} ${one.id}: ${one.nodes.map(node => node.html.slice(0, 200)).join(' | ')}`))
"""


@cache
def axe() -> str:
    """Return axe-core, which a package carries that is not used otherwise."""
    spec = find_spec("axe_playwright_python")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).with_name("axe.min.js").read_text("utf-8") + ";0"


def violations(page: Page, options: str = "{}") -> list[str]:
    if not page.value("'axe' in window"):
        page.value(axe())
    return page.settled(RUN % options)


@pytest.mark.parametrize("name", NAMES)
def test_axe_finds_nothing_in_a_sample_page(browser, name):
    page = browser.open((SAMPLE / f"{name}.html").as_uri(), ignore_policy=True)
    assert violations(page) == []
    page.darken()  # nothing but colours is another
    assert violations(page, "{runOnly: ['color-contrast', 'link-in-text-block']}") == []
    page.close()


def test_axe_finds_what_is_amiss(browser, tmp_path):
    """A test that cannot fail proves nothing."""
    poor = tmp_path / "poor.html"
    poor.write_text(
        "<html><body style='background:#fff'><p style='color:#ccc'>text</p><img src=''>"
    )
    found = violations(browser.open(poor.as_uri()))
    assert {"color-contrast", "image-alt", "html-has-lang"} <= {
        one.split(" ")[1].rstrip(":") for one in found
    }
