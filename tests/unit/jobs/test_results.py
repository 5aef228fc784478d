"""The files of a result."""

from pathlib import Path

from services.imaging.extras import Extras
from services.jobs.results import files_of, put_result, result_facts
from services.storage.local import LocalFolder
from tests.support.jobs import RESULT


def test_result_mask_and_preview_are_stored_side_by_side(tmp_path: Path) -> None:
    storage = LocalFolder(tmp_path, "secret")
    put_result(storage, "results/ab/1-2x.png", RESULT, Extras(b"mask", b"preview"))
    assert {stored.key for stored in storage.list("")} == set(files_of("results/ab/1-2x.png"))
    assert files_of("results/ab/1-2x.png") == ["results/ab/1-2x.png", "masks/ab/1-2x.png", "previews/ab/1-2x.webp"]
    with storage.open("masks/ab/1-2x.png") as opened:
        assert b"".join(opened) == b"mask"


def test_facts_are_those_of_the_result() -> None:
    facts = result_facts(RESULT)
    assert (facts.format, facts.width, facts.height, facts.bytes) == ("png", 64, 48, len(RESULT.data))
    assert (facts.model, facts.confidence, facts.timings_ms) == ("u2netp", 0.988, {"decode": 1.2})
