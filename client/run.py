"""Take many items through the service, a bounded number at a time."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Protocol

from client.collecting import Collector
from client.crew import Crew
from client.errors import ServiceRefused
from client.following import Follower, Seen
from client.items import Ending, Item, Outcome
from client.job import Job
from client.refusals import holds_for_all
from client.sending import ChangedMeanwhile, Sender, Sent
from client.supply import Supply

WINDOW = 200  # items begun and not finished: keeps many GPUs busy, and is cheap to follow
_LOOK_AGAIN_SECONDS = 1.0  # at a supply that may have more later

Result = Callable[[], list[Path]]


class Display(Protocol):
    """Shows how a run goes; called by one thread only, but for `sending`."""

    def expect(self, total: int | None) -> None:
        """Be told how many items there are; None: nobody knows."""

    def began(self, item: Item) -> None:
        """Show that an item is read and sent."""

    def sending(self, item: Item, count: int) -> None:
        """Show that so many more of its bytes are on their way."""

    def seen(self, item: Item, job: Job) -> None:
        """Show how its job stands."""

    def ended(self, outcome: Outcome) -> None:
        """Show what became of it."""


@dataclass(slots=True, kw_only=True)
class Run:
    """Sends, follows and collects, until the supply is exhausted.

    Whatever is cut short, even by `kill -9`, is met again by the next run: every step may be done
    twice and comes to the same.
    """

    sender: Sender
    collector: Collector
    follower: Follower
    display: Display
    parallel: int  # uploads and downloads at once
    window: int = WINDOW
    sleep: Callable[[float], None] = time.sleep  # of seconds
    endings: dict[Ending, int] = field(default_factory=lambda: dict.fromkeys(Ending, 0))
    # By job: identical media is one job with several outputs.
    _waiting: dict[str, list[Sent]] = field(default_factory=dict, init=False)
    # Items that are not finished; and what is there since, of files that were replaced meanwhile.
    _begun: dict[PurePosixPath, Item | None] = field(default_factory=dict, init=False)
    _replaced: list[Item] = field(default_factory=list, init=False)
    _sending: int = field(default=0, init=False)  # those of them that are on their way there
    _is_looking: bool = field(default=False, init=False)

    @property
    def waiting_jobs(self) -> int:
        """How many jobs the service has of us."""
        return len(self._waiting)

    def perform(self, supply: Supply) -> None:
        """Take everything through.

        Raises:
            ServiceUnreachable: patience ended; the jobs that were sent go on without us.
            ServiceRefused: for a reason that holds for all items.
            OSError: the journal cannot be written.
        """
        self.display.expect(supply.expected)
        with Crew(parallel=self.parallel) as crew:
            while True:
                self._top_up(supply, crew)
                self._look(crew)
                if not crew.is_idle:
                    seconds = None if supply.is_exhausted else _LOOK_AGAIN_SECONDS
                    crew.await_some(at_most_seconds=seconds)
                elif supply.is_exhausted:
                    return
                else:
                    self.sleep(_LOOK_AGAIN_SECONDS)

    def _top_up(self, supply: Supply, crew: Crew) -> None:
        # Few wait for a sender: what is taken from the supply is about to be sent.
        while self._sending < 2 * self.parallel and len(self._begun) < self.window:
            item = self._next(supply)
            if item is None:
                return
            self._begun[item.relative] = None
            self.collector.name(item)
            if self.collector.is_untouched(item):
                self._end(item, Ending.SKIPPED)
                continue
            self._sending += 1
            self.display.began(item)
            send = partial(
                self.sender.send,
                item,
                is_done=partial(self.collector.is_done, item),
                on_bytes=partial(self.display.sending, item),
            )
            crew.send(send, partial(self._sent, crew, item))

    def _next(self, supply: Supply) -> Item | None:
        """Return an item that is not under way: two of one name would write to one place."""
        if self._replaced:
            return self._replaced.pop()
        while (item := supply.take()) is not None:
            if item.relative not in self._begun:
                return item
            self._begun[item.relative] = item
        return None

    def _look(self, crew: Crew) -> None:
        if self._waiting and not self._is_looking:
            self._is_looking = True
            crew.follow(self.follower.plan().take, partial(self._looked, crew))

    def _sent(self, crew: Crew, item: Item, result: Callable[[], Sent]) -> None:
        self._sending -= 1
        try:
            sent = result()
        except ServiceRefused as error:
            if holds_for_all(error, has_own_options=item.has_own_options):
                raise
            self._fail(item, str(error))
        except (OSError, ChangedMeanwhile) as error:
            self._fail(item, str(error))
        else:
            if sent.job is None:
                self.collector.remember(sent)
                self._end(item, Ending.SKIPPED)
            elif sent.job.is_over and sent.job.id not in self._waiting:
                self._finish(crew, sent, sent.job)
            else:
                self._waiting.setdefault(sent.job.id, []).append(sent)
                self.follower.add(sent.job.id)
                self.display.seen(item, sent.job)

    def _looked(self, crew: Crew, result: Callable[[], list[Seen]]) -> None:
        self._is_looking = False
        found = result()
        self.follower.forget(found)
        for seen in found:
            is_over = seen.job is None or seen.job.is_over
            twins = self._waiting.pop(seen.job_id, []) if is_over else self._waiting[seen.job_id]
            for sent in twins:
                if seen.job is None:
                    self._fail(sent.item, seen.reason, job_id=seen.job_id)
                elif is_over:
                    self._finish(crew, sent, seen.job)
                else:
                    self.display.seen(sent.item, seen.job)

    def _finish(self, crew: Crew, sent: Sent, job: Job) -> None:
        """Collect what an item's job came to."""
        if job.has_succeeded:
            collect = partial(self.collector.collect, sent, job)
            crew.fetch(collect, partial(self._collected, sent, job))
            return
        self.sender.failed(job)
        self._fail(sent.item, job.trouble, job_id=job.id)

    def _collected(self, sent: Sent, job: Job, result: Result) -> None:
        try:
            outputs = result()
        except (ServiceRefused, OSError) as error:
            self._fail(sent.item, str(error), job_id=job.id)
            return
        self.collector.remember(sent)
        self._end(sent.item, Ending.DONE, job_id=job.id, outputs=outputs)

    def _fail(self, item: Item, reason: str, *, job_id: str | None = None) -> None:
        self._end(item, Ending.FAILED, job_id=job_id, reason=reason)

    def _end(
        self,
        item: Item,
        ending: Ending,
        *,
        job_id: str | None = None,
        outputs: list[Path] | None = None,
        reason: str = "",
    ) -> None:
        if (newer := self._begun.pop(item.relative)) is not None:
            self._replaced.append(newer)
        self.endings[ending] += 1
        if outputs is None and ending is Ending.SKIPPED:
            outputs = self.collector.outputs(item)
        self.display.ended(
            Outcome(item=item, ending=ending, job_id=job_id, outputs=outputs or (), reason=reason)
        )
