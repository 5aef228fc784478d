"""The catalogue of models: purpose, licence, input, files and their checksums."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.errors import EngineUnavailable


@dataclass(frozen=True)
class ModelFile:
    """A file of a model.

    `name` is its name in the models' folder, `remote` its name in rembg's release (and on a mirror of it; empty where
    it is not published), `checksum` is `sha256:…` or `md5:…` (empty where none is known).
    """

    name: str
    remote: str = ""
    checksum: str = ""


@dataclass(frozen=True)
class Preprocessing:
    """How a custom model's input and output are converted: its input is (x / 255 - mean) / std for each channel."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    output: int | str
    """The output that holds the mask: its place or its name."""
    sigmoid: bool
    stretch: bool
    """Whether the mask is stretched from its least value to its largest, as rembg does for its own models."""


@dataclass(frozen=True)
class ModelSpec:
    """The facts about a model. `input_size` is the side of its square input in px; `about_mb` the approximate size of
    its files, None where it is not known.
    """

    name: str
    purpose: str
    licence: str
    commercial: str
    """Whether it may be used commercially, in words."""
    input_size: int
    files: tuple[ModelFile, ...]
    about_mb: int | None = None
    custom: Preprocessing | None = None
    """None for rembg's own models."""

    def path(self, folder: Path) -> Path:
        """Return the path of the model's (first) file."""
        return folder / self.files[0].name

    def is_here(self, folder: Path) -> bool:
        return all((folder / file.name).is_file() for file in self.files)

    def size_bytes(self, folder: Path) -> int:
        return sum((folder / file.name).stat().st_size for file in self.files)

    def prepared_path(self, folder: Path) -> Path:
        """Return the path of the file for bf16, written by `services/inference/bf16.py`; its record ends in `.json`."""
        return folder / f"{self.name}.prepared.onnx"

    def int8_path(self, folder: Path) -> Path:
        """Return the path of the prepared file whose convolutions run partly in int8."""
        return folder / f"{self.name}.int8.prepared.onnx"

    @property
    def checksums(self) -> dict[str, str | None]:
        """Each file's checksum as `sha256:…` or `md5:…`; None where none is known."""
        return {file.name: file.checksum or None for file in self.files}

    @property
    def takes_prompt(self) -> bool:
        """Whether the model needs points or a box."""
        return self.name == "sam"


# (licence, whether commercial use is allowed)
APACHE: Final = ("Apache-2.0", "yes")
MIT: Final = ("MIT", "yes")
# https://github.com/ZhengPeng7/BiRefNet/issues/306 and 316; isnet-general-use was trained on the same data.
DIS5K: Final = "yes, say its authors; some of its training data (DIS5K) restrict commercial use"


def _rembg(name: str, purpose: str, terms: tuple[str, str], side: int, checksum: str, about_mb: int) -> ModelSpec:
    file = ModelFile(f"{name}.onnx", f"{name}.onnx", checksum)
    return ModelSpec(name, purpose, *terms, side, (file,), about_mb)


def _birefnet(name: str, purpose: str, release: str, md5: str, about_mb: int) -> ModelSpec:
    file = ModelFile(f"birefnet-{name}.onnx", f"BiRefNet-{release}.onnx", f"md5:{md5}")
    return ModelSpec(f"birefnet-{name}", purpose, "MIT", DIS5K, 1024, (file,), about_mb)


