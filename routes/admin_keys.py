"""Administers API keys, with a key that has the scope `admin`: what the command line's `keys` does."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, Self

from flask import Response
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from routes.http.answers import Body, Count
from routes.http.bodies import read_model
from routes.http.context import service
from routes.http.jobs.job_answers import answer
from routes.http.jobs.job_views import Moment
from routes.http.names import addresses
from services.api_keys.errors import KeyNotFound
from services.api_keys.keys import (
    KEY_NAME,
    SCOPES,
    ApiKey,
    create_key,
    list_keys,
    revoke_key,
    set_limits,
)
from services.api_keys.limits import MAX_QUOTA, Limits, parse_limit
from services.api_keys.usage import charged_by_caller, month_of, today


def _future(at: datetime) -> datetime:
    if at <= datetime.now(UTC):
        raise ValueError("it is in the past")
    try:
        return at.astimezone(UTC)
    # The year 9999 in a zone west of Greenwich.
    except OverflowError:
        raise ValueError("it is after the year 9999 in UTC") from None


def _shown(text: str) -> str:
    if not text.isprintable():
        raise ValueError("it has characters that can't be shown")
    return text


Scope = Literal["remove", "jobs", "admin"]
RateLimit = Annotated[
    Annotated[str, AfterValidator(parse_limit)] | None,
    Field(description="a number per second, minute, hour or day, as 1000/hour, or null", examples=["1000/hour"]),
]
Expiry = Annotated[
    Annotated[AwareDatetime, AfterValidator(_future)] | None,
    Field(description="a moment in the future with its zone, as 2030-01-01T00:00:00Z, or null"),
]
MonthlyQuota = Annotated[
    int | None, Field(strict=True, ge=0, le=MAX_QUOTA, description=f"images, 0 to {MAX_QUOTA}, or null for no quota")
]
NAME: Final = Field(
    pattern=f"^{KEY_NAME.pattern}$", description="1 to 64 of A-Z a-z 0-9 . _ -, a letter or digit first"
)


class NewKey(BaseModel):
    """A key to create."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, NAME]
    owner: Annotated[
        str, AfterValidator(_shown), Field(max_length=200, description="text of at most 200 characters")
    ] = ""
    scopes: Annotated[list[Scope], Field(min_length=1, description=f"a list of {', '.join(SCOPES)}")] = ["remove"]
    rate_limit: RateLimit = None
    monthly_quota: MonthlyQuota = None
    expires_at: Expiry = None


class ChangedLimits(BaseModel):
    """Limits to change; those that are absent stay."""

    model_config = ConfigDict(extra="forbid")

    rate_limit: RateLimit = None
    monthly_quota: MonthlyQuota = None


class KeyView(Body):
    """A key, without its secret."""

    id: str
    name: str
    owner: str
    scopes: list[Scope]
    user_id: Annotated[str | None, Field(description="The user whose key it is; null: the operator's.")]
    user_email: Annotated[str | None, Field(description="The user's address, while there is an account.")]
    state: Annotated[Literal["valid", "revoked", "expired", "disabled"], Field(description="disabled: its user is.")]
    rate_limit: str | None
    monthly_quota: Count | None
    images_this_month: Annotated[
        Count, Field(description="That count against the monthly quota; of a user's key those of all their keys.")
    ]
    uses: Count
    created_at: Moment
    expires_at: Moment | None
    revoked_at: Moment | None
    last_used_at: Moment | None

    @classmethod
    def of(cls, record: ApiKey, images: int, emails: Mapping[str, str], **more: Any) -> Self:
        """Describe a key that has used so many images this month; `emails` has the addresses of users by their ids."""
        return cls(
            id=record.id,
            name=record.name,
            owner=record.owner,
            scopes=record.scopes,
            user_id=record.user_id,
            user_email=emails.get(record.user_id or ""),
            state=record.problem() or "valid",
            rate_limit=record.rate_limit,
            monthly_quota=record.monthly_quota,
            images_this_month=images,
            uses=record.uses,
            created_at=record.created_at,
            expires_at=record.expires_at,
            revoked_at=record.revoked_at,
            last_used_at=record.last_used_at,
            **more,
        )


class NewKeyView(KeyView):
    """A key that was just created."""

    key: Annotated[str, Field(description="The key itself. It is shown this once.")]


class KeysView(Body):
    """Keys, oldest first."""

    keys: list[KeyView]


def list_all_keys() -> Response:
    """List all keys, the revoked ones too."""
    return answer(keys_view(list_keys(service().keys.database)))


def create_a_key() -> Response:
    """Create a key."""
    asked = read_model(NewKey)
    text, key = create_key(service().keys.database, **asked.model_dump())
    return answer(NewKeyView.of(key, 0, {}, key=text), 201)


def change_limits(key_id: str) -> Response:
    """Change a key's limits."""
    asked = read_model(ChangedLimits)
    changed: Limits = asked.model_dump(include=asked.model_fields_set)  # type: ignore[assignment] # its own fields
    return answer(key_view(set_limits(service().keys.database, key_id, changed)))


def revoke_a_key(key_id: str) -> Response:
    """Revoke a key for good."""
    return answer(key_view(revoke_key(service().keys.database, key_id)))


def keys_view(keys: list[ApiKey]) -> KeysView:
    """Describe keys, with what they have used this month."""
    service().usage.flush()
    used = charged_by_caller(service().keys.database, month_of(today())[0])
    emails = addresses(key.user_id for key in keys)
    return KeysView(keys=[KeyView.of(key, used.get(key.user_id or key.id, 0), emails) for key in keys])


def key_view(key: ApiKey | None) -> KeyView:
    """Describe a key that was found. Raises `KeyNotFound`."""
    if key is None:
        raise KeyNotFound("no valid key has this id or name")
    return KeyView.of(key, service().usage.used(key.user_id or key.id), addresses([key.user_id]))
