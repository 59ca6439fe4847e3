import pytest

from pipeline.sentences import ends_clause, ends_sentence, is_list_number, is_mark, is_opening


@pytest.mark.parametrize(
    ("word", "following", "language"),
    [
        (" done.", " Then", "en"),
        (" done.", None, "en"),
        (" Mr.", None, "en"),
        (" done.”", " Then", "en"),
        (" what?", " no", "en"),
        (" done!", " Then", "en"),
        (" done.)", " Then", "en"),
        (" well…", " Then", "en"),
        (" well...", " Then", "en"),
        (" etc.", " Then", "en"),
        (" p.m.", " Then", "en"),
        (" 2019.", " Then", "en"),
        (" 2019.", " Dann", "de"),
        (" five.", " then", "en"),
        (" 3.5.", " Then", "en"),
        (" no.", " Then", "en"),
        (" I.", " Then", "en"),
        ("了。", "我", "zh"),
        ("吗？", "我", "zh"),  # noqa: RUF001 - full width on purpose
        ("です。", "はい", "ja"),
        (" كيف؟", " نعم", "ar"),
        (" है।", " वह", "hi"),
        (" ہے۔", " وہ", "ur"),  # noqa: RUF001 - an Arabic full stop on purpose
        (" ነው።", " እና", "am"),
        (" τι;", " Ναι", "el"),  # noqa: RUF001 - Greek on purpose
        (" да.", " Нет", "ru"),
    ],
)
def test_a_sentence_ends_here(word: str, following: str | None, language: str) -> None:
    assert ends_sentence(word, following, language=language)


@pytest.mark.parametrize(
    ("word", "following", "language"),
    [
        (" Mr.", " Smith", "en"),
        (" (Dr.", " Smith", "en"),
        (" e.g.", " Paris", "en"),
        (" z.B.", " Paris", "de"),
        (" etc.", " and", "en"),
        (" p.m.", " and", "en"),
        (" U.S.", " Army", "en"),
        (" J.", " Smith", "en"),
        (" J.R.R.", " Tolkien", "en"),
        (" No.", " 5", "en"),
        (" 3.", " Oktober", "de"),
        (" 3.", "5", "en"),
        (" example.", "com", "en"),
        (" well…", " then", "en"),
        (" well...", " then", "en"),
        (' "Why?"', " he", "en"),
        (" adj.", " or", "en"),
        (" wait,", " Then", "en"),
        (" wait;", " Then", "en"),
        (" word", " Then", "en"),
        (" 3.5", " Then", "en"),
    ],
)
def test_a_sentence_goes_on_here(word: str, following: str, language: str) -> None:
    assert not ends_sentence(word, following, language=language)


@pytest.mark.parametrize("word", [" well,", " so;", " then:", "我，", ' "well,"', " نعم،"])  # noqa: RUF001 - full width on purpose
def test_a_clause_ends_here(word: str) -> None:
    assert ends_clause(word)


@pytest.mark.parametrize("word", [" well", " 3,5", " end.", ""])
def test_no_clause_ends_here(word: str) -> None:
    assert not ends_clause(word)


@pytest.mark.parametrize("text", ["", " ", ".", " …", " --", " “", "¿", "。", " ?!"])
def test_punctuation_alone_is_no_word(text: str) -> None:
    assert is_mark(text)


@pytest.mark.parametrize("text", [" a", " 5", " &", " %", " $", " ♪", " C#", "的"])
def test_what_may_be_said_is_a_word(text: str) -> None:
    assert not is_mark(text)


def test_opening_marks_are_told_from_closing_ones() -> None:
    assert all(is_opening(mark) for mark in (" (", " “", "¿", " «"))
    assert not any(is_opening(mark) for mark in ("", ")", "?", "…", "”"))


def test_the_number_of_a_list_item_is_told_from_a_word() -> None:
    assert is_list_number(" 1.")
    assert not is_list_number(" one.")
    assert not is_list_number(" 1")
    assert not is_list_number(".")
