"""Names of settings: names of other programs that stand for ours, and names that are probably mistyped.

A mistyped name would otherwise go unnoticed, and the service would run with a default.
"""

import contextlib
import difflib
import io
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Final

MIB: Final = 1024 * 1024
FLASK_ENVS: Final = {"development": "true", "production": "false"}
TRUE: Final = frozenset({"1", "true", "t", "yes", "y", "on"})
# Names in a `.env` file that other parts read: this program's processes, docker-compose.yml, and the libraries.
OTHERS: Final = frozenset(
    {
        "ANNOUNCE",
        "APP_IMAGE",
        "BGREMOVE_HOME",
        "POSTGRES_PASSWORD",
        "STORAGE_ENCRYPTION_KEY",
        "HTTP_PORT",
        "HTTPS_PORT",
        "GRAFANA_PORT",
    }
    | {"APP_CPUS", "APP_MEMORY", "WORKER_CPUS", "WORKER_MEMORY", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"}
    | {"PATH", "HOME", "TMPDIR", "TZ", "LANG", "NO_COLOR", "FORCE_COLOR", "REQUESTS_CA_BUNDLE", "CUDA_VISIBLE_DEVICES"}
)
OTHERS_BEGIN: Final = (
    *("BG_REMOVER_", "PROMETHEUS_", "COMPOSE_", "DOCKER_", "AWS_", "PYTHON", "GUNICORN_", "CELERY_", "LC_"),
    *("OTEL_", "SSL_", "OMP_", "ORT_", "MALLOC_", "OPENCV_", "NVIDIA_", "PIP_", "UV_"),
)
# Names of other programs in the environment that differ from ours in a letter.
NOT_MISTYPED: Final = frozenset({"LOGLEVEL", "DATABASE_URI", "REDIS_URI"})
# A shorter name of another program can differ from one of ours in a single letter, as PORTS does.
NEAR_MISS_LETTERS: Final = 8
TWO_MISTAKES_LETTERS: Final = 12
# The name in a line that is no assignment.
WORD: Final = re.compile(r"^\s*(?:export\s+|set\s+)?(\w+)", re.IGNORECASE)
REFERENCE: Final = "docs/reference/settings.md has all names"


def _bytes_of_megabytes(value: str) -> str:
    try:
        size = float(value)
        return str(int(size * MIB))
    except (ValueError, OverflowError):
        raise ValueError("Input should be a number of megabytes") from None


def _debug(value: str) -> str:
    try:
        return FLASK_ENVS[value.strip().lower()]
    except KeyError:
        raise ValueError("Input should be 'development' or 'production'") from None


# The other name, our name, and how the value becomes ours.
ALIASES: Final[dict[str, tuple[str, Callable[[str], str]]]] = {
    "MAX_IMAGE_SIZE_MB": ("MAX_CONTENT_LENGTH", _bytes_of_megabytes),
    "AWS_BUCKET_NAME": ("S3_BUCKET_NAME", str),
    "BACKEND_URL": ("PUBLIC_URL", str),
    "FLASK_ENV": ("DEBUG", _debug),
}


def aliased(given: Mapping[str, str]) -> dict[str, str]:
    """Return the values of our settings that are given by another name. `mistakes` reports what can't be converted."""
    found = {}
    for alias, (name, convert) in ALIASES.items():
        if alias in given:
            with contextlib.suppress(ValueError):
                found[name.lower()] = convert(given[alias])
    return found


def environment(files: Collection[Path]) -> dict[str, str]:
    """Return what the settings are read from: the environment and, for names that it lacks, the `.env` files.

    Names are in upper case; an empty value is the same as none.
    """
    found: dict[str, str] = {}
    for file in files:
        found |= read_dotenv(file)
    return found | {name.upper(): value for name, value in os.environ.items() if value}


def read_dotenv(file: Path) -> dict[str, str]:
    """Return the values of a `.env` file that are not empty; none where there is no such file."""
    if not file.is_file():
        return {}
    # Imported here: most processes have no such file.
    from dotenv import dotenv_values

    return {name.upper(): value for name, value in dotenv_values(file, encoding="utf-8").items() if value}


def unreadable_lines(settings: Collection[str], files: Collection[Path]) -> Iterator[str]:
    """Yield a line for each file, and for each line of a `.env` file, that can't be read; it may hold a secret."""
    for file in dict.fromkeys(file.absolute() for file in files):
        try:
            # A folder is none either: docker makes one where the file to mount is missing.
            text = file.read_text(encoding="utf-8") if file.is_file() else ""
        except OSError as exc:
            yield f"{file} can't be read: {exc.strerror}"
            continue
        except UnicodeDecodeError:
            yield f"{file} can't be read: it is not UTF-8, save it as UTF-8"
            continue
        yield from _unreadable(text, file, {*settings, *ALIASES})


def _unreadable(text: str, file: Path, known: Collection[str]) -> Iterator[str]:
    if not text:
        return
    from dotenv.parser import parse_stream

    lines = list(parse_stream(io.StringIO(text)))
    begins = [line.key or next(iter(WORD.findall(line.original.string)), "") for line in lines]
    # Another program's file in the current folder names none of our settings.
    if not {name.upper() for name in begins} & {*known}:
        return
    for line, name in zip(lines, begins, strict=True):
        if line.error:
            blank = len(line.original.string) - len(line.original.string.lstrip())
            number = line.original.line + line.original.string[:blank].count("\n")
            yield (
                f"{file}, line {number}, can't be read: it begins with {name or 'no name'}; NAME=value is needed, "
                "and a value that begins with a quote ends with it"
            )


def mistakes(settings: Collection[str], files: Collection[Path]) -> Iterator[str]:
    """Yield a line for each name that can't be meant as it is. `settings` are our names, in upper case."""
    known = {*settings, *ALIASES}
    for file in dict.fromkeys(file.absolute() for file in files):
        names = _names(file)
        # Another program's file in the current folder names none of our settings.
        ours = bool(known.intersection(names))
        for name in names:
            if name in known:
                continue
            near = near_miss(name, known.difference(names))
            if near or (ours and not _is_others(name)):
                yield _unknown(name, file, near or nearest(name, known))
    given = {name.upper() for name in os.environ}
    for name in sorted(given - known - OTHERS - NOT_MISTYPED):
        if near := near_miss(name, known - given):
            yield _unknown(name, None, near)
    yield from _alias_mistakes(environment(files))


def near_miss(name: str, known: Collection[str]) -> str:
    """Return the name that `name` is a clear misspelling of: one letter off, or two in a long name; else ""."""
    if len(name) < NEAR_MISS_LETTERS or name in OTHERS:
        return ""
    allowed = 2 if len(name) >= TWO_MISTAKES_LETTERS else 1
    found = [(distance(name, other), other) for other in known if abs(len(name) - len(other)) <= allowed]
    best, other = min(found, default=(allowed + 1, ""))
    return other if best <= allowed else ""


def nearest(name: str, known: Collection[str]) -> str:
    """Return the most similar name; "" where none is similar."""
    return next(iter(difflib.get_close_matches(name, sorted(known), n=1)), "")


def distance(first: str, second: str) -> int:
    """Return the letters to insert, delete, change or swap with their neighbour to get from one name to the other."""
    before, row = [0] * (len(second) + 1), list(range(len(second) + 1))
    for i, one in enumerate(first, 1):
        earlier, before, row = before, row, [i]
        for j, two in enumerate(second, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (one != two))
            if i > 1 and j > 1 and one == second[j - 2] and two == first[i - 2]:
                cost = min(cost, earlier[j - 2] + 1)
            row.append(cost)
    return row[-1]


def _names(file: Path) -> list[str]:
    if not file.is_file():
        return []
    from dotenv import dotenv_values

    return [name.upper() for name in dotenv_values(file, encoding="utf-8", interpolate=False)]


def _is_others(name: str) -> bool:
    return name in OTHERS or name.startswith(OTHERS_BEGIN)


def _unknown(name: str, file: Path | None, near: str) -> str:
    place = f"in {file}" if file else "in the environment"
    return f"{name} ({place}) is not a setting: " + (f"did you mean {near}?" if near else REFERENCE)


def _alias_mistakes(given: Mapping[str, str]) -> Iterator[str]:
    for alias, (name, convert) in ALIASES.items():
        if alias not in given:
            continue
        value = given[alias]
        try:
            converted = convert(value)
        except ValueError as exc:
            yield f"{alias} is {value!r:.100}: {exc}"
            continue
        if _comparable(name, given.get(name, converted)) != _comparable(name, converted):
            yield f"{alias} is {value!r:.100}, {name} {given[name]!r:.100}: they are one setting, so give only one"


def _comparable(name: str, value: str) -> str:
    text = value.strip()
    return str(text.lower() in TRUE) if name == "DEBUG" else text.rstrip("/")
