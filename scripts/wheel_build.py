"""Puts the modules into the wheel: the library `bgremove`, and all else in the package `background_remover`.

In a clone the modules are at the top (`config`, `services`, …). In site-packages they would clash with other projects'.
So their imports of each other get the package's name in front while the wheel is built. hatchling runs this.
"""

import ast
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE: Final = "background_remover"
MODULES: Final = (*("app", "cli", "config", "gunicorn.conf", "paths", "run", "sweeper", "worker"),)
FOLDERS: Final = ("bootstrap", "commands", "library", "migrations", "routes", "services", "settings", "web")
OURS: Final = frozenset({"bgremove", *MODULES, *FOLDERS})
INIT: Final = '"""The modules of the service and of the library `bgremove`."""\n'


class WheelBuild(BuildHookInterface):  # type: ignore[type-arg] # hatchling's configuration has no type here
    """Makes the folder that becomes the wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's signature
        """Write the modules with their new imports into a temporary folder, and name it as the wheel's content."""
        self._made = tempfile.TemporaryDirectory(prefix="wheel-")
        target = Path(self._made.name)
        write_packages(Path(self.root), target)
        build_data["force_include"] |= {str(target / name): name for name in (PACKAGE, "bgremove")}

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        """Remove the temporary folder."""
        self._made.cleanup()


def write_packages(root: Path, target: Path) -> None:
    """Write both packages below `target`."""
    package, library = target / PACKAGE, target / "bgremove"
    for folder in FOLDERS:
        shutil.copytree(root / folder, package / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for module in MODULES:
        shutil.copy(root / f"{module}.py", package)
    library.mkdir()
    shutil.copy(root / "bgremove.py", library / "__init__.py")
    for path in target.rglob("*.py"):
        path.write_text(with_package(path.read_text(), root))
    (package / "__init__.py").write_text(INIT)
    for place in (package, library):
        (place / "py.typed").touch()


def with_package(source: str, root: Path) -> str:
    """Return a module's source with its imports of our modules, and texts that name one, inside the package."""
    # Not `splitlines`, which ends lines where Python does not.
    lines = source.split("\n")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and not node.level and is_ours(node.module or ""):
            _replace(lines, node, rf"from {re.escape(node.module or '')}\b", f"from {PACKAGE}.{node.module}")
        elif isinstance(node, ast.Import) and any(is_ours(alias.name) for alias in node.names):
            _replace(lines, node, ".*", _import(node.names))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _is_module(node.value, root):
            _replace(lines, node, re.escape(node.value), f"{PACKAGE}.{node.value}")
    return "\n".join(lines)


def is_ours(module: str) -> bool:
    """Return whether a dotted name is that of a module of this project."""
    return module.split(".")[0] in OURS


def _is_module(text: str, root: Path) -> bool:
    """Return whether a text is the dotted name of a module in a folder, as `services.removal`."""
    dotted = bool(re.fullmatch(r"[a-z_]+(\.[a-z_]+)+", text))
    return dotted and is_ours(text) and (root / text.replace(".", "/")).with_suffix(".py").is_file()


def _import(names: list[ast.alias]) -> str:
    parts = []
    for alias in names:
        called = f" as {alias.asname}" if alias.asname else ""
        if not is_ours(alias.name):
            parts.append(f"import {alias.name}{called}")
        elif "." not in alias.name:
            parts.append(f"from {PACKAGE} import {alias.name}{called}")
        elif called:
            parts.append(f"import {PACKAGE}.{alias.name}{called}")
        else:
            parts.append(f"import {PACKAGE}.{alias.name}; from {PACKAGE} import {alias.name.split('.')[0]}")
    return "; ".join(parts)


def _replace(lines: list[str], node: ast.stmt | ast.expr, pattern: str, new: str) -> None:
    """Replace the first match in the node's first line, from the column where the node begins."""
    line = lines[node.lineno - 1]
    # ast counts columns in bytes.
    start = len(line.encode()[: node.col_offset].decode())
    lines[node.lineno - 1] = line[:start] + re.sub(pattern, lambda _: new, line[start:], count=1)
