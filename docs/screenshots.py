"""Make the screenshots of the documentation from the running service: `python -m docs.screenshots`."""

import io
import tempfile
from pathlib import Path
from typing import Any, Final

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from paths import ROOT
from tests.support.editor import open_photo, session, set_options, settle
from tests.support.studio import ARGUMENTS, Studio, Tabs, choose, chromium, studio, wait_for

FOLDER: Final = ROOT / "docs/images"
# In the public domain; they come with scikit-image.
PHOTOS: Final = ("astronaut", "chelsea", "coffee", "rocket")
DESKTOP: Final = {"width": 1440, "height": 900}
PHONE: Final = {"width": 390, "height": 844}
MOST_BYTES: Final = 200_000


def main() -> None:
    """Write `library.webp`, `editor.webp`, `editor-dark.webp` and `phone.webp`."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(ARGUMENTS))
        with studio(folder) as service:
            photos = photo_files(folder)
            library(service, browser, photos)
            editor(service, browser, photos["coffee"], "editor", DESKTOP, "light")
            editor(service, browser, photos["chelsea"], "editor-dark", DESKTOP, "dark")
            editor(service, browser, photos["astronaut"], "phone", PHONE, "light")
        browser.close()


def photo_files(folder: Path) -> dict[str, Path]:
    """Save scikit-image's photographs as JPEG files."""
    import skimage

    data = Path(skimage.__file__).parent / "data"
    made = {}
    for name in PHOTOS:
        found = next(path for path in (data / f"{name}.png", data / f"{name}.jpg") if path.exists())
        made[name] = folder / f"{name}.jpg"
        Image.open(found).convert("RGB").save(made[name], quality=92)
    return made


def library(service: Studio, browser: Browser, photos: dict[str, Path]) -> None:
    """Show a batch of photographs that are done."""
    tabs = Tabs(browser)
    tab = tabs.open(service.url, viewport=DESKTOP, color_scheme="light", reduced_motion="reduce")
    choose(tab, *photos.values())
    wait_for(tab, {path.name: "Completed" for path in photos.values()})
    # The pictures of the list follow their states.
    tab.page.wait_for_function("[...document.images].every((image) => image.complete)")
    tab.page.wait_for_load_state("networkidle")
    save(tab.page, "library")
    tabs.close()


def editor(service: Studio, browser: Browser, photo: Path, name: str, viewport: Any, scheme: str) -> None:
    """Show one photograph half before and half after."""
    tabs = Tabs(browser)
    phone = viewport is PHONE
    tab = tabs.open(
        service.url,
        viewport=viewport,
        color_scheme=scheme,
        reduced_motion="reduce",
        device_scale_factor=2 if phone else 1,
        is_mobile=phone,
        has_touch=phone,
    )
    open_photo(tab, photo)
    set_options(tab.page, background_gradient="160 #e8f1ff #a9c4ee", shadow="contact", shadow_opacity="60")
    session(tab.page, "({compare}) => { compare.at.value = 45; }")
    tab.page.locator(".ed-saved.saved").wait_for()
    settle(tab.page)
    save(tab.page, name)
    tabs.close()


def save(page: Page, name: str) -> None:
    """Write what the page shows, as WebP."""
    shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    path = FOLDER / f"{name}.webp"
    shot.save(path, quality=82, method=6)
    assert path.stat().st_size <= MOST_BYTES, f"{path.name} has {path.stat().st_size} bytes"


if __name__ == "__main__":
    main()
