"""Run rembg for `benchmarks.quality`, in rembg's own virtual environment: `quality_peer.py cut|remove FOLDER`.

`cut` writes `*.cut.png` for each `*.photo.png`: its subject with a closed-form alpha. `remove` writes rembg's results
for each `*.composite.png` (`*.plain.png` and so on), and the seconds of each to `seconds.json`.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image
from pymatting import estimate_alpha_cf, estimate_foreground_ml
from rembg import new_session, remove
from scipy.ndimage import binary_erosion

VARIANTS = {
    "plain": {},
    "post_process_mask": {"post_process_mask": True},
    "alpha_matting": {"alpha_matting": True},
    "decontaminate": {"decontaminate": True},
}


def cut(folder: Path) -> None:
    """Cut out the subject of each photo by closed-form matting."""
    session = new_session("u2netp")
    for path in sorted(folder.glob("*.photo.png")):
        image = Image.open(path).convert("RGB")
        mask = np.asarray(session.predict(image)[0])
        trimap = np.full(mask.shape, 0.5)
        trimap[binary_erosion(mask > 200, iterations=9)] = 1.0
        trimap[binary_erosion(mask < 50, iterations=16, border_value=1)] = 0.0
        pixels = np.asarray(image) / 255
        alpha = np.clip((estimate_alpha_cf(pixels, trimap) - 0.04) / 0.92, 0, 1)
        both = np.dstack([estimate_foreground_ml(pixels, alpha), alpha])
        Image.fromarray(np.clip(both * 255 + 0.5, 0, 255).astype(np.uint8)).save(
            path.with_suffix("").with_suffix(".cut.png")
        )


def remove_backgrounds(folder: Path) -> None:
    """Remove the background of each composite with each variant of rembg's options."""
    session = new_session("u2netp")
    seconds: dict[str, list[float]] = {name: [] for name in VARIANTS}
    small = Image.effect_noise((64, 64), 50).convert("RGB")
    # The first call compiles the Numba functions.
    for options in VARIANTS.values():
        remove(small, session=session, **options)
    for path in sorted(folder.glob("*.composite.png")):
        image = Image.open(path).convert("RGB")
        for name, options in VARIANTS.items():
            start = time.perf_counter()
            result = remove(image, session=session, **options)
            seconds[name].append(time.perf_counter() - start)
            result.save(path.with_suffix("").with_suffix(f".{name}.png"), compress_level=1)
        start = time.perf_counter()
        session.predict(image)
        seconds.setdefault("mask", []).append(time.perf_counter() - start)
    (folder / "seconds.json").write_text(json.dumps(seconds))


if __name__ == "__main__":
    {"cut": cut, "remove": remove_backgrounds}[sys.argv[1]](Path(sys.argv[2]))
