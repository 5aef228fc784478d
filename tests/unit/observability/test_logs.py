"""The lines of the log, through handlers and formatters made from its configuration."""

import logging
import logging.config
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import structlog

from services.observability.logs import RotatingFile, StandardErrorFallback, WatchedFile, logging_config

Configure = Callable[..., logging.Handler]


@pytest.fixture(autouse=True)
def structlog_as_before() -> Iterator[None]:
    """Undo what `logging_config` sets for the whole process."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


@pytest.fixture
def configure(tmp_path: Path) -> Iterator[Configure]:
    """Make the configuration's only handler; loggers of the test process stay as they are."""
    handlers: list[logging.Handler] = []

    def make(style: str = "json", rotate_mb: float = 0) -> logging.Handler:
        config: dict[str, Any] = logging_config(
            level="INFO", style=style, file=tmp_path / "logs/app.log", rotate_mb=rotate_mb, backups=3
        )
        parts = logging.config.DictConfigurator(config)
        formatter = parts.configure_formatter(config["formatters"]["line"])
        fields = config["handlers"]["out"]
        kind = fields.pop("()")
        fields.pop("formatter")
        handler: logging.Handler = kind(**fields)
        handler.setFormatter(formatter)
        handlers.append(handler)
        return handler

    yield make
    for handler in handlers:
        handler.close()


def record(text: str, **extra: object) -> logging.LogRecord:
    return logging.getLogger("x").makeRecord("x", logging.WARNING, "x.py", 1, text, (), None, extra=extra)


def test_json_line_is_one_object_with_level_time_and_fields(configure: Configure, tmp_path: Path) -> None:
    configure("json").handle(record("two\nlines", count=3))
    (line,) = (tmp_path / "logs/app.log").read_text().splitlines()
    found = orjson.loads(line)
    assert found.pop("timestamp").endswith("Z")
    assert found == {"event": "two\nlines", "level": "warning", "count": 3}


def test_text_line_in_a_file_has_no_colours(configure: Configure, tmp_path: Path) -> None:
    configure("text").handle(record("hello", count=3))
    line = (tmp_path / "logs/app.log").read_text()
    assert "hello" in line
    assert "count=3" in line
    assert "\x1b" not in line


def test_text_line_holds_nothing_that_a_terminal_obeys(configure: Configure, tmp_path: Path) -> None:
    configure("text").handle(record("asked\x1b[2J", path="/\x1b[2J\x9b1m\u202e\ud800é", other="two\nlines"))
    (line,) = (tmp_path / "logs/app.log").read_text().splitlines()
    assert line.replace("\n", "").isprintable()
    assert "asked\\x1b[2J" in line
    assert r"path=/\x1b[2J\x9b1m\u202e\ud800é" in line


def test_file_moved_away_is_reopened(configure: Configure, tmp_path: Path) -> None:
    handler, file = configure(rotate_mb=0), tmp_path / "logs/app.log"
    assert isinstance(handler, WatchedFile)
    handler.handle(record("first"))
    file.rename(tmp_path / "logs/app.log.1")
    handler.handle(record("second"))
    assert orjson.loads(file.read_text())["event"] == "second"


def test_file_rotates_at_its_size(configure: Configure, tmp_path: Path) -> None:
    handler = configure(rotate_mb=0.001)
    assert isinstance(handler, RotatingFile)
    for number in range(10):
        handler.handle(record("x" * 300, number=number))
    assert sorted(path.name for path in (tmp_path / "logs").glob("app.log*"))[:2] == ["app.log", "app.log.1"]
    assert (tmp_path / "logs/app.log").stat().st_size < 1100


def test_line_without_room_on_disk_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    class Full(StandardErrorFallback):
        def emit(self, record: logging.LogRecord) -> None:
            self.handleError(record)

    Full().handle(record("disk full"))
    assert capsys.readouterr().err == "disk full\n"


def test_access_log_of_gunicorn_is_silent() -> None:
    before = structlog.get_config()
    config = logging_config(level="INFO", style="json", file=None, rotate_mb=0, backups=0)
    structlog.configure(**before)
    assert config["loggers"]["gunicorn.access"] == {"handlers": [], "propagate": False, "level": "CRITICAL"}
    assert config["handlers"]["out"]["stream"] == "ext://sys.stderr"


@pytest.mark.parametrize("rotate_mb", [0, 0.0005])
@pytest.mark.parametrize("existing", [False, True])
def test_only_the_owner_can_read_log_files(
    configure: Configure, tmp_path: Path, rotate_mb: float, existing: bool
) -> None:
    folder = tmp_path / "logs"
    before = os.umask(0o022)
    try:
        if existing:
            folder.mkdir()
            (folder / "app.log").touch(mode=0o644)
        handler = configure(rotate_mb=rotate_mb)
        for _ in range(20):
            handler.handle(record("x" * 100))
    finally:
        os.umask(before)
    logs = [path for path in folder.iterdir() if not path.name.startswith(".")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in logs} == {0o600}
    assert (len(logs) > 1) is bool(rotate_mb)
    assert existing or stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_mode_of_a_device_is_left_alone() -> None:
    device = Path("/dev/null")
    before = device.stat().st_mode
    handler = WatchedFile(str(device))
    handler.handle(record("lost"))
    handler.close()
    assert device.stat().st_mode == before
    config = logging_config(level="INFO", style="json", file=device, rotate_mb=1, backups=1)
    assert config["handlers"]["out"]["chmod"] is None


def test_line_for_people_keeps_the_order_of_its_fields_and_leaves_out_absent_ones(
    configure: Configure, tmp_path: Path
) -> None:
    configure("console").handle(record("request", method="GET", status=200, bytes_out=None, duration_ms=1.5))
    (line,) = (tmp_path / "logs/app.log").read_text().splitlines()
    assert line.endswith("] request method=GET status=200 duration_ms=1.5")


@pytest.mark.parametrize(("terminal", "begins"), [(True, "ConsoleRenderer"), (False, "JSONRenderer")])
def test_automatic_style_is_text_only_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, terminal: bool, begins: str
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    found = logging_config(level="INFO", style="auto", file=None, rotate_mb=0, backups=0)
    assert type(found["formatters"]["line"]["processors"][-1]).__name__ == begins
    to_file = logging_config(level="INFO", style="auto", file=tmp_path / "app.log", rotate_mb=0, backups=0)
    assert type(to_file["formatters"]["line"]["processors"][-1]).__name__ == "JSONRenderer"


def test_traceback_for_people_shows_no_values(configure: Configure, tmp_path: Path) -> None:
    def sign_in(password: str) -> None:
        raise ValueError("broken")

    handler = configure("console")
    try:
        sign_in("".join(["open ", "sesame"]))
    except ValueError as error:
        failed = record("request failed")
        failed.exc_info = (ValueError, error, error.__traceback__)
        handler.handle(failed)
    text = (tmp_path / "logs/app.log").read_text()
    assert "ValueError: broken" in text
    assert "open sesame" not in text
