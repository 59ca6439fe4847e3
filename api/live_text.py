"""Tell the text of a running job piece by piece, each piece once."""

from jobs.heard import Heard, HeardSegment


class LiveText:
    """What was recognised of one job and not told yet.

    When a worker is lost, the next one hears everything again, as a rule in the same words; what
    lies before the place where the telling stopped is left out then.
    """

    def __init__(self, heard: Heard, job_id: str) -> None:
        self._heard = heard
        self._job_id = job_id
        self._count = 0  # how many were read of the list as it is
        self._last: HeardSegment | None = None  # of those
        self._heard_until = 0.0  # seconds, on the media's clock
        self._told_before = 0.0  # seconds; what ends before was read from an earlier list
        self._fresh: list[str] = []
        self._told = ""

    def listen(self) -> bool:
        """Look for what was recognised meanwhile; say whether anything is to be told.

        Raises:
            StoreUnavailable: Redis is away.
        """
        for segment in self._unread():
            self._count += 1
            self._last = segment
            if segment.end > self._told_before:
                self._fresh.append(segment.text)
                self._heard_until = segment.end
        return bool(self._fresh)

    def take(self) -> list[str]:
        """Return the pieces to tell; joined, all of them are a beginning of the text."""
        pieces: list[str] = []
        for text in self._fresh:
            piece = text if self._told else text.lstrip()
            if piece:
                pieces.append(piece)
                self._told += piece
        self._fresh = []
        return pieces

    def rest_of(self, text: str) -> str:
        """Return what is left to tell of the whole text, now that it is known.

        That is nothing where two workers heard differently: what was told cannot be taken back.
        """
        return text.removeprefix(self._told) if text.startswith(self._told) else ""

    def _unread(self) -> list[HeardSegment]:
        if self._last is not None:
            # The last one once more: where another stands in its place, or none, the list was
            # begun anew. The number of the attempt does not tell: one that a worker handed back
            # is not counted.
            found = self._heard.since(self._job_id, self._count - 1)
            if found[:1] == [self._last]:
                return found[1:]
            self._count, self._last = 0, None
            self._told_before = self._heard_until
        return self._heard.since(self._job_id, 0)
