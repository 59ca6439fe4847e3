import string

from hypothesis import given
from hypothesis import strategies as st

from pipeline.aligning import WILDCARD, spell

LABELS = {character: column for column, character in enumerate("-|" + string.ascii_lowercase + "'")}


def test_words_are_spelled_in_lower_case_with_separators_between() -> None:
    spelled = spell((" Hi", " you"), LABELS, language="en")

    assert spelled.labels == tuple(LABELS[character] for character in "hi|you")
    assert spelled.words == (0, 0, -1, 1, 1, 1)


def test_what_has_no_label_is_a_wildcard_of_its_word() -> None:
    spelled = spell((" 5€,", " Ж"), LABELS, language="en")

    assert spelled.labels == (WILDCARD, WILDCARD, WILDCARD, LABELS["|"], WILDCARD)
    assert spelled.words == (0, 0, 0, -1, 1)


def test_a_character_that_grows_in_lower_case_is_still_one_label() -> None:
    assert len("İ".lower()) == 2

    spelled = spell((" İzmir",), LABELS, language="tr")

    assert len(spelled.labels) == 5


def test_a_language_without_spaces_has_no_separators() -> None:
    spelled = spell(("你好", "吗", " 好"), {"你": 5, "好": 6, "|": 1}, language="zh")

    assert spelled.labels == (5, 6, WILDCARD, 6)
    assert spelled.words == (0, 0, 1, 2)


def test_a_model_without_separator_gets_none() -> None:
    assert spell((" a", " b"), {"a": 1, "b": 2}, language="en").labels == (1, 2)


def test_a_part_of_a_word_without_space_is_not_separated() -> None:
    assert spell((" e", "-mail"), LABELS, language="en").words == (0, 1, 1, 1, 1, 1)


@given(st.lists(st.text(max_size=6), max_size=8))
def test_every_character_but_white_space_is_spelled_for_its_word(words: list[str]) -> None:
    spelled = spell(words, LABELS, language="en")

    for index, word in enumerate(words):
        visible = [character for character in word if not character.isspace()]
        assert spelled.words.count(index) == len(visible)
