"""Whatever is typed, a command line ends with a line that explains it: every argument of every command."""

from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import structlog
from click.testing import CliRunner

from cli import main

# A value that each required argument takes, so that the others are reached.
VALUES = {
    "email": "a@x.y",
    "id_or_name": "shop",
    "name": "shop",
    "output": "results",
    "revision": "head",
    "role": "user",
    "roots": "missing",
    "source": "missing.jpg",
    "target": "results",
}
HOSTILE = {
    "not-utf8": "\udcff",
    "digits": "5" * 5000,
    "long": "x" * 100_000,
    "empty": "",
    "negative": "-1",
    "fraction": "1.5",
    "other-digit": "\u0663",
    "control": "\x1b[31m\n",
    "pair-not-utf8": "\udcff=\udcff",
    "pair-digits": "margin=" + "5" * 5000,
}
# The others take many seconds and find the same mistakes, nearly always.
COMMON = ("not-utf8", "empty")
# Their values are texts that have to be checked, not paths.
STRICT = ("keys", "users", "db", "sign")


def commands(group: click.Group, *words: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, *words, name)
        else:
            yield (*words, name), command


def lines(hostile: str) -> Iterator[list[str]]:
    """The words of every command with one hostile argument."""
    for words, command in commands(main):
        for chosen in command.params:
            line = list(words)
            for parameter in command.params:
                if parameter is not chosen and not parameter.required:
                    continue
                value = hostile if parameter is chosen else VALUES[parameter.name or ""]
                if isinstance(parameter, click.Argument):
                    line.append(value)
                elif not getattr(parameter, "is_flag", False):
                    line += [parameter.opts[-1], value]
            yield line


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/a.db")
    monkeypatch.setenv("URL_SIGNING_KEY", "k" * 32)
    monkeypatch.setenv("REMBG_SESSION_PATH", str(tmp_path))
    yield
    # The commands send the log to standard error.
    structlog.reset_defaults()


@pytest.mark.slow
@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=() if kind in COMMON else pytest.mark.long) for kind in HOSTILE]
)
def test_no_argument_ends_a_command_with_a_traceback(kind: str) -> None:
    for line in lines(HOSTILE[kind]):
        shown = [word[:30] for word in line]
        done = CliRunner().invoke(main, line)
        assert done.exception is None or isinstance(done.exception, SystemExit), (shown, done.exception)
        assert done.exit_code in (0, 1, 2), shown
        if line[0] in STRICT and HOSTILE[kind] in line and kind in ("not-utf8", "digits", "pair-not-utf8"):
            assert done.exit_code == 2, (shown, done.output)
