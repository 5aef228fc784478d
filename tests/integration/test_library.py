"""The library in process: the bytes of the command line, every kind of picture, batches, errors."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bgremove import Remover, ServiceError, remove
from services.errors import BadOption, ModelNotFound, UnknownOption
from tests.support.commands import cli
from tests.support.pictures.animations import disc, shown
from tests.support.waiting import ROOT

Load = Callable[[str], Image.Image]


@pytest.fixture(scope="module")
def warm() -> Iterator[Remover]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REMBG_SESSION_PATH", str(ROOT / "models"))
        remover = Remover(jobs=2)
        remover.remove(np.zeros((32, 32, 3), np.uint8))
        yield remover


def test_bytes_and_path_give_the_bytes_of_the_command_line(warm: Remover, tmp_path: Path, jpeg: bytes) -> None:
    (tmp_path / "photo.jpg").write_bytes(jpeg)
    options = ("-O", "format=webp", "-O", "crop=yes", "-O", "scale=80%")
    # NumPy's BLAS may be set to one processor's instructions, which round otherwise.
    blas: dict[str, Any] = {name: value for name, value in os.environ.items() if name.startswith("OPENBLAS")}
    made = cli("remove", tmp_path / "photo.jpg", "-o", "-", *options, **blas)
    assert made.returncode == 0, made.stderr
    asked = {"format": "webp", "crop": True, "scale": "80%"}
    assert remove(jpeg, session=warm, **asked) == made.stdout  # type: ignore[call-overload] # keywords from a dict
    assert remove(str(tmp_path / "photo.jpg"), session=warm, format="webp", crop=True, scale="80%") == made.stdout


@pytest.mark.long
def test_animation_gives_the_bytes_of_the_command_line(warm: Remover, tmp_path: Path) -> None:
    (tmp_path / "clip.gif").write_bytes(disc(3))
    done = cli("remove", tmp_path / "clip.gif", "--animated", "-O", "edges=soft", "-o", tmp_path / "out.gif")
    assert done.returncode == 0, done.stderr
    made = (tmp_path / "out.gif").read_bytes()
    assert len(shown(made)) == 3
    assert warm.remove(tmp_path / "clip.gif", animated=True, edges="soft", format="gif") == made


def test_result_has_the_kind_that_came(warm: Remover, photo: Load) -> None:
    image = photo("coffee").resize((96, 64))
    cut = remove(image, session=warm)
    assert (cut.mode, cut.size) == ("RGBA", (96, 64))
    array = remove(np.asarray(image), session=warm)
    assert array.shape == (64, 96, 4)
    assert array.dtype == np.uint8
    assert np.array_equal(array, np.asarray(cut))
    assert remove(image, session=warm, force_return_bytes=True).startswith(b"\x89PNG")


def test_rembg_arguments_work_by_place_and_by_name(warm: Remover, photo: Load) -> None:
    image = photo("coffee").resize((96, 64))
    assert remove(image, False, 240, 10, 10, warm, True).mode == "L"
    behind = remove(image, session=warm, bgcolor=(255, 0, 0, 255))
    assert behind.mode == "RGBA"
    assert np.asarray(behind)[..., 3].min() == 255


def test_background_image_may_be_of_any_kind(warm: Remover, photo: Load, tmp_path: Path) -> None:
    image, behind = photo("coffee").resize((96, 64)), Image.new("RGB", (96, 64), "teal")
    behind.save(tmp_path / "behind.png")
    by_path = warm.remove(image, background_image=tmp_path / "behind.png")
    assert by_path.mode == "RGB"
    assert warm.remove(image, background_image=behind) == by_path


def test_large_pixels_are_not_bounded_by_the_limit_of_files(monkeypatch: pytest.MonkeyPatch, warm: Remover) -> None:
    monkeypatch.setenv("REMBG_SESSION_PATH", str(ROOT / "models"))
    monkeypatch.setenv("MAX_CONTENT_LENGTH", "2000")
    strict = Remover()
    assert strict.remove(np.zeros((64, 64, 3), np.uint8), output="mask").shape == (64, 64)
    with pytest.raises(ServiceError) as caught:
        strict.remove(bytes(3000))
    assert caught.value.code == "upload_too_large"


def test_batch_keeps_the_order_and_reports_progress(warm: Remover, small: bytes, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(small)
    seen: list[tuple[int, int | None]] = []
    pictures: list[bytes | Path] = [small, tmp_path / "none.jpg", b"no picture", tmp_path / "photo.jpg"]
    items = list(warm.map(pictures, progress=lambda done, count: seen.append((done, count)), format="webp"))
    assert [item.source for item in items] == pictures
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert items[0].get() == items[3].get() == warm.remove(small, format="webp")
    assert isinstance(items[1].error, FileNotFoundError)
    with pytest.raises(ServiceError) as caught:
        items[2].get()
    assert (caught.value.code, bool(caught.value.solution)) == ("unsupported_format", True)


def test_batch_takes_pictures_as_they_are_needed_and_ends_with_its_loop(warm: Remover, small: bytes) -> None:
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        while True:
            taken += 1
            yield small

    batch = warm.map(endless())
    assert next(batch).get().startswith(b"\x89PNG")
    assert taken == 2 * warm.jobs + 1
    batch.close()  # type: ignore[attr-defined] # it is a generator
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("bgremove")]


def test_many_threads_share_a_remover(warm: Remover, small: bytes) -> None:
    results: list[bytes] = []
    threads = [threading.Thread(target=lambda: results.append(warm.remove(small))) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 12
    assert len(set(results)) == 1


def test_mistakes_raise_before_a_picture_is_read(warm: Remover) -> None:
    with pytest.raises(UnknownOption, match="colour"):
        remove(b"", colour="red")  # type: ignore[call-overload] # it is the mistake under test
    with pytest.raises(BadOption, match="quality is 5"):
        warm.map([], quality=5)
    with pytest.raises(ModelNotFound, match="no-such-model"):
        Remover("no-such-model").remove(b"")


def test_wrong_settings_are_a_value_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_IMAGE_PIXELS", "many")
    with pytest.raises(ValueError, match="MAX_IMAGE_PIXELS is 'many'"):
        Remover().remove(b"")


def test_missing_model_is_fetched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("REMBG_SESSION_PATH", str(tmp_path))
    monkeypatch.setenv("MODEL_MIRROR_URL", "http://127.0.0.1:9")
    with pytest.raises(ServiceError) as caught:
        Remover("u2net").remove(b"")
    assert caught.value.code == "engine_unavailable"


def test_first_import_is_light_and_no_web_framework_comes_later(tmp_path: Path, small: bytes) -> None:
    (tmp_path / "photo.jpg").write_bytes(small)
    script = (
        "import sys, bgremove\n"
        "assert not {'cv2', 'numpy', 'onnxruntime', 'PIL', 'pydantic'} & set(sys.modules)\n"
        f"bgremove.remove({str(tmp_path / 'photo.jpg')!r})\n"
        "loaded = {name.split('.')[0] for name in sys.modules}\n"
        "print(sorted(loaded & {'flask', 'werkzeug', 'gunicorn', 'celery', 'boto3', 'click', 'alembic', 'routes'}))"
    )
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "REMBG_SESSION_PATH": str(ROOT / "models")}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")
