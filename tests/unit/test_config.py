"""Settings: typed, all mistakes at once, and every one written down."""

from pathlib import Path

import pytest
from pydantic_core import PydanticUndefined

from config import ConfigError, Settings, load_settings
from services.capacity.resources import memory_limit_bytes
from services.storage.factory import BUCKETS
from tests.support.waiting import ROOT

DERIVED = {
    "worker_concurrency",
    "web_concurrency",
    "web_threads",
    "max_running_images",
    "inference_threads",
    "secret_key",
    "max_inflight_megapixels",
}


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


def sample() -> dict[str, str]:
    lines = (ROOT / ".env.sample").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_the_sample_holds_every_setting_with_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(sample()) == {name.upper() for name in Settings.model_fields}
    plain = load_settings(secret_key="x" * 16)
    for name, value in sample().items():
        monkeypatch.setenv(name, value)
    assert load_settings(secret_key="x" * 16) == plain


def test_all_mistakes_are_reported_together_with_name_value_and_allowed_values(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bad = {"PORT": "70000", "INFERENCE_ENGINE": "tpu", "ALLOWED_EXTENSIONS": "png,exe", "TRUSTED_PROXIES": "-1"}
    bad |= {"METRICS_ALLOWED_NETWORKS": "10.0.0.0/99", "REDIS_URL": "http://user:pass@x", "DEBUG": "perhaps"}
    bad |= {"STORAGE_URL": "http://bucket", "S3_ENDPOINT_URL": "https://user:pass@minio", "S3_ENCRYPTION": "rot13"}
    bad |= {"PRESIGNED_URL_SECONDS": "604801", "PUBLIC_URL": "https://api.example/path"}
    bad |= {"WEBHOOK_SECRET": "whsec_password", "WEBHOOK_SECRET_PREVIOUS": "password"}
    bad |= {"WATCH_WEBHOOK_TOKEN": "password", "OTEL_EXPORTER_OTLP_ENDPOINT": "https://user:pass/word@collector"}
    bad |= {"HOST": "[::1]", "JOB_RESULT_TTL_SECONDS": "inf", "CLEANUP_OLDER_THAN_SECONDS": "1e12"}
    bad |= {"FETCH_ALLOWED_HOSTS": "minio:9000,http://minio", "FETCH_ALLOWED_PORTS": "80,99999"}
    for name, value in bad.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as stopped:
        load_settings()
    text = str(stopped.value)
    for name in bad:
        assert f"  {name} is " in text
    assert "'auto', 'onnxruntime', 'openvino' or 'cuda'" in text
    assert "70000" in text
    assert "pass" not in text


def test_numbers_with_spaces_or_a_sign_count_in_what_is_derived_from_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", "48 ")
    monkeypatch.setenv("MAX_WAITING_IMAGES", "+200")
    settings = load_settings()
    assert settings.max_running_images >= 48
    assert settings.web_threads >= settings.running_per_worker + settings.waiting_per_worker + 2


def test_a_number_that_is_too_large_is_one_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", "5000")
    with pytest.raises(ConfigError) as stopped:
        load_settings()
    assert str(stopped.value).count("\n") == 1


def test_threads_that_could_not_answer_a_health_check_under_load_are_refused() -> None:
    with pytest.raises(ConfigError, match="WEB_THREADS is 4: at least 20"):
        load_settings(web_threads=4, max_running_images=2)


def test_fetches_leave_threads_for_images_and_health_checks() -> None:
    for settings in (
        load_settings(),
        load_settings(web_threads=24, max_running_images=2),
        load_settings(web_threads=99),
    ):
        others = settings.running_per_worker + settings.waiting_per_worker
        assert 1 <= settings.fetches_per_worker <= 8
        assert settings.web_threads - others - settings.fetches_per_worker >= 1
    assert load_settings(fetch_allowed_hosts="minio:9000, [::1]:80").fetch_allowed_hosts == ("minio:9000", "[::1]:80")


def test_a_storage_is_named_once_and_its_credentials_come_together() -> None:
    assert not load_settings().storage_given
    assert load_settings(s3_bucket_name="objects").storage_url == "s3://objects"
    assert load_settings(s3_bucket_name="objects", storage_url="s3://objects").storage_given
    with pytest.raises(ConfigError, match=r"STORAGE_URL is file:\S+/data, S3_BUCKET_NAME objects"):
        load_settings(s3_bucket_name="objects", storage_url="file:data")
    with pytest.raises(ConfigError) as stopped:
        load_settings(s3_bucket_name="My_Bucket")
    assert str(stopped.value).splitlines()[1:] == [f"  S3_BUCKET_NAME is 'My_Bucket': {BUCKETS}"]
    with pytest.raises(ConfigError, match="belong together") as stopped:
        load_settings(aws_secret_access_key="hunter2")
    assert "hunter2" not in str(stopped.value)


def test_tiers_have_enabled_models_and_default_to_the_default_model() -> None:
    assert load_settings().tiers == {"fast": "u2netp", "good": "u2netp", "best": "u2netp"}
    settings = load_settings(models_enabled="isnet-general-use", model_tiers="best=isnet-general-use")
    assert settings.tiers == {"fast": "u2netp", "good": "u2netp", "best": "isnet-general-use"}
    assert [settings.model_name(asked) for asked in (None, "fast", "best", "isnet-general-use", "sam")] == [
        *("u2netp", "u2netp", "isnet-general-use", "isnet-general-use", "sam")
    ]
    with pytest.raises(ConfigError, match=r"MODEL_TIERS is 'best=sam': the tier best is 'sam', which is not enabled"):
        load_settings(model_tiers="best=sam")
    with pytest.raises(ConfigError, match=r"MODEL_TIERS is 'better=u2netp': .*fast, good, best"):
        load_settings(model_tiers="better=u2netp")


def test_results_are_kept_only_where_a_redis_is_named() -> None:
    with pytest.raises(ConfigError, match=r"RESULT_CACHE_SECONDS is 60: .* REDIS_URL"):
        load_settings(result_cache_seconds=60)
    assert load_settings(result_cache_seconds=60, redis_url="redis://cache:6379/0").result_cache_seconds == 60
    assert load_settings(result_cache_seconds=60, rate_limit_storage="redis").result_cache_seconds == 60


def test_a_dotenv_file_counts_less_than_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PORT=6001\nAPP_NAME=From file\n")
    monkeypatch.setenv("PORT", "6002")
    settings = load_settings()
    assert (settings.port, settings.app_name) == (6002, "From file")


def test_quotas_in_memory_mean_one_worker_by_default() -> None:
    assert load_settings().web_concurrency == 1
    assert load_settings(web_concurrency=3).web_concurrency == 3
    shared = load_settings(rate_limit_storage="redis", web_concurrency=3, max_running_images=4, max_waiting_images=16)
    assert (shared.running_per_worker, shared.waiting_per_worker) == (2, 6)


def test_settings_without_a_default_are_derived_from_the_machine() -> None:
    undefined = {name for name, field in Settings.model_fields.items() if field.default is PydanticUndefined}
    assert undefined == DERIVED | {"metrics_allowed_networks"}
    assert load_settings().secret_key != load_settings().secret_key


def test_small_memory_admits_less_and_refuses_images_that_do_not_fit() -> None:
    plenty = load_settings(max_memory_mb=100_000, web_concurrency=1)
    small = load_settings(max_memory_mb=1024, web_concurrency=1)
    assert plenty.largest_image_pixels <= plenty.max_image_pixels
    assert 20e6 < small.largest_image_pixels < 30e6
    assert small.max_inflight_megapixels == pytest.approx(small.largest_image_pixels / 1e6, rel=0.01)
    assert load_settings(max_memory_mb=1024, max_inflight_megapixels=7).max_inflight_megapixels == 7


def test_the_memory_comes_from_the_machine_or_its_container(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal:       8000000 kB\nMemFree: 1 kB\n")
    nothing = tmp_path / "nothing"
    assert memory_limit_bytes(nothing, nothing, tmp_path / "meminfo") == 8000000 * 1024
    (tmp_path / "system.slice").mkdir()
    (tmp_path / "system.slice/memory.max").write_text("536870912\n")
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "groups").write_text("0::/system.slice\n")
    assert memory_limit_bytes(tmp_path, tmp_path / "groups", tmp_path / "meminfo") == 536870912


@pytest.mark.parametrize("name", ["JOB_RESULT_TTL_SECONDS", "CLEANUP_OLDER_THAN_SECONDS"])
def test_time_beyond_the_calendar_stops_the_start(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "9999999999")
    load_settings()
    for forever in ("inf", "1e12"):
        monkeypatch.setenv(name, forever)
        with pytest.raises(ConfigError, match=name):
            load_settings()


def test_webhook_secrets_are_two_while_they_change() -> None:
    new, old = "new secret of length", "old secret of length"
    assert load_settings(webhook_secret=new).webhook_secrets == (new,)
    assert load_settings(webhook_secret=new, webhook_secret_previous=old).webhook_secrets == (new, old)
    with pytest.raises(ConfigError, match="WEBHOOK_SECRET_PREVIOUS needs WEBHOOK_SECRET"):
        load_settings(webhook_secret_previous=old)


def test_links_begin_with_the_public_url_without_its_slash() -> None:
    assert load_settings().public_base == ""
    assert load_settings(public_url="https://api.example/").public_base == "https://api.example"


@pytest.mark.slow
def test_accounts_say_which_setting_they_lack() -> None:
    with pytest.raises(ConfigError, match="OIDC_CLIENT_ID, OIDC_CLIENT_SECRET, PUBLIC_URL"):
        load_settings(accounts="oidc", oidc_issuer="https://id.example")
    with pytest.raises(ConfigError, match="SMTP_URL needs MAIL_FROM, and PUBLIC_URL"):
        load_settings(smtp_url="smtp://mail.example", mail_from="n@x.y")
    with pytest.raises(ConfigError) as stopped:
        load_settings(smtp_url="smtp://u:hunter2@mail.example?tls=never")
    assert "SMTP_URL is (hidden): Input should be smtp://" in str(stopped.value)
    assert "hunter2" not in str(stopped.value)
    for bad in ("no address", "a@x.y\nBcc: b@x.y", "<a@x.y> trailing"):
        with pytest.raises(ConfigError, match="MAIL_FROM"):
            load_settings(mail_from=bad)
    assert load_settings(mail_from="Cut-outs <n@x.y>").accounts == "off"
