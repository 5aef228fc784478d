"""The facts that a page needs."""

from pathlib import Path

from config import SECRETS, load_settings
from routes.studio import StudioFacts, web_build


def test_build_changes_with_the_content_and_the_names_of_the_pages_files(tmp_path: Path) -> None:
    builds: list[str] = []
    for name, text in (("a.js", "1"), ("a.js", "2"), ("b.js", "2")):
        folder = tmp_path / str(len(builds))
        (folder / "app").mkdir(parents=True)
        (folder / "app" / name).write_text(text)
        builds.append(web_build(str(folder)))
    assert len(set(builds)) == 3
    same = tmp_path / "same" / "app"
    same.mkdir(parents=True)
    (same / "a.js").write_text("1")
    assert web_build(str(same.parent)) == builds[0]


def test_facts_hold_no_secret() -> None:
    settings = load_settings(secret_key="a secret of this test", metrics_token="another secret of it")
    text = StudioFacts.of(settings, [], "build", counted=True).model_dump_json()
    for name in SECRETS:
        value = str(getattr(settings, name.lower()))
        assert not value or value not in text, name
