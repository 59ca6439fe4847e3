"""Take one job's windows through Whisper, again where it doubts its own text."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from pipeline.cross_attention import Alignment
from pipeline.decoding_plan import DecodingPlan
from pipeline.fallback import Decoding, best_of, needs_another_try, temperatures_above
from pipeline.shared_batches import Line
from pipeline.whisper_passes import Answer, Asked, Sound, TextAsked, TimesAsked, Try


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One window to recognise."""

    index: int  # the caller's own number for it
    sound: Sound
    plan: DecodingPlan
    with_times: bool = False  # True: align the tokens, from the same encoder output


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognition:
    """What was recognised in one window."""

    decoding: Decoding
    alignment: Alignment | None  # None: not asked for, or there is no text


@dataclass(slots=True, kw_only=True, eq=False)
class _Window:
    """A window, and what came of it so far."""

    request: Request
    temperatures: list[float]  # of the tries that are left
    tries: list[Decoding] = field(default_factory=list)


class Recognizing:
    """One job's windows on their way; used by the job's own thread.

    Args:
        line: where the job waits for the model.
        go_on: asked every TELL_SECONDS while nothing comes of the model, and before a window is
            tried again; what it raises leaves `recognitions`.
    """

    def __init__(self, line: Line[Asked, Answer], go_on: Callable[[], None]) -> None:
        self._line = line
        self._go_on = go_on
        self._under_way: dict[int, _Window] = {}  # by the id of what is asked about it just now

    def recognitions(
        self, batches: Iterable[Sequence[Request]]
    ) -> Iterator[tuple[Request, Recognition]]:
        """Recognise windows. A doubtful text is tried again, at rising temperatures.

        Args:
            batches: what may well be computed together. It is read, so that its sounds are made,
                while the batch before is in the model, and no further ahead.

        Yields:
            Every request with what came of it, as soon as that is known.
        """
        ahead = iter(batches)
        self._ask_for_texts(next(ahead, ()))
        while self._under_way:
            while len(self._under_way) <= self._line.most and (batch := next(ahead, ())):
                self._ask_for_texts(batch)
            asked, answer = self._line.take(self._go_on)
            window = self._under_way.pop(id(asked))
            recognition = self._recognition(window, answer)
            if recognition is not None:
                yield window.request, recognition

    def _ask_for_texts(self, batch: Sequence[Request]) -> None:
        asked = []
        for request in batch:
            first = request.plan.temperature
            window = _Window(request=request, temperatures=list(temperatures_above(first)))
            asked.append(_text_asked(request, first))
            self._under_way[id(asked[-1])] = window
        self._line.put(asked)

    def _recognition(self, window: _Window, answer: Answer) -> Recognition | None:
        """Return what was recognised; None: more was asked first."""
        if not isinstance(answer, Try):  # the times of what was chosen among several tries
            alignment = answer if isinstance(answer, Alignment) else None
            return Recognition(decoding=best_of(window.tries), alignment=alignment)
        if not needs_another_try(answer.decoding):
            return Recognition(decoding=answer.decoding, alignment=answer.alignment)
        window.tries.append(answer.decoding)
        if window.temperatures:
            self._go_on()
            self._ask_again(window, _text_asked(window.request, window.temperatures.pop(0)))
            return None
        best = best_of(window.tries)
        if not window.request.with_times:
            return Recognition(decoding=best, alignment=None)
        request = window.request
        times = TimesAsked(sound=request.sound, plan=request.plan, tokens=best.tokens)
        self._ask_again(window, times)
        return None

    def _ask_again(self, window: _Window, asked: Asked) -> None:
        self._under_way[id(asked)] = window
        # Before the windows behind it: its text holds up theirs.
        self._line.put([asked], first=True)


def _text_asked(request: Request, temperature: float) -> TextAsked:
    return TextAsked(
        sound=request.sound,
        plan=request.plan,
        temperature=temperature,
        with_times=request.with_times,
    )
