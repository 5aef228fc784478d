"""What signed-in users see and change of their own: the account and their API keys."""

from flask import Response

from routes.accounts.bodies import AccountView, ChangedAccount, Deletion, NewOwnKey, OtherPassword, read_small
from routes.accounts.cookies import accounts, signed_in, without_session
from routes.admin_keys import NewKeyView, key_view, keys_view
from routes.http.auth import current_caller
from routes.http.context import service, state
from routes.http.jobs.job_answers import answer
from routes.http.limits import attempt
from services.accounts.errors import NotSignedIn
from services.accounts.own_keys import create_own_key, revoke_own_key
from services.accounts.users import User, change_user, check_deletable, delete_user, find_user
from services.api_keys.caller import Caller
from services.api_keys.keys import list_keys
from services.capacity.deadline import Deadline


def show_account() -> Response:
    """Show the signed-in user."""
    return answer(AccountView.of(_me()))


def change_account() -> Response:
    """Change the user's name."""
    asked, me = read_small(ChangedAccount), _me()
    changed = change_user(accounts().database, me.id, name=asked.name)
    return answer(AccountView.of(changed or me))


def change_password() -> Response:
    """Change the password, end all other sessions, and begin a new one here."""
    asked, me = read_small(OtherPassword), _me()
    with attempt("sign-in", me.email):
        changed = accounts().change_password(me, asked.password, asked.new_password)
    return signed_in(changed)


def delete_account() -> Response:
    """Delete the account with its keys, jobs, results and usage."""
    asked, me = read_small(Deletion), _me()
    with attempt("sign-in", me.email):
        accounts().check_owner(me, asked.password)
    check_deletable(accounts().database, me.id)
    # An error leaves the account, so that this can be repeated.
    _erase_jobs(me.id)
    delete_user(accounts().database, me.id)
    accounts().sessions.forget(me.id)
    # Those that were submitted in the meantime.
    _erase_jobs(me.id)
    service().usage.drop(me.id)
    return without_session(Response(status=204))


def list_own_keys() -> Response:
    """List the user's keys, the revoked ones too."""
    return answer(keys_view(list_keys(accounts().database, _my_id())))


def create_personal_key() -> Response:
    """Create one of the user's own keys."""
    asked = read_small(NewOwnKey)
    me = _caller()
    text, key = create_own_key(
        accounts().database, me.id, name=asked.name, scopes=tuple(asked.scopes), expires_at=asked.expires_at
    )
    return answer(NewKeyView.of(key, 0, {me.id: me.name}, key=text), 201)


def revoke_personal_key(key_id: str) -> Response:
    """Revoke one of the user's keys for good."""
    return answer(key_view(revoke_own_key(accounts().database, _my_id(), key_id)))


def _caller() -> Caller:
    caller = current_caller()
    # These routes need a user.
    assert caller
    return caller


def _my_id() -> str:
    return _caller().id


def _me() -> User:
    """Return the signed-in user as the database has them. Raises `NotSignedIn`."""
    user = find_user(accounts().database, _my_id())
    if user is None:
        raise NotSignedIn
    return user


def _erase_jobs(user_id: str) -> None:
    jobs, settings = service().jobs, service().settings
    if jobs:
        # It continues if the browser disconnects.
        jobs.retention.erase_all_of(user_id, Deadline(settings.request_timeout_seconds, started=state().started))
