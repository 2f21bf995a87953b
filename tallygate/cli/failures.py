"""What goes wrong, in one line that says what to do next."""

from collections.abc import Iterator
from contextlib import contextmanager

import click


class Failure(click.ClickException):
    """Ends the command with exit code 1 and its message on stderr."""


@contextmanager
def one_line_failures() -> Iterator[None]:
    """Turns what can be expected to go wrong into a Failure. Anything else is our fault and keeps its traceback."""
    from botocore import exceptions as aws

    from tallygate.config import ConfigError
    from tallygate.local.errors import WorldError

    try:
        yield
    except (ConfigError, WorldError) as error:
        raise Failure(str(error)) from error
    except aws.ProfileNotFound as error:
        raise Failure(f"{error}: `aws configure list-profiles` names those there are") from error
    except (aws.NoCredentialsError, aws.PartialCredentialsError, aws.NoRegionError) as error:
        raise Failure(f"{error}: set AWS_PROFILE or AWS_ACCESS_KEY_ID, or give --profile") from error
    except aws.ClientError as error:
        raise Failure(_refused(error)) from error
    except BrokenPipeError:
        raise  # whoever read our output has seen enough; click knows
    except (aws.BotoCoreError, OSError) as error:
        raise Failure(str(error) or type(error).__name__) from error


def _refused(error: Exception) -> str:
    response = getattr(error, "response", {})
    code = response.get("Error", {}).get("Code", "")
    message = response.get("Error", {}).get("Message", str(error))
    hints = {
        "ResourceNotFoundException": "is the stage deployed in this account and region? --stage, --profile, --region",
        "AccessDeniedException": "these credentials may not do that; give others with --profile",
        "UnrecognizedClientException": "these credentials are not of this account or endpoint",
        "ExpiredTokenException": "sign in again: `aws sso login`, or new credentials",
        "InvalidSignatureException": "the secret of these credentials is wrong",
    }
    return f"AWS refused ({code}): {message}" + (f" — {hints[code]}" if code in hints else "")
