"""withoutBG's APIs. See `services/dialects/withoutbg.py`."""

from flask import Response, request

from routes.http.answers import json_response
from routes.http.auth import current_caller
from routes.http.bodies import decode_base64, read_json
from routes.http.context import request_deadline, service
from routes.http.image_forms import body_image
from routes.http.requests import Upload
from routes.removal import remove
from routes.usage import remaining
from services.capacity.deadline import Stopwatch
from services.dialects.withoutbg import AlphaChannel, Credit, latency_ms, parse_options, processed
from services.errors import BadBase64, MissingImage
from services.imaging.options import Options, Output
from services.imaging.pipeline import Result
from services.imaging.png import alpha_of


def withoutbg_remove_background() -> Response:
    """Return the cut-out or its matte as PNG; for a JSON body both, as data URIs in JSON."""
    service().admission.refuse_when_full()
    options = parse_options(request.args)
    if request.mimetype == "application/json":
        # The matte is the cut-out's alpha: one run of the model gives both.
        cutout = remove(_json_image("image"), options.model_copy(update={"output": Output.CUTOUT}))
        return json_response(processed(cutout, _matte(cutout)))
    result = remove(body_image("image"), options)
    response = Response(result.data, mimetype=result.format.mimetype)
    response.headers["X-Latency-Ms"] = str(latency_ms(result))
    return response


def withoutbg_alpha_channel() -> Response:
    """Return the matte as base64 in JSON, as withoutBG's cloud does."""
    service().admission.refuse_when_full()
    result = remove(_json_image("image_base64"), Options(output=Output.MASK))
    return json_response(AlphaChannel.of(result))


def withoutbg_available_credit() -> Response:
    """Return what is left of the key's month; without a quota a balance that never ends."""
    caller = current_caller()
    left = remaining(caller) if caller else None
    return json_response(Credit() if left is None else Credit(credit=left))


def _json_image(key: str) -> Upload:
    """Read the image in the key of a JSON body. Raises `BadJSON`, `MissingImage`, `BadBase64`, `UploadTooLarge`."""
    text = read_json().get(key)
    if text is None or text == "":
        raise MissingImage(f"the key {key!r} is absent", f'Send {{"{key}": "<base64 or data URI>"}}')
    if not isinstance(text, str):
        raise BadBase64(f"{key!r} is not a text but {type(text).__name__}")
    return Upload(decode_base64(text, lenient=True), "image", {})


def _matte(cutout: Result) -> bytes:
    """Return the cut-out's matte as PNG; decoding it needs a place of its own."""
    watch = Stopwatch(request_deadline())
    with service().admission.slot(cutout.width * cutout.height / 1e6, watch):
        return alpha_of(cutout.data)
