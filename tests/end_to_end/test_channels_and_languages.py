"""Channels become speakers, a language is told without a transcript, and what lacks is said."""

import json
import re
from pathlib import Path

import av
import jiwer
import numpy as np
import pytest

from jobs.options import Channels, Task, TranscriptionOptions
from jobs.stages import Stage
from pipeline.pipeline import Pipeline
from pipeline.settings import PipelineSettings
from tests.media_made import write
from transcript.transcript import Transcript

SEPARATE = TranscriptionOptions(model="tiny.en", channels=Channels.SEPARATE)


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return Pipeline(PipelineSettings(device="cpu", hf_hub_offline=True))


@pytest.fixture(scope="module")
def stereo(shared_audio: Path) -> Path:
    return shared_audio / "stereo/faster_whisper_stereo_diarization.wav"


@pytest.fixture(scope="module")
def separated(pipeline: Pipeline, stereo: Path) -> Transcript:
    return pipeline.run(stereo, SEPARATE)


def plain(text: str) -> str:
    return " ".join(re.sub(r"[^\w' ]", " ", text.lower()).split())


def codes(transcript: Transcript) -> set[str]:
    # Where there are no weights for it, the aligner is missed, which is not the point here.
    return {warning.code for warning in transcript.warnings} - {"aligner_unavailable"}


def test_two_voices_that_talk_at_once_are_written_down_channel_by_channel(
    separated: Transcript, stereo: Path
) -> None:
    references = json.loads(Path(f"{stereo}.channels.json").read_text())

    for number, reference in enumerate(references):
        label = f"SPEAKER_{number:02d}"
        said = " ".join(each.text for each in separated.segments if each.speaker == label)
        assert jiwer.wer(plain(reference), plain(said)) < 0.1


def test_every_word_and_turn_has_its_channels_speaker(separated: Transcript) -> None:
    assert {each.label for each in separated.speakers} == {"SPEAKER_00", "SPEAKER_01"}
    assert {turn.speaker for turn in separated.turns} == {"SPEAKER_00", "SPEAKER_01"}
    for segment in separated.segments:
        assert {word.speaker for word in segment.words} == {segment.speaker}
    assert [each.id for each in separated.segments] == list(range(len(separated.segments)))
    starts = [each.start for each in separated.segments]
    assert starts == sorted(starts)
    assert separated.text == " ".join(each.text for each in separated.segments)


def test_no_diarizer_runs_and_the_transcript_says_so(pipeline: Pipeline, stereo: Path) -> None:
    stages: set[Stage] = set()
    options = SEPARATE.model_copy(update={"diarize": False})

    transcript = pipeline.run(stereo, options, lambda stage, _: stages.add(stage))

    assert transcript.models.diarizer == "channels"
    assert {each.label for each in transcript.speakers} == {"SPEAKER_00", "SPEAKER_01"}
    assert Stage.DIARIZE not in stages


def test_a_channel_keeps_its_number_when_the_other_is_silent(
    pipeline: Pipeline, shared_audio: Path, tmp_path: Path
) -> None:
    with av.open(str(shared_audio / "jfk/jfk.mp3")) as container:
        resampler = av.AudioResampler(format="flt", layout="mono", rate=16_000)
        speech = np.concatenate(
            [
                f.to_ndarray()[0]
                for frame in container.decode(audio=0)
                for f in resampler.resample(frame)
            ]
        )
    media = write(
        tmp_path / "a.wav",
        np.stack([np.zeros_like(speech), speech]),
        codec="pcm_s16le",
        rate=16_000,
        layout="stereo",
    )

    transcript = pipeline.run(media, SEPARATE)

    assert [each.label for each in transcript.speakers] == ["SPEAKER_01"]
    assert transcript.language == "en"
    assert codes(transcript) == set()


def test_progress_of_separated_channels_never_falls(pipeline: Pipeline, stereo: Path) -> None:
    seen: list[tuple[Stage, float]] = []
    pipeline.run(stereo, SEPARATE, lambda stage, fraction: seen.append((stage, fraction)))

    for stage in Stage:
        fractions = [fraction for each, fraction in seen if each is stage]
        assert fractions == sorted(fractions)


