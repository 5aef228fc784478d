"""Views that remove the background of one image: as a file, as a preview, or as base64 in JSON."""

import unicodedata
from dataclasses import replace
from urllib.parse import quote

import pybase64
from flask import Response

from routes.http.answers import ImageAnswer, json_response
from routes.http.context import request_deadline, service
from routes.http.fields import OUTPUT_KEY, wants_json
from routes.http.observe import note_result
from routes.http.requests import Upload, read_base64_upload, read_upload
from routes.http.usage import charge_frames
from services.imaging.formats import Format
from services.imaging.options import Options
from services.imaging.pipeline import Result, Rules


def remove_background() -> Response:
    """Return the image without its background, as a download."""
    upload = read_upload()
    result = remove(upload, upload.options())
    return as_download(result, upload.stem)


def remove_background_preview() -> Response:
    """Return a small version of the image without its background, inline."""
    upload = read_upload()
    result = remove(upload, upload.options().bounded_by(service().settings.preview_max_side))
    return _as_json(result) if wants_json() else as_image(result, upload.stem, "inline")


def remove_background_base64() -> Response:
    """Return the image without its background as base64 in JSON."""
    upload, data_uri = read_base64_upload()
    return _as_json(remove(upload, upload.options()), data_uri=data_uri)


def remove_bg() -> Response:
    """Return the image without its background, inline, as PNG by default; with `output_key` it is stored as well."""
    upload = read_upload(OUTPUT_KEY)
    result = remove(upload, upload.options(default_format=Format.PNG))
    response = as_image(result, upload.stem, "inline")
    if upload.output_key:
        service().storage.put(upload.output_key, result.data, result.format.mimetype)
        response.headers["X-Output-Key"] = upload.output_key
    return response


def remove(upload: Upload, options: Options, rules: Rules | None = None) -> Result:
    """Remove the upload's background, and note the result for the log, the metrics and the headers.

    `rules` replace those of this service.
    """
    remover = replace(service().remover, rules=rules) if rules else service().remover
    if options.animated:
        charge_frames(remover.count_frames(upload.data, options, request_deadline()))
    result = remover.remove(upload.data, options, background=upload.background, deadline=request_deadline())
    result = replace(result, timings={**upload.timings, **result.timings})
    note_result(result)
    return result


def as_download(result: Result, stem: str) -> Response:
    """Return the result as a download, or as JSON where `Accept` prefers that."""
    return _as_json(result) if wants_json() else as_image(result, stem, "attachment")


def as_image(result: Result, stem: str, disposition: str, what: str = "no-bg") -> Response:
    """Return the result's file as a response, named `<stem>-<what>.<ending>`."""
    response = Response(result.data, mimetype=result.format.mimetype)
    response.headers["X-Confidence"] = f"{result.confidence:.3f}"
    name = f"{stem}-{what}.{result.format.extension}"
    response.headers.set("Content-Disposition", disposition, **file_name(name))
    response.headers.update(result_headers(result))
    return response


def result_headers(result: Result) -> dict[str, str]:
    """Return the headers that describe a result: its size in px and bytes, and how it was made."""
    box = result.foreground
    headers: dict[str, object] = {
        "X-Width": result.width,
        "X-Height": result.height,
        "X-Foreground-Top": box.top,
        "X-Foreground-Left": box.left,
        "X-Foreground-Width": box.width,
        "X-Foreground-Height": box.height,
        "X-Original-Size": result.original_bytes,
        "X-Optimized-Size": len(result.data),
        "X-Optimization-Used": optimization_used(result),
    }
    if result.duration_ms is not None:
        headers |= {"X-Frames": result.frames, "X-Duration": result.duration_ms}
    return {name: str(value) for name, value in headers.items()}


def optimization_used(result: Result) -> str:
    """Return the format, quality and bounds of a result as `name=value; …`."""
    facts = {
        "format": result.format.value,
        "quality": result.quality,
        "max_width": result.max_width,
        "max_height": result.max_height,
        "max_pixels": result.max_pixels,
    }
    return "; ".join(f"{name}={value}" for name, value in facts.items() if value is not None)


def file_name(name: str) -> dict[str, str]:
    """Return a file name as header parameters: plain, and encoded where it is not ASCII (RFC 6266, RFC 8187)."""
    if name.isascii():
        return {"filename": name}
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode("ascii")
    return {"filename": plain, "filename*": f"UTF-8''{quote(name, safe='')}"}


def _as_json(result: Result, *, data_uri: bool = False) -> Response:
    text = pybase64.b64encode(result.data).decode("ascii")
    return json_response(ImageAnswer.of(result, f"data:{result.format.mimetype};base64,{text}" if data_uri else text))
