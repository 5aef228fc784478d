"""The web page and its files, which browsers keep for as long as their build is served."""

from functools import cache
from pathlib import Path
from typing import Final

from flask import Response, current_app, request, send_from_directory
from werkzeug.routing import BaseConverter

from routes.studio import BUILD_CHARS, web_build
from services.errors import NotFound

PAGE: Final = "index.html"
# What index.html has where a build belongs.
BUILD_MARK: Final = "{build}"
YEAR_SECONDS: Final = 31536000


class Build(BaseConverter):
    """The part of a path that names a build of the page."""

    regex = rf"[0-9a-f]{{{BUILD_CHARS}}}"


def page() -> Response:
    """Return the web page, which is asked for each time. Its links name the build, so its files are asked for once."""
    folder, build = _folder(), _build()
    response = Response(_text(folder, build), mimetype="text/html")
    response.headers["Cache-Control"] = "no-cache"
    response.set_etag(build)
    response.make_conditional(request)
    return response


def file_of_build(build: str, filename: str) -> Response:
    """Return a file of the page. Raises `NotFound` for another build, whose files are not here."""
    if build != _build():
        raise NotFound(f"the page's build is {_build()}", "Load the page again")
    response = send_from_directory(_folder(), filename, max_age=YEAR_SECONDS)
    if current_app.debug:
        response.headers["Cache-Control"] = "no-cache"
    else:
        response.cache_control.public = True
        response.cache_control.immutable = True
    return response


def _folder() -> str:
    return current_app.static_folder or "web"


def _build() -> str:
    return web_build(_folder())


@cache
def _text(folder: str, build: str) -> str:
    return (Path(folder) / PAGE).read_text(encoding="utf-8").replace(BUILD_MARK, build)
