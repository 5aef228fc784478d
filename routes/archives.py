"""Views of archives: a ZIP of chosen images of any jobs, by a signed link that a browser follows without a key."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Final

from flask import Response
from pydantic import Field, ValidationError

from routes.http.answers import Body, Count
from routes.http.bodies import read_json
from routes.http.context import service
from routes.http.jobs.job_answers import answer
from routes.http.jobs.job_views import Moment
from routes.jobs import jobs, owner
from services.archives.errors import TooManyFiles
from services.errors import BadOption
from services.jobs.chosen_archive import KEPT_SECONDS, MAX_FILES, ChosenArchives, Manifest, Records
from services.storage.links import ARCHIVES, DownloadLinks

ARCHIVES_PATH: Final = "/archives"
FILE_NAME: Final = "photos.zip"
ITEM: Final = '{"job_id": "…", "item_id": "…", "name": "folder/a"}'


class ArchiveView(Body):
    """The answer to a request for an archive."""

    url: Annotated[str, Field(description="Downloads it, without a key, until `expires_at`.")]
    expires_at: Moment
    files: Annotated[Count, Field(description="Images with a result.")]
    bytes: Annotated[Count, Field(description="Of their results together.")]


def make_archive() -> Response:
    """Make an archive of the chosen images."""
    own = owner()
    made = _archives(lambda ids: jobs().queries.items(ids, own)).make(_manifest())
    token = _links().token(made.key, KEPT_SECONDS, FILE_NAME)
    body = ArchiveView(
        url=f"{service().settings.public_base}{ARCHIVES_PATH}/{token}",
        expires_at=datetime.fromtimestamp(made.expires_at, UTC),
        files=made.files,
        bytes=made.bytes,
    )
    return answer(body, 201)


def download_archive(token: str) -> Response:
    """Stream the archive of a signed link."""
    key, name = _links().read(token)
    pieces = _archives(jobs().queries.items_by_id).stream(key)
    response = Response(pieces, mimetype="application/zip")
    response.headers["Cache-Control"] = "private, no-store"
    response.headers.set("Content-Disposition", "attachment", filename=name)
    return response


def _archives(find: Callable[[Sequence[str]], Records]) -> ChosenArchives:
    return ChosenArchives(service().storage, find, jobs().queries.latest)


def _links() -> DownloadLinks:
    return DownloadLinks(service().settings.secret_key, ARCHIVES)


def _manifest() -> Manifest:
    """Read what an archive shall have. Raises `BadJSON`, `BadOption`, `TooManyFiles`."""
    body = read_json()
    items = body.get("items")
    if isinstance(items, list) and len(items) > MAX_FILES:
        raise TooManyFiles(f"{len(items)} were asked for; allowed: {MAX_FILES}", "Ask for several archives")
    if not items:
        raise BadOption("items", items, f"a list of 1 to {MAX_FILES} images, each {ITEM}")
    try:
        return Manifest.model_validate(body)
    except ValidationError as exc:
        first = exc.errors(include_url=False)[0]
        name = ".".join(map(str, first["loc"]))
        raise BadOption(name, first["input"], f'{{"items": [{ITEM}], "metadata": true}}') from exc
