"""Errors about accounts. None of them says whether an address has an account."""

from services.errors import ServiceError


class NotSignedIn(ServiceError):
    code, status = "not_signed_in", 401
    message = "You must be signed in"
    solution = "Sign in on /account, or at POST /api/v1/auth/login; an API key is not enough here"


class SignInFailed(ServiceError):
    code, status = "sign_in_failed", 401
    message = "The address or the password is wrong"
    solution = "Check both; a new account works once its address is confirmed. For a new password: /api/v1/auth/forgot"


class BadPassword(ServiceError):
    code, status = "bad_password", 400
    message = "This password can't be used"
    solution = "Choose one of 10 characters or more, at most 256 bytes, that is not your address"


class BadToken(ServiceError):
    code, status = "bad_token", 400
    message = "This link or token is no longer valid"
    solution = "Ask for a new link, or sign in again: each works once, for a limited time"


class TokenReused(ServiceError):
    code, status = "token_reused", 400
    message = "This refresh token was exchanged before, so all tokens of its sign-in have ended"
    solution = "Sign in again, and keep the newest token only; if you did not send it twice, change the password"


class RegistrationClosed(ServiceError):
    code, status = "registration_closed", 403
    message = "Only the operator creates accounts"
    solution = "Ask the operator for an account or an invitation"


class ProviderRefused(ServiceError):
    code, status = "provider_refused", 401
    message = "Signing in at the provider did not work"
    solution = "Start again at /api/v1/auth/oidc/login; if it happens again, send the operator the request id"


class ProviderUnavailable(ServiceError):
    code, status, retryable = "provider_unavailable", 503, True
    message = "The identity provider does not answer"
    solution = "Try again in a moment"


class UserExists(ServiceError):
    code, status = "user_exists", 409
    message = "This address already has an account"
    solution = "Let its owner sign in, or choose a new password"


class TooManyInvitations(ServiceError):
    code, status = "too_many_invitations", 409
    message = "No more open invitations are allowed"
    solution = "Withdraw one that is no longer needed"


class InvitationNotFound(ServiceError):
    code, status = "invitation_not_found", 404
    message = "There is no such invitation"
    solution = "List the invitations: it was used, has expired, or was withdrawn"


class TooManyKeys(ServiceError):
    code, status = "too_many_keys", 409
    message = "You have the maximum number of API keys"
    solution = "Revoke one that you no longer use"


class LastAdministrator(ServiceError):
    code, status = "last_administrator", 409
    message = "This is the only administrator"
    solution = "Make another user an administrator first"
