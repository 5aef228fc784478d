"""The presets: sets of options for a use, as rows.

A marketplace's figures change; `source` is the page that has them, `date` the day on which the row was last checked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MARKETPLACE_NOTE: Final = "Rules change: check the marketplace's own page."
PASSPORT_NOTE: Final = (
    "Check the authority's own page: the height of the head counts, and some states refuse altered photos."
)
WHITE_JPEG: Final = {"background": "white", "format": "jpeg", "quality": 90, "shadow": "none"}
# Head and shoulders stand on the lower edge.
PORTRAIT: Final = {"scale": "90%", "position": "50% 100%", "format": "jpeg", "quality": 95, "shadow": "none"}
LOOKED_AT: Final = "2026-11-27"
INSTAGRAM: Final = "https://help.instagram.com/1631821640426723"


@dataclass(frozen=True)
class Preset:
    """Options under one name, as a caller would write them; `title` and `note` are for people."""

    title: str
    options: Mapping[str, object]
    source: str = ""
    date: str = ""
    note: str = ""


PRESETS: Final[Mapping[str, Preset]] = {
    "web": Preset("Web", {"max_width": 800, "max_height": 600, "format": "jpeg", "quality": 80}),
    "social": Preset("Social media", {"max_width": 1080, "max_height": 1080, "format": "png"}),
    "print": Preset("Print", {"format": "png"}),
    "optimized": Preset("Optimized", {"max_width": 1200, "max_height": 800, "format": "webp", "quality": 70}),
    "mobile": Preset("Mobile", {"max_width": 800, "max_height": 600, "format": "webp", "quality": 70}),
    "desktop": Preset("Desktop", {"max_width": 1920, "max_height": 1080, "format": "jpeg", "quality": 85}),
    "thumbnail": Preset("Thumbnail", {"max_width": 300, "max_height": 300, "format": "webp", "quality": 60}),
    "amazon": Preset(
        "Amazon, main image",
        {"canvas": "2000 2000", "scale": "85%", **WHITE_JPEG},
        "https://sellercentral.amazon.com/help/hub/reference/external/G1881",
        LOOKED_AT,
        MARKETPLACE_NOTE,
    ),
    "ebay": Preset(
        "eBay",
        {"canvas": "1600 1600", "scale": "90%", **WHITE_JPEG},
        "https://www.ebay.com/help/policies/listing-policies/picture-policy?id=4370",
        LOOKED_AT,
        MARKETPLACE_NOTE,
    ),
    "etsy": Preset(
        "Etsy",
        {"canvas": "2000 1500", "scale": "80%", **WHITE_JPEG},
        "https://help.etsy.com/hc/en-us/articles/115015663347",
        LOOKED_AT,
        MARKETPLACE_NOTE,
    ),
    "shopify": Preset(
        "Shopify",
        {"canvas": "2048 2048", "scale": "80%", **WHITE_JPEG},
        "https://help.shopify.com/en/manual/products/product-media/product-media-types",
        LOOKED_AT,
        MARKETPLACE_NOTE,
    ),
    "google": Preset(
        "Google Shopping",
        {"canvas": "1500 1500", "scale": "80%", **WHITE_JPEG},
        "https://support.google.com/merchants/answer/6324350",
        LOOKED_AT,
        MARKETPLACE_NOTE,
    ),
    "square": Preset(
        "Square 1:1", {"canvas": "1080 1080", "scale": "80%", "format": "png"}, INSTAGRAM, LOOKED_AT, MARKETPLACE_NOTE
    ),
    "portrait": Preset(
        "Portrait 4:5", {"canvas": "1080 1350", "scale": "80%", "format": "png"}, INSTAGRAM, LOOKED_AT, MARKETPLACE_NOTE
    ),
    "story": Preset(
        "Story 9:16", {"canvas": "1080 1920", "scale": "80%", "format": "png"}, INSTAGRAM, LOOKED_AT, MARKETPLACE_NOTE
    ),
    "passport": Preset(
        "Passport, 35 × 45 mm",
        {"canvas": "827 1063", "dpi": 600, "background": "#f2f2f2", **PORTRAIT},
        "https://www.gov.uk/photos-for-passports",
        LOOKED_AT,
        PASSPORT_NOTE,
    ),
    "passport_us": Preset(
        "Passport, United States",
        {"canvas": "600 600", "dpi": 300, "background": "white", **PORTRAIT},
        "https://travel.state.gov/content/travel/en/passports/how-apply/photos.html",
        LOOKED_AT,
        PASSPORT_NOTE,
    ),
}
PresetName = StrEnum("PresetName", list(PRESETS))  # type: ignore[misc]


def preset_options(name: object, given: Mapping[str, object], backgrounds: Sequence[str]) -> dict[str, object]:
    """Return the options of the preset with this name; without its own background where one of them is given."""
    options = dict(PRESETS[name].options) if isinstance(name, str) and name in PRESETS else {}
    if any(other in given for other in backgrounds):
        return {option: value for option, value in options.items() if option not in backgrounds}
    return options
