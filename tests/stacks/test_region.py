"""A serving region: its API and the way of its usage lines to their home."""

import json

import pytest
from synthesized import Synthesized

REGIONS = ["us-east-1", "eu-west-1", "ap-southeast-2"]
SUBSCRIBED = [
    "/aws/lambda/tallygate-prod-api",
    "/aws/lambda/tallygate-prod-authorizer",
    "/aws/lambda/tallygate-prod-counters",
]


@pytest.mark.parametrize("region", REGIONS)
def test_every_route_asks_the_authorizer_about_every_call(prod: Synthesized, region: str) -> None:
    where = ("region", region)
    authorizer = prod.one(where, "AWS::ApiGatewayV2::Authorizer")
    assert authorizer["AuthorizerType"] == "REQUEST"
    assert authorizer["AuthorizerPayloadFormatVersion"] == "2.0"
    assert authorizer["EnableSimpleResponses"] is True
    assert authorizer["AuthorizerResultTtlInSeconds"] == 0
    assert authorizer["IdentitySource"] == [], "an absent header would be answered 401 unseen"
    assert authorizer["AuthorizerUri"].endswith(":function:tallygate-prod-authorizer/invocations")
    routes = prod.all(where, "AWS::ApiGatewayV2::Route")
    assert {route["RouteKey"] for route in routes} == {
        *(
            f"{method} {path}"
            for method in ("GET", "HEAD")
            for path in ("/v1/whoami", "/v1/usage", "/v1/problems", "/v1/counters", "/v1/counters/{name}")
        ),
        "POST /v1/counters/increments",
        *(f"POST /v1/counters/{{name}}/{what}" for what in ("increment", "next", "reset")),
        *(
            f"{method} {path}"
            for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
            for path in ("/", "/{proxy+}")
        ),
    }, "none for OPTIONS, which the gateway answers by itself then"
    for route in routes:
        assert route["AuthorizationType"] == "CUSTOM", route["RouteKey"]
        assert route["AuthorizerId"] == "<AWS::ApiGatewayV2::Authorizer>", route["RouteKey"]


def test_functions_answer_in_payload_2_0(prod: Synthesized) -> None:
    for integration in prod.all(("region", "eu-west-1"), "AWS::ApiGatewayV2::Integration"):
        assert integration["PayloadFormatVersion"] == "2.0"
        assert ":eu-west-1:123456789012:function:tallygate-prod-" in integration["IntegrationUri"]


@pytest.mark.parametrize("region", REGIONS)
def test_only_what_writes_is_answered_by_the_function_that_may_write(prod: Synthesized, region: str) -> None:
    template = prod.written["region", region]["Resources"]
    integrations = {
        id: "counters" if "Counters" in json.dumps(each["Properties"]["IntegrationUri"]) else "api"
        for id, each in template.items()
        if each["Type"] == "AWS::ApiGatewayV2::Integration"
    }
    assert sorted(integrations.values()) == ["api", "counters"]
    writes = {
        each["Properties"]["RouteKey"]
        for each in template.values()
        if each["Type"] == "AWS::ApiGatewayV2::Route"
        and integrations[each["Properties"]["Target"]["Fn::Join"][1][1]["Ref"]] == "counters"
    }
    assert writes == {"POST /v1/counters/{name}/next", "POST /v1/counters/{name}/reset"}


def test_a_browser_of_any_site_may_call_and_read_the_limits(prod: Synthesized) -> None:
    cors = prod.one(("region", "eu-west-1"), "AWS::ApiGatewayV2::Api")["CorsConfiguration"]
    assert cors["AllowOrigins"] == ["*"]
    assert set(cors["AllowHeaders"]) == {"authorization", "content-type", "idempotency-key", "x-api-key"}
    assert set(cors["AllowMethods"]) == {"GET", "HEAD", "POST"}
    assert set(cors["ExposeHeaders"]) == {
        "RateLimit",
        "RateLimit-Policy",
        "Retry-After",
        "WWW-Authenticate",
        "X-RateLimit-Limit",
        "X-RateLimit-Remaining",
        "X-RateLimit-Reset",
    }


def test_the_api_is_told_how_far_back_it_may_tell(two_homes: Synthesized) -> None:
    for where, part in ((("region", "eu-west-1"), "api"), (("home", "us-east-1"), "log_consumer")):
        environment = two_homes.function(where, part)["Environment"]["Variables"]
        assert environment["TALLYGATE_HISTORY_DAYS"] == "90"
        assert environment["TALLYGATE_STREAM_RETENTION_HOURS"] == "48"
    assert environment.get("TALLYGATE_DOCS_URL") is None
    environment = two_homes.function(("region", "eu-west-1"), "api")["Environment"]["Variables"]
    assert environment["TALLYGATE_DOCS_URL"] == "https://docs.example/problems"


