"""What is declared of each question is what it takes."""

import pytest

from tallygate.core.history import InvalidParameterError
from tallygate.core.names import KINDS
from tallygate.operations import routes
from tallygate.operations.routes import QUESTIONS, Route
from tests.operations.counted import NOW, Counted

ASKED = [route for route in QUESTIONS if route.name != "openapi"]


@pytest.mark.parametrize("route", ASKED, ids=lambda route: route.name)
def test_its_parameters_are_those_that_are_known(counted: Counted, route: Route) -> None:
    ask = getattr(counted.operations, route.name)
    path = ["acme"] if "{" in route.path else []
    with pytest.raises(InvalidParameterError) as refused:
        ask(*path, {"nonsense": "x"}, NOW)
    declared = [parameter.name for parameter in route.parameters if parameter.where == "query"]
    allowed = f"allowed are {', '.join(declared)}" if declared else "there are no parameters"
    assert str(refused.value) == f"nonsense: is not known here; {allowed}"


@pytest.mark.parametrize("route", ASKED, ids=lambda route: route.name)
def test_what_is_required_and_what_is_too_much_is_as_declared(counted: Counted, route: Route) -> None:
    ask = getattr(counted.operations, route.name)
    path = ["acme"] if "{" in route.path else []
    good = {"kind": "ip", "value": "203.0.113.7"}
    needed = {each.name: good[each.name] for each in route.parameters if each.required and each.where == "query"}
    for name in needed:
        with pytest.raises(InvalidParameterError) as refused:
            ask(*path, {other: text for other, text in needed.items() if other != name}, NOW)
        assert refused.value.parameter == name
    more = {"value": "203.0.113.7"} if route.name == "usage" else {}
    for parameter in route.parameters:
        wrong = str(parameter.most + 1) if parameter.most else "nonsense" if parameter.one_of else None
        if wrong is not None:
            with pytest.raises(InvalidParameterError) as refused:
                ask(*path, {**needed, **more, parameter.name: wrong}, NOW)
            assert refused.value.parameter == parameter.name


def test_kinds_are_those_that_are_counted() -> None:
    assert routes.KIND_VALUES == KINDS
