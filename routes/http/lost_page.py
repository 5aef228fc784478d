"""The page that a person sees where an address leads to nothing; programs get the same error as JSON."""

from html import escape
from typing import Final

from flask import Response, request

from routes.http.context import state
from routes.http.fields import accepted_types
from services.errors import ServiceError

HTML, XHTML, JSON = "text/html", "application/xhtml+xml", "application/json"
NOT_FOUND, GONE = 404, 410
# Title, text, and the links to the start and to the API, by language and status.
TEXTS: Final = {
    "en": {
        NOT_FOUND: ("There is nothing at this address", "The link is incomplete, or what it led to was deleted."),
        GONE: ("This file has expired", "Results are kept for a limited time. Send the photo again."),
    },
    "de": {
        NOT_FOUND: (
            "Unter dieser Adresse gibt es nichts",
            "Der Link ist unvollständig, oder sein Ziel wurde gelöscht.",
        ),
        GONE: (
            "Diese Datei ist abgelaufen",
            "Ergebnisse werden für begrenzte Zeit aufbewahrt. Senden Sie das Foto noch einmal.",
        ),
    },
}
LINKS: Final = {
    "en": ("Remove a background", "API documentation"),
    "de": ("Hintergrund entfernen", "Dokumentation der API"),
}
PAGE: Final = """<!doctype html>
<html lang="{language}">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover">
  <meta name="color-scheme" content="light dark">
  <meta name="robots" content="noindex">
  <title>{title} – Background Remover</title>
  <link rel="icon" href="/static/icon.svg" type="image/svg+xml">
  <link rel="stylesheet" href="/static/style.css">
</head>
<body>
  <header class="top"><a class="brand" href="/"><img src="/static/icon.svg" width="28" height="28" alt="">
    <span>Background Remover</span></a></header>
  <main class="main"><section class="panel offline">
    <h1>{title}</h1>
    <p>{text}</p>
    <div class="buttons"><a class="button primary" href="/">{start}</a> <a class="button" href="/docs">{api}</a></div>
    <p class="soft small">{details}</p>
  </section></main>
</body>
</html>
"""


def is_for_a_person(error: ServiceError) -> bool:
    """Return whether a browser will show the error as a page.

    Only browsers name XHTML and prefer it to JSON; Java's default names HTML, and n8n's all three.
    """
    if error.status not in (NOT_FOUND, GONE) or request.method not in ("GET", "HEAD"):
        return False
    accept = accepted_types()
    return XHTML in accept.values() and accept.quality(HTML) > accept.quality(JSON)


def lost_page(error: ServiceError) -> Response:
    """Return the page, in the language that the browser asks for."""
    language = request.accept_languages.best_match(tuple(TEXTS), default="en")
    title, text = TEXTS[language][error.status]
    start, api = LINKS[language]
    details = " · ".join(filter(None, (f"{error.status}", error.details, state().request_id)))
    content = PAGE.format(language=language, title=title, text=text, start=start, api=api, details=escape(details))
    response = Response(content, status=error.status, mimetype=HTML)
    # A program that asks for the same address gets JSON.
    response.headers["Cache-Control"] = "no-store"
    return response
