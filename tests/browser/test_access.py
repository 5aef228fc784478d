"""The library for everyone: assistive technology, languages, small screens, large text, plain HTTP."""

from pathlib import Path

import pytest
from playwright.sync_api import Route

from tests.support.barriers import PHONE, SCHEMES_AND_SIZES, violations
from tests.support.gunicorn import Gunicorn
from tests.support.studio import PLAIN_HOST, Tab, Tabs, choose, choose_by_keyboard, item, wait_for
from tests.support.waiting import poll

COMPLETED = "Completed"


def filled(tab: Tab, files: list[Path], folder: Path) -> None:
    """Bring the list into a state with everything: results, a failure, a selection, files left out."""
    empty, note = folder / "empty.jpg", folder / "note.txt"
    empty.write_bytes(b"")
    note.write_text("a list")
    choose(tab, *files, empty, note)
    wait_for(tab, {**{path.name: COMPLETED for path in files}, "empty.jpg": "Failed"})
    item(tab, files[0].name).get_by_role("checkbox").evaluate("(box) => box.click()")


@SCHEMES_AND_SIZES
def test_library_has_no_barrier(
    direct: Gunicorn, tabs: Tabs, photo_files: list[Path], tmp_path: Path, scheme: str, viewport: dict[str, int]
) -> None:
    tab = tabs.open(direct.url, color_scheme=scheme, viewport=viewport, reduced_motion="reduce")
    tab.page.get_by_role("button", name="Try it with").first.wait_for()
    assert violations(tab) == []
    filled(tab, photo_files, tmp_path)
    assert violations(tab) == []
    if viewport is PHONE:
        # The looks are a sheet above the bar; they have no column there.
        looks = tab.page.get_by_role("combobox", name="Preset")
        assert not looks.is_visible()
        tab.page.get_by_role("button", name="How the results look").click()
        looks.wait_for()
        assert violations(tab) == []
        tab.page.get_by_role("radio", name="White").check(force=True)
        tab.page.get_by_role("button", name="Apply to selected").click()
        looks.wait_for(state="hidden")
    # With a photo selected the button is about that one.
    tab.page.get_by_role("button", name="Remove 1").wait_for()
    tab.page.locator("ul.photos input:checked").evaluate("(box) => box.click()")
    tab.page.get_by_role("button", name="Delete now").click()
    tab.page.get_by_role("dialog").wait_for()
    assert violations(tab) == []


@pytest.mark.long
@SCHEMES_AND_SIZES
def test_no_state_has_a_barrier(
    direct: Gunicorn, tabs: Tabs, photo_files: list[Path], scheme: str, viewport: dict[str, int]
) -> None:
    """Waiting, a lost connection, a pause, a key, and the editor with its tools and its export."""
    tab = tabs.open(direct.url, color_scheme=scheme, viewport=viewport, reduced_motion="reduce")
    tab.expect("ERR_|net::|429|401")
    held: list[Route] = []
    answers = {"now": held.append}
    tab.page.route("**/matte", lambda route: answers["now"](route))
    choose(tab, *photo_files[:3])
    tab.page.get_by_role("progressbar").wait_for()
    found = {"working": violations(tab)}
    held.pop(0).fulfill(status=429, headers={"Retry-After": "3"}, json={"error": "Too many", "code": "rate_limited"})
    tab.page.get_by_text("Continues in").wait_for()
    found["pause"] = violations(tab)
    answers["now"] = lambda route: route.abort()
    held.pop(0).abort()
    tab.page.get_by_text("Reconnecting").wait_for()
    found["no connection"] = violations(tab)
    answers["now"] = lambda route: route.continue_()
    wait_for(tab, {path.name: COMPLETED for path in photo_files[:3]})
    item(tab, "astronaut.jpg").get_by_role("button", name="Edit").click()
    tab.page.get_by_role("application", name="").wait_for()
    found["editor"] = violations(tab)
    tab.page.get_by_role("button", name="Magic wand").click()
    found["tool"] = violations(tab)
    refusal = {"error": "No key", "code": "missing_key", "solution": "Send one"}
    tab.page.route("**/compose", lambda route: route.fulfill(status=401, json=refusal))
    tab.page.get_by_role("button", name="Export", exact=True).click()
    tab.page.get_by_role("dialog", name="This server needs a key").wait_for()
    found["key"] = violations(tab)
    assert {state: one for state, one in found.items() if one} == {}


def test_photo_is_chosen_and_saved_with_only_the_keyboard(
    direct: Gunicorn, tabs: Tabs, photo_files: list[Path]
) -> None:
    tab = tabs.open(direct.url)
    choose_by_keyboard(tab, *photo_files[:2])
    wait_for(tab, {path.name: COMPLETED for path in photo_files[:2]})
    item(tab, "astronaut.jpg").get_by_role("button", name="Download").focus()
    with tab.page.expect_download() as found:
        tab.page.keyboard.press("Enter")
    assert found.value.suggested_filename == "astronaut-no-bg.png"
    # A dialog takes the focus, and gives it back.
    tab.page.get_by_role("button", name="Delete now").focus()
    tab.page.keyboard.press("Enter")
    tab.page.get_by_role("dialog").wait_for()
    tab.page.keyboard.press("Escape")
    assert tab.page.evaluate("document.activeElement.textContent").strip() == "Delete now"


