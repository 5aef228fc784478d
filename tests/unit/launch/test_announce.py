"""The text that `make run` prints when the service is ready."""

import importlib.util
import shlex
from pathlib import Path

import pytest

from services.launch import announce
from services.launch.announce import announcement, sample_photo


def command(text: str) -> list[str]:
    (line,) = [line for line in text.splitlines() if line.startswith("  curl ")]
    return shlex.split(line)


def test_announcement_names_the_port_in_every_address() -> None:
    text = announcement("127.0.0.1", 8123, "make run")
    assert "The page: http://127.0.0.1:8123 " in text
    assert "http://127.0.0.1:8123/docs" in text
    assert command(text)[4] == "http://127.0.0.1:8123/remove-background"


def test_sample_photo_exists() -> None:
    photo = sample_photo()
    assert photo
    assert photo.read_bytes().startswith(b"\x89PNG")
    assert command(announcement("127.0.0.1", 1, "make run"))[3] == f"file=@{photo}"


def test_path_with_a_space_stays_one_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(announce, "sample_photo", lambda: Path("/a b/it's.png"))
    assert command(announcement("127.0.0.1", 1, "make run"))[3] == "file=@/a b/it's.png"


def test_command_names_a_placeholder_where_no_photo_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    assert sample_photo() is None
    assert command(announcement("127.0.0.1", 1, "make run"))[3] == "file=@photo.jpg"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_service_on_loopback_prints_the_command_that_opens_it(host: str) -> None:
    lines = announcement(host, 5001, "bgremove serve").splitlines()
    assert "Only this machine can reach it. To open it to the network: HOST=0.0.0.0 bgremove serve" in lines


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("0.0.0.0", "http://127.0.0.1:5001"),
        ("::", "http://[::1]:5001"),
        ("192.0.2.7", "http://192.0.2.7:5001"),
        ("2001:db8::7", "http://[2001:db8::7]:5001"),
    ],
)
def test_open_service_prints_an_address_that_reaches_it(host: str, url: str) -> None:
    text = announcement(host, 5001, "make run")
    assert f"The page: {url} " in text
    assert "Only this machine" not in text
