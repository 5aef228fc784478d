"""JSON bodies of the endpoints of accounts: what they take and what they answer."""

from typing import Annotated, Final, Literal, Self, TypeVar

from flask import request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from routes.admin_keys import NAME, Expiry
from routes.http.answers import Body
from routes.http.bodies import read_model
from routes.http.jobs.job_views import Moment
from services.accounts.users import MAX_NAME_CHARS, Role, User, normal_email, normal_name, role_of

MAX_BODY_BYTES: Final = 16 * 1024
Read = TypeVar("Read", bound=BaseModel)
Email = Annotated[str, AfterValidator(normal_email), Field(description="an email address")]
# As long as a body allows: the rules for new passwords are in `services/accounts/passwords.py`.
Password = Annotated[str, Field(description="a password")]
Token = Annotated[str, Field(max_length=200, description="the token of the email's link")]
PersonName = Annotated[
    str, AfterValidator(normal_name), Field(description=f"text of at most {MAX_NAME_CHARS} characters")
]


class Asked(BaseModel):
    """A body with exactly these keys."""

    model_config = ConfigDict(extra="forbid")


class Registration(Asked):
    """A new account."""

    email: Email
    password: Password
    name: PersonName = ""


class Credentials(Asked):
    """Who signs in."""

    email: Email
    password: Password
    tokens: Annotated[bool, Field(description="true: answer with tokens instead of a cookie")] = False


class Confirmation(Asked):
    """An address to confirm, with the password of the registration."""

    token: Token
    password: Password


class Forgotten(Asked):
    """Whose password is forgotten."""

    email: Email


class NewPassword(Asked):
    """A password instead of a forgotten one."""

    token: Token
    new_password: Password


class OtherPassword(Asked):
    """A password instead of a known one."""

    password: Password
    new_password: Password


class Refresh(Asked):
    """A refresh token, which works once."""

    refresh_token: Annotated[str, Field(max_length=1000, description="a refresh token")]


class ChangedAccount(Asked):
    """What a user may change."""

    name: PersonName


class Deletion(Asked):
    """The password of the account that is deleted; empty for one that has none."""

    password: Password = ""


class NewOwnKey(Asked):
    """A key to create for oneself."""

    name: Annotated[str, NAME]
    scopes: Annotated[list[Literal["remove", "jobs"]], Field(min_length=1, description="a list of remove, jobs")] = [
        "remove"
    ]
    expires_at: Expiry = None


class AccountView(Body):
    """The signed-in user."""

    id: str
    email: str
    name: str
    role: Role
    created_at: Moment
    has_password: Annotated[bool, Field(description="false: the user signs in at the provider.")]

    @classmethod
    def of(cls, user: User) -> Self:
        """Describe a user."""
        return cls(
            id=user.id,
            email=user.email,
            name=user.name,
            role=role_of(user.role),
            created_at=user.created_at,
            has_password=user.password_hash is not None,
        )


class TokensView(Body):
    """An access token for `Authorization: Bearer`, and one to get the next pair with."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the scheme
    expires_in: Annotated[int, Field(description="Seconds.")]
    refresh_token: str


class AcceptedRequest(Body):
    """The same for addresses with an account and without."""

    status: Literal["accepted"]
    mail: Annotated[bool, Field(description="Whether an email may follow; if not, sign in now.")]


def read_small(model: type[Read]) -> Read:
    """Read a body of at most `MAX_BODY_BYTES`. See `read_model`."""
    request.max_content_length = MAX_BODY_BYTES
    return read_model(model)
