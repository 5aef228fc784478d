"""Print the requirements of the image: those of requirements.txt that the service imports, with their hashes.

    python deploy/image/requirements.py requirements.txt [requirements-gpu.txt] [--prepare]

rembg, onnxruntime and openvino ask for libraries that serving never imports (decision 004); `pip install --no-deps`
leaves them out. With `--prepare` the output is what `cli.py models prepare` needs besides, for the build alone.
"""

import re
import sys
from pathlib import Path
from typing import Final

# rembg asks for these: alpha matting of its own, and checks of the prompt for `sam` that our session replaces.
OF_REMBG: Final = frozenset(
    {"pymatting", "numba", "llvmlite", "scipy", "scikit-image", "imageio", "tifffile", "lazy-loader", "networkx"}
    | {"jsonschema", "jsonschema-specifications", "referencing", "rpds-py", "attrs"}
)
# The graph, and the photographs that come with scikit-image.
TO_PREPARE: Final = frozenset({"onnx", "ml-dtypes", "scikit-image", "lazy-loader"})
# Only OpenVINO's command line tools report their use.
OF_OPENVINO: Final = frozenset({"openvino-telemetry"})
NEVER_IMPORTED: Final = OF_REMBG | OF_OPENVINO | TO_PREPARE
# Both builds of ONNX Runtime have the same files; beside a GPU nothing runs on OpenVINO.
REPLACED: Final = {"onnxruntime-gpu": frozenset({"onnxruntime", "openvino"})}


def image_requirements(text: str, gpu: str = "", *, prepare: bool = False) -> str:
    """Return the pinned requirements that the image needs or, with `prepare`, those that only its build needs.

    `gpu` is the text of requirements-gpu.txt, for the image that runs on GPUs.
    """
    entries = _entries(text)
    names = {name for name, _ in entries}
    added = [(name, entry) for name, entry in _entries(gpu) if name not in names]
    replaced = {old for new, olds in REPLACED.items() if new in {name for name, _ in added} for old in olds}
    wanted = TO_PREPARE if prepare else (names | {name for name, _ in added}) - NEVER_IMPORTED - replaced
    return "".join(entry for name, entry in [*entries, *added] if name in wanted)


def _entries(text: str) -> list[tuple[str, str]]:
    """Return (name, lines) of each requirement; a name may have several, for versions of Python."""
    parts = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)
    return [(part.partition("==")[0], part) for part in parts]


def main(words: list[str]) -> None:
    """Print the requirements of the files."""
    texts = [Path(word).read_text(encoding="utf-8") for word in words if word != "--prepare"]
    sys.stdout.write(image_requirements(*texts, prepare="--prepare" in words))


if __name__ == "__main__":
    main(sys.argv[1:])
