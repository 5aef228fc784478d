"""Print the requirements of the image: those of requirements.txt that the service imports, with their hashes.

    python deploy/image/requirements.py requirements.txt [--prepare]

rembg and onnxruntime ask for large libraries that serving never imports (decision 004); `pip install --no-deps` leaves
them out. With `--prepare` the output is what `cli.py models prepare` needs besides, for the build alone.
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
# onnxruntime asks for these: its tools for transformers.
OF_ONNXRUNTIME: Final = frozenset({"sympy", "mpmath", "protobuf"})
# The graph, and the photographs that come with scikit-image.
TO_PREPARE: Final = frozenset({"onnx", "ml-dtypes", "protobuf", "scikit-image", "lazy-loader"})
NEVER_IMPORTED: Final = OF_REMBG | OF_ONNXRUNTIME | TO_PREPARE


def image_requirements(text: str, *, prepare: bool = False) -> str:
    """Return the pinned requirements that the image needs or, with `prepare`, those that only its build needs."""
    entries = [(entry.partition("==")[0], entry) for entry in re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)]
    return "".join(entry for name, entry in entries if (name in TO_PREPARE if prepare else name not in NEVER_IMPORTED))


if __name__ == "__main__":
    sys.stdout.write(image_requirements(Path(sys.argv[1]).read_text(encoding="utf-8"), prepare="--prepare" in sys.argv))
