"""Remove from installed packages the files that the service in the image never opens.

python deploy/image/slim.py /opt/venv/lib/python3.13/site-packages
"""

import shutil
import sys
from hashlib import file_digest
from pathlib import Path
from typing import Final

# Descriptions of other AWS services. The rest signs in to S3: with roles, single sign-on, or tokens of a cluster.
AWS_SERVICES: Final = frozenset({"s3", "sts", "sso", "sso-oidc", "signin"})
# OpenVINO runs on the CPU here (services/inference/openvino.py).
UNUSED: Final = (
    *("numpy/**/tests", "numpy/f2py", "openvino/include", "sqlalchemy/testing"),
    # Databases that the service does not know.
    *(f"sqlalchemy/dialects/{name}" for name in ("mssql", "mysql", "oracle")),
    # Tools that convert and quantise models.
    *("onnxruntime/transformers", "onnxruntime/tools", "onnxruntime/quantization"),
    *("openvino/libs/libopenvino_intel_gpu_plugin.so*", "openvino/libs/libopenvino_intel_npu_plugin.so*"),
    # What the plugin for GPUs has tuned.
    "openvino/libs/cache.json",
    # It reads ONNX, and its own cache.
    *(f"openvino/libs/libopenvino_{name}_frontend.so*" for name in ("gguf", "jax", "paddle", "pytorch", "tensorflow*")),
    *(f"openvino/frontend/{name}" for name in ("jax", "paddle", "pytorch")),
)


def slim(packages: Path) -> int:
    """Remove unused files and second copies of libraries; return the bytes saved."""
    before = _size(packages)
    for pattern in UNUSED:
        for path in list(packages.glob(pattern)):
            _remove(path)
    for service in (packages / "botocore/data").glob("*/"):
        if service.is_dir() and service.name not in AWS_SERVICES:
            _remove(service)
    _link_copies(packages)
    return before - _size(packages)


def _link_copies(packages: Path) -> None:
    """Replace a library's copies under further names, which wheels have instead of links, by links."""
    first: dict[tuple[Path, str], Path] = {}
    for path in sorted(packages.rglob("*.so*")):
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                original = first.setdefault((path.parent, file_digest(file, "sha256").hexdigest()), path)
            if original is not path:
                path.unlink()
                path.symlink_to(original.name)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*"))


if __name__ == "__main__":
    print(f"{slim(Path(sys.argv[1])) / 1e6:.0f} MB removed")
