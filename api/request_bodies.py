"""Describe bodies that are read by hand, because they are too large for anybody's form parser."""

from typing import Any

from pydantic import BaseModel

Json = dict[str, Any]

_REFERENCE = "#/components/schemas/{model}"


def form_body(
    options: type[BaseModel],
    *,
    file_field: str,
    json_fields: tuple[str, ...] = (),
    ignores_unknown: bool = False,
    also: Json | None = None,
) -> Json:
    """Return the requestBody of a multipart form.

    Args:
        options: the model that its fields are checked by.
        file_field: the part that holds the media.
        json_fields: fields whose text is a JSON object.
        ignores_unknown: whether other fields are taken without a word.
        also: further fields, as schemas by name.
    """
    schema = options.model_json_schema(ref_template=_REFERENCE)
    definitions = schema.get("$defs", {})
    fields = {
        name: {"type": "object"} if name in json_fields else _in_form(field, definitions)
        for name, field in schema["properties"].items()
    }
    return {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [file_field],
                    "additionalProperties": ignores_unknown,
                    "properties": {
                        file_field: {
                            "type": "string",
                            "format": "binary",
                            "minLength": 1,
                            "description": "the media: any audio or video, as a part with a name",
                        },
                        **fields,
                        **(also or {}),
                    },
                },
                "encoding": {name: {"contentType": "application/json"} for name in json_fields},
            }
        },
    }


def json_body(model: type[BaseModel]) -> Json:
    """Return the content of a JSON body, its definitions inside."""
    schema = model.model_json_schema(ref_template=_REFERENCE)
    definitions = schema.pop("$defs", {})
    return {"application/json": {"schema": _inlined(schema, definitions)}}


def header(name: str, description: str, **bounds: int) -> Json:
    """Return a header that a call reads, as a parameter of its operation."""
    return {
        "name": name,
        "in": "header",
        "required": False,
        "description": description,
        "schema": {"type": "string", **bounds},
    }


def _in_form(field: Json, definitions: Json) -> Json:
    """Return a field as a form can say it.

    There is no null in a form, only its absence; and an empty field means unset.
    """
    inlined: Json = _inlined(field, definitions)
    inlined.pop("default", None)
    choices = [each for each in inlined.get("anyOf", []) if each.get("type") != "null"]
    if len(choices) == 1:
        inlined = {key: value for key, value in inlined.items() if key != "anyOf"} | choices[0]
    inlined.pop("minLength", None)
    return inlined


def _inlined(schema: Any, definitions: Json) -> Any:
    """Return a schema with the definitions it refers to in their places."""
    if isinstance(schema, list):
        return [_inlined(each, definitions) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        return _inlined(definitions[name], definitions) | rest
    return {key: _inlined(value, definitions) for key, value in schema.items()}
