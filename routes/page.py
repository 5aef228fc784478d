"""The web page and its files, which browsers keep for as long as their build is served."""

import re
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

from flask import Response, current_app, request, send_from_directory
from werkzeug.routing import BaseConverter

from routes.studio import BUILD_CHARS, web_build
from services.errors import NotFound

PAGE: Final = "index.html"
ADMIN_PAGE: Final = "admin/index.html"
ACCOUNT_PAGE: Final = "account/index.html"
# What index.html has where a build belongs.
BUILD_MARK: Final = "{build}"
YEAR_SECONDS: Final = 31536000
# Published files, which stay as their manifest names them.
VENDORED: Final = "vendor/"
# Types for the checker, and comments on lines of their own. Code that looks like one is refused by a test.
COMMENT: Final = re.compile(rb"/\*\*.*?\*/|^[ \t]*//[^\n]*", re.MULTILINE | re.DOTALL)
SPACE_AROUND_LINE_END: Final = re.compile(rb"\s*\n\s*")
MODULES_KEPT: Final = 256


class Build(BaseConverter):
    """The part of a path that names a build of the page."""

    regex = rf"[0-9a-f]{{{BUILD_CHARS}}}"


def page(name: str = PAGE) -> Response:
    """Return a page, which is asked for each time. Its links name the build, so its files are asked for once."""
    folder, build = _folder(), _build()
    response = Response(_text(folder, build, name), mimetype="text/html")
    response.headers["Cache-Control"] = "no-cache"
    response.set_etag(build)
    response.make_conditional(request)
    return response


def admin_page() -> Response:
    """Return the administrators' page, which has no data: it asks for them with a key."""
    return page(ADMIN_PAGE)


def account_page() -> Response:
    """Return the page on which people sign in and see their account."""
    return page(ACCOUNT_PAGE)


def file_of_build(build: str, filename: str) -> Response:
    """Return a file of the page. Raises `NotFound` for another build, whose files are not here."""
    if build != _build():
        raise NotFound(f"the page's build is {_build()}", "Load the page again")
    if current_app.debug:
        response = send_from_directory(_folder(), filename, max_age=YEAR_SECONDS)
        response.headers["Cache-Control"] = "no-cache"
        return response
    response = send_from_directory(_folder(), filename, max_age=YEAR_SECONDS, conditional=False, etag=build)
    if filename.endswith(".js") and not filename.startswith(VENDORED):
        response.direct_passthrough = False
        response.set_data(without_comments(response.get_data()))
    response.cache_control.public = True
    response.cache_control.immutable = True
    response.make_conditional(request)
    return response


@lru_cache(MODULES_KEPT)
def without_comments(module: bytes) -> bytes:
    """Return a JavaScript module without its comments and indentation: the same code, a quarter smaller."""
    return SPACE_AROUND_LINE_END.sub(b"\n", COMMENT.sub(b"", module)).lstrip()


def _folder() -> str:
    return current_app.static_folder or "web"


def _build() -> str:
    return web_build(_folder())


@cache
def _text(folder: str, build: str, name: str) -> str:
    return (Path(folder) / name).read_text(encoding="utf-8").replace(BUILD_MARK, build)
