# ruff: noqa: RUF001 - these tables are made of characters that look like others
"""List the punctuation that decides where a line or a cue may end, in the scripts of the world."""

SENTENCE_ENDS = (*".!?…。！？｡．؟۔।॥։။៕",)
CLAUSE_ENDS = (*",;:—–、，；：､،؛",)
CLOSERS = "\"'”’)]}»›」』】）》〉］｣"  # what may follow the end of a sentence or clause

# After the Japanese rules (kinsoku): closing punctuation and small kana do not begin a line,
# opening punctuation does not end one; a straight quote may be either.
NO_LINE_STARTS = frozenset(
    "!%),.:;?]}»›’”…‰′″℃、。〉》」』】〕〗〙〛〜゛゜ゝゞヽヾ々ー！％），．：；？］｝｡｣､･ｰ～・"
    "ぁぃぅぇぉっゃゅょゎゕゖァィゥェォッャュョヮヵヶ\"'"
)
NO_LINE_ENDS = frozenset("([{«‹‘“〈《「『【〔〖〘〚（［｛｢\"'")
