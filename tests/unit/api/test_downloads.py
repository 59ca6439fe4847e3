import pytest
from flask import Response
from werkzeug.http import parse_options_header

from api.downloads import name_download


@pytest.mark.parametrize(
    "filename", ["a.wav", 'a"b\\c;d.wav', "zoë.wav", "Привет.mp3", "日本 語.wav", "a%20b€.wav"]
)
def test_a_name_in_any_script_arrives_in_a_header(filename: str) -> None:
    answer = Response()

    name_download(answer, "attachment", filename)

    header = answer.headers["Content-Disposition"]
    assert header.isascii()
    assert parse_options_header(header) == ("attachment", {"filename": filename})
