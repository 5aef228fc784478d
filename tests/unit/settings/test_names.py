"""Names of settings: aliases of existing deployments, and misspelt names that stop the start."""

from pathlib import Path

import pytest

import run
from config import ConfigError, Settings, load_settings
from services.launch.program import Program
from settings.names import ALIASES, NOT_MISTYPED, distance, environment, near_miss
from tests.support.waiting import ROOT

NAMES = {name.upper() for name in Settings.model_fields}


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in (*NAMES, *ALIASES):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def mistake() -> str:
    with pytest.raises(ConfigError) as stopped:
        load_settings()
    return str(stopped.value)


def test_unknown_name_in_a_dotenv_file_stops_the_start_with_file_and_nearest_name(folder: Path) -> None:
    (folder / ".env").write_text("PORT=6001\nWEB_WORKERS_CONCURRENCY=2\nJOB_LEASE=\nQUUX=1\n")
    text = mistake()
    assert f"WEB_WORKERS_CONCURRENCY (in {folder}/.env) is not a setting: did you mean W" in text
    assert f"JOB_LEASE (in {folder}/.env) is not a setting: did you mean JOB_LEASE_SECONDS?" in text
    assert f"QUUX (in {folder}/.env) is not a setting: docs/reference/settings.md has all names" in text


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("RATE_LIMT_ENABLED", "RATE_LIMIT_ENABLED"),
        ("rate_limit_enable", "RATE_LIMIT_ENABLED"),
        ("METRICS_TOKNE", "METRICS_TOKEN"),
        ("MAX_IMAGE_SIZE_BM", "MAX_IMAGE_SIZE_MB"),
        ("SECRETKEY", "SECRET_KEY"),
    ],
)
def test_misspelt_name_in_the_environment_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, name: str, meant: str
) -> None:
    monkeypatch.setenv(name, "1")
    assert f"{name.upper()} (in the environment) is not a setting: did you mean {meant}?" in mistake()


def test_misspelt_name_is_reported_beside_wrong_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATE_LIMT_ENABLED", "false")
    monkeypatch.setenv("PORT", "0")
    text = mistake()
    assert "RATE_LIMIT_ENABLED" in text
    assert "PORT is '0'" in text


@pytest.mark.parametrize(
    "name",
    [
        *("HOSTNAME", "PORTS", "DEBUGINFOD_URLS", "REDIS_PORT", "AWS_PROFILE", "AWS_ENDPOINT_URL", "LOGNAME"),
        *("HTTP_PORT", "BACKGROUND_REMOVER_PORT_5001_TCP", "APP_MEMORY", "AWS_DEFAULT_REGION", *sorted(NOT_MISTYPED)),
    ],
)
def test_other_programs_names_in_the_environment_are_left_alone(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "1")
    load_settings()


def test_name_beside_the_setting_it_resembles_is_another_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URLS", "a,b")
    monkeypatch.setenv("DATABASE_URL", "sqlite:////tmp/keys.db")
    load_settings()


def test_names_of_compose_and_of_other_parts_are_allowed_in_a_dotenv_file(folder: Path) -> None:
    sample = (ROOT / ".env.sample").read_text() + (ROOT / "deploy/compose.env.sample").read_text()
    others = (
        "COMPOSE_PROJECT_NAME=x\nANNOUNCE=1\nPROMETHEUS_MULTIPROC_DIR=/tmp/x\nBG_REMOVER_X=1\nAWS_PROFILE=x\nTZ=UTC\n"
    )
    (folder / ".env").write_text(sample.replace("STORAGE_URL=s3://images", "STORAGE_URL=") + others)
    with pytest.raises(ConfigError) as stopped:
        load_settings()
    # The sample names PostgreSQL's password, which is still empty, and one of two S3 credentials.
    assert "not a setting" not in str(stopped.value)


def test_another_programs_dotenv_file_in_the_current_folder_stops_nothing(folder: Path) -> None:
    (folder / ".env").write_text("DJANGO_SETTINGS_MODULE=shop.settings\n")
    load_settings()


