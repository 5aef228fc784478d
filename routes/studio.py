"""Views for pages that edit a cut-out: the matte alone, pictures made with a matte, and what a page needs to know."""

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from flask import Response, current_app, request
from pydantic import ConfigDict, Field

from config import Settings
from routes.http.answers import Body, Count, json_response
from routes.http.auth import caller_if_known
from routes.http.context import request_deadline, service, state
from routes.http.fields import BACKGROUND_URL, MASK, MATTE_OPTIONS, MODEL_OPTIONS, URL_FIELD
from routes.http.limits import is_uncounted
from routes.http.observe import note_result
from routes.http.quota_facts import KeyLimit, quotas_of
from routes.http.requests import read_upload
from routes.http.visitors import with_visitor
from routes.removal import as_download, as_image, remove
from services.api_keys.caller import Caller
from services.errors import BadOption, MissingImage
from services.imaging.choices.presets import PRESETS
from services.imaging.edges.guided import PASSES
from services.imaging.formats import Format, usable_formats
from services.imaging.options import BACKGROUND_IMAGE, Edges, Options, Output, option_names

NOT_OF_THE_MATTE: Final = (
    *(name for name in option_names() if name not in MATTE_OPTIONS),
    *(BACKGROUND_IMAGE, BACKGROUND_URL),
)
NOT_OF_REFINING: Final = (
    *(name for name in option_names() if name != "edges"),
    *(BACKGROUND_IMAGE, BACKGROUND_URL, URL_FIELD),
)
REFINE_SOLUTION: Final = "Send the photo's part as field 'file' and its mask as field 'mask', both as files of a form"
# Photos that a page without jobs works on at a time.
CONCURRENCY: Final = 2
BUILD_CHARS: Final = 16


class StudioModel(Body):
    """A model that can be asked for."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    name: str
    purpose: str
    takes_prompt: bool


class StudioLimits(Body):
    bytes: Annotated[Count, Field(description="of a photo")]
    pixels: Annotated[Count, Field(description="of a photo, at most")]
    side: Annotated[Count, Field(description="px; the shorter side of a photo, at least")]
    batch_files: Count
    batch_bytes: Count
    preview_side: Annotated[Count, Field(description="px; the longer side of a preview, at most")]


class StudioFormats(Body):
    accepted: Annotated[list[str], Field(description="of photos")]
    results: list[str]


class StudioPreset(Body):
    """Options under one name, with the page that has their figures."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    title: str
    options: dict[str, Any]
    source: Annotated[str, Field(description="the marketplace's own page; may be empty")]
    date: Annotated[str, Field(description="when the figures were last checked; may be empty")]
    note: str


class StudioAccounts(Body):
    """How people sign in."""

    kind: Annotated[Literal["local", "oidc"], Field(description="by a password here, or at a provider")]
    registration: Annotated[bool, Field(description="whether people make accounts themselves")]
    invitations: Annotated[bool, Field(description="whether administrators may invite people")]
    mail: Annotated[bool, Field(description="whether a forgotten password is replaced by email")]
    user: Annotated[str | None, Field(description="the address of the signed-in user")]

    @classmethod
    def of(cls, settings: Settings, caller: Caller | None) -> Self | None:
        """Describe the accounts for a caller; None without accounts."""
        if settings.accounts == "off":
            return None
        user = caller.name if caller and caller.user_id and caller.key_id is None else None
        return cls(
            kind=settings.accounts,
            registration=settings.accounts_registration == "open",
            invitations=settings.accounts_registration != "closed",
            mail=bool(settings.smtp_url),
            user=user,
        )


