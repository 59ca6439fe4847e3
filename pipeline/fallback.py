"""Judge what Whisper wrote: good, to be tried again, or made up where nobody spoke."""

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

# Whisper's own limits (openai/whisper, transcribe.py; Radford et al. 2022, section 4.5).
MAX_COMPRESSION_RATIO = 2.4  # a text that deflates better than this repeats itself
MIN_AVG_LOGPROB = -1.0  # a text less likely than this is a guess
MAX_NO_SPEECH_PROB = 0.6  # together with a guess: silence
TEMPERATURES = (0.2, 0.4, 0.6, 0.8, 1.0)  # of the tries after beam search

# Ours, set by hand after looking at tiny.en and base on 2 recordings and 25 synthesised sounds
# without speech, and on clean, quiet, noisy, reverberant and telephone versions of eight recordings
# of speech and 22 words cut out of context. Larger models were not measured.
_FAINT_PEAK = 0.85  # Silero's highest probability; 0.9 and more in nearly all speech
_FAINT_PEAK_SECONDS = 2.0  # voiced longer than this, a low peak is reverberation, not a blip
_FAINT_SECONDS = 0.25  # above Silero's onset; shorter than most words
_FAINT_SHARE = 0.05  # of the window
_UNSURE_NO_SPEECH_PROB = 0.35
_UNSURE_AVG_LOGPROB = -0.9
_SURE_AVG_LOGPROB = -0.5  # a short word cut out of context, whatever its no-speech probability
_MOST_WORDS_PER_SECOND = 12.0  # twice the fastest speech

