"""Makes OpenAPI schemas from the pydantic models of the answers."""

from typing import Any, Final

from pydantic import BaseModel

Schema = dict[str, Any]
NULL: Final = {"type": "null"}


def schema_of(model: type[BaseModel]) -> Schema:
    """Return the schema of a model's JSON, self-contained: references inlined, no generated titles."""
    whole = model.model_json_schema(mode="serialization")
    definitions = whole.pop("$defs", {})
    schema: Schema = _inlined(whole, definitions)
    return schema


def _inlined(node: Any, definitions: Schema) -> Any:
    if isinstance(node, list):
        return [_inlined(part, definitions) for part in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        node = {**definitions[node["$ref"].rsplit("/", 1)[-1]], **{k: v for k, v in node.items() if k != "$ref"}}
    # A title that is a text is pydantic's own; any other is a property of that name.
    kept = {key: value for key, value in node.items() if key != "title" or not isinstance(value, str)}
    found = {key: _inlined(value, definitions) for key, value in kept.items()}
    return _nullable(found)


def _nullable(schema: Schema) -> Schema:
    """Write `anyOf: [X, null]` as X with two types, as OpenAPI 3.1 allows."""
    variants = schema.get("anyOf", [])
    if len(variants) != 2 or variants[1] != NULL or not isinstance(variants[0].get("type"), str):
        return schema
    others = {key: value for key, value in schema.items() if key != "anyOf"}
    return {**variants[0], **others, "type": [variants[0]["type"], "null"]}
