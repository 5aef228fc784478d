"""The composition root: every process takes its parts from here."""

import ast
from dataclasses import replace
from pathlib import Path

import pytest

import bootstrap.settings
from bootstrap.accounts import make_accounts
from bootstrap.removal import engine_settings, image_limits, make_local_remover, web_limits
from bootstrap.settings import load_settings
from bootstrap.stores import make_database
from bootstrap.web import make_web_services
from config import ConfigError, Settings
from services.errors import ServiceError
from services.imaging.decode import FrameLimits
from services.imaging.pipeline import Rules
from tests.support.waiting import ROOT


def settings(folder: Path, **given: object) -> Settings:
    values = {"rembg_session_path": folder, "database_url": f"sqlite:///{folder}/db.sqlite"} | given
    return Settings(**values, _env_file=None)  # type: ignore[arg-type]


def test_command_line_and_service_have_the_same_limits_and_rules(tmp_path: Path) -> None:
    given = settings(tmp_path, max_content_length=5_000_000, require_subject=True)
    local = make_local_remover(given)
    web = make_web_services(given)
    assert local.limits == image_limits(given)
    assert replace(web.limits, frames=local.limits.frames) == local.limits
    assert local.rules == web.remover.rules == Rules(require_subject=True)
    assert web.limits.max_bytes == 5_000_000


def test_request_takes_fewer_frames_than_a_job(tmp_path: Path) -> None:
    given = settings(tmp_path, max_frames=100, max_animation_pixels=1_000_000)
    assert image_limits(given).frames == FrameLimits(100, 1_000_000)
    assert web_limits(given).frames == FrameLimits(20, 1_000_000, as_job=0)
    with_jobs = settings(tmp_path, max_frames=100, jobs_enabled=True)
    assert web_limits(with_jobs).frames == FrameLimits(20, as_job=100)
    assert web_limits(settings(tmp_path, max_frames=5)).frames.most == 5


def test_service_without_jobs_has_no_job_parts(tmp_path: Path) -> None:
    web = make_web_services(settings(tmp_path, jobs_enabled=False))
    assert web.jobs is None
    assert web.redis is None
    assert web.remover.cache is None


def test_worker_splits_the_processors_among_its_children(tmp_path: Path) -> None:
    assert engine_settings(settings(tmp_path, inference_threads=3)).threads == 3
    assert engine_settings(settings(tmp_path, inference_threads=3), threads=1).threads == 1


def test_lost_database_does_not_stop_a_service_that_requires_keys(tmp_path: Path) -> None:
    given = settings(tmp_path, auth_required=True, database_url=f"postgresql://127.0.0.1:1/{tmp_path.name}")
    web = make_web_services(given)
    with pytest.raises(ServiceError):
        web.keys.database.ping()


def test_only_bootstrap_builds_a_remover_from_settings() -> None:
    builders = {"Remover", "Models", "ImageLimits", "EngineSettings", "Fetcher", "ResultCache"}
    entry_points = [ROOT / name for name in ("app.py", "worker.py", "sweeper.py", "cli.py")]
    for path in [*entry_points, *(ROOT / "routes").rglob("*.py"), *(ROOT / "commands").glob("*.py")]:
        called = {
            node.func.id
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        assert not called & builders, path


def test_endpoint_of_traces_without_their_packages_ends_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap.settings, "find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match=r"pip install 'background-remover\[otel\]'"):
        load_settings(otel_exporter_otlp_endpoint="http://127.0.0.1:4318")
    assert load_settings(otel_exporter_otlp_endpoint="")


def test_accounts_without_their_packages_stop_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap.settings, "find_spec", lambda name: None if name == "argon2" else name)
    with pytest.raises(ConfigError, match=r"pip install 'background-remover\[accounts\]'"):
        load_settings(accounts="local")
    assert load_settings(accounts="off")


def test_accounts_are_made_where_the_settings_say_so(tmp_path: Path) -> None:
    given = settings(tmp_path, accounts="oidc", accounts_registration="open", public_url="https://cut.example/",
                     oidc_issuer="https://id.example", oidc_client_id="us", oidc_client_secret="hunter2")  # fmt: skip
    accounts = make_accounts(given, make_database(given))
    assert accounts.provider
    assert (accounts.registration, accounts.post) == ("open", None)
    mails = settings(tmp_path, accounts="local", smtp_url="smtp://mail.example", mail_from="n@x.y",
                     public_url="https://cut.example/")  # fmt: skip
    accounts = make_accounts(mails, make_database(mails))
    assert accounts.post
    assert (accounts.post.base, accounts.provider) == ("https://cut.example", None)
