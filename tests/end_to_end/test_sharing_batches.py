"""Jobs that share batches write exactly what each of them writes alone."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.options import Task, TranscriptionOptions
from jobs.stages import Stage
from pipeline.language_detection import detect_language
from pipeline.progress import OnProgress, unheard
from pipeline.speech import HeardWindow, Span, Window
from pipeline.transcribing import transcribe
from pipeline.waveform import SAMPLE_RATE, Waveform
from pipeline.whisper import WhisperRecognizer
from pipeline.windows import windows_of
from tests.end_to_end.speech_heard import call_waveform, decoded, load_recognizer

# (seconds of the call, language, options)
ASKED: list[tuple[float, float, str, TranscriptionOptions]] = [
    (6.5, 12.5, "en", TranscriptionOptions()),
    (6.5, 12.5, "en", TranscriptionOptions(hotwords="Dyane, Sheyla")),
    (6.5, 18.0, "en", TranscriptionOptions(initial_prompt="A telephone call among friends.")),
    (12.0, 30.0, "en", TranscriptionOptions(hotwords="Dyane", initial_prompt="A telephone call.")),
    (12.0, 20.0, "de", TranscriptionOptions()),
    (6.5, 30.0, "ja", TranscriptionOptions(task=Task.TRANSLATE)),
    (6.5, 30.0, "en", TranscriptionOptions()),
]


Heard = tuple[str, float | None, list[HeardWindow | Window]]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Job:
    """What one job asks of Whisper; without a language it asks for that as well."""

    waveform: Waveform
    windows: tuple[Window, ...]
    language: str | None
    options: TranscriptionOptions

    def heard(
        self,
        recognizer: WhisperRecognizer,
        *,
        batch_size: int,
        on_progress: OnProgress = unheard,
    ) -> Heard:
        """Return the language, its probability, and what is said.

        Of windows that Whisper tries again only which ones they are: it draws their texts at
        random, so that they are others each time, in company or alone.
        """
        language, probability = self.language, None
        if language is None:
            found = detect_language(
                self.waveform, self.windows, recognizer, batch_size=batch_size, sounds={}
            )
            language, probability = found.code, found.probability
        heard = transcribe(
            [self.waveform],
            self.windows,
            recognizer,
            self.options,
            language,
            batch_size=batch_size,
            with_times=True,
            on_progress=on_progress,
        )
        sure = [window if window.temperature == 0 else window.window for window in heard]
        return language, probability, sure


def job(
    waveform: Waveform,
    *,
    language: str | None = None,
    options: TranscriptionOptions | None = None,
    window_seconds: float = 7.0,
) -> Job:
    seconds = len(waveform) / SAMPLE_RATE
    return Job(
        waveform=waveform,
        windows=windows_of(
            [Span(start=0.0, end=seconds)], media_seconds=seconds, longest=window_seconds
        ),
        language=language,
        options=options or TranscriptionOptions(),
    )


@pytest.fixture(scope="module")
def recognizer() -> WhisperRecognizer:
    return load_recognizer("base")


@pytest.fixture(scope="module")
def jobs() -> list[Job]:
    call = call_waveform()
    return [
        job(
            call[int(start * SAMPLE_RATE) : int(end * SAMPLE_RATE)],
            language=language,
            options=options,
        )
        for start, end, language, options in ASKED
    ]


@pytest.fixture(scope="module")
def alone(jobs: list[Job], recognizer: WhisperRecognizer) -> list[Heard]:
    found = [each.heard(recognizer, batch_size=1) for each in jobs]
    for _, _, heard in found:
        assert any(isinstance(window, HeardWindow) for window in heard)
    return found


@settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    mixture=st.lists(st.integers(0, len(ASKED) - 1), min_size=2, max_size=6),
    batch_size=st.integers(2, 8),
)
def test_any_jobs_at_once_write_exactly_what_each_writes_alone(
    mixture: list[int],
    batch_size: int,
    jobs: list[Job],
    recognizer: WhisperRecognizer,
    alone: list[Heard],
) -> None:
    with ThreadPoolExecutor(len(mixture)) as pool:
        found = list(
            pool.map(lambda index: jobs[index].heard(recognizer, batch_size=batch_size), mixture)
        )

    # Texts, probabilities and times, to the last digit.
    assert found == [alone[index] for index in mixture]


def test_jobs_at_once_really_share_batches(jobs: list[Job], recognizer: WhisperRecognizer) -> None:
    before = recognizer._shared._computed
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: jobs[0].heard(recognizer, batch_size=4), range(4)))

    # The first begins by itself; the others come while it is computed.
    assert recognizer._shared._computed - before < 4


def test_a_job_that_is_canceled_in_the_midst_changes_nothing_for_its_neighbours(
    jobs: list[Job],
    recognizer: WhisperRecognizer,
    alone: list[Heard],
) -> None:
    class Canceled(Exception):
        pass

    def cancel(stage: Stage, fraction: float) -> None:
        raise Canceled

    def canceled() -> None:
        with pytest.raises(Canceled):
            jobs[6].heard(recognizer, batch_size=4, on_progress=cancel)

    with ThreadPoolExecutor(4) as pool:
        leaving = [pool.submit(canceled) for _ in range(2)]
        staying = [pool.submit(jobs[index].heard, recognizer, batch_size=4) for index in (3, 5)]

        assert [each.result() for each in staying] == [alone[3], alone[5]]
        assert [each.result() for each in leaving] == [None, None]


def test_languages_detected_at_once_are_those_detected_alone(
    shared_audio: Path, recognizer: WhisperRecognizer
) -> None:
    media = {
        "css10/de_achtgesichterambiwasse_0044.flac": "de",
        "zh/aishell-BAC009S0724W0121.wav": "zh",
        "jfk/jfk.mp3": "en",
        "librispeech_misc/61-70968-0000.flac": "en",
    }
    jobs = [job(decoded(shared_audio / name), window_seconds=30.0) for name in media]
    alone = [each.heard(recognizer, batch_size=1) for each in jobs]
    with ThreadPoolExecutor(len(jobs)) as pool:
        together = list(pool.map(lambda each: each.heard(recognizer, batch_size=8), jobs))

    assert [language for language, _, _ in together] == list(media.values())
    assert together == alone
