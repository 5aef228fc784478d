"""The report of a run: counts, exit status, lines and JSON."""

from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from commands.plan import Picture
from commands.report import Report, line, progress
from commands.work import Outcome, Problem, Status

PICTURE = Picture(Path("in/a.jpg"), Path("out/a.png"))
DONE = Outcome(PICTURE, Status.DONE, 0.25)
SKIPPED = Outcome(PICTURE, Status.SKIPPED)
FAILED = Outcome(PICTURE, Status.FAILED, problem=Problem("corrupt_image", "It is damaged", "Save it again"))
STOPPED = Outcome(PICTURE, Status.STOPPED)


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [((DONE,), 0), ((SKIPPED,), 0), ((DONE, FAILED), 1), ((SKIPPED, FAILED), 1), ((FAILED,), 2), ((), 2)],
)
def test_exit_status_says_whether_all_some_or_no_pictures_have_results(
    outcomes: tuple[Outcome, ...], code: int
) -> None:
    report = Report(Path("out"))
    for outcome in outcomes:
        report.add(outcome)
    assert report.exit_code == code


def test_json_has_counts_images_and_what_was_left_out() -> None:
    report = Report(Path("out"), [(Path("in/notes.txt"), "no picture")])
    for outcome in (DONE, SKIPPED, FAILED, STOPPED):
        report.add(outcome)
    found = orjson.loads(report.as_json())
    assert {name: found[name] for name in ("done", "skipped", "failed")} == {"done": 1, "skipped": 1, "failed": 1}
    assert found["left_out"] == [{"path": "in/notes.txt", "reason": "no picture"}]
    assert found["images"][2] == {
        "source": "in/a.jpg",
        "result": None,
        "status": "failed",
        "code": "corrupt_image",
        "error": "It is damaged",
        "solution": "Save it again",
    }
    assert found["images"][0]["result"] == "out/a.png"


def test_left_out_files_are_counted_by_reason_with_some_names() -> None:
    report = Report(Path("out"), [(Path(f"{n}.txt"), "no picture") for n in range(5)] + [(Path(".a"), "hidden")])
    assert list(report.left_out_lines()) == [
        "Left out (no picture): 5: 0.txt, 1.txt, 2.txt, …",
        "Left out (hidden): 1: .a",
    ]


def test_progress_elsewhere_than_on_a_terminal_is_a_line_for_each_picture(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(2) as show:
        show(DONE)
        show(FAILED)
    assert capsys.readouterr().err.splitlines()[1:] == [
        "[1/2] in/a.jpg -> out/a.png (0.2 s)",
        "[2/2] in/a.jpg: It is damaged. Save it again.",
    ]
    assert line(FAILED) == "in/a.jpg: It is damaged. Save it again."


def test_line_stays_one_line_whatever_the_name_is() -> None:
    name = "new\nline \x1b[31m\udce9 \u5199\u3000\u771f.jpg"
    shown = line(replace(DONE, picture=Picture(Path(name), Path("out/a.png"))))
    assert shown == "new\\nline \\x1b[31m\\udce9 \u5199\u3000\u771f.jpg -> out/a.png (0.2 s)"
