"""`sam`: points and a box, in px of the upright photo, whatever its shape; strictly read."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from services.capacity.admission import Admission
from services.errors import BadOption
from services.imaging.decode import ImageLimits
from services.imaging.options import Options
from services.imaging.prompt import Mark, parse_prompt, scaled
from services.inference.registry import Models
from services.inference.sam import MEAN, SamSession
from services.inference.terminable import TerminableSession
from services.removal import Remover
from tests.support.images import encoded, pixels
from tests.support.models import PLAIN, remove
from tests.support.tiny_models import stand_in

WIDE, TALL = (2000, 1000), (600, 1200)


@pytest.fixture(autouse=True)
def sam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in("sam", tmp_path, monkeypatch)


def found(
    folder: Path, size: tuple[int, int], prompt: str = "", exif: int = 1
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """The mask of a white picture."""
    image = Image.new("RGB", size, "white")
    marks = image.getexif()
    marks[0x0112] = exif
    data = encoded(image, "JPEG", exif=marks)
    return pixels(remove(folder, data, model="sam", output="mask", edges="soft", prompt=prompt).data)


def centre_and_radius(mask: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> tuple[float, float, float]:
    """Of the disc in a mask, in px."""
    rows, columns = np.nonzero(mask > 127)
    return float(columns.mean()) + 0.5, float(rows.mean()) + 0.5, float(np.sqrt(len(rows) / np.pi))


@pytest.mark.parametrize(("size", "scale"), [(WIDE, 2000 / 1024), (TALL, 1200 / 1024), ((300, 300), 300 / 1024)])
def test_missing_prompt_selects_the_centre(tmp_path: Path, size: tuple[int, int], scale: float) -> None:
    mask = found(tmp_path, size)
    assert mask.shape == (size[1], size[0])
    assert centre_and_radius(mask) == pytest.approx((size[0] / 2, size[1] / 2, 100 * scale), abs=3 * scale)


@pytest.mark.parametrize(("size", "scale"), [(WIDE, 2000 / 1024), (TALL, 1200 / 1024)])
def test_a_point_is_found_where_it_is(tmp_path: Path, size: tuple[int, int], scale: float) -> None:
    mask = found(tmp_path, size, '[{"type": "point", "data": [300, 640.5], "label": 1}]')
    assert centre_and_radius(mask) == pytest.approx((300, 640.5, 100 * scale), abs=3 * scale)


def test_points_are_in_px_of_the_upright_photo(tmp_path: Path) -> None:
    mask = found(tmp_path, (1200, 600), '[{"type": "point", "data": [300, 900]}]', exif=6)
    assert mask.shape == (1200, 600)
    assert centre_and_radius(mask)[:2] == pytest.approx((300, 900), abs=4)


def test_a_box_needs_no_point_that_says_there_is_none(tmp_path: Path) -> None:
    box = '{"type": "rectangle", "data": [400, 500, 700, 800]}'
    one = found(tmp_path, (1024, 1024), f"[{box}]")
    assert centre_and_radius(one) == pytest.approx((400, 500, 100), abs=3)  # two corners: 2 × 50 px
    two = found(tmp_path, (1024, 1024), f'[{box}, {{"type": "point", "data": [1, 1], "label": 0}}]')
    assert centre_and_radius(two)[2] == pytest.approx(150, abs=3)


def test_mask_depends_on_the_encoders_picture(tmp_path: Path) -> None:
    image = Image.new("RGB", (1024, 700))
    image.paste("white", (0, 0, 512, 700))
    mask = pixels(remove(tmp_path, encoded(image, "PNG"), model="sam", output="mask").data)
    assert mask[350, 460] > 250
    assert mask[350, 560] < 5


def test_a_mark_outside_the_photo_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadOption, match=r"prompt is '\(601, 5\)'; allowed: 0 to 600 across and 0 to 1200 down"):
        found(tmp_path, TALL, '[{"type": "point", "data": [601, 5]}]')
    found(tmp_path, TALL, '[{"type": "point", "data": [600, 1200]}]')


@pytest.mark.parametrize(
    "text",
    [
        "x", "[]", "{}", "[1]", "[{}]", "null", "7", '"a"', "[" * 4000, '[{"type": "circle", "data": [1, 2]}]',
        '[{"type": "point", "data": [1]}]', '[{"type": "point", "data": [1, "2"]}]',
        '[{"type": "point", "data": [1, true]}]', '[{"type": "point"}]',
        '[{"type": "point", "data": [1, NaN]}]', '[{"type": "point", "data": [1, 1e400]}]',
        '[{"type": "point", "data": [1, 2], "label": 2}]', '[{"type": "point", "data": [1, 2], "label": true}]',
        '[{"type": "point", "data": [1, 2], "labels": 1}]', '[{"type": "rectangle", "data": [5, 5, 5, 9]}]',
        '[{"type": "rectangle", "data": [9, 5, 1, 9]}]', '[{"type": "rectangle", "data": [1, 2, 3]}]',
        '[{"type": "rectangle", "data": [1, 1, 3, 3]}, {"type": "rectangle", "data": [1, 1, 3, 3]}]',
        "[" + ",".join(['{"type": "point", "data": [1, 2]}'] * 33) + "]",
        '[{"type": "point", "data": [1, 2]}' + " " * 9000 + "]",
    ],
)  # fmt: skip
def test_malformed_prompt_is_refused(text: str) -> None:
    with pytest.raises(BadOption, match=r"^.*prompt is .*allowed: a JSON list of 1 to 32 marks"):
        Options.parse({"prompt": text})


def test_text_and_a_list_mean_the_same() -> None:
    marks = [{"type": "point", "data": [1, 2.5], "label": 0}, {"type": "rectangle", "data": [1, 2, 3, 4]}]
    expected = (Mark(1, 2.5, 0), Mark(1, 2, 2), Mark(3, 4, 3))
    assert parse_prompt(marks) == expected
    text = '[{"type": "point", "data": [1, 2.5], "label": 0}, {"type": "rectangle", "data": [1, 2, 3, 4]}]'
    assert Options.parse({"prompt": text}).prompt == Options.parse({"prompt": marks}).prompt == expected
    assert Options(prompt=expected).prompt == expected
    assert scaled(expected, 2, 10)[0] == Mark(2, 25, 0)


def test_second_prompt_runs_only_the_decoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded_pictures: list[int] = []
    run = TerminableSession.run

    def counted(self: TerminableSession, outputs: object, feed: object) -> object:
        encoded_pictures.append(1)
        return run(self, outputs, feed)

    monkeypatch.setattr(TerminableSession, "run", counted)
    models = Models(["u2netp", "sam"], tmp_path, PLAIN)
    remover = Remover(models, ImageLimits(), Admission(1, 0))

    def click(data: bytes, x: int, **raw: object) -> tuple[bool | None, bytes, int]:
        prompt = [{"type": "point", "data": [x, 60]}]
        options = Options.parse({"model": "sam", "output": "mask", "prompt": prompt, **raw})
        before = len(encoded_pictures)
        result = remover.remove(data, options)
        return result.embedded, result.data, len(encoded_pictures) - before

    white, other = (encoded(Image.new("RGB", (300, 200), colour), "PNG") for colour in ("white", "ivory"))
    first, second, again = click(white, 60), click(white, 200), click(white, 60)
    assert [found[0] for found in (first, second, again)] == [False, True, True]
    assert [found[2] for found in (first, second, again)] == [1, 0, 0]
    assert first[1] == again[1] != second[1]
    assert click(other, 60)[0] is False
    # A part of the photo is another picture for the encoder.
    assert click(white, 60, roi="0 0 150px 150px")[0] is False
    # The same picture in another file is the same for it.
    assert click(encoded(Image.new("RGB", (300, 200), "white"), "BMP"), 100)[0] is True


@pytest.mark.slow
def test_ninth_picture_takes_the_place_of_the_first(tmp_path: Path) -> None:
    remover = Remover(Models(["u2netp", "sam"], tmp_path, PLAIN), ImageLimits(), Admission(1, 0))
    options = Options.parse({"model": "sam", "output": "mask", "edges": "soft"})

    def known(shade: int) -> bool | None:
        return remover.remove(encoded(Image.new("RGB", (64, 64), (255, 255, shade)), "PNG"), options).embedded

    assert [known(shade) for shade in range(9)] == [False] * 9
    assert (known(8), known(1), known(0)) == (True, True, False)


def test_other_models_know_no_embeddings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in("u2netp", tmp_path, monkeypatch)
    assert remove(tmp_path, encoded(Image.new("RGB", (64, 64), "white"), "PNG")).embedded is None


def test_the_rest_of_the_frame_is_the_mean_colour_in_the_encoders_own_size(tmp_path: Path) -> None:
    import onnxruntime

    from services.inference.catalogue import CATALOGUE

    encoder, decoder = (
        onnxruntime.InferenceSession(str(tmp_path / file.name), providers=["CPUExecutionProvider"])
        for file in CATALOGUE["sam"].files
    )
    seen = []

    class Watched:
        """The encoder, with a fixed frame of 684×1024 px as some exports have."""

        def get_inputs(self) -> list[object]:
            return [type("Input", (), {"name": "input_image", "shape": [684, 1024, 3]})()]

        def run(self, _outputs: object, feed: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]) -> object:
            seen.append(feed["input_image"])
            return encoder.run(None, {"input_image": np.resize(feed["input_image"], (1024, 1024, 3))})

    session = SamSession(Watched(), decoder)
    assert session.input_size(2000, 1000) == (1024, 512)
    assert session.input_size(600, 1200) == (342, 684)
    (mask,) = session.predict(Image.new("RGB", (342, 684), "white"))
    assert (mask.size, seen[0].shape) == ((342, 684), (684, 1024, 3))
    assert seen[0][:, :342].min() == 255
    assert np.unique(seen[0][:, 342:].reshape(-1, 3), axis=0) == pytest.approx(np.array([MEAN]), abs=1e-3)
