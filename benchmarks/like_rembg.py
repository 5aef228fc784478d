"""Compare the results of this service's `/api/remove` with those of rembg's own server: sizes, modes and masks.

`python -m benchmarks.like_rembg` exits with 1 if a size or a mode differs, or if a mask differs by more than edge
refinement explains. rembg runs in its own virtual environment, which the first run creates.
"""

import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final

import cv2
import numpy as np
import requests
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.table import Table

from benchmarks.stages import RESULTS
from benchmarks.versus_rembg import install_peer, peer
from tests.support.gunicorn import Gunicorn
from tests.support.images import PHOTOS, encoded

NAMES: Final = ("astronaut", "chelsea", "coffee", "motorcycle_left", "rocket")
CASES: Final[Mapping[str, Mapping[str, str]]] = {
    "plain": {},
    "om": {"om": "true"},
    "om ppm": {"om": "true", "ppm": "true"},
    "dc": {"dc": "true"},
    "a": {"a": "true"},
    "bgc": {"bgc": "255,255,255,255"},
}
# How far refinement may move an edge from the model's mask, as a share of the longer side.
BAND: Final = 0.03
# Outside this range rembg's own matting trusts the model's mask: its parameters `ab` and `af`.
SURE: Final = (10, 240)
# The largest accepted mean difference over the sure pixels, of full scale.
MAX_SURE_DIFFERENCE: Final = 0.005


@dataclass(frozen=True)
class Comparison:
    """The two responses to one photo with one set of parameters.

    `everywhere` and `beyond` are the mean differences of the masks, of full scale: over all pixels, and over those far
    from the edges of the model's mask.
    """

    photo: str
    case: str
    ours: str
    theirs: str
    everywhere: float
    beyond: float

    @property
    def equivalent(self) -> bool:
        """Whether size and mode are equal and the masks agree far from edges."""
        return self.ours == self.theirs and self.beyond <= MAX_SURE_DIFFERENCE


def main() -> None:
    """Run all cases, print the table and write `results/like_rembg.json`."""
    install_peer()
    with Gunicorn(INFERENCE_PRECISION="f32") as service, peer() as url:
        rows = []
        for name in NAMES:
            model_mask = ask(f"{url}/api/remove", name, {"om": "true"})
            away = far_from_edges(mask_of(model_mask))
            for case, given in CASES.items():
                ours, theirs = (ask(f"{root}/api/remove", name, given) for root in (service.url, url))
                rows.append(compare(name, case, ours, theirs, away))
            soft = ask(f"{service.url}/remove-background", name, {"output": "mask", "edges": "soft"})
            rows.append(compare(name, "(edges=soft)", soft, model_mask, np.ones_like(away)))
    table = Table(title="/api/remove compared with rembg's server, u2netp")
    for heading in ("photo", "parameters", "ours", "rembg's", "mask difference", "away from edges", "equivalent"):
        table.add_column(heading)
    for row in rows:
        differences = (f"{row.everywhere:.4f}", f"{row.beyond:.4f}")
        table.add_row(row.photo, row.case, row.ours, row.theirs, *differences, "yes" if row.equivalent else "NO")
    Console().print(table)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "like_rembg.json").write_text(json.dumps([asdict(row) for row in rows], indent=1))
    raise SystemExit(0 if all(row.equivalent for row in rows) else 1)


def ask(url: str, name: str, given: Mapping[str, str]) -> Image.Image:
    """Return the decoded response for the photo. `bgc` goes into the query, where rembg's server reads it."""
    with Image.open(next(PHOTOS.glob(f"{name}.*"))) as photo:
        data = encoded(photo.convert("RGB"), "PNG")
    form = {"model": "u2netp", **{key: value for key, value in given.items() if key != "bgc"}}
    query = {"bgc": given["bgc"]} if "bgc" in given else None
    answer = requests.post(url, files={"file": data}, data=form, params=query, timeout=300)
    if answer.status_code != 200 or answer.headers["Content-Type"] != "image/png":
        raise RuntimeError(f"{url} answered {answer.status_code}: {answer.text[:200]}")
    image = Image.open(io.BytesIO(answer.content))
    image.load()
    return image


def compare(name: str, case: str, ours: Image.Image, theirs: Image.Image, away: NDArray[np.bool_]) -> Comparison:
    """Compare two responses. Where no pixel is transparent (`bgc`), only size and mode are compared."""
    mine, other = (f"{image.mode} {image.width}×{image.height}" for image in (ours, theirs))
    if mine != other:
        return Comparison(name, case, mine, other, 1.0, 1.0)
    difference = np.abs(mask_of(ours).astype(np.float32) - mask_of(theirs)) / 255
    beyond = float(difference[away].mean()) if away.any() else 0.0
    return Comparison(name, case, mine, other, float(difference.mean()), beyond)


def far_from_edges(mask: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return the pixels that are further than `BAND` from each uncertain pixel: no refinement changes them."""
    reach = 2 * round(BAND * max(mask.shape)) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    soft = ((mask > SURE[0]) & (mask < SURE[1])).astype(np.uint8)
    edges = cv2.morphologyEx((mask > 127).astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    return np.asarray(cv2.dilate(cv2.max(soft, edges), disc) == 0)


def mask_of(image: Image.Image) -> NDArray[np.uint8]:
    """Return the image's alpha channel, or a grayscale image itself."""
    return np.asarray(image if image.mode == "L" else image.getchannel("A"))


if __name__ == "__main__":
    main()
