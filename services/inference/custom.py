"""Custom models: an `.onnx` file in the models' folder, described by a JSON file of the same name."""

import contextlib
import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.errors import EngineUnavailable
from services.inference.catalogue import CATALOGUE, ModelFile, ModelSpec, Preprocessing

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
MAX_DESCRIPTION_BYTES: Final = 64 * 1024

Text = Annotated[str, Field(min_length=1, max_length=200)]
Mean = Annotated[float, Field(ge=-10, le=10, allow_inf_nan=False)]
Deviation = Annotated[float, Field(gt=0, le=10, allow_inf_nan=False)]


class Description(BaseModel):
    """The content of `<name>.json`, which describes `<name>.onnx`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    purpose: Text
    licence: Text
    commercial: Text = "unknown: see its licence"
    input_size: Annotated[int, Field(ge=32, le=4096)]
    mean: tuple[Mean, Mean, Mean]
    std: tuple[Deviation, Deviation, Deviation]
    output: Annotated[int, Field(ge=0, le=100)] | Text = 0
    activation: Literal["none", "sigmoid"] = "none"
    stretch: bool = True
    sha256: Annotated[str | None, Field(pattern="^[0-9a-f]{64}$")] = None


# A file without a description is prepared as rembg's `u2net_custom` does.
U2NET: Final = Description(
    purpose="a custom model, prepared like u2net",
    licence="unknown",
    input_size=320,
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
)


def find_spec(name: str, folder: Path) -> ModelSpec:
    """Return the facts about a model: rembg's own from the catalogue, others from `<name>.json` in the folder.

    A custom model without a description is taken for a u2net.
    Raises `ValueError`, which says what is missing or wrong.
    """
    if name in CATALOGUE:
        return CATALOGUE[name]
    if not NAME.fullmatch(name) or name.endswith(".prepared"):
        raise ValueError(f"{name!r:.80} can't be a model's name")
    path = folder / f"{name}.json"
    try:
        with path.open("rb") as file:
            text = file.read(MAX_DESCRIPTION_BYTES + 1)
    except OSError:
        if (folder / f"{name}.onnx").is_file():
            return _spec(name, U2NET)
        known = ", ".join(CATALOGUE)
        raise ValueError(
            f"{name} is not a known model ({known}); a custom model needs {path.name} next to it"
        ) from None
    if len(text) > MAX_DESCRIPTION_BYTES:
        raise ValueError(f"{path.name} is larger than {MAX_DESCRIPTION_BYTES} bytes")
    return _spec(name, _parse_description(path.name, text))


def all_specs(folder: Path) -> list[ModelSpec]:
    """Return the catalogue, and the custom models in the folder whose description is valid."""
    found = list(CATALOGUE.values())
    for path in sorted(folder.glob("*.json")):
        if path.stem not in CATALOGUE and not path.stem.endswith(".prepared"):
            with contextlib.suppress(ValueError):
                found.append(find_spec(path.stem, folder))
    return found


def _parse_description(file: str, text: bytes) -> Description:
    try:
        return Description.model_validate_json(text, strict=True)
    except ValidationError as exc:
        errors = exc.errors(include_url=False, include_context=False)
        found = (f"{'.'.join(map(str, error['loc'])) or 'the file'}: {error['msg']}" for error in errors)
        raise ValueError(f"{file} is wrong: {'; '.join(found)}") from exc


def _spec(name: str, found: Description) -> ModelSpec:
    return ModelSpec(
        name=name,
        purpose=found.purpose,
        licence=found.licence,
        commercial=found.commercial,
        input_size=found.input_size,
        files=(ModelFile(f"{name}.onnx", checksum=f"sha256:{found.sha256}" if found.sha256 else ""),),
        custom=Preprocessing(found.mean, found.std, found.output, found.activation == "sigmoid", found.stretch),
    )


class CustomSession:
    """A custom model with the two parts of a rembg session: `inner_session` and `predict`."""

    def __init__(self, spec: ModelSpec, inner_session: Any) -> None:
        """Raises `EngineUnavailable` where the graph does not match the description."""
        assert spec.custom is not None
        self._spec, self._how = spec, spec.custom
        self.inner_session = inner_session
        names = [output.name for output in inner_session.get_outputs()]
        wanted = self._how.output
        if wanted not in names and not (isinstance(wanted, int) and wanted < len(names)):
            raise EngineUnavailable(f"the model {spec.name} has no output {wanted!r}: it has {', '.join(names)}")
        self._output = names[wanted] if isinstance(wanted, int) else wanted
        (entry, *others) = inner_session.get_inputs()
        side = spec.input_size
        fits = all(
            not isinstance(have, int) or have == need
            for have, need in zip(entry.shape, (1, 3, side, side), strict=False)
        )
        if others or len(entry.shape) != 4 or not fits:
            taken = [given.shape for given in inner_session.get_inputs()]
            raise EngineUnavailable(f"the model {spec.name} takes {taken}, not one 1×3×{side}×{side}")
        self._input = entry.name

    def predict(self, image: Image.Image, **_: object) -> list[Image.Image]:
        """Return the mask of an RGB image, in the size of the model's output."""
        how = self._how
        pixels = np.asarray(image, dtype=np.float32) / 255
        pixels = (pixels - np.array(how.mean, np.float32)) / np.array(how.std, np.float32)
        (found,) = self.inner_session.run([self._output], {self._input: pixels.transpose(2, 0, 1)[None]})
        mask = np.squeeze(found)
        if mask.ndim != 2:
            raise EngineUnavailable(
                f"output {self._output} of the model {self._spec.name} has the shape {found.shape}, not that of a mask"
            )
        if how.sigmoid:
            mask = 1 / (1 + np.exp(-mask))
        if how.stretch:
            mask = (mask - mask.min()) / max(float(mask.max() - mask.min()), 1e-6)
        return [Image.fromarray(np.rint(np.clip(np.nan_to_num(mask), 0, 1) * 255).astype(np.uint8))]
