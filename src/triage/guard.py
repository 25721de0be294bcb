"""The one broad ``except`` of the suite, around code of others: a plugin may raise anything."""

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

Result = TypeVar("Result")


class Failed(NamedTuple):
    """Code of others raised ``error``."""

    error: Exception | SystemExit

    def words(self) -> str:
        """Class and text of the error and the line of code that raised it, in one line."""
        trace = self.error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        if isinstance(self.error, SyntaxError):
            where = f" (line {self.error.lineno})"
        else:
            where = "" if trace is None else f" (line {trace.tb_lineno} of {trace.tb_frame.f_code.co_name})"
        return f"{type(self.error).__name__}: {self.error}{where}"


class Ended(NamedTuple, Generic[Result]):
    """Code of others came to its end with ``value``. A tuple, because there are several of these for each file."""

    value: Result


def attempt(action: Callable[[], Result]) -> Ended[Result] | Failed:
    """Run code of others; whatever it raises is returned, except what ends the process by the user's wish."""
    try:
        return Ended(action())
    except (Exception, SystemExit) as error:  # noqa: BLE001 - see above; nothing is lost, the caller says what it costs
        return Failed(error)
