"""Which package may import which, how large packages are, and what each is for."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.support.waiting import ROOT

# Lower levels never import higher ones. Within a level, imports must not form a cycle.
LEVELS: Final = (
    {"errors", "observability"},
    {"capacity", "persistence", "storage", "net", "containers"},
    {"imaging", "api_keys"},
    {"inference", "archives", "dialects", "removal", "result_cache", "accounts"},
    {"jobs"},
    {"paths", "settings"},
    {"config"},
    {"bootstrap"},
    {"routes", "worker", "commands", "app", "sweeper", "run", "library"},
    {"cli"},
)
ALONE: Final = "launch"
MAX_MODULES: Final = 25
MAX_TEST_MODULES: Final = 26
MAX_LINES: Final = 250
MAX_FUNCTION_LINES: Final = 50
MAX_PARAMETERS: Final = 6
PACKAGES: Final = ("bootstrap", "settings", "services", "routes", "commands", "library")
ENTRY_POINTS: Final = ("app.py", "worker.py", "cli.py", "sweeper.py", "config.py", "run.py")


def code() -> list[Path]:
    """All modules that serve."""
    packages = [path for name in PACKAGES for path in (ROOT / name).rglob("*.py")]
    return sorted([*packages, *(ROOT / name for name in ENTRY_POINTS), ROOT / "gunicorn.conf.py"])


def package(module: str) -> str:
    """The package of a dotted module name; "" for a library."""
    parts = module.split(".")
    if parts[0] == "services":
        return parts[1] if len(parts) > 1 else ""
    return parts[0] if any(parts[0] in names for names in LEVELS) else ""


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of each module that a file imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.lineno, node.module
            if node.module in ("services", "routes"):
                yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def arrows() -> Iterator[tuple[str, str, str]]:
    """(place, importing package, imported package) of every import between packages."""
    for path in code():
        here = package(".".join(path.relative_to(ROOT).with_suffix("").parts))
        for line, name in imports(path):
            there = package(name)
            if there and there != here:
                yield f"{path.relative_to(ROOT)}:{line}", here, there


def level(name: str) -> int:
    return next(number for number, names in enumerate(LEVELS) if name in names)


def test_no_package_imports_a_higher_one() -> None:
    wrong = [
        f"{place} imports {there}"
        for place, here, there in arrows()
        if here and ALONE not in (here, there) and level(here) < level(there)
    ]
    assert wrong == []


def test_packages_have_no_import_cycle() -> None:
    edges: dict[str, set[str]] = {}
    for _, here, there in arrows():
        edges.setdefault(here, set()).add(there)

    def reaches(start: str, goal: str, seen: set[str]) -> bool:
        for step in edges.get(start, set()) - seen:
            seen.add(step)
            if step == goal or reaches(step, goal, seen):
                return True
        return False

    assert [name for name in edges if reaches(name, name, set())] == []


def test_imaging_imports_only_containers_errors_and_the_deadline() -> None:
    for path in (ROOT / "services/imaging").glob("*.py"):
        for line, name in imports(path):
            if name.startswith("services."):
                assert name in ("services.errors", "services.capacity.deadline") or name.startswith(
                    ("services.imaging", "services.containers")
                ), f"{path.name}:{line} imports {name}"


def test_containers_import_no_decoder() -> None:
    for path in (ROOT / "services/containers").glob("*.py"):
        names = {name.split(".")[0] for _, name in imports(path)}
        assert not names & {"PIL", "numpy", "cv2", "pi_heif", "simplejpeg"}, path


def test_only_run_imports_launch_and_launch_imports_only_itself() -> None:
    for place, here, there in arrows():
        assert there != ALONE or here == "run" or place.startswith("run.py"), f"{place} imports {ALONE}"
        assert here != ALONE, f"{place} imports {there}"


def test_routes_import_neither_persistence_nor_inference() -> None:
    assert [
        place for place, here, there in arrows() if here == "routes" and there in ("persistence", "inference")
    ] == []


def test_services_import_no_web_framework_and_no_settings() -> None:
    for path in (ROOT / "services").rglob("*.py"):
        names = {name.split(".")[0] for _, name in imports(path)}
        assert not names & {
            "flask",
            "werkzeug",
            "routes",
            "config",
            "settings",
            "app",
            "cli",
            "commands",
            "bootstrap",
        }, path


def test_library_imports_no_web_framework_and_no_command() -> None:
    for path in (ROOT / "library").rglob("*.py"):
        names = {name.split(".")[0] for _, name in imports(path)}
        assert not names & {"flask", "werkzeug", "click", "routes", "app", "cli", "commands", "worker"}, path


def test_worker_imports_no_web_framework() -> None:
    names = {name.split(".")[0] for _, name in imports(ROOT / "worker.py")}
    assert not names & {"app", "routes", "flask"}


def test_folders_hold_a_limited_number_of_modules() -> None:
    for folder in {path.parent for path in code()}:
        modules = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
        assert len(modules) <= MAX_MODULES, folder


def test_folders_of_tests_hold_a_limited_number_of_modules() -> None:
    for folder in {path.parent for path in (ROOT / "tests").rglob("*.py")}:
        modules = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
        assert len(modules) <= MAX_TEST_MODULES, folder


def test_services_have_fourteen_packages_and_three_files() -> None:
    folder = ROOT / "services"
    assert len([path for path in folder.iterdir() if (path / "__init__.py").exists()]) == 14
    assert {path.name for path in folder.glob("*.py")} == {"__init__.py", "errors.py", "removal.py", "result_cache.py"}


def test_every_package_has_a_docstring() -> None:
    for init in [
        *(ROOT / "services").glob("*/__init__.py"),
        *(ROOT / "routes").rglob("__init__.py"),
        ROOT / "commands/__init__.py",
    ]:
        assert ast.get_docstring(ast.parse(init.read_text())), init


def test_files_stay_short() -> None:
    for path in code():
        if path.name != "gunicorn.conf.py":
            assert len(path.read_text().splitlines()) <= MAX_LINES, path


def test_functions_stay_short() -> None:
    helpers = [path for name in ("tests/support", "benchmarks", "scripts") for path in (ROOT / name).rglob("*.py")]
    for path in [*code(), *helpers]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                assert lines <= MAX_FUNCTION_LINES, f"{path}: {node.name} has {lines} lines"


def test_functions_take_at_most_six_parameters() -> None:
    for path in code():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                given = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
                names = [argument.arg for argument in given if argument.arg not in ("self", "cls")]
                assert len(names) <= MAX_PARAMETERS, f"{path.name}: {node.name}"


@pytest.mark.parametrize(
    "module", sorted((ROOT / "services").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT))
)
def test_every_module_has_a_unit_test_file(module: Path) -> None:
    if module.name in ("__init__.py", "errors.py"):
        return
    place = module.parent.relative_to(ROOT / "services")
    assert (ROOT / "tests/unit" / place / f"test_{module.name}").exists()


def test_no_test_imports_a_test() -> None:
    for path in (ROOT / "tests").rglob("*.py"):
        for line, name in imports(path):
            last = name.rsplit(".", 1)[-1]
            assert not (name.startswith("tests.") and last.startswith("test_")), f"{path}:{line}"


def test_images_are_inspected_only_by_the_remover() -> None:
    """Elsewhere nothing would bound how many threads read headers at a time."""
    for path in code():
        for line, name in imports(path):
            assert (
                name != "services.imaging.decode"
                or path.name in ("removal.py", "pipeline.py")
                or ("inspect(" not in path.read_text().replace(".inspect(", "").replace("def inspect(", ""))
            ), f"{path.name}:{line}"


def test_redis_is_imported_in_one_place() -> None:
    """redis-py imports the OpenTelemetry SDK where that is installed; `services/persistence/redis.py` keeps it out."""
    for path in code():
        if path != ROOT / "services/persistence/redis.py":
            assert not [name for _, name in imports(path) if name.split(".")[0] == "redis"], path
