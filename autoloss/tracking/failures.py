"""Failed writes: the reason, and whether another attempt can help."""

from __future__ import annotations

from autoloss.core.secrets import redacted

_LIMIT = 300
_REFUSALS = frozenset(
    {
        "BAD_REQUEST",
        "INVALID_PARAMETER_VALUE",
        "INVALID_STATE",
        "RESOURCE_ALREADY_EXISTS",
        "RESOURCE_DOES_NOT_EXIST",
    }
)


class Away(Exception):
    """Nothing can be written at the moment; a later attempt may succeed."""


class Refused(Exception):
    """One write was refused; others can succeed.

    Args:
        message: The reason, in one line.
        attempts: Number of refusals after which the write is given up.
    """

    def __init__(self, message: str, *, attempts: int = 4) -> None:
        super().__init__(message)
        self.attempts = attempts


def classified(error: Exception, uri: str, *, is_general: bool) -> Away | Refused:
    """Return an error of MLflow as one of the two kinds of failure.

    Args:
        error: An error of a call of MLflow.
        uri: The tracking URI, for the message.
        is_general: Whether it concerns all runs.
    """
    if isinstance(error, Away | Refused):
        return error
    if (hint := _access_hint(error)) is not None:
        return Away(f"MLflow at {redacted(uri)} {hint}")
    if _is_unreachable(error):
        return Away(f"MLflow at {redacted(uri)} does not answer.")
    message = f"MLflow at {redacted(uri)} could not be written: {one_line(error)}"
    if is_general:
        return Away(message)
    # A second attempt even after a clear refusal: it creates a deleted run again.
    is_clear = str(getattr(error, "error_code", "")) in _REFUSALS
    return Refused(message, attempts=2 if is_clear else 4)


def _access_hint(error: BaseException) -> str | None:
    """Return the remedy for refused access or an untrusted certificate; None for other errors."""
    message = str(error)
    if "SSLError" in message or "CERTIFICATE_VERIFY_FAILED" in message:
        return (
            "has a certificate that is not trusted: name the file of its authority in "
            "MLFLOW_TRACKING_SERVER_CERT_PATH."
        )
    codes = ("error code 401", "error code 403")
    if any(code in message for code in codes) or str(getattr(error, "error_code", "")) in (
        "UNAUTHENTICATED",
        "PERMISSION_DENIED",
        "CUSTOMER_UNAUTHORIZED",
    ):
        return (
            "refuses the access: set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and "
            "MLFLOW_TRACKING_PASSWORD, of a user who may write there."
        )
    return None


def one_line(error: Exception) -> str:
    """Return the first line of an error's message, without passwords."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = redacted(lines[0] if lines else type(error).__name__)
    return text if len(text) <= _LIMIT else text[: _LIMIT - 1] + "…"


def _is_unreachable(error: BaseException | None) -> bool:
    """Return whether an error came from a failed or broken connection."""
    names = {"ConnectionError", "ConnectTimeout", "ReadTimeout", "Timeout"}
    while error is not None:
        if type(error).__name__ in names:
            return True
        error = error.__cause__ or error.__context__
    return False