# Checksums are rembg's own (2.0.86): SHA-256 where it has one, MD5 elsewhere; u2netp's SHA-256 is of the file that has
# rembg's MD5. Tests compare the two lists. Models that send images to others (withoutbg, atlascloud) are left out.
_SPECS: Final = (
    _rembg("u2netp", "general, small and fast", APACHE, 320,
           "sha256:309c8469258dda742793dce0ebea8e6dd393174f89934733ecc8b14c76f4ddd8", 5),
    _rembg("u2net", "general", APACHE, 320, "md5:60024c5c889badc19c04ad937298a77b", 176),
    _rembg("u2net_human_seg", "people", APACHE, 320, "md5:c09ddc2e0104f800e3e1bb4652583d1f", 176),
    _rembg("u2net_cloth_seg", "clothes that a person wears", MIT, 768,
           "md5:2434d1f3cb744e0e49386c906e5a08bb", 176),
    _rembg("silueta", "general, u2net made smaller", APACHE, 320, "md5:55e59e0d8062d2f5d013f4725ee84782", 43),
    _rembg("isnet-general-use", "general, finer detail", ("Apache-2.0", DIS5K), 1024,
           "md5:fc16ebd8b0c10d971d3513d564d01e29", 178),
    _rembg("isnet-anime", "drawn characters", APACHE, 1024, "md5:6f184e756bb3bd901c8849220a83e38e", 176),
    ModelSpec("sam", "the object that the option `prompt` points at", *APACHE, 1024, (
        ModelFile("sam_vit_b_01ec64.encoder.onnx", "sam_vit_b_01ec64.encoder.onnx",
                  "md5:a780f8ba09bceceaa1435724ed354848"),
        ModelFile("sam_vit_b_01ec64.decoder.onnx", "sam_vit_b_01ec64.decoder.onnx",
                  "md5:c4218b16ec1cb09889fcd6eb7a42a7c9"),
    ), 375),
    _birefnet("general", "general, the finest; slow", "general-epoch_244", "7a35a0141cbbc80de11d9c9a28f52697", 900),
    _birefnet("general-lite", "general, fine; slow", "general-bb_swin_v1_tiny-epoch_232",
              "4fab47adc4ff364be1713e97b7e66334", 224),
    ModelSpec("birefnet-general-fp16", "birefnet-general for GPUs", "MIT", DIS5K, 1024,
              (ModelFile("birefnet-general-fp16.onnx"),)),
    _birefnet("portrait", "people; slow", "portrait-epoch_150", "c3a64a6abf20250d090cd055f12a3b67", 900),
    _birefnet("dis", "intricate objects; slow", "DIS-epoch_590", "2d4d44102b446f33a4ebb2e56c051f2b", 900),
    _birefnet("hrsod", "large photos; slow", "HRSOD_DHU-epoch_115", "c017ade5de8a50ff0fd74d790d268dda", 900),
    _birefnet("cod", "camouflaged objects; slow", "COD-epoch_125", "f6d0d21ca89d287f17e7afe9f5fd3b45", 900),
    _birefnet("massive", "general, learned from more data; slow", "massive-TR_DIS5K_TR_TEs-epoch_420",
              "33e726a2136a3d59eb0fdf613e31e3e9", 900),
    ModelSpec("bria-rmbg", "general, fine; slow", "CC-BY-NC-4.0", "only with a licence of BRIA AI", 1024, (
        ModelFile("bria-rmbg.onnx", "bria-rmbg-2.0.onnx",
                  "sha256:5b486f08200f513f460da46dd701db5fbb47d79b4be4b708a19444bcd4e79958"),
    )),
)  # fmt: skip
CATALOGUE: Final = {spec.name: spec for spec in _SPECS}


def digest(path: Path, algorithm: str = "sha256") -> str:
    """Return the file's checksum in hex, read piece by piece. Raises `OSError`."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()


def mismatch(file: ModelFile, path: Path) -> str:
    """Return why the file's bytes are not the known ones; "" when they are, or none are known. Raises `OSError`."""
    algorithm, _, expected = file.checksum.partition(":")
    if not expected:
        path.stat()
        return ""
    name = {"sha256": "SHA-256", "md5": "MD5"}[algorithm]
    return "" if digest(path, algorithm) == expected else f"its {name} is not the known one"


def check_file(spec: ModelSpec, folder: Path) -> Path:
    """Return the path of the model's (first) file. Raises `EngineUnavailable` when one is missing or damaged."""
    for file in spec.files:
        try:
            wrong = mismatch(file, folder / file.name)
        except OSError as exc:
            raise EngineUnavailable(f"the file of model {spec.name} can't be read ({type(exc).__name__})") from exc
        if wrong:
            raise EngineUnavailable(f"the file of model {spec.name} is damaged: {wrong}")
    return spec.path(folder)
