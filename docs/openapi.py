"""Writes docs/openapi.json, the operators' API as OpenAPI 3.1: from the declaration of its routes
(tallygate/operations/routes.py) and the types of its documents.

    python -m docs.openapi           writes it
    python -m docs.openapi --check   says whether it is what the code says
"""

import argparse
import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter

from tallygate.operations import documents, key_documents
from tallygate.operations.routes import ROUTES, Parameter, Route

PAGE: Final = Path(__file__).with_name("openapi.json")
REFERENCES: Final = "#/components/schemas/{model}"
PROBLEM: Final = "ProblemDocument"
REFUSALS: Final = {
    400: "Something that was sent cannot be taken: the problem names it and says what is valid.",
    403: "Not signed by somebody who may call this. The gateway's own answer.",
    404: "There is no such thing.",
    409: "It is not possible as things stand.",
    500: "The call failed on our side.",
    503: "It cannot be done now. With `Retry-After`, the same call may succeed in a moment.",
}
EVERYWHERE: Final = (403, 500)
DESCRIPTION: Final = """\
What is counted, who the largest callers are, how one of them stands, who owns keys, and how counting keeps up; and the
keys themselves.

Every call is signed (AWS Signature Version 4, service `execute-api`) by somebody whom IAM lets invoke it, route by
route. Times are RFC 3339 in UTC. `admitted` and `charged` are in units, `denied` is in calls."""


def types() -> dict[str, type]:
    """The documents by name."""
    found = {}
    for module in (documents, key_documents):
        for name, value in vars(module).items():
            if isinstance(value, type) and hasattr(value, "__total__") and not name.startswith("_"):
                # What is said below a field is its description. Set here: nothing that runs in AWS knows pydantic.
                value.__pydantic_config__ = {"use_attribute_docstrings": True}  # type: ignore[attr-defined]
                found[name] = value
    return found


def schemas() -> dict[str, Any]:
    """The schema of each document, without the titles that only repeat names."""
    adapters = [(name, "serialization", TypeAdapter(document)) for name, document in types().items()]
    _, whole = TypeAdapter.json_schemas(adapters, ref_template=REFERENCES)  # type: ignore[arg-type]
    found: dict[str, Any] = _untitled(whole["$defs"])
    found["OpenApi"] = {"type": "object", "description": "An OpenAPI 3.1 document."}
    return found


def _untitled(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: _untitled(each) for name, each in value.items() if not (name == "title" and isinstance(each, str))
        }
    return [_untitled(each) for each in value] if isinstance(value, list) else value


def document() -> dict[str, Any]:
    """The whole document."""
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tallygate operators' API",
            "version": version("tallygate"),
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "The address is the output OpsApiUrl of the ops stack."}],
        "security": [{"sigv4": []}],
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "securitySchemes": {
                "sigv4": {
                    "type": "apiKey",
                    "name": "Authorization",
                    "in": "header",
                    "description": "AWS Signature Version 4, service `execute-api`.",
                    "x-amazon-apigateway-authtype": "awsSigv4",
                }
            },
        },
    }


def _operation(route: Route) -> dict[str, Any]:
    responses = {
        str(status): {"description": says, "content": {"application/json": {"schema": _reference(route.answer)}}}
        for status, says in route.statuses
    }
    for status in sorted({*route.refusals, *EVERYWHERE}):
        responses[str(status)] = {"description": REFUSALS[status]}
        if status != 403:
            responses[str(status)]["content"] = {"application/problem+json": {"schema": _reference(PROBLEM)}}
    operation: dict[str, Any] = {
        "operationId": route.name,
        "tags": ["keys" if route.part == "ops" else "questions"],
        "summary": route.says.partition(". ")[0].rstrip("."),
        "description": route.says,
    }
    if route.parameters:
        operation["parameters"] = [_parameter(parameter) for parameter in route.parameters]
    if route.body is not None:
        content = {"application/json": {"schema": _reference(route.body.document)}}
        operation["requestBody"] = {"required": route.body.required, "content": content}
    return {**operation, "responses": responses}


def _parameter(parameter: Parameter) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": parameter.type}
    if parameter.one_of:
        schema["enum"] = list(parameter.one_of)
    if parameter.most is not None:
        schema |= {"minimum": 1, "maximum": parameter.most}
    if parameter.default is not None:
        schema["default"] = parameter.default
    found = {
        "name": parameter.name,
        "in": parameter.where,
        "description": parameter.says,
        "required": parameter.required,
        "schema": schema,
    }
    return found | ({"example": parameter.example} if parameter.example is not None else {})


def _reference(name: str) -> dict[str, str]:
    return {"$ref": REFERENCES.format(model=name)}


def text() -> str:
    """The file as it is written."""
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m docs.openapi", description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit code 1 when the file is not up to date"
    )
    options = parser.parse_args()
    if options.check:
        if PAGE.read_text() == text():
            return 0
        print(f"{PAGE} is not what the code says: make openapi", file=sys.stderr)
        return 1
    PAGE.write_text(text())
    print(f"Wrote {PAGE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
