"""API keys administered over HTTP, as the command line does."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import requests

from services.api_keys.keys import ADMIN, REMOVE, create_key
from services.persistence.database import Database
from tests.support.answers import assert_error
from tests.support.gunicorn import QuickGunicorn
from tests.support.place import HEADERS, Place
from tests.support.waiting import ROOT, poll

KEYS: Final = "/api/admin/keys"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A service whose key is an administrator's."""
    folder = tmp_path_factory.mktemp("keys")
    url = f"sqlite:///{folder}/keys.db"
    database = Database(url)
    chief, _ = create_key(database, name="chief", scopes=(ADMIN,))
    other, _ = create_key(database, name="shop", scopes=(REMOVE,))
    with QuickGunicorn(DATABASE_URL=url, AUTH_REQUIRED="true") as server:
        yield Place(server, {"DATABASE_URL": url}, database, folder, chief, other)
    database.close()


def created(here: Place, **body: Any) -> dict[str, Any]:
    answer = here.call("POST", KEYS, json=body)
    assert answer.status_code == 201, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    found: dict[str, Any] = answer.json()
    return found


def remove(here: Place, key: str, small: bytes) -> requests.Response:
    return here.call("POST", "/remove-background?max_width=64", key, files={"file": small})


def test_created_key_works_and_is_shown_once(here: Place, small: bytes) -> None:
    made = created(here, name="web", owner="Ann", rate_limit="9 per hour", monthly_quota=1)
    assert (made["state"], made["scopes"], made["rate_limit"], made["monthly_quota"]) == (
        "valid",
        ["remove"],
        "9/hour",
        1,
    )
    assert remove(here, made["key"], small).status_code == 200
    assert_error(remove(here, made["key"], small), 402, "monthly_quota_used_up")
    listed = here.call("GET", KEYS)
    assert made["key"] not in listed.text
    (found,) = [key for key in listed.json()["keys"] if key["id"] == made["id"]]
    assert "key" not in found
    assert (found["owner"], found["images_this_month"]) == ("Ann", 1)


def test_changed_limits_count_within_a_second(here: Place, small: bytes) -> None:
    made = created(here, name="grows", monthly_quota=0)
    assert_error(remove(here, made["key"], small), 402, "monthly_quota_used_up")
    changed = here.call("PATCH", f"{KEYS}/{made['id']}", json={"monthly_quota": 5})
    assert (changed.status_code, changed.json()["monthly_quota"], changed.json()["rate_limit"]) == (200, 5, None)
    poll(lambda: remove(here, made["key"], small).status_code == 200, 3, "the larger quota")


def test_revoked_key_ends_and_leaves_its_name(here: Place, small: bytes) -> None:
    made = created(here, name="gone")
    answer = here.call("DELETE", f"{KEYS}/{made['id']}")
    assert (answer.status_code, answer.json()["state"]) == (200, "revoked")
    poll(lambda: remove(here, made["key"], small).status_code == 401, 3, "the key's end")
    assert_error(here.call("DELETE", f"{KEYS}/{made['id']}"), 404, "key_not_found")
    assert_error(here.call("PATCH", f"{KEYS}/{made['id']}", json={}), 404, "key_not_found")
    assert created(here, name="gone")["id"] != made["id"]


def test_usage_of_all_keys_adds_up(here: Place, small: bytes) -> None:
    made = [created(here, name=name) for name in ("busy", "idle")]
    for key in (made[0]["key"], made[0]["key"], made[1]["key"]):
        assert remove(here, key, small).status_code == 200
    found = here.call("GET", "/api/admin/usage", params={"days": 1}).json()
    images = {key["name"]: key["totals"]["images"] for key in found["keys"]}
    assert (images["busy"], images["idle"]) == (2, 1)
    assert found["totals"]["images"] == sum(images.values()) == found["days"][0]["totals"]["images"]
    assert found["days"][0]["endpoints"]["/remove-background"]["images"] == found["totals"]["images"]
    assert_error(here.call("GET", "/api/admin/usage", here.other_key), 403, "forbidden")
    assert_error(here.call("GET", "/api/admin/usage", params={"days": "x"}), 400, "bad_option")


@pytest.mark.parametrize(
    ("body", "code", "found"),
    [
        ({}, "bad_option", "absent"),
        ({"name": "a b"}, "bad_option", "'a b'"),
        ({"name": "x", "scopes": []}, "bad_option", "remove, jobs, admin"),
        ({"name": "x", "scopes": ["all"]}, "bad_option", "remove, jobs, admin"),
        ({"name": "x", "rate_limit": "many"}, "bad_option", "1000/hour"),
        ({"name": "x", "monthly_quota": -1}, "bad_option", "0 to"),
        ({"name": "x", "monthly_quota": "5"}, "bad_option", "'5'"),
        ({"name": "x", "expires_at": "2020-01-01T00:00:00Z"}, "bad_option", "in the future"),
        ({"name": "x", "expires_at": "2030-01-01T00:00:00"}, "bad_option", "zone"),
        # After the year 9999 in UTC.
        ({"name": "x", "expires_at": "9999-12-31T23:59:59-23:59"}, "bad_option", "in the future"),
        ({"name": "x", "owner": "Ann\0"}, "bad_option", "200 characters"),
        ({"name": "x", "quota": 1}, "unknown_option", "quota"),
    ],
)
def test_bad_value_is_explained(here: Place, body: dict[str, Any], code: str, found: str) -> None:
    assert found in assert_error(here.call("POST", KEYS, json=body), 400, code)["details"]


def test_name_of_a_valid_key_is_taken(here: Place) -> None:
    assert_error(here.call("POST", KEYS, json={"name": "chief"}), 409, "key_name_taken")


@pytest.mark.parametrize(
    ("method", "path"), [("GET", KEYS), ("POST", KEYS), ("PATCH", f"{KEYS}/x"), ("DELETE", f"{KEYS}/x")]
)
def test_other_scopes_and_other_pages_are_refused(here: Place, method: str, path: str) -> None:
    assert_error(here.call(method, path, ""), 401, "missing_key")
    assert_error(here.call(method, path, here.other_key), 403, "forbidden")
    answer = requests.options(here.server.url + path, headers={**HEADERS, "Access-Control-Request-Method": method})
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_command_line_sets_the_same_limits(here: Place, tmp_path: Path) -> None:
    def cli(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(ROOT / "cli.py"), "keys", *words]
        env = {"PATH": "/usr/bin:/bin", "DATABASE_URL": here.settings["DATABASE_URL"]}
        return subprocess.run(command, capture_output=True, text=True, env=env, timeout=60, check=False)

    assert cli("create", "--name", "both", "--monthly-quota", "12").returncode == 0
    (key,) = [key for key in here.call("GET", KEYS).json()["keys"] if key["name"] == "both"]
    assert key["monthly_quota"] == 12
    done = cli("limit", "both", "--monthly-quota", "none", "--limit", "3/day")
    assert done.stdout == f"{key['id']} (both): limit 3/day, monthly quota none\n"
    (key,) = [key for key in here.call("GET", KEYS).json()["keys"] if key["name"] == "both"]
    assert (key["monthly_quota"], key["rate_limit"]) == (None, "3/day")
    assert "allowed is a whole number" in cli("limit", "both", "--monthly-quota", "x").stderr
