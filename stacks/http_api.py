"""The API of a region: its routes, behind the authorizer, readable from a browser."""

from aws_cdk import Acknowledgment, Duration, Validations
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_lambda as lambda_
from aws_cdk.aws_apigatewayv2_authorizers import HttpLambdaAuthorizer, HttpLambdaResponseType
from aws_cdk.aws_apigatewayv2_integrations import HttpLambdaIntegration
from constructs import Construct

from tallygate.core.headers import EXPOSED
from tallygate.core.routes import PROBLEMS_PATH, USAGE_PATH, WHOAMI_PATH

PATHS = (WHOAMI_PATH, USAGE_PATH, PROBLEMS_PATH)
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
REQUEST_HEADERS = ("authorization", "content-type", "x-api-key")


class MeteredApi(Construct):
    """An HTTP API of which every route asks `authorizer` first. There is a route for any path, so that a call that
    leads nowhere is charged, limited and told of its limits like any other."""

    def __init__(
        self, scope: Construct, id: str, *, name: str, authorizer: lambda_.IFunction, handler: lambda_.IFunction
    ) -> None:
        super().__init__(scope, id)
        self.api = apigateway.HttpApi(
            self,
            "Api",
            api_name=name,
            cors_preflight=apigateway.CorsPreflightOptions(
                allow_origins=["*"],
                allow_methods=[apigateway.CorsHttpMethod.GET, apigateway.CorsHttpMethod.HEAD],
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
        answers = HttpLambdaIntegration(
            "Handler",
            handler,
            payload_format_version=apigateway.PayloadFormatVersion.VERSION_2_0,
            scope_permission_to_route=False,
        )
        for paths, methods in ((PATHS, METHODS), (ANYWHERE, ANYHOW)):
            for path in paths:
                self.api.add_routes(path=path, methods=list(methods), integration=answers, authorizer=decides)
        stage = self.api.default_stage
        assert stage is not None
        Validations.of(stage).acknowledge(
            Acknowledgment(
                id="AwsSolutions-APIG1", reason="Each call prints one usage line; an access log would say it twice"
            )
        )
