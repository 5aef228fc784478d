"""Drive a batch in the page: start it, hold its requests, and read what the page's modules know of it."""

from pathlib import Path
from typing import Any

from playwright.sync_api import Route

from tests.support.studio import Tab, choose, states, wait_for


def run(tab: Tab, name: str, code: str, value: Any = None) -> Any:
    """Run code with a module of the page as `module`; `load` gives others."""
    return tab.page.evaluate(
        f"""async (value) => {{
          const main = document.querySelector("script[type=module]").src;
          const load = (path) => import(main.replace("app/main.js", path));
          const module = await load("{name}");
          {code}
        }}""",
        value,
    )


def docs(tab: Tab) -> list[dict[str, Any]]:
    """Return what the page knows of its photos."""
    read = "return module.all().map((doc) => ({ ...doc, thumb: null, before: null, ground: null }));"
    return list(run(tab, "app/store.js", read))


def start(tab: Tab, paths: list[Path]) -> dict[str, str]:
    """Choose photos, and wait until they are completed; returns their states."""
    before = states(tab)
    choose(tab, *paths)
    done = {**before, **{path.name: "Completed" for path in paths}}
    wait_for(tab, done)
    return done


def hold(tab: Tab, pattern: str, method: str) -> list[Route]:
    """Hold requests back; returns them as they come."""
    held: list[Route] = []
    tab.page.route(pattern, lambda route: held.append(route) if route.request.method == method else route.continue_())
    return held


def made(tab: Tab) -> bool:
    """Return whether every photo has a job's result with its options and its last edit."""
    read = "const { isCurrent } = await load('library/remake.js'); return module.all().every(isCurrent);"
    return bool(run(tab, "app/store.js", read)) and set(states(tab).values()) == {"Completed"}
