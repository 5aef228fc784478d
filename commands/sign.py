"""Signs URLs of pictures that a web page uses as `<img src>`."""

import time

import click

from commands import image_options
from commands.image_options import parse_options
from config import load_settings
from services.errors import ServiceError


@click.command()
@click.argument("source", metavar="URL")
@image_options.option
@click.option(
    "--expires-in",
    type=click.IntRange(1, 100 * 365 * 86400),
    metavar="SECONDS",
    help="How long the URL is valid; by default, for ever.",
)
def sign(source: str, pairs: tuple[str, ...], expires_in: int | None) -> None:
    """Print the signed URL of the picture at URL without its background, for <img src>.

    The key is URL_SIGNING_KEY, the same as on the server. With PUBLIC_URL the printed URL is complete; without it, it
    begins with /i/.
    """
    from services.imaging.formats import Format
    from services.net.signed_urls import SignedURLs
    from services.net.urls import parse_url

    settings = load_settings()
    if not settings.url_signing_keys:
        raise click.UsageError("there is no URL_SIGNING_KEY: `openssl rand -hex 32` makes one, for here and the server")
    options, background = parse_options(pairs, None)
    if background is not None or options.format is Format.ZIP:
        raise click.UsageError("a signed URL takes neither background_image nor format=zip")
    if options.format is Format.AUTO:
        raise click.UsageError("a signed URL's ending is the format of its result: add -O format=webp, png or gif")
    given = dict(pair.split("=", 1) for pair in pairs)
    given.pop("format", None)
    expires = None if expires_in is None else int(time.time()) + expires_in
    try:
        parse_url(source)
        path = SignedURLs(settings.url_signing_keys).path(source, given, options.format.extension, expires)
    except ServiceError as exc:
        raise click.UsageError(f"{exc}. {exc.solution}.") from exc
    click.echo(f"{settings.public_base}{path}")