def test_media_of_one_channel_goes_the_usual_way(pipeline: Pipeline, shared_audio: Path) -> None:
    options = SEPARATE.model_copy(update={"diarize": False})

    transcript = pipeline.run(shared_audio / "jfk/jfk.mp3", options)

    assert "country" in transcript.text
    assert codes(transcript) == {"channels_not_separate"}
    assert transcript.speakers == ()


@pytest.mark.parametrize(
    ("path", "language"),
    [("css10/de_achtgesichterambiwasse_0044.flac", "de"), ("jfk/jfk.mp3", "en")],
)
def test_only_the_language_is_told(
    pipeline: Pipeline, shared_audio: Path, path: str, language: str
) -> None:
    stages: set[Stage] = set()
    # What a client believes is not what it is told.
    options = TranscriptionOptions(model="base", task=Task.DETECT_LANGUAGE, language="ja")

    transcript = pipeline.run(shared_audio / path, options, lambda stage, _: stages.add(stage))

    assert transcript.language == language
    assert transcript.language_confidence is not None
    assert transcript.language_confidence > 0.9
    assert (transcript.text, transcript.segments, transcript.turns) == ("", (), ())
    assert transcript.models.whisper == "base"
    assert transcript.models.aligner is transcript.models.diarizer is None
    assert stages == {Stage.DECODE, Stage.TRANSCRIBE}
    assert transcript.warnings == ()


def test_an_english_model_tells_english_and_no_confidence(pipeline: Pipeline, stereo: Path) -> None:
    options = SEPARATE.model_copy(update={"task": Task.DETECT_LANGUAGE})

    transcript = pipeline.run(stereo, options)

    assert (transcript.language, transcript.language_confidence) == ("en", None)
    assert transcript.models.diarizer is None
    assert transcript.turns == ()


def test_where_nobody_speaks_there_is_no_language(pipeline: Pipeline, shared_audio: Path) -> None:
    options = TranscriptionOptions(model="base", task=Task.DETECT_LANGUAGE)

    transcript = pipeline.run(shared_audio / "nonspeech/silence2sec.wav", options)

    assert (transcript.language, transcript.language_confidence) == (None, None)


def test_a_clip_behind_the_end_is_an_empty_success(pipeline: Pipeline, stereo: Path) -> None:
    options = SEPARATE.model_copy(update={"clip_start": 60.0})

    transcript = pipeline.run(stereo, options)

    assert (transcript.text, transcript.segments, transcript.duration) == ("", (), 5.0)
    assert codes(transcript) == {"clip_outside_media"}


def test_speakers_that_were_not_found_are_missed(pipeline: Pipeline, shared_audio: Path) -> None:
    options = TranscriptionOptions(model="tiny.en", num_speakers=3)

    transcript = pipeline.run(shared_audio / "jfk/jfk.mp3", options)

    assert codes(transcript) == {"speaker_count_not_reached"}
    (warning,) = [each for each in transcript.warnings if each.code == "speaker_count_not_reached"]
    assert warning.stage == "diarize"
    assert "asked for: 3, found: 1" in warning.message


def test_a_first_temperature_is_where_a_window_starts(
    pipeline: Pipeline, shared_audio: Path
) -> None:
    options = TranscriptionOptions(model="tiny.en", diarize=False, temperature=0.4)

    transcript = pipeline.run(shared_audio / "jfk/jfk.mp3", options)

    assert transcript.segments
    assert all((each.temperature or 0) >= 0.4 for each in transcript.segments)
    assert "country" in transcript.text


def test_an_idle_model_is_unloaded_and_loaded_again(stereo: Path) -> None:
    pipeline = Pipeline(
        PipelineSettings(
            device="cpu", preload_model="base", model_keep_alive_seconds=1e-3, hf_hub_offline=True
        )
    )
    assert pipeline.run(stereo, SEPARATE).segments
    assert pipeline.loaded_models() == ("tiny.en", "silero")

    assert pipeline.unload_idle() == ("tiny.en", "silero")

    assert pipeline.loaded_models() == ()
    assert pipeline.run(stereo, SEPARATE).segments
