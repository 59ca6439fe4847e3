"""Say what can go wrong between this command and the service.

ServiceRefused          the service said no          exit code 2
ServiceUnreachable      the service said nothing     exit code 3; tried again while patience lasts
└── ServiceBusy         the service said "later"     the same, after the time it names
Misuse                  the command line is at fault exit code 2
"""


class ServiceRefused(Exception):
    """The service answered with an error; the message is its own."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(f"{status}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail


class ServiceUnreachable(Exception):
    """Nobody answers at the address."""

    # Whether the request cannot have arrived: it may then be sent again, whatever it asks for.
    was_not_sent = False


class NoConnection(ServiceUnreachable):
    """No connection came about."""

    was_not_sent = True


class ServiceBusy(ServiceUnreachable):
    """The service asks to come back later; it did nothing."""

    was_not_sent = True

    def __init__(self, message: str, *, code: str, retry_after_seconds: float | None) -> None:
        super().__init__(message)
        self.code = code
        self.retry_after_seconds = retry_after_seconds  # None: it did not say


class Misuse(Exception):
    """What was asked for makes no sense; the message says what would."""
