"""Find when each word was said, by listening for its characters.

A translation must never come here: its words were not said. `HeardWindow` does not tell one
from a transcription, so it is the caller who leaves this stage out.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from jobs.stages import Stage
from pipeline.aligner_models import Aligner
from pipeline.ctc import LabelFrames, place_labels
from pipeline.progress import OnProgress, unheard
from pipeline.speech import HeardWindow, WordTime
from pipeline.waveform import SAMPLE_RATE, Waveform

LANGUAGES_WITHOUT_SPACES = frozenset({"ja", "zh"})  # as WhisperX: their labels hold no separator
SEPARATOR = "|"  # the label between two words
WILDCARD = -1  # stands for a character that the language's model has no label for

_MIN_SAMPLES = 400  # what wav2vec 2.0's convolutions need for one frame


@dataclass(frozen=True, slots=True, kw_only=True)
class Spelling:
    """A text as the labels that the network listens for."""

    labels: tuple[int, ...]  # columns of the logits, or WILDCARD
    words: tuple[int, ...]  # for each label, the index of the word it is in; -1: between words


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sound:
    """What one window gives the network to listen to, and for."""

    window: int  # its index
    samples: range  # in the waveform; never empty
    spelling: Spelling  # never empty


def align(
    waveform: Waveform,
    heard: Sequence[HeardWindow],
    aligner: Aligner,
    *,
    batch_size: int,
    on_progress: OnProgress = unheard,
) -> list[tuple[WordTime | None, ...]]:
    """Give the words their times.

    Memory grows with `batch_size` and the length of a window, never with the media.

    Args:
        waveform: of the whole media.
        heard: windows in any order; transcribed, not translated.
        aligner: of the windows' language; windows in another language are left alone.
        batch_size: windows in one pass of the network.
        on_progress: called after each window and each pass; what it raises is not caught.

    Returns:
        For each window one entry a word. None: the word holds no character, or its window could
        not be placed at all, because it is in another language, has no sound, or holds more
        characters than frames (50 a second).
    """
    times: list[tuple[WordTime | None, ...]] = [(None,) * len(window.words) for window in heard]
    # Longest first: neighbours need little padding, and a batch that is too large for the memory
    # fails at once instead of at the end.
    sounds = sorted(_sounds(waveform, heard, aligner), key=lambda sound: -len(sound.samples))
    progress = _Progress(on_progress, total=sum(len(sound.samples) for sound in sounds))
    for first in range(0, len(sounds), batch_size):
        batch = sounds[first : first + batch_size]
        for sound, (blank, labels) in zip(
            batch, _listen(waveform, batch, aligner, progress), strict=True
        ):
            frames = place_labels(blank, labels)
            if frames is not None:
                times[sound.window] = _word_times(sound, frames, heard[sound.window], len(blank))
            progress.advance(len(sound.samples) / 2)
    on_progress(Stage.ALIGN, 1.0)
    return times


def spell(words: Sequence[str], labels: Mapping[str, int], *, language: str) -> Spelling:
    """Write words as labels, a character each, as WhisperX does.

    Characters without a label (digits, punctuation, foreign script) become WILDCARD, so that
    they get their times from where they stand. White space becomes the separator, except at both
    ends, or nothing where the model has none.
    """
    space = " " if language in LANGUAGES_WITHOUT_SPACES else SEPARATOR
    text = [(character, index) for index, word in enumerate(words) for character in word]
    while text and text[0][0].isspace():
        text.pop(0)
    while text and text[-1][0].isspace():
        text.pop()
    spelled: list[tuple[int, int]] = []
    for character, index in text:
        if not character.isspace():
            spelled.append((labels.get(character.lower(), WILDCARD), index))
        elif space in labels:
            spelled.append((labels[space], -1))
    return Spelling(
        labels=tuple(label for label, _ in spelled), words=tuple(word for _, word in spelled)
    )


class _Progress:
    """Count samples and tell the share that is done."""

    def __init__(self, on_progress: OnProgress, *, total: int) -> None:
        self._on_progress = on_progress
        self._total = total
        self._done = 0.0

    def advance(self, samples: float) -> None:
        self._done += samples
        self._on_progress(Stage.ALIGN, min(1.0, self._done / self._total))


def _sounds(waveform: Waveform, heard: Sequence[HeardWindow], aligner: Aligner) -> Iterator[_Sound]:
    for index, window in enumerate(heard):
        if window.language != aligner.language:
            continue
        first, last = (
            min(max(0, round(seconds * SAMPLE_RATE)), len(waveform))
            for seconds in (window.window.start, window.window.end)
        )
        spelling = spell(window.words, aligner.labels, language=window.language)
        if first < last and spelling.labels:
            yield _Sound(window=index, samples=range(first, last), spelling=spelling)


def _listen(
    waveform: Waveform, batch: Sequence[_Sound], aligner: Aligner, progress: _Progress
) -> list[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]]:
    """Pass sounds through the network, all in one batch.

    One half of the progress is counted here; the other is for finding the labels.

    Returns:
        For each sound the log-probabilities of the blank, shape (n_frames,), and of its labels,
        shape (n_frames, n_labels), as `place_labels` takes them.
    """
    import torch
    from torch.nn.utils.rnn import pad_sequence

    with torch.inference_mode():
        features = []
        for sound in batch:
            # A copy: the waveform may be a read-only map of a file, which torch does not take.
            samples = np.array(waveform[sound.samples.start : sound.samples.stop])
            padded = np.pad(samples, (0, max(0, _MIN_SAMPLES - len(samples))))
            features.append(aligner.network.features(torch.from_numpy(padded).to(aligner.device)))
            progress.advance(len(samples) / 2)
        lengths = [len(frames) for frames in features]
        n_frames = torch.tensor(lengths, device=aligner.device) if len(set(lengths)) > 1 else None
        logits = aligner.network.logits(pad_sequence(features, batch_first=True), n_frames)
        return [
            _columns(
                # numpy from here on: its single thread beats torch's several on a matrix this
                # small, by ten times where they wait for busy cores.
                logit[:length].float().log_softmax(dim=-1).cpu().numpy(),
                sound.spelling.labels,
                aligner.blank,
            )
            for logit, length, sound in zip(logits, lengths, batch, strict=True)
        ]


def _columns(
    log_probabilities: npt.NDArray[np.float32], labels: Sequence[int], blank: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Pick the columns of the blank and of the labels.

    A wildcard is as likely in each frame as the likeliest label that is not the blank.
    """
    columns = np.array(labels)
    picked = log_probabilities[:, columns]
    if WILDCARD in labels:
        likeliest = np.delete(log_probabilities, blank, axis=1).max(axis=1)
        picked[:, columns == WILDCARD] = likeliest[:, np.newaxis]
    return log_probabilities[:, blank], picked


def _word_times(
    sound: _Sound, frames: LabelFrames, heard: HeardWindow, n_frames: int
) -> tuple[WordTime | None, ...]:
    """Join the places of a word's characters: first start, last end, mean score."""
    seconds_per_frame = len(sound.samples) / SAMPLE_RATE / n_frames
    starts = heard.window.start + frames.starts * seconds_per_frame
    ends = heard.window.start + frames.ends * seconds_per_frame
    members: list[list[int]] = [[] for _ in heard.words]
    for label, word in enumerate(sound.spelling.words):
        if word >= 0:
            members[word].append(label)
    return tuple(
        WordTime(
            start=float(starts[of[0]]),
            end=float(ends[of[-1]]),
            score=float(frames.scores[of].mean()),
        )
        if of
        else None
        for of in members
    )
