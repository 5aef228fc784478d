"""The Model Context Protocol's server, driven by the client of the official package."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support import tiny_models
from tests.support.commands import quick_cli
from tests.support.gunicorn import U2NETP
from tests.support.waiting import ROOT

mcp = pytest.importorskip("mcp")


@pytest.fixture
def open_folder(tmp_path: Path, small: bytes) -> Path:
    """A root with a photo, a folder of photos, and links that lead outside."""
    root = tmp_path / "open"
    (root / "photos").mkdir(parents=True)
    for name in ("photo.jpg", "photos/a.jpg", "photos/b.jpg"):
        (root / name).write_bytes(small)
    (root / "photos/bad.jpg").write_bytes(b"no picture")
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed/secret.jpg").write_bytes(small)
    (root / "link").symlink_to(tmp_path / "closed")
    (root / "link.jpg").symlink_to(tmp_path / "closed/secret.jpg")
    return root


def talk(root: Path, talking: Callable[[Any], Awaitable[None]], **settings: str) -> None:
    """Run a conversation with `cli.py mcp --root root`, with the tiny model unless the settings name another."""

    async def run() -> None:
        command = mcp.StdioServerParameters(
            command=sys.executable,
            args=[str(ROOT / "cli.py"), "mcp", "--root", str(root)],
            env={"PATH": "/usr/bin:/bin", **tiny_models.quick(), **settings},
        )
        async with mcp.Client(command, read_timeout_seconds=60) as client:
            await talking(client)

    # In a thread of its own: a browser's driver may have left an event loop running in this one.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, run()).result()


def test_client_finds_three_tools_and_the_models(open_folder: Path) -> None:
    async def talking(client: Any) -> None:
        tools = await client.list_tools()
        assert {tool.name for tool in tools.tools} == {"remove_background", "list_models", "job_status"}
        models = (await client.call_tool("list_models")).structured_content["result"]
        assert (models[0]["name"], models[0]["default"], models[0]["here"]) == ("u2netp", True, True)

    talk(open_folder, talking, **{name: str(value) for name, value in U2NETP.items()})


def test_picture_becomes_a_file_with_the_bytes_of_the_command_line(open_folder: Path) -> None:
    async def talking(client: Any) -> None:
        asked = {"path": "photo.jpg", "options": {"format": "webp", "crop": True, "quality": 90}}
        done = await client.call_tool("remove_background", asked)
        assert not done.is_error, done.content
        assert done.structured_content["result"] == str(open_folder / "photo-no-bg.webp")
        again = await client.call_tool("remove_background", asked)
        assert again.is_error
        assert "already exists" in again.content[0].text
        assert not (await client.call_tool("remove_background", {**asked, "overwrite": True})).is_error

    talk(open_folder, talking)
    options = ("-O", "format=webp", "-O", "crop=yes", "-O", "quality=90")
    made = quick_cli("remove", open_folder / "photo.jpg", "-o", "-", *options)
    assert (open_folder / "photo-no-bg.webp").read_bytes() == made.stdout


def test_folder_becomes_a_job(open_folder: Path) -> None:
    async def talking(client: Any) -> None:
        started = (await client.call_tool("remove_background", {"path": "photos", "output": "cut"})).structured_content
        assert started["pictures"] == 3
        for _ in range(300):
            job = (await client.call_tool("job_status", {"job_id": started["job_id"]})).structured_content
            if job["status"] == "finished":
                break
            await asyncio.sleep(0.1)
        assert (job["done"], job["failed"], job["output"]) == (2, 1, str(open_folder / "cut"))
        assert job["failures"][0]["code"] == "unsupported_format"
        assert (await client.call_tool("job_status", {"job_id": "none"})).is_error

    talk(open_folder, talking)
    assert sorted(path.name for path in (open_folder / "cut").iterdir()) == ["a-no-bg.png", "b-no-bg.png"]


@pytest.mark.skipif(sys.platform == "darwin", reason="its file systems take no other names than UTF-8")
def test_job_names_failures_whose_names_are_no_utf_8(open_folder: Path) -> None:
    (open_folder / "photos" / os.fsdecode(b"caf\xe9.jpg")).write_bytes(b"no picture")

    async def talking(client: Any) -> None:
        started = (await client.call_tool("remove_background", {"path": "photos"})).structured_content
        for _ in range(300):
            answer = await client.call_tool("job_status", {"job_id": started["job_id"]})
            assert not answer.is_error, answer
            if answer.structured_content["status"] == "finished":
                break
            await asyncio.sleep(0.1)
        sources = [failure["source"] for failure in answer.structured_content["failures"]]
        assert str(open_folder / r"photos/caf\udce9.jpg") in sources

    talk(open_folder, talking)


def test_nothing_outside_the_roots_is_read_or_written(open_folder: Path, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    (open_folder / "photos-no-bg").symlink_to(closed)
    refused: tuple[dict[str, Any], ...] = (
        {"path": str(closed / "secret.jpg")},
        {"path": "../closed/secret.jpg"},
        {"path": "link.jpg"},
        {"path": "link/secret.jpg"},
        {"path": "link"},
        {"path": "photos"},
        {"path": "photo.jpg", "output": str(closed / "out.png")},
        {"path": "photo.jpg", "output": "link/out.png"},
        {"path": "photo.jpg", "options": {"background_image": "link.jpg"}},
        {"path": "a\0b"},
    )

    async def talking(client: Any) -> None:
        for asked in refused:
            answer = await client.call_tool("remove_background", asked)
            assert answer.is_error, asked
            assert "outside the folders" in answer.content[0].text or "is not a path" in answer.content[0].text, asked

    talk(open_folder, talking)
    assert [path.name for path in closed.iterdir()] == ["secret.jpg"]


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"path": "none.jpg"}, "does not exist"),
    ({"path": "photos/bad.jpg"}, "(unsupported_format)"),
    ({"path": "photo.jpg", "options": {"colour": "red"}}, "(unknown_option)"),
    (
        {"path": "photo.jpg", "output": "photo.jpg", "options": {"format": "jpeg"}, "overwrite": True},
        "another output",
    ),
    ({"path": "photo.jpg", "output": "notes.txt"}, "must end with .png"),
    ({"path": "photo.jpg", "output": "x" * 300 + ".png"}, "File name too long"),
]


def test_each_mistake_is_named(open_folder: Path) -> None:
    async def talking(client: Any) -> None:
        for asked, text in MISTAKES:
            answer = await client.call_tool("remove_background", asked)
            assert answer.is_error, asked
            assert text in answer.content[0].text, asked

    talk(open_folder, talking)
