"""Look for barriers on a page, by axe."""

from typing import Final

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.support.studio import Tab

RULES: Final = {"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]}
PHONE: Final = {"width": 390, "height": 844}
DESKTOP: Final = {"width": 1280, "height": 860}
# Every scheme and every size is checked in `make test`, the other two combinations in `make browser`.
SCHEMES_AND_SIZES: Final = pytest.mark.parametrize(
    ("scheme", "viewport"),
    [
        pytest.param("light", DESKTOP, id="light-desktop"),
        pytest.param("dark", PHONE, id="dark-phone"),
        pytest.param("dark", DESKTOP, id="dark-desktop", marks=pytest.mark.long),
        pytest.param("light", PHONE, id="light-phone", marks=pytest.mark.long),
    ],
)


def violations(tab: Tab) -> list[str]:
    found = Axe().run(tab.page, options=RULES).response["violations"]
    return [
        f"{one['id']}: {node['html'][:150]} {node['failureSummary'][:200]}" for one in found for node in one["nodes"]
    ]
