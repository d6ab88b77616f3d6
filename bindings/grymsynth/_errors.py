"""Errors: one class per canonical status."""
from __future__ import annotations

from typing import NamedTuple, Sequence


class Problem(NamedTuple):
    """One finding of a validation. `pointer` is a JSON Pointer into the document."""

    pointer: str
    code: str
    message: str
    hint: str


class Error(Exception):
    """What every call of grymsynth raises.

    status: canonical name, "invalid_argument"; it says what the caller can do, and each has a subclass.
    code: stable string of what exactly happened, "file_not_found"; it never changes, messages may.
    problems: everything that is wrong with a document; empty for other errors.
    """

    status: str = "unknown"

    def __init__(self, message: str = "", *, code: str = "", problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.status
        self.problems = list(problems)

    def __reduce__(self) -> tuple[object, ...]:
        return (_restore, (type(self), self.message, self.code, self.problems))


def _restore(kind: type[Error], message: str, code: str, problems: list[Problem]) -> Error:
    return kind(message, code=code, problems=problems)


class CancelledError(Error):
    status = "cancelled"


class UnknownError(Error):
    status = "unknown"


class InvalidArgumentError(Error, ValueError):
    """Fix the call."""

    status = "invalid_argument"


class DeadlineExceededError(Error):
    status = "deadline_exceeded"


class NotFoundError(Error, LookupError):
    status = "not_found"


class AlreadyExistsError(Error):
    status = "already_exists"


class PermissionDeniedError(Error):
    status = "permission_denied"


class ResourceExhaustedError(Error):
    """Memory, disk or a limit; the message has both numbers."""

    status = "resource_exhausted"


class FailedPreconditionError(Error):
    """Wrong state."""

    status = "failed_precondition"


class AbortedError(Error):
    status = "aborted"


class OutOfRangeError(Error):
    status = "out_of_range"


class UnimplementedError(Error):
    status = "unimplemented"


class InternalError(Error):
    """A bug of grymsynth."""

    status = "internal"


class UnavailableError(Error):
    """Retry later."""

    status = "unavailable"


class DataLossError(Error):
    """A damaged file."""

    status = "data_loss"


class UnauthenticatedError(Error):
    status = "unauthenticated"


_BY_STATUS: dict[str, type[Error]] = {kind.status: kind for kind in Error.__subclasses__()}
_LONGEST = 3999


def make(status: str, code: str, message: str, problems: Sequence[tuple[str, str, str, str]]) -> Error:
    """The exception for a status of the core."""
    if len(message) > _LONGEST:
        message = message[: _LONGEST - 3] + "..."
    message = "".join(c if c.isprintable() or c == " " else "?" for c in message)
    return _BY_STATUS.get(status, Error)(message, code=code, problems=[Problem(*p) for p in problems])
