"""The emulator's private parts that we use, and the check that they are still what this code was written for.

ministack has no extension points for what `additions/` does, so functions of its own are replaced and called. That is
safe only for the version that was read: the pin and the shape of each part are checked before anything is served.
"""

import importlib
import importlib.metadata
import inspect
from typing import Any, Final

PINNED_VERSION: Final = "1.5.33"
"""Version of ministack that `additions/` was written against; pyproject.toml pins the same."""

RELIED_ON: Final[dict[str, str | None]] = {
    # "module:name" → names of its parameters, or None for a value.
    "app:app": "scope receive send",
    "core.arn:execute_api_arn": "region account_id api_id stage method path",
    "core.iam_evaluator:CredentialResolutionError": None,
    "core.iam_evaluator:enforce": "access_key_id iam_action service region resource_arn service_context",
    "core.iam_evaluator:is_root_access_key": "access_key_id",
    "core.iam_evaluator:resolve_credential": "access_key_id account_id session_token",
    "core.lambda_runtime:Worker": "func_name config code_zip",
    "core.lambda_runtime:Worker._drain_stderr_bounded": "self first_line_wait idle_confirm hard_cap",
    "core.lambda_runtime:Worker._read_stderr": "self",
    "core.lambda_runtime:Worker.invoke": "self event request_id trace_id depth durable invoked_function_arn",
    "core.lambda_runtime:_PYTHON_WORKER_SCRIPT": None,
    "core.lambda_runtime:ensure_spawned": "worker",
    "core.lambda_runtime:reset": "",
    "core.responses:error_response_json": "code message status extra message_key content_type",
    "core.responses:get_account_id": "",
    "core.responses:get_region": "",
    "core.responses:request_scope": "account_id region",
    "core.router:extract_access_key_id": "headers query_params",
    "core.sigv4:header_signature_failure": (
        "signature secret method raw_path query_params headers body presigned explain"
    ),
    "core.sigv4:parse_header_signature": "headers",
    "core.sigv4:request_time_failure": "signature now",
    "services.apigateway:_apis": None,
    "services.apigateway:_authorizers": None,
    "services.apigateway:find_api_scope": "api_id",
    "services.apigateway:handle_execute": ("api_id stage path method headers body query_params raw_query_string"),
    "services.apigateway:route_authorization_type": "api_id stage method path",
    "services.cloudformation.provisioners:_RESOURCE_HANDLERS": None,
    "services.cloudwatch_logs:_append_log_events": "stream events",
    "services.cloudwatch_logs:_destinations": None,
    "services.cloudwatch_logs:_fanout_to_subscription_filters": "group_name stream_name events",
    "services.cloudwatch_logs:_log_groups": None,
    "services.cloudwatch_logs:_make_group_arn": "name",
    "services.cloudwatch_logs:_put_destination": "data",
    "services.cloudwatch_logs:_put_destination_policy": "data",
    "services.cloudwatch_logs:_put_subscription_filter": "data",
    "services.dynamodb:_apply_replica_updates": "name table updates",
    "services.dynamodb:_compare_ddb": "left op right",
    "services.dynamodb:_evaluate_condition": "expr item attr_values attr_names slot",
    "services.dynamodb:_put_item": "data",
    "services.dynamodb:_query": "data",
    "services.dynamodb:_set_item": "table pk_val sk_val item",
    "services.dynamodb:_tables": None,
    "services.dynamodb:_transact_write_items": "data",
    "services.dynamodb:_update_continuous_backups": "data",
    "services.dynamodb:_update_item": "data",
    "services.dynamodb:_update_ttl": "data",
    "services.kinesis:_next_sequence_number": "",
    "services.kinesis:_streams": None,
    "services.kinesis:put_record_internal": "stream_arn partition_key data",
    "services.dynamodb:stream_end_position": "table_name account_id region",
    "services.dynamodb:stream_start_position": "table_name account_id region",
    "services.lambda_svc:_dynamodb_stream_positions": None,
    "services.lambda_svc:_dynamodb_stream_positions_lock": None,
    "services.lambda_svc:_emit_lambda_logs": "func request_id log_text error duration_ms log_source",
    "services.lambda_svc:_esm_backoff_until": None,
    "services.lambda_svc:_esm_wake": None,
    "services.lambda_svc:_esms": None,
    "services.lambda_svc:_execute_function": "func event",
    "services.lambda_svc:_functions": None,
    "services.lambda_svc:_get_func_record_for_qualifier": "name qualifier",
    "services.lambda_svc:_iter_all_esms": "",
    "services.lambda_svc:_poll_dynamodb_streams": "",
    "services.lambda_svc:_poll_kinesis": "",
    "services.lambda_svc:acquire_worker": "func_name config code_zip qualifier max_concurrency",
    "services.lambda_svc:release_worker": "worker",
}


class EmulatorChangedError(Exception):
    """The installed emulator is not the one that this code was written for; the message says what differs, in one
    line."""


def part(module: str) -> Any:
    """A module of the emulator, e.g. `part("services.kinesis")`. Untyped: ministack publishes no types."""
    return importlib.import_module(f"ministack.{module}")


def check_internals() -> None:
    """Raises EmulatorChangedError at the first part that is missing or has other parameters, and for another
    version."""
    version = importlib.metadata.version("ministack")
    if version != PINNED_VERSION:
        raise EmulatorChangedError(_changed(f"it is ministack {version}, not {PINNED_VERSION}"))
    for name, parameters in RELIED_ON.items():
        module, _, path = name.partition(":")
        try:
            found = part(module)
            for attribute in path.split("."):
                found = getattr(found, attribute)
        except (ImportError, AttributeError):
            raise EmulatorChangedError(_changed(f"{name} is missing")) from None
        if parameters is not None and (names := " ".join(inspect.signature(found).parameters)) != parameters:
            raise EmulatorChangedError(_changed(f"{name} takes ({names}), not ({parameters})"))


def replaced_once(text: str, old: str, new: str, name: str) -> str:
    """`text` of the emulator's part `name` with its one occurrence of `old` replaced; EmulatorChangedError
    otherwise."""
    if text.count(old) != 1:
        raise EmulatorChangedError(_changed(f"{name} has {text.count(old)} times what should be there once: {old!r}"))
    return text.replace(old, new)


def _changed(what: str) -> str:
    remedy = f"install the pinned version: ministack=={PINNED_VERSION}"
    return f"the emulator's internals are not the expected ones: {what}; {remedy}"
