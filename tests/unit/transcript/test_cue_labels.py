from tests.unit.transcript.transcripts_made import spoken, transcript_of
from transcript.cue_options import CueOptions
from transcript.cues import cues_of


def _texts(text: str, **options: int) -> list[str]:
    transcript = transcript_of(spoken(text, 0, 4, speaker="SPEAKER_00"))
    return [cue.text for cue in cues_of(transcript, CueOptions.model_validate(options))]


def test_a_label_that_fits_beside_the_first_word_stands_there() -> None:
    assert _texts("Yes, we know all that.", max_chars_per_line=20) == [
        "[SPEAKER_00] Yes,\nwe know all that."
    ]


def test_a_label_that_does_not_fit_beside_the_first_word_has_its_own_line() -> None:
    assert _texts("Certainly we know that.", max_chars_per_line=20) == [
        "[SPEAKER_00]\nCertainly",
        "[SPEAKER_00] we\nknow that.",
    ]
    assert _texts("Yes, we know.", max_chars_per_line=12, max_lines_per_cue=3) == [
        "[SPEAKER_00]\nYes,\nwe know."
    ]


def test_a_long_word_below_its_label_is_not_divided() -> None:
    word = "Rechtsschutzversicherungsgesellschaft"

    assert _texts(word) == [f"[SPEAKER_00]\n{word}"]


def test_in_one_line_a_label_and_one_word_may_be_too_wide_but_not_two_words() -> None:
    assert _texts("Yes, certainly we go.", max_chars_per_line=20, max_lines_per_cue=1) == [
        "[SPEAKER_00] Yes,",
        "[SPEAKER_00] certainly",
        "[SPEAKER_00] we go.",
    ]


def test_a_label_wider_than_the_line_does_not_make_every_word_a_cue() -> None:
    assert _texts("I am here too.", max_chars_per_line=10) == ["[SPEAKER_00] I am\nhere too."]
