"""Look for barriers on a page, by axe."""

from typing import Final

from axe_playwright_python.sync_playwright import Axe

from tests.support.studio import Tab

RULES: Final = {"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]}
PHONE: Final = {"width": 390, "height": 844}
DESKTOP: Final = {"width": 1280, "height": 860}


def violations(tab: Tab) -> list[str]:
    found = Axe().run(tab.page, options=RULES).response["violations"]
    return [
        f"{one['id']}: {node['html'][:150]} {node['failureSummary'][:200]}" for one in found for node in one["nodes"]
    ]