def test_what_happens_is_said(direct: Gunicorn, tabs: Tabs, photo_files: list[Path], tmp_path: Path) -> None:
    tab = tabs.open(direct.url)
    tab.page.evaluate(
        """() => {
          window.heard = [];
          const status = document.querySelector("[role=status]");
          const all = { childList: true, characterData: true, subtree: true };
          new MutationObserver(() => heard.push(status.textContent)).observe(status, all);
        }"""
    )
    assert tab.page.get_by_role("status").count() == 1
    filled(tab, photo_files, tmp_path)
    poll(lambda: any("are ready" in text for text in tab.page.evaluate("heard")), what="the end")
    heard = tab.page.evaluate("heard")
    assert "5 photos added" in heard
    assert "empty.jpg, Failed" in heard
    assert any(text.endswith("% done") for text in heard)
    assert any("4 photos are ready, 1 failed" in text for text in heard)


@pytest.mark.parametrize("language", ["de-DE", "fr-FR"])
def test_page_speaks_the_browsers_language_or_english(direct: Gunicorn, tabs: Tabs, language: str) -> None:
    tab = tabs.open(direct.url, locale=language)
    german = language.startswith("de")
    tab.page.get_by_role("heading", name="Hintergrund entfernen" if german else "Remove the background").wait_for()
    assert tab.page.evaluate("document.documentElement.lang") == ("de" if german else "en")
    other = "English" if german else "Deutsch"
    tab.page.get_by_role("combobox").select_option(label=other)
    tab.page.get_by_role("heading", name="Remove the background" if german else "Hintergrund entfernen").wait_for()
    tab.page.reload()
    tab.page.get_by_role("heading", name="Remove the background" if german else "Hintergrund entfernen").wait_for()


def overflow(tab: Tab) -> int:
    return int(tab.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def clipped(tab: Tab) -> list[str]:
    """Return the texts of buttons and headings that are wider than their place."""
    found: list[str] = tab.page.evaluate(
        """() => [...document.querySelectorAll("button, .button, h1, h2, legend, .field > span")]
          .filter((element) => element.checkVisibility() && getComputedStyle(element).display !== "inline")
          .filter((element) => element.scrollWidth > element.clientWidth + 1)
          .map((element) => element.textContent.trim()).filter(Boolean)"""
    )
    return found


@pytest.mark.long
def test_long_texts_from_right_to_left_fit(
    direct: Gunicorn, tabs: Tabs, photo_files: list[Path], tmp_path: Path
) -> None:
    context = tabs.context()
    context.add_init_script("localStorage.setItem('language', 'xx')")
    tab = tabs.open(direct.url, context=context)
    tab.page.locator("html[dir=rtl]").wait_for()
    assert (overflow(tab), clipped(tab)) == (0, [])
    tab.page.locator("input[type=file]").first.set_input_files([*photo_files, tmp_path_file(tmp_path)])
    poll(lambda: tab.page.locator(".tile[data-state=completed]").count() == 4, what="the results")
    assert (overflow(tab), clipped(tab)) == (0, [])
    # No text of the page is outside of the catalogue: each has the mark of this language.
    plain = tab.page.evaluate(
        """() => [...document.querySelectorAll("button, h1, h2, legend, option, .badge, p")]
          .map((element) => element.textContent.trim())
          .filter((text) => /[A-Za-z]{3}/.test(text) && !text.includes("[") && !text.includes("empty.jpg"))"""
    )
    assert plain == []


def tmp_path_file(folder: Path) -> Path:
    path = folder / "empty.jpg"
    path.write_bytes(b"")
    return path


@pytest.mark.parametrize("how", ["narrow", "large"])
def test_page_reflows(direct: Gunicorn, tabs: Tabs, photo_files: list[Path], tmp_path: Path, how: str) -> None:
    tab = tabs.open(direct.url, viewport={"width": 320 if how == "narrow" else 800, "height": 900})
    if how == "large":
        tab.page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert overflow(tab) == 0
    filled(tab, photo_files, tmp_path)
    assert (overflow(tab), clipped(tab)) == (0, [])


def test_schemes_motion_and_forced_colours_are_followed(direct: Gunicorn, tabs: Tabs, photo_files: list[Path]) -> None:
    tab = tabs.open(direct.url, color_scheme="dark", reduced_motion="reduce", forced_colors="none")
    look = "getComputedStyle(document.body).backgroundColor"
    assert tab.page.evaluate(look) == "rgb(18, 19, 23)"
    # The button goes through the device's scheme, light and dark.
    tab.page.get_by_role("button", name="Colours: as on this device").click()
    assert tab.page.evaluate(look) == "rgb(247, 247, 245)"
    assert tab.page.evaluate("getComputedStyle(document.querySelector('.button')).transitionDuration").startswith("0s")
    tab.page.emulate_media(forced_colors="active")
    choose(tab, *photo_files[:2])
    wait_for(tab, {path.name: COMPLETED for path in photo_files[:2]})
    border = tab.page.evaluate("getComputedStyle(document.querySelector('.tile')).borderTopStyle")
    assert border == "solid"


@pytest.mark.long
def test_plain_http_in_a_local_network_works(direct: Gunicorn, tabs: Tabs, photo_files: list[Path]) -> None:
    tab = tabs.open(direct.url, host=PLAIN_HOST)
    assert not tab.page.evaluate("isSecureContext")
    choose(tab, *photo_files[:2])
    wait_for(tab, {path.name: COMPLETED for path in photo_files[:2]})
    with tab.page.expect_download():
        tab.page.get_by_role("button", name="Download all").click()
    item(tab, "astronaut.jpg").get_by_role("button", name="Edit").click()
    tab.page.get_by_role("region", name="Editor").wait_for()
    tab.page.reload()
    # What browsers withhold there is not offered: pictures can't be copied.
    tab.page.get_by_role("button", name="More ways to export").click()
    tab.page.get_by_role("button", name="Quick PNG").wait_for()
    assert tab.page.get_by_role("button", name="Copy").count() == 0
