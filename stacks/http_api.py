"""The API of a region: its routes, behind the authorizer, readable from a browser."""

from aws_cdk import Acknowledgment, Duration, Validations
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_lambda as lambda_
from aws_cdk.aws_apigatewayv2_authorizers import HttpLambdaAuthorizer, HttpLambdaResponseType
from aws_cdk.aws_apigatewayv2_integrations import HttpLambdaIntegration
from constructs import Construct

from tallygate.core.headers import EXPOSED
from tallygate.core.routes import COUNTERS_PATH, PROBLEMS_PATH, USAGE_PATH, WHOAMI_PATH

PATHS = (WHOAMI_PATH, USAGE_PATH, PROBLEMS_PATH, COUNTERS_PATH, f"{COUNTERS_PATH}/{{name}}")
COUNTING = (f"{COUNTERS_PATH}/increments", f"{COUNTERS_PATH}/{{name}}/increment")
WRITING = (f"{COUNTERS_PATH}/{{name}}/next", f"{COUNTERS_PATH}/{{name}}/reset")
METHODS = (apigateway.HttpMethod.GET, apigateway.HttpMethod.HEAD)
ANYWHERE = ("/", "/{proxy+}")
ANYHOW = (
    *METHODS,
    apigateway.HttpMethod.POST,
    apigateway.HttpMethod.PUT,
    apigateway.HttpMethod.PATCH,
    apigateway.HttpMethod.DELETE,
)
"""All but OPTIONS, by name: a route for any method, as `$default` is one, would take preflight requests from the
gateway, which answers them by itself, and would ask for a key that no preflight carries."""
POST = (apigateway.HttpMethod.POST,)
REQUEST_HEADERS = ("authorization", "content-type", "idempotency-key", "x-api-key")


class MeteredApi(Construct):
    """An HTTP API of which every route asks `authorizer` first. `handler` answers all but what writes to a table, which
    `writer` does: a function with other rights. There is a route for any path, so that a call that
    leads nowhere is charged, limited and told of its limits like any other."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        name: str,
        authorizer: lambda_.IFunction,
        handler: lambda_.IFunction,
        writer: lambda_.IFunction,
    ) -> None:
        super().__init__(scope, id)
        self.api = apigateway.HttpApi(
            self,
            "Api",
            api_name=name,
            cors_preflight=apigateway.CorsPreflightOptions(
                allow_origins=["*"],
                allow_methods=[
                    apigateway.CorsHttpMethod.GET,
                    apigateway.CorsHttpMethod.HEAD,
                    apigateway.CorsHttpMethod.POST,
                ],
                allow_headers=list(REQUEST_HEADERS),
                expose_headers=list(EXPOSED),
                max_age=Duration.days(1),
            ),
        )
        decides = HttpLambdaAuthorizer(
            "Authorizer",
            authorizer,
            authorizer_name=name,
            response_types=[HttpLambdaResponseType.SIMPLE],
            # Every call is decided on. With a cache or a named header, a call without that header would be answered 401
            # before the authorizer saw it.
            results_cache_ttl=Duration.seconds(0),
            identity_source=[],
        )
        answers, writes = (
            HttpLambdaIntegration(
                id,
                function,
                payload_format_version=apigateway.PayloadFormatVersion.VERSION_2_0,
                scope_permission_to_route=False,
            )
            for id, function in (("Handler", handler), ("Writer", writer))
        )
        for paths, methods, integration in (
            (PATHS, METHODS, answers),
            (COUNTING, POST, answers),
            (WRITING, POST, writes),
            (ANYWHERE, ANYHOW, answers),
        ):
            for path in paths:
                self.api.add_routes(path=path, methods=list(methods), integration=integration, authorizer=decides)
        stage = self.api.default_stage
        assert stage is not None
        Validations.of(stage).acknowledge(
            Acknowledgment(
                id="AwsSolutions-APIG1", reason="Each call prints one usage line; an access log would say it twice"
            )
        )