def test_aliases_set_what_they_stand_for(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setenv("MAX_IMAGE_SIZE_MB", "10")
    monkeypatch.setenv("FLASK_ENV", "development")
    (folder / ".env").write_text("AWS_BUCKET_NAME=photos\nBACKEND_URL=https://api.example\n")
    settings = load_settings()
    assert settings.max_content_length == 10 * 1024 * 1024
    assert settings.debug
    assert settings.storage_url == "s3://photos"
    assert settings.public_url == "https://api.example"
    monkeypatch.setenv("FLASK_ENV", "production")
    assert not load_settings().debug


def test_alias_with_another_value_than_its_setting_is_an_error(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setenv("MAX_IMAGE_SIZE_MB", "10")
    monkeypatch.setenv("FLASK_ENV", "production")
    (folder / ".env").write_text("MAX_CONTENT_LENGTH=1048576\nDEBUG=no\n")
    text = mistake()
    assert "MAX_IMAGE_SIZE_MB is '10', MAX_CONTENT_LENGTH '1048576': they are one setting, so give only one" in text
    assert "FLASK_ENV" not in text
    (folder / ".env").write_text("MAX_CONTENT_LENGTH=10485760\n")
    assert load_settings().max_content_length == 10485760


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("MAX_IMAGE_SIZE_MB", "10MB", "a number of megabytes"),
        ("MAX_IMAGE_SIZE_MB", "inf", "a number of megabytes"),
        ("FLASK_ENV", "staging", "'development' or 'production'"),
    ],
)
def test_value_that_an_alias_does_not_take_is_an_error(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    monkeypatch.setenv(name, value)
    assert f"{name} is '{value}': Input should be {says}" in mistake()


def test_model_files_path_gives_its_name_and_folder(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setenv("REMBG_MODEL_NAME", f"{folder}/mine.onnx")
    settings = load_settings()
    assert (settings.rembg_model_name, settings.rembg_session_path) == ("mine", folder)
    monkeypatch.setenv("REMBG_SESSION_PATH", "/app/models")
    assert f"REMBG_MODEL_NAME is {folder}/mine.onnx: a model's name or the path of an .onnx file" in mistake()
    monkeypatch.delenv("REMBG_SESSION_PATH")
    monkeypatch.setenv("REMBG_MODEL_NAME", f"{folder}/mine.pth")
    assert "an .onnx file" in mistake()


def test_copied_sample_changes_nothing_of_make_run(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    files = (folder / ".env",)

    def shown() -> list[tuple[object, ...]]:
        # A broker's folder serves one process.
        monkeypatch.setattr(run, "BROKER_FOLDER", folder / f"valkey-{files[0].exists()}")
        table = run.programs(environment(files))
        names = ("JOBS_ENABLED", "WORKER_CONCURRENCY", "LOG_FORMAT", "HOST", "PORT")
        # The broker's port is chosen at each start.
        return [(one.name, one.grace_seconds, [(one.env or {}).get(name) for name in names]) for one in table]

    before, plain = shown(), load_settings(secret_key="x" * 32)
    files[0].write_text((ROOT / ".env.sample").read_text())
    assert shown() == before
    assert [name for name, *_ in before] == ["web", "valkey", "worker"]
    assert load_settings(secret_key="x" * 32) == plain


def test_distance_counts_letters_and_swaps() -> None:
    assert distance("PORT", "PORT") == 0
    assert distance("PROT", "PORT") == 1
    assert distance("ABC", "AXCD") == 2
    assert distance("", "ABC") == 3


def test_only_a_long_name_may_have_two_mistakes() -> None:
    assert near_miss("RATE_LIMT_ENABLE", NAMES) == "RATE_LIMIT_ENABLED"
    assert near_miss("REDISS_URI", NAMES) == ""
    assert near_miss("LOG_LEVL", NAMES) == "LOG_LEVEL"
    assert near_miss("HOSTS", NAMES) == ""


def test_programs_of_make_run_log_text_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)

    def style(**settings: str) -> str | None:
        (web, *_) = run.programs({"JOBS_ENABLED": "no", **settings})
        return (web.env or {}).get("LOG_FORMAT")

    assert style() == style(LOG_FORMAT="auto") == "console"
    assert style(LOG_FORMAT="json") is None
    assert style(LOG_FILE="app.log") is None


@pytest.mark.parametrize(
    ("text", "line", "name"),
    [
        ("AUTH_REQUIRED: true\n", 1, "AUTH_REQUIRED"),
        ("PORT=6001\n\n# quotas\nMAX_BATCH_FILES 7\n", 4, "MAX_BATCH_FILES"),
        ('\ufeffPORT=6001\r\nSECRET_KEY="geheim\r\n', 2, "SECRET_KEY"),
        ("set PORT=6001\n", 1, "PORT"),
    ],
)
def test_line_of_a_dotenv_file_that_is_no_assignment_stops_the_start(
    folder: Path, text: str, line: int, name: str
) -> None:
    (folder / ".env").write_text(text)
    found = mistake()
    assert f"{folder}/.env, line {line}, can't be read: it begins with {name};" in found
    assert "geheim" not in found
    assert found.count("\n") == 1


def test_dotenv_file_that_is_not_utf_8_stops_the_start_with_its_name(folder: Path) -> None:
    (folder / ".env").write_bytes(b"APP_NAME=\xfcber\n")
    assert f"{folder}/.env can't be read: it is not UTF-8" in mistake()


def test_broken_line_in_a_dotenv_file_of_another_program_does_not_stop_the_start(folder: Path) -> None:
    (folder / ".env").write_text("FOO BAR\nQUX=1\n")
    load_settings()


def test_make_run_leaves_a_dotenv_file_that_cannot_be_read_to_the_web_server(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / ".env").write_bytes(b"APP_NAME=\xfcber\n")
    ran: list[Program] = []

    class Recorder:
        def __init__(self, programs: list[Program]) -> None:
            ran.extend(programs)

        def run(self) -> int:
            return 1

    monkeypatch.setattr(run, "Supervisor", Recorder)
    assert run.main() == 1
    assert [program.name for program in ran] == ["web"]
