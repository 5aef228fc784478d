"""Describes the endpoints of accounts."""

from typing import Final

from routes.accounts import bodies, invitations
from routes.admin_keys import KeysView, KeyView, NewKeyView
from routes.openapi.docs import Operation
from routes.openapi.key_operations import BODY_FAILURES, json_body
from services.accounts import errors
from services.api_keys.errors import KeyNameTaken, KeyNotFound
from services.errors import DatabaseUnavailable, NotFound

TAG: Final = "accounts"
FAILURES: Final = (*BODY_FAILURES, DatabaseUnavailable)
_COOKIE: Final = "Sets the cookie of a session, which the browser sends by itself and no script can read."

REGISTER: Final = Operation(
    TAG, "Create an account", "Where ACCOUNTS_REGISTRATION=open. The answer is the same for an address that has one; "
    "an email with a confirmation link follows, if the service sends email.",
    json_body(bodies.Registration), json_body(bodies.AcceptedRequest),
    (*FAILURES, errors.BadPassword, errors.RegistrationClosed), status=202,
)  # fmt: skip
CONFIRM: Final = Operation(
    TAG, "Confirm an email address", f"With the token of the email and the password of the registration. {_COOKIE}",
    json_body(bodies.Confirmation), json_body(bodies.AccountView), (*FAILURES, errors.BadToken, errors.SignInFailed),
)  # fmt: skip
SIGN_IN: Final = Operation(
    TAG, "Sign in", f"{_COOKIE} With `tokens` the answer has an access token for `Authorization: Bearer` and a refresh "
    "token instead, and no cookie. Attempts are counted by account and by network address.",
    json_body(bodies.Credentials),
    {"application/json": {"anyOf": [json_body(model)["application/json"] for model in (bodies.AccountView,
                                                                                     bodies.TokensView)]}},
    (*FAILURES, errors.SignInFailed, errors.BadToken),
)  # fmt: skip
REFRESH: Final = Operation(
    TAG, "Get new tokens", "A refresh token works once; the answer has the next one. For a minute a repeated request "
    "gets the same again; later it ends all tokens of the sign-in, since somebody has a copy of the token.",
    json_body(bodies.Refresh), json_body(bodies.TokensView), (*FAILURES, errors.BadToken, errors.TokenReused),
)  # fmt: skip
SIGN_OUT: Final = Operation(
    TAG, "Sign out", "Clears the cookie. With `everywhere` all sessions and tokens of the user end.",
    parameters={"everywhere": {"type": "string", "enum": ["true"]}}, failures=(DatabaseUnavailable,), status=204,
)  # fmt: skip
FORGOT: Final = Operation(
    TAG, "Ask for a new password", "The answer is the same for an address without an account. The email's link works "
    "once, for an hour.",
    json_body(bodies.Forgotten), json_body(bodies.AcceptedRequest), FAILURES, status=202,
)  # fmt: skip
RESET: Final = Operation(
    TAG, "Choose a new password", f"With the token of the email. All sessions end. {_COOKIE}",
    json_body(bodies.NewPassword), json_body(bodies.AccountView), (*FAILURES, errors.BadToken, errors.BadPassword),
)  # fmt: skip
ACCEPT: Final = Operation(
    TAG, "Accept an invitation", f"Makes the account, with the token of the link. {_COOKIE}",
    json_body(invitations.Acceptance), json_body(bodies.AccountView),
    (*FAILURES, errors.BadToken, errors.BadPassword, errors.RegistrationClosed),
)  # fmt: skip
LIST_INVITATIONS: Final = Operation(
    "administration", "List the open invitations", answers=json_body(invitations.InvitationsView),
    failures=(DatabaseUnavailable,),
)  # fmt: skip
INVITE: Final = Operation(
    "administration", "Invite somebody", "Where ACCOUNTS_REGISTRATION=invited or open. Emails a link that works "
    "once, for seven days, and replaces an earlier invitation of the address; without email the answer has the link.",
    json_body(invitations.NewInvitation), json_body(invitations.NewInvitationView),
    (*FAILURES, errors.RegistrationClosed, errors.UserExists, errors.TooManyInvitations), status=201,
)  # fmt: skip
WITHDRAW: Final = Operation(
    "administration", "Withdraw an invitation", "Its link stops working.",
    failures=(errors.InvitationNotFound, DatabaseUnavailable), status=204,
)  # fmt: skip
PROVIDER: Final = Operation(
    TAG, "Sign in at the provider", "With ACCOUNTS=oidc: sends the browser there. `next` is the path to go on with "
    "afterwards; one of another server is ignored.",
    parameters={"next": {"type": "string", "default": "/account"}}, status=303, failures=(errors.ProviderUnavailable,),
)  # fmt: skip
CALLBACK: Final = Operation(
    TAG, "Come back from the provider", f"The provider sends the browser here. {_COOKIE}", status=303,
    parameters={name: {"type": "string"} for name in ("code", "state", "iss", "error")},
    failures=(errors.ProviderRefused, errors.ProviderUnavailable, errors.SignInFailed, errors.RegistrationClosed,
              DatabaseUnavailable),
)  # fmt: skip
PAGE: Final = Operation(TAG, "Return the page of accounts", answers={"text/html": {"type": "string"}})
SHOW: Final = Operation(TAG, "Show your account", answers=json_body(bodies.AccountView))
CHANGE: Final = Operation(
    TAG, "Change your name", "", json_body(bodies.ChangedAccount), json_body(bodies.AccountView), FAILURES
)
CHANGE_PASSWORD: Final = Operation(
    TAG, "Change your password", f"All other sessions and tokens end. {_COOKIE}", json_body(bodies.OtherPassword),
    json_body(bodies.AccountView), (*FAILURES, errors.SignInFailed, errors.BadPassword),
)  # fmt: skip
DELETE: Final = Operation(
    TAG, "Delete your account", "With your API keys, jobs, results and usage, for good.",
    json_body(bodies.Deletion), failures=(*FAILURES, errors.SignInFailed, errors.LastAdministrator), status=204,
)  # fmt: skip
LIST_KEYS: Final = Operation(TAG, "List your API keys", "The revoked ones too.", answers=json_body(KeysView))
CREATE_KEY: Final = Operation(
    TAG, "Create an API key of your own", "Only this answer has the key itself. Its jobs and usage are yours.",
    json_body(bodies.NewOwnKey), json_body(NewKeyView), (*FAILURES, KeyNameTaken, errors.TooManyKeys), status=201,
)  # fmt: skip
REVOKE_KEY: Final = Operation(
    TAG, "Revoke an API key of your own", "For good; servers refuse it within a second.",
    answers=json_body(KeyView), failures=(KeyNotFound, NotFound),
)  # fmt: skip