@pytest.mark.parametrize("region", REGIONS)
def test_all_functions_are_subscribed_to_the_lines_of_their_home_only(prod: Synthesized, region: str) -> None:
    filters = prod.all(("region", region), "AWS::Logs::SubscriptionFilter")
    assert sorted(each["LogGroupName"] for each in filters) == SUBSCRIBED
    for each in filters:
        assert each["FilterPattern"] == '{ ($.type = "usage") && ($.home = "us-east-1") }'
        assert each["FilterName"] == prod.names.usage_filter("us-east-1")
        assert each.get("Distribution", "ByLogStream") == "ByLogStream"


def test_a_home_is_reached_directly_from_its_own_region(prod: Synthesized) -> None:
    where = ("region", "us-east-1")
    assert prod.all(where, "AWS::Logs::Destination") == []
    for each in prod.all(where, "AWS::Logs::SubscriptionFilter"):
        assert each["DestinationArn"] == "arn:aws:kinesis:us-east-1:123456789012:stream/tallygate-prod-usage"
        assert each["RoleArn"] == "arn:aws:iam::123456789012:role/tallygate-prod-us-east-1-usage-logs"


@pytest.mark.parametrize("region", ["eu-west-1", "ap-southeast-2"])
def test_a_home_elsewhere_is_reached_through_a_destination_here(prod: Synthesized, region: str) -> None:
    where = ("region", region)
    arn = f"arn:aws:logs:{region}:123456789012:destination:tallygate-prod-to-us-east-1"
    destination = prod.one(where, "AWS::Logs::Destination")
    assert destination["DestinationName"] == prod.names.destination("us-east-1")
    assert destination["TargetArn"] == "arn:aws:kinesis:us-east-1:123456789012:stream/tallygate-prod-usage"
    assert destination["RoleArn"] == f"arn:aws:iam::123456789012:role/tallygate-prod-{region}-usage-logs"
    assert json.loads(destination["DestinationPolicy"])["Statement"] == [
        {
            "Effect": "Allow",
            "Principal": {"AWS": "123456789012"},
            "Action": "logs:PutSubscriptionFilter",
            "Resource": arn,
        }
    ]
    for each in prod.all(where, "AWS::Logs::SubscriptionFilter"):
        assert each["DestinationArn"] == arn
        assert "RoleArn" not in each, "the destination has its own"


@pytest.mark.parametrize(
    ("region", "home"), [("us-east-1", "us-east-1"), ("eu-west-1", "eu-central-1"), ("ap-southeast-2", "us-east-1")]
)
def test_with_several_homes_each_region_reports_to_its_own(two_homes: Synthesized, region: str, home: str) -> None:
    where = ("region", region)
    for each in two_homes.all(where, "AWS::Logs::SubscriptionFilter"):
        assert f'($.home = "{home}")' in each["FilterPattern"]
    targets = [each["TargetArn"] for each in two_homes.all(where, "AWS::Logs::Destination")]
    stream = f"arn:aws:kinesis:{home}:123456789012:stream/tallygate-acceptance-usage"
    assert targets == ([] if region == home else [stream])
    for part in ("authorizer", "api"):
        environment = two_homes.function(where, part)["Environment"]["Variables"]
        assert environment["TALLYGATE_HOME"] == home
        assert environment["TALLYGATE_HOMES"] == "us-east-1,eu-central-1"


@pytest.mark.parametrize("metric", ["DeliveryErrors", "DeliveryThrottling"])
def test_an_alarm_stands_on_lines_that_do_not_arrive(prod: Synthesized, metric: str) -> None:
    names = {
        "DeliveryErrors": "tallygate-prod-delivery-errors",
        "DeliveryThrottling": "tallygate-prod-delivery-throttling",
    }
    alarm = prod.one(("region", "eu-west-1"), "AWS::CloudWatch::Alarm", AlarmName=names[metric])
    (query,) = alarm["Metrics"]
    assert query["Expression"] == (
        f"SELECT SUM({metric}) FROM \"AWS/Logs\" WHERE FilterName = 'tallygate-prod-usage-to-us-east-1'"
    )
    assert alarm["Threshold"] == 1


def test_the_address_of_the_api_is_an_output(prod: Synthesized) -> None:
    outputs = prod.templates["region", "eu-west-1"]["Outputs"]
    assert outputs["ApiId"]["Value"] == "<AWS::ApiGatewayV2::Api>"
    assert outputs["ApiUrl"]["Value"] == "<AWS::ApiGatewayV2::Api ApiEndpoint>"
