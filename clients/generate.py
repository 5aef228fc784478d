"""Writes what the clients take from the API's description: `openapi.json`, the Python models and the TypeScript types.

python clients/generate.py           writes the files (`make clients`)
python clients/generate.py --check   ends with 1 where a file is not what the code says

`openapi.json` here is the part of the service's own document that the clients use, with names for its schemas.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from config import Settings
from routes import JOB_ROUTES, ROUTES
from routes.openapi.docs import build

Schema = dict[str, Any]
DOCUMENT: Final = HERE / "openapi.json"
PYTHON: Final = HERE / "python/bgremove_client/models.py"
TYPESCRIPT: Final = HERE / "typescript/src/schema.ts"
GENERATOR: Final = HERE / "typescript/node_modules/.bin/openapi-typescript"
# Names of the schemas, the outer ones last: the answer of an operation, or a part of it.
ANSWERS: Final[dict[str, tuple[str, str, str, tuple[str, ...]]]] = {
    "Problem": ("/api/jobs/{job_id}", "get", "200", ("properties", "error")),
    "Item": ("/api/jobs/{job_id}", "get", "200", ("properties", "items", "items")),
    "JobStatus": ("/api/jobs/{job_id}", "get", "200", ()),
    "Accepted": ("/api/jobs/remove-bg", "post", "202", ()),
    "Cancelled": ("/api/jobs/{job_id}/cancel", "post", "202", ()),
    "Retried": ("/api/jobs/{job_id}/retry", "post", "202", ()),
    "JobsPage": ("/api/jobs", "get", "200", ()),
    "Models": ("/models", "get", "200", ()),
}
CALLS: Final = (
    ("/remove-background", "post"),
    ("/models", "get"),
    ("/api/jobs", "get"),
    ("/api/jobs/remove-bg", "post"),
    ("/api/jobs/remove-bg-batch", "post"),
    ("/api/jobs/{job_id}", "get"),
    ("/api/jobs/{job_id}", "delete"),
    ("/api/jobs/{job_id}/cancel", "post"),
    ("/api/jobs/{job_id}/retry", "post"),
    ("/api/jobs/{job_id}/download", "get"),
    ("/api/jobs/{job_id}/items/{item_id}", "delete"),
)
FILES: Final = ("file", "image", "background_image")


def document() -> Schema:
    """Return the part of the API's description that the clients use."""
    settings = Settings(_env_file=None, jobs_enabled=True)
    whole = json.loads(json.dumps(build([*ROUTES, *JOB_ROUTES], settings)))
    schemas: Schema = {}
    schemas["Error"] = _named(whole["components"]["schemas"]["Error"], schemas)
    schemas["Options"] = _options(whole)
    for name, (path, method, status, inner) in ANSWERS.items():
        found = whole["paths"][path][method]["responses"][status]["content"]["application/json"]["schema"]
        for key in inner:
            found = found[key]
        schemas[name] = {**_named(found, schemas), "title": name}
        if isinstance(found.get("type"), list):
            # Where it may be null is said by the place that uses it.
            schemas[name]["type"] = found["type"][0]
    paths: Schema = {}
    for path, method in CALLS:
        paths.setdefault(path, {})[method] = _call(whole["paths"][path][method], schemas)
    info = {**whole["info"], "version": "1"}
    return {"openapi": "3.1.0", "info": info, "paths": paths, "components": {"schemas": schemas}}


def _options(whole: Schema) -> Schema:
    """Return the options of a removal, from its form."""
    form = whole["paths"]["/remove-background"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    kept = {name: schema for name, schema in form["properties"].items() if name not in FILES}
    return {"type": "object", "title": "Options", "properties": kept}


def _named(node: Any, schemas: Schema) -> Any:
    """Return the schema with references in place of those that have a name."""
    if isinstance(node, list):
        return [_named(part, schemas) for part in node]
    if not isinstance(node, dict):
        return node
    # An answer of a later version may have more.
    inner = {key: _named(value, schemas) for key, value in node.items() if key != "additionalProperties"}
    for name, schema in schemas.items():
        if {**inner, "title": name} == schema:
            return {"$ref": f"#/components/schemas/{name}"}
        if {**inner, "title": name, "type": "object"} == schema and inner.get("type") == ["object", "null"]:
            return {"anyOf": [{"$ref": f"#/components/schemas/{name}"}, {"type": "null"}]}
    return inner


def _call(operation: Schema, schemas: Schema) -> Schema:
    """Return an operation with its path's parameters and its answers."""
    answers: Schema = {}
    for status, answer in operation["responses"].items():
        content = {
            kind: {"schema": _named(body["schema"], schemas)}
            for kind, body in answer.get("content", {}).items()
            if kind == "application/json" or status == "200"
        }
        answers[status] = {
            "description": answer["description"].split("\n")[0],
            **({"content": content} if content else {}),
        }
    inputs = [given for given in operation["parameters"] if given.get("in") == "path"]
    kept = {key: operation[key] for key in ("operationId", "summary", "description")}
    return {**kept, "parameters": inputs, "responses": answers}


def generated(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield each file's path with its text; TypeScript's only where its generator is installed (`npm ci`)."""
    text = json.dumps(document(), indent=1, ensure_ascii=False) + "\n"
    source = folder / "openapi.json"
    source.write_text(text, encoding="utf-8")
    yield DOCUMENT, text
    models = folder / "models.py"
    command = [sys.executable, "-m", "datamodel_code_generator", "--input", str(source), "--input-file-type", "openapi"]
    command += ["--output", str(models), "--output-model-type", "typing.TypedDict", "--target-python-version", "3.11"]
    command += [
        "--disable-timestamp",
        "--use-standard-collections",
        "--use-union-operator",
        "--enum-field-as-literal=all",
    ]
    command += ["--use-schema-description", "--use-field-description", "--openapi-scopes", "schemas"]
    command += ["--formatters", "builtin"]
    command += ["--custom-file-header", "# Generated by `make clients` from openapi.json; edit neither."]
    subprocess.run(command, check=True)  # noqa: S603 - the command is ours
    yield PYTHON, models.read_text(encoding="utf-8")
    if GENERATOR.exists() and shutil.which("node"):
        types = folder / "schema.ts"
        command = [str(GENERATOR), str(source), "--output", str(types), "--default-non-nullable=false"]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - the command is ours
        yield TYPESCRIPT, types.read_text(encoding="utf-8")


def main(words: list[str]) -> int:
    """Write the files, or name those that are not current."""
    stale = []
    with tempfile.TemporaryDirectory() as folder:
        for path, text in generated(Path(folder)):
            if "--check" not in words:
                path.write_text(text, encoding="utf-8")
            elif not path.exists() or path.read_text(encoding="utf-8") != text:
                stale.append(path)
    for path in stale:
        print(f"{path.relative_to(HERE.parent)} is not what the code says; run `make clients`", file=sys.stderr)
    return bool(stale)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
