"""The OpenAPI document is valid, is what the code says, and says all that there is."""

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from docs.openapi import PAGE, document, text, types
from tallygate.operations.routes import ROUTES, Route


def test_it_is_what_the_code_says() -> None:
    assert PAGE.read_text() == text(), "make openapi"


def test_it_is_valid() -> None:
    OpenAPIV31SpecValidator(document()).validate()


def test_every_field_of_every_document_is_in_it() -> None:
    schemas = document()["components"]["schemas"]
    for name, type in types().items():
        if name in schemas:
            assert schemas[name]["properties"].keys() == type.__annotations__.keys() | {
                field for base in type.__mro__ for field in getattr(base, "__annotations__", {})
            }


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_every_call_is_described(route: Route) -> None:
    operation = document()["paths"][route.path][route.method.lower()]
    assert operation["operationId"] == route.name
    assert {"403", "500"} <= operation["responses"].keys()
    named = {parameter["name"] for parameter in operation.get("parameters", ())}
    assert {part.strip("{}") for part in route.path.split("/") if part.startswith("{")} <= named
    for parameter in operation.get("parameters", ()):
        assert len(parameter["description"]) > 5


def test_calls_have_names_of_their_own() -> None:
    assert len({route.name for route in ROUTES}) == len(ROUTES) == len({(route.method, route.path) for route in ROUTES})