class StudioFacts(Body):
    """What a page needs to know of this service."""

    version: str
    build: Annotated[str, Field(description="changes with the page's files")]
    jobs: Annotated[bool, Field(description="whether /api/jobs is there")]
    auth_required: bool
    default_model: str
    models: list[StudioModel]
    limits: StudioLimits
    quotas: Annotated[
        dict[str, int] | None,
        Field(description="requests an hour of each endpoint, a `PUT` for `…/mask`; null: this caller is not counted"),
    ]
    key_limit: Annotated[
        KeyLimit | None, Field(description="your key's own limit, which counts instead of those of the endpoints")
    ]
    concurrency: Annotated[int, Field(ge=1, description="photos that a page without jobs should send at a time")]
    presets: dict[str, StudioPreset]
    formats: StudioFormats
    result_ttl_seconds: Annotated[float, Field(description="how long a job's results are kept")]
    accounts: Annotated[StudioAccounts | None, Field(description="null: there are no accounts, only keys")] = None

    @classmethod
    def of(
        cls, settings: Settings, models: Iterable[object], build: str, *, counted: bool, own: KeyLimit | None = None
    ) -> Self:
        """Return the facts for a caller; `counted` says whether quotas count it, `own` is its key's own limit."""
        limits = StudioLimits(
            bytes=settings.max_content_length,
            pixels=settings.largest_image_pixels,
            side=settings.min_image_side,
            batch_files=settings.max_batch_files,
            batch_bytes=settings.max_batch_bytes,
            preview_side=settings.preview_max_side,
        )
        return cls(
            version=settings.app_version,
            build=build,
            jobs=settings.jobs_enabled,
            auth_required=settings.auth_required,
            default_model=settings.rembg_model_name,
            models=[StudioModel.model_validate(model) for model in models],
            limits=limits,
            quotas=quotas_of(settings, own) if counted else None,
            key_limit=own if counted else None,
            concurrency=min(CONCURRENCY, settings.max_running_images),
            presets={name: StudioPreset.model_validate(preset) for name, preset in PRESETS.items()},
            formats=StudioFormats(accepted=list(settings.allowed_extensions), results=[*usable_formats()]),
            result_ttl_seconds=settings.job_result_ttl_seconds,
        )


def matte() -> Response:
    """Return the photo's matte in its full size, or with `format=zip` the photo and its matte."""
    upload = read_upload(refused=NOT_OF_THE_MATTE)
    result = remove(upload, _matte_options(upload.options(default_format=Format.PNG)))
    return as_image(result, upload.stem, "inline", "matte")


def compose() -> Response:
    """Return the photo without its background, cut out by the caller's mask instead of a model's, as a download."""
    upload = read_upload(MASK, refused=MODEL_OPTIONS)
    result = service().remover.compose(
        upload.data,
        upload.options(),
        mask=upload.mask,
        background=upload.background,
        deadline=request_deadline(),
    )
    result = replace(result, timings={**upload.timings, **result.timings})
    note_result(result)
    return as_download(result, upload.stem)


def refine() -> Response:
    """Return the caller's mask with its unknown pixels refined by the photo."""
    upload = read_upload(MASK, refused=NOT_OF_REFINING)
    if upload.mask is None:
        raise MissingImage(f"the form has no file in the field {MASK!r}", REFINE_SOLUTION)
    options = upload.options(default_format=Format.PNG)
    if options.edges is Edges.SOFT:
        raise BadOption("edges", options.edges.value, ", ".join(PASSES))
    result = service().remover.refine(upload.data, upload.mask, options, deadline=request_deadline())
    result = replace(result, timings={**upload.timings, **result.timings})
    note_result(result)
    return as_image(result, upload.stem, "inline", "matte")


def studio_json() -> Response:
    """Return what a page needs to know of this service; no quota counts it."""
    parts = service()
    caller = state().caller = caller_if_known()
    counted = parts.settings.rate_limit_enabled and not is_uncounted()
    own = KeyLimit.parse(caller.rate_limit) if caller and caller.rate_limit else None
    build = web_build(current_app.static_folder or "web")
    facts = StudioFacts.of(parts.settings, parts.models.usable().values(), build, counted=counted, own=own)
    facts = facts.model_copy(update={"accounts": StudioAccounts.of(parts.settings, caller)})
    response = json_response(facts)
    # A proxy must not keep it: the quotas are those of one caller.
    response.headers["Cache-Control"] = "private, no-cache"
    response.add_etag()
    response.make_conditional(request)
    return with_visitor(response)


def _matte_options(options: Options) -> Options:
    """Return the options under which a result is the matte. Raises `BadOption` for a format that may change it."""
    if options.format is Format.ZIP:
        return options.model_copy(update={"decontaminate": False})
    if options.format is not Format.PNG:
        raise BadOption("format", options.format.value, "png, zip")
    return options.model_copy(update={"output": Output.MASK})


@cache
def web_build(folder: str) -> str:
    """Return a digest of the page's files, as they were when it was first asked for."""
    digest = hashlib.sha256()
    for path in sorted(path for path in Path(folder).rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(folder)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:BUILD_CHARS]
