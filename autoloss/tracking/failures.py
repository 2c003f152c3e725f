"""Why something could not be written, and whether trying again can help."""

from __future__ import annotations

from autoloss.tracking.uri import redacted

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
    """Nothing can be written now; later it may go."""


class Refused(Exception):
    """This one thing cannot be written, others can.

    Args:
        message: Why, in one line.
        attempts: After how many such answers it is set aside.
    """

    def __init__(self, message: str, *, attempts: int = 4) -> None:
        super().__init__(message)
        self.attempts = attempts


def classified(error: Exception, uri: str, *, is_general: bool) -> Away | Refused:
    """Return what an error of MLflow means for the one who writes.

    Args:
        error: Anything that a call of MLflow raised.
        uri: The tracking URI, to be named in the message.
        is_general: Whether it concerns everything, not one run.
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
    # One more attempt even after a plain no: a run that was deleted is made again.
    is_plain_no = str(getattr(error, "error_code", "")) in _REFUSALS
    return Refused(message, attempts=2 if is_plain_no else 4)


def _access_hint(error: BaseException) -> str | None:
    """Return what to do where a server lets nobody in or is not trusted; None for other errors."""
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
            "MLFLOW_TRACKING_PASSWORD, of somebody who may write there."
        )
    return None


def one_line(error: Exception) -> str:
    """Return the first line of an error's message, without passwords."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = redacted(lines[0] if lines else type(error).__name__)
    return text if len(text) <= _LIMIT else text[: _LIMIT - 1] + "…"


def _is_unreachable(error: BaseException | None) -> bool:
    """Return whether an error came from a connection that could not be made or broke."""
    names = {"ConnectionError", "ConnectTimeout", "ReadTimeout", "Timeout"}
    while error is not None:
        if type(error).__name__ in names:
            return True
        error = error.__cause__ or error.__context__
    return False