# What Whisper writes when it hears nothing, or music: closing words of the videos it learned from.
# Koenecke et al. 2024, "Careless Whisper" (arXiv:2402.08021), and
# measured here. Said words too, so they are dropped only where little else speaks for them.
_STOCK_PHRASES = frozenset(
    {
        *("you", "thank you", "thank you very much", "thank you so much", "thanks"),
        *("thanks for watching", "thank you for watching", "thank you for listening"),
        *("please subscribe", "subscribe", "like and subscribe", "see you next time"),
        *("see you in the next video", "bye", "bye bye", "goodbye", "music", "music playing"),
        *("applause", "laughter", "silence", "the end", "so", "oh", "ah", "uh", "um", "mm"),
        *("mmm", "hm", "hmm", "mm hmm", "oh yeah", "im sorry", "i dont know", "beeping"),
        *(
            "ご視聴ありがとうございました",
            "字幕by索兰娅",
            "请不吝点赞订阅转发打赏支持明镜与点点栏目",
        ),
        *("谢谢大家", "謝謝大家", "untertitel der amaraorg community", "vielen dank"),
        *(
            "untertitel im auftrag des zdf für funk 2017",
            "sous titres réalisés par la communauté damaraorg",
        ),
        *("subtítulos realizados por la comunidad de amaraorg", "продолжение следует"),
        *("sottotitoli creati dalla comunità amaraorg", "시청해주셔서 감사합니다"),
    }
)
_TAG = re.compile(r"\[[^\]]*\]|\([^)]*\)|（[^）]*）|【[^】]*】|\*[^*]*\*|♪[^♪]*♪")  # noqa: RUF001  as they are written
_SENTENCE_END = re.compile(r"[.。,，!！?？…\n]+")  # noqa: RUF001
_NOT_SPOKEN = re.compile(r"[^\w\s]|_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoding:
    """One try at a window."""

    tokens: tuple[int, ...]  # of the text alone, no special ones
    text: str
    avg_logprob: float  # mean log-probability of the tokens, the end of text included
    no_speech_prob: float  # 0 to 1
    temperature: float  # 0: beam search

    @property
    def compression_ratio(self) -> float:
        """How often the text repeats itself: its bytes by its bytes deflated; 0 without text."""
        raw = self.text.strip().encode()
        return len(raw) / len(zlib.compress(raw)) if raw else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """How much of a voice there is in a window, whatever Whisper says."""

    peak: float  # the highest probability of speech, 0 to 1
    seconds: float  # in which speech is likelier than not
    window_seconds: float

    @property
    def is_faint(self) -> bool:
        """Nothing in here is speech for certain."""
        return (
            (self.peak < _FAINT_PEAK and self.seconds < _FAINT_PEAK_SECONDS)
            or self.seconds < _FAINT_SECONDS
            or self.seconds < _FAINT_SHARE * self.window_seconds
        )


def temperatures_above(first: float) -> tuple[float, ...]:
    """Return the temperatures of further tries, rising, after a first one."""
    return tuple(temperature for temperature in TEMPERATURES if temperature > first)


def is_silence(decoding: Decoding) -> bool:
    """Whisper itself takes the window for silence."""
    return decoding.no_speech_prob > MAX_NO_SPEECH_PROB and decoding.avg_logprob < MIN_AVG_LOGPROB


def needs_another_try(decoding: Decoding) -> bool:
    """The text is a loop or a guess, and there is something to hear."""
    if is_silence(decoding):
        return False
    return (
        decoding.compression_ratio > MAX_COMPRESSION_RATIO or decoding.avg_logprob < MIN_AVG_LOGPROB
    )


def best_of(decodings: Sequence[Decoding]) -> Decoding:
    """Choose the likeliest of several tries, loops only where there is nothing else."""
    plain = [each for each in decodings if each.compression_ratio <= MAX_COMPRESSION_RATIO]
    return max(plain or decodings, key=lambda each: each.avg_logprob)


def is_wordless(text: str) -> bool:
    """There is nothing in it that somebody could have said: no text, dots, notes, [Music]."""
    return not _NOT_SPOKEN.sub("", _TAG.sub("", text)).strip()


def is_stock(text: str) -> bool:
    """It is nothing but phrases that Whisper is known to make up, however often repeated."""
    sentences = [_plain(sentence) for sentence in _SENTENCE_END.split(text)]
    spoken = [sentence for sentence in sentences if sentence]
    if not spoken:
        return False
    return all(_once(sentence) in _STOCK_PHRASES for sentence in spoken) or (
        _plain(text) in _STOCK_PHRASES
    )


def is_doubtful(decoding: Decoding) -> bool:
    """Say whether the voice in the window must be looked at, which costs time, to judge a text."""
    return (
        decoding.no_speech_prob > _UNSURE_NO_SPEECH_PROB
        or decoding.avg_logprob < _UNSURE_AVG_LOGPROB
        or decoding.compression_ratio > MAX_COMPRESSION_RATIO
        or is_stock(decoding.text)
    )


def is_made_up(decoding: Decoding, voice: Voice) -> bool:
    """Say whether a doubtful text was written where nobody spoke.

    No signal is enough alone: Whisper's no-speech probability is high on short words, its
    log-probability low on noisy ones, Silero hears voices in whale song, and people say "Thank
    you." So a text goes when two of them agree, and stays when it has a clear voice behind it.
    """
    unsure = (
        decoding.no_speech_prob > _UNSURE_NO_SPEECH_PROB
        or decoding.avg_logprob < _UNSURE_AVG_LOGPROB
    )
    if is_silence(decoding):
        return True
    if is_stock(decoding.text) and (unsure or voice.is_faint):
        return True
    if voice.is_faint and unsure and decoding.avg_logprob < _SURE_AVG_LOGPROB:
        return True
    return _is_too_fast(decoding.text, voice)


def _is_too_fast(text: str, voice: Voice) -> bool:
    words = len(_plain(text).split())
    # Half a second for what Silero leaves off at the edges.
    return words > _MOST_WORDS_PER_SECOND * (voice.seconds + 0.5)


def _plain(text: str) -> str:
    return " ".join(_NOT_SPOKEN.sub("", text.replace("-", " ")).lower().split())


def _once(sentence: str) -> str:
    """Cut "thank you thank you" down to what is repeated in it."""
    words = sentence.split()
    for length in range(1, len(words)):
        if len(words) % length == 0 and words == words[:length] * (len(words) // length):
            return " ".join(words[:length])
    return sentence
