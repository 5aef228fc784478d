"""Values of settings: what is accepted, in which form it is kept, and that a mistake stops the start."""

from pathlib import Path

import pytest

from config import ConfigError, Settings, load_settings


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "::1", "fe80::1%eth0", "::ffff:127.0.0.1", "my-host.example", "app_1"]
)
def test_the_host_is_an_address_or_a_name(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("HOST", host)
    assert load_settings().host == host


def test_origins_are_exact() -> None:
    given = (
        "https://App.example, http://localhost:3000,https://b.example:443/, capacitor://localhost,http://[::1]:80, *"
    )
    exact = ("https://app.example", "http://localhost:3000", "https://b.example", "capacitor://localhost")
    assert load_settings(cors_origins=given).cors_origins == (*exact, "http://[::1]", "*")
    assert load_settings(frontend_url="https://c.example/").frontend_url == "https://c.example"


@pytest.mark.parametrize(
    "wrong",
    [
        "https://*.example.com",
        "app.example.com",
        "https://a.example/path",
        "https://a.example?x",
        "null",
        "https://",
        ".",
    ],
)
def test_origin_that_is_a_pattern_or_no_origin_stops_the_start(wrong: str) -> None:
    for name in ("CORS_ORIGINS", "FRONTEND_URL"):
        with pytest.raises(ConfigError, match=f"{name} is .*Input should be exact origins"):
            load_settings(**{name.lower(): wrong})


@pytest.mark.parametrize("name", ["SECRET_KEY", "METRICS_TOKEN"])
def test_secret_that_can_be_guessed_stops_the_start(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "guessable-15-ch")
    with pytest.raises(ConfigError, match=f"{name} is .hidden.: it needs 16 characters or more") as stopped:
        load_settings()
    assert "guessable" not in str(stopped.value)
    for fine in ("sixteen-chars-16", ""):
        monkeypatch.setenv(name, fine)
        load_settings()


def test_headers_of_traces_are_read_and_never_shown() -> None:
    settings = load_settings(otel_exporter_otlp_headers="Authorization=Basic%20abc=, x-team = a")
    assert settings.trace_headers == {"authorization": "Basic abc=", "x-team": "a"}
    with pytest.raises(ConfigError) as stopped:
        load_settings(otel_exporter_otlp_headers="hunter2")
    assert "OTEL_EXPORTER_OTLP_HEADERS is (hidden): Input should be headers" in str(stopped.value)


def test_endpoint_of_traces_holds_no_password() -> None:
    with pytest.raises(ConfigError, match="OTEL_EXPORTER_OTLP_ENDPOINT"):
        load_settings(otel_exporter_otlp_endpoint="http://ann:hunter2@collector:4318")
