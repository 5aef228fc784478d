"""Removing a background, now: the image, a preview of it, of one behind a URL, or base64 in JSON."""

import unicodedata
from dataclasses import replace
from urllib.parse import quote

import orjson
import pybase64
from flask import Response

from routes.http.context import request_deadline, service
from routes.http.observe import note_result
from routes.http.requests import OUTPUT_KEY, Upload, read_base64_upload, read_upload, wants_json
from services.imaging.formats import Format
from services.imaging.options import Options
from services.imaging.pipeline import Result


def remove_background() -> Response:
    """The image without background, as a download."""
    upload = read_upload()
    result = remove(upload, upload.options())
    return _as_json(result) if wants_json() else as_image(result, upload.stem, "attachment")


def remove_background_preview() -> Response:
    """The image without background, inline, its longer side bounded."""
    upload = read_upload()
    result = remove(upload, upload.options().within(service().settings.preview_max_side))
    return _as_json(result) if wants_json() else as_image(result, upload.stem, "inline")


def remove_background_base64() -> Response:
    """The image without background as base64, in JSON."""
    upload, data_uri = read_base64_upload()
    return _as_json(remove(upload, upload.options()), data_uri=data_uri)


def remove_bg() -> Response:
    """The image without background, inline, as PNG unless `format` says otherwise; stored as well with `output_key`."""
    upload = read_upload(OUTPUT_KEY)
    result = remove(upload, upload.options(default_format=Format.PNG))
    response = as_image(result, upload.stem, "inline")
    if upload.output_key:
        service().storage.put(upload.output_key, result.data, result.format.mimetype)
        response.headers["X-Output-Key"] = upload.output_key
    return response


def remove(upload: Upload, options: Options) -> Result:
    """The upload's result, noted for the log, the metrics and the headers."""
    result = service().remover.remove(upload.data, options, background=upload.background, deadline=request_deadline())
    result = replace(result, timings={**upload.timings, **result.timings})
    note_result(result)
    return result


def as_image(result: Result, stem: str, disposition: str) -> Response:
    """The result's file as the answer, named `<stem>-no-bg.<ending>`."""
    response = Response(result.data, mimetype=result.format.mimetype)
    response.headers["X-Confidence"] = f"{result.confidence:.3f}"
    name = f"{stem}-no-bg.{result.format.extension}"
    response.headers.set("Content-Disposition", disposition, **file_name(name))
    response.headers.update(result_headers(result))
    return response


def result_headers(result: Result) -> dict[str, str]:
    """What a client may want to know of a result without opening it: px, bytes, and what was done."""
    box = result.foreground
    told = {
        "X-Width": result.width,
        "X-Height": result.height,
        "X-Foreground-Top": box.top,
        "X-Foreground-Left": box.left,
        "X-Foreground-Width": box.width,
        "X-Foreground-Height": box.height,
        "X-Original-Size": result.original_bytes,
        "X-Optimized-Size": len(result.data),
        "X-Optimization-Used": result.optimization,
    }
    return {name: str(value) for name, value in told.items()}


def file_name(name: str) -> dict[str, str]:
    """A file name as header parameters: plain, and where it is not ASCII also encoded (RFC 6266, RFC 8187)."""
    if name.isascii():
        return {"filename": name}
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode("ascii")
    return {"filename": plain, "filename*": f"UTF-8''{quote(name, safe='')}"}


def _as_json(result: Result, *, data_uri: bool = False) -> Response:
    text = pybase64.b64encode(result.data).decode("ascii")
    mimetype, box = result.format.mimetype, result.foreground
    body = {
        "success": True,
        "image": f"data:{mimetype};base64,{text}" if data_uri else text,
        "mimetype": mimetype,
        "size": len(result.data),
        "width": result.width,
        "height": result.height,
        "foreground": {"top": box.top, "left": box.left, "width": box.width, "height": box.height},
        "model": result.model,
        "confidence": result.confidence,
        "optimization": {
            "format": result.format.value,
            "quality": result.quality,
            "dimensions": f"{result.width}x{result.height}",
            "compression_ratio": round(result.original_bytes / len(result.data), 3),
            "original_size": result.original_bytes,
            "optimized_size": len(result.data),
        },
    }
    return Response(orjson.dumps(body), mimetype="application/json")
