"""Routes of HTTP APIs that are IAM-authorised: a call must be signed (Signature Version 4) with credentials that may
invoke the route. API Gateway answers any other with 403 and `{"message": "Forbidden"}`, and never calls the function.

The emulator checks signatures and policies for all of AWS (`AUTH=true`) or for nothing: then it lets in whoever
sends an Authorization header. Its own parts are put together here for these routes alone. The key of the local account
has the one secret that `LocalAws` signs with.
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from tallygate.local.aws import SECRET
from tallygate.local.internals import part

ALGORITHM: Final = "AWS4-HMAC-SHA256"
SERVICE: Final = "execute-api"
FORBIDDEN: Final = (403, {"Content-Type": "application/json"}, b'{"message":"Forbidden"}')


def is_signed(
    method: str, path: str, query: Mapping[str, list[str]], headers: Mapping[str, str], body: bytes, region: str
) -> bool:
    """Whether the call carries a good signature for an API of this region. Headers are in lower case."""
    sigv4, evaluator = part("core.sigv4"), part("core.iam_evaluator")
    if not headers.get("authorization", "").startswith(ALGORITHM + " "):
        return False
    signature = sigv4.parse_header_signature(headers)
    if isinstance(signature, tuple) or sigv4.request_time_failure(signature) is not None:
        return False
    if (signature.region, signature.service) != (region, SERVICE):
        return False
    if "host" not in signature.signed_headers.split(";"):
        return False
    key = signature.access_key_id
    credential = evaluator.resolve_credential(key, None, headers.get("x-amz-security-token", ""))
    if isinstance(credential, evaluator.CredentialResolutionError):
        return False
    secret = SECRET if evaluator.is_root_access_key(key) else credential.secret_access_key
    # The path of an HTTP API was decoded but for `%25`; what is signed is the path as it was sent, encoded again.
    sent = quote(path.replace("%25", "%"))
    failure = sigv4.header_signature_failure(signature, secret, method, sent, query, headers, body)
    return bool(key) and failure is None


def install() -> None:
    """Puts the check before every call of an HTTP API."""
    apigateway, evaluator, arn = part("services.apigateway"), part("core.iam_evaluator"), part("core.arn")
    execute = apigateway.handle_execute

    async def handle_execute(
        api_id: str,
        stage: str,
        path: str,
        method: str,
        headers: dict[str, str],
        body: bytes,
        query_params: dict[str, list[str]],
        raw_query_string: Any = None,
    ) -> Any:
        if apigateway.route_authorization_type(api_id, stage, method, path) == "AWS_IAM":
            sent = {name.lower(): value for name, value in headers.items()}
            account, region = apigateway.find_api_scope(api_id)
            with part("core.responses").request_scope(account, region):
                if not is_signed(method, path, query_params, sent, body, region):
                    return FORBIDDEN
                key = part("core.router").extract_access_key_id(sent, query_params)
                route = arn.execute_api_arn(region, account, api_id, stage, method, path)
                if evaluator.enforce(key, "execute-api:Invoke", "apigateway", region, resource_arn=route) is not None:
                    return FORBIDDEN
        return await execute(api_id, stage, path, method, headers, body, query_params, raw_query_string)

    apigateway.handle_execute = handle_execute
