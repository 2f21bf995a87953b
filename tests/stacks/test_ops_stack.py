"""The operators' API: one, in the administrative region, and nothing of it without IAM."""

import json

from synthesized import Synthesized

from tallygate.operations.routes import ROUTES

OPS = ("ops", "us-east-1")


def test_every_route_is_iam_authorised(prod: Synthesized) -> None:
    routes = {route["RouteKey"]: route["AuthorizationType"] for route in prod.all(OPS, "AWS::ApiGatewayV2::Route")}
    assert {key.replace("+}", "}") for key in routes} == {f"{route.method} {route.path}" for route in ROUTES}
    assert routes == dict.fromkeys(
        (
            "GET /ops/keys",
            "POST /ops/keys",
            "GET /ops/keys/{id}",
            "PATCH /ops/keys/{id}",
            "DELETE /ops/keys/{id}",
            "POST /ops/keys/{id}/rotate",
            "POST /ops/keys/import",
            "GET /ops/usage",
            "GET /ops/top",
            "GET /ops/standing",
            "GET /ops/owners",
            "GET /ops/owners/{owner+}",
            "GET /ops/pipeline",
            "GET /ops/openapi.json",
        ),
        "AWS_IAM",
    )


def test_questions_are_answered_by_the_function_that_only_reads(prod: Synthesized) -> None:
    resources = prod.written[OPS]["Resources"]
    handlers = {}
    for route in (each["Properties"] for each in resources.values() if each["Type"] == "AWS::ApiGatewayV2::Route"):
        integration = resources[route["Target"]["Fn::Join"][1][1]["Ref"]]["Properties"]
        function = resources[integration["IntegrationUri"]["Fn::GetAtt"][0]]["Properties"]
        handlers[route["RouteKey"].replace("+}", "}")] = function["Handler"]
    assert handlers == {f"{route.method} {route.path}": f"functions.{route.part}.handler.handler" for route in ROUTES}


def test_no_page_may_call_it_and_its_calls_are_bounded(prod: Synthesized) -> None:
    assert "CorsConfiguration" not in prod.one(OPS, "AWS::ApiGatewayV2::Api")
    stage = prod.one(OPS, "AWS::ApiGatewayV2::Stage")
    assert stage["DefaultRouteSettings"] == {"ThrottlingRateLimit": 50, "ThrottlingBurstLimit": 100}


def test_who_called_is_logged_and_what_was_sent_is_not(prod: Synthesized) -> None:
    settings = prod.one(OPS, "AWS::ApiGatewayV2::Stage")["AccessLogSettings"]
    assert ":log-group:/aws/apigateway/tallygate-prod-ops" in settings["DestinationArn"]
    assert json.loads(settings["Format"]).keys() == {"at", "id", "who", "from", "route", "status"}


def test_other_regions_have_no_such_api(two_homes: Synthesized) -> None:
    assert [where for where in two_homes.templates if where[0] == "ops"] == [OPS]
    for where in two_homes.templates:
        if where[0] == "region":
            routes = two_homes.all(where, "AWS::ApiGatewayV2::Route")
            assert all("/ops/" not in route["RouteKey"] for route in routes)


def test_the_address_of_the_api_is_an_output(prod: Synthesized) -> None:
    outputs = prod.templates[OPS]["Outputs"]
    assert outputs["OpsApiId"]["Value"] == "<AWS::ApiGatewayV2::Api>"
    assert outputs["OpsApiUrl"]["Value"] == "<AWS::ApiGatewayV2::Api ApiEndpoint>"
