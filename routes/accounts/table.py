"""The map of the endpoints of accounts."""

from typing import Final

from routes.accounts import account, invitations, oidc, sign_in
from routes.http.auth import USER
from routes.openapi import account_operations as described
from routes.openapi.docs import OPEN, Route
from routes.page import account_page
from services.api_keys.keys import ADMIN

AUTH: Final = "/api/v1/auth"
ACCOUNT: Final = "/api/v1/account"
KEYS: Final = f"{ACCOUNT}/keys"
INVITATIONS: Final = "/api/admin/invitations"
INVITATION: Final = f"{INVITATIONS}/<invitation_id>"
# Of a network address, for each endpoint; those for each account are counted in the views.
ATTEMPTS: Final = "rate_limit_sign_in_per_minute"
PER_MINUTE: Final = "rate_limit_per_minute"
SESSION_ROUTES: Final = (
    Route("GET", "/account", account_page, described.PAGE, scope=OPEN),
    Route("POST", f"{AUTH}/logout", sign_in.sign_out, described.SIGN_OUT, PER_MINUTE, OPEN),
    Route("POST", f"{AUTH}/token", sign_in.refresh, described.REFRESH, ATTEMPTS, OPEN),
    Route("GET", ACCOUNT, account.show_account, described.SHOW, PER_MINUTE, USER),
    Route("PATCH", ACCOUNT, account.change_account, described.CHANGE, PER_MINUTE, USER),
    Route("DELETE", ACCOUNT, account.delete_account, described.DELETE, ATTEMPTS, USER),
    Route("GET", KEYS, account.list_own_keys, described.LIST_KEYS, PER_MINUTE, USER),
    Route("POST", KEYS, account.create_personal_key, described.CREATE_KEY, PER_MINUTE, USER),
    Route("DELETE", f"{KEYS}/<key_id>", account.revoke_personal_key, described.REVOKE_KEY, PER_MINUTE, USER),
    Route("GET", INVITATIONS, invitations.list_invitations, described.LIST_INVITATIONS, PER_MINUTE, ADMIN),
    Route("POST", INVITATIONS, invitations.invite_somebody, described.INVITE, PER_MINUTE, ADMIN),
    Route("DELETE", INVITATION, invitations.withdraw, described.WITHDRAW, PER_MINUTE, ADMIN),
)
PASSWORD_ROUTES: Final = (
    Route("POST", f"{AUTH}/register", sign_in.register, described.REGISTER, ATTEMPTS, OPEN),
    Route("POST", f"{AUTH}/confirm", sign_in.confirm, described.CONFIRM, ATTEMPTS, OPEN),
    Route("POST", f"{AUTH}/login", sign_in.sign_in, described.SIGN_IN, ATTEMPTS, OPEN),
    Route("POST", f"{AUTH}/forgot", sign_in.forgot, described.FORGOT, ATTEMPTS, OPEN),
    Route("POST", f"{AUTH}/accept", invitations.accept, described.ACCEPT, ATTEMPTS, OPEN),
    Route("POST", f"{AUTH}/reset", sign_in.reset, described.RESET, ATTEMPTS, OPEN),
    Route("POST", f"{ACCOUNT}/password", account.change_password, described.CHANGE_PASSWORD, ATTEMPTS, USER),
)


PROVIDER_ROUTES: Final = (
    Route("GET", f"{AUTH}/oidc/login", oidc.begin, described.PROVIDER, ATTEMPTS, OPEN),
    Route("GET", f"{AUTH}/oidc/callback", oidc.finish, described.CALLBACK, ATTEMPTS, OPEN),
)
ACCOUNT_ROUTES: Final = (*SESSION_ROUTES, *PASSWORD_ROUTES, *PROVIDER_ROUTES)


def account_routes(kind: str) -> tuple[Route, ...]:
    """Return the routes of this kind of accounts."""
    return (*SESSION_ROUTES, *(PASSWORD_ROUTES if kind == "local" else PROVIDER_ROUTES))
