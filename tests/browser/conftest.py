"""What the tests of pages in a browser share: one Chromium per module, and when they run at all."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.chromium import CHROMIUM, MISSING, Chromium, chromium

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder; where there is no Chromium, and need not be, they are skipped."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker("browser")
            if MISSING:
                item.add_marker(pytest.mark.skip(reason=f"{CHROMIUM} is not installed"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    with chromium() as running:
        yield running
