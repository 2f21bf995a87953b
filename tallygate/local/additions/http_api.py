"""HTTP APIs from CloudFormation, where the emulator reads a template's properties under other names than it stores.

CORS: API Gateway answers preflight requests itself and adds the allowed and exposed headers to each answer. The
emulator does so from `corsConfiguration` with camel-case keys, but stores the template's `CorsConfiguration` as it
stands, in Pascal case. Authorizers: one of type REQUEST without `IdentitySource` has none, and without
`AuthorizerResultTtlInSeconds` caching nothing can be keyed; the emulator would ask for an Authorization header and
answer 401 without one.
"""

from typing import Any

from tallygate.local.internals import part


def camel_case_keys(properties: dict[str, Any]) -> dict[str, Any]:
    """`{"AllowOrigins": …}` as `{"allowOrigins": …}`."""
    return {name[:1].lower() + name[1:]: value for name, value in properties.items()}


def install() -> None:
    """Wraps the CloudFormation handlers of APIs and authorizers."""
    handlers = part("services.cloudformation.provisioners")._RESOURCE_HANDLERS

    def with_cors(handle: Any) -> Any:
        def handle_api(*args: Any) -> Any:
            api_id, attributes = handle(*args)
            api = part("services.apigateway")._apis[api_id]
            if cors := api.get("corsConfiguration"):
                api["corsConfiguration"] = camel_case_keys(cors)
            return api_id, attributes

        return handle_api

    def with_identity_source(handle: Any, new_properties: int) -> Any:
        def handle_authorizer(*args: Any) -> Any:
            authorizer_id, attributes = handle(*args)
            props = args[new_properties]
            if props.get("AuthorizerType") == "REQUEST":
                stored = part("services.apigateway")._authorizers[props["ApiId"]][authorizer_id]
                stored["identitySource"] = props.get("IdentitySource") or []
            return authorizer_id, attributes

        return handle_authorizer

    api, authorizer = handlers["AWS::ApiGatewayV2::Api"], handlers["AWS::ApiGatewayV2::Authorizer"]
    handlers["AWS::ApiGatewayV2::Api"] = {
        **api,
        "create": with_cors(api["create"]),
        "update": with_cors(api["update"]),
    }
    handlers["AWS::ApiGatewayV2::Authorizer"] = {
        **authorizer,
        "create": with_identity_source(authorizer["create"], 1),
        "update": with_identity_source(authorizer["update"], 2),
    }
