import pytest

from jobs.request_headers import MAX_HEADERS, MAX_HEADERS_BYTES, check_headers


def test_credentials_and_names_of_ones_own_may_be_sent() -> None:
    check_headers(
        {"Authorization": "Bearer a.b-c=", "Cookie": 'a=b; c="d"', "X-Empty": "", "!#$%&'*": "1"}
    )


@pytest.mark.parametrize(
    "name",
    [
        "Host",
        "content-length",
        "Transfer-Encoding",
        "CONNECTION",
        "Keep-Alive",
        "Upgrade",
        "TE",
        "Trailer",
        "Expect",
        "Proxy-Authorization",
        "Proxy-Anything",
        "Accept-Encoding",
        "User-Agent",
        "Range",
    ],
)
def test_what_frames_the_request_is_ours_to_say(name: str) -> None:
    with pytest.raises(ValueError, match="set by this service"):
        check_headers({name: "1"})


@pytest.mark.parametrize(
    "name", ["", " ", "A b", "A:", ":path", "A\r\nB", "Ä", "A\x00", "Authorization: s3cret"]
)
def test_a_name_is_a_token(name: str) -> None:
    with pytest.raises(ValueError, match="name holds characters") as refusal:
        check_headers({name: "1"})

    assert "s3cret" not in str(refusal.value)


@pytest.mark.parametrize(
    "value",
    ["s3cret\r\nHost: b", "s3cret\n", "s3cret\r", "s3cret\x00", " s3cret", "s3cret ", "s3crét"],
)
def test_a_value_is_one_line_of_ascii(value: str) -> None:
    with pytest.raises(ValueError, match="value of the header X-Key must be one line") as refusal:
        check_headers({"X-Key": value})

    assert "s3cr" not in str(refusal.value)


def test_number_and_size_have_a_limit() -> None:
    check_headers({f"X-{number}": "1" for number in range(MAX_HEADERS)})
    check_headers({"X-Long": "a" * (MAX_HEADERS_BYTES - len("X-Long"))})

    with pytest.raises(ValueError, match="at most 20"):
        check_headers({f"X-{number}": "1" for number in range(MAX_HEADERS + 1)})
    with pytest.raises(ValueError, match="longer than 8192 bytes"):
        check_headers({"X-Long": "a" * MAX_HEADERS_BYTES})


def test_no_header_comes_twice() -> None:
    with pytest.raises(ValueError, match="named twice"):
        check_headers({"X-Key": "1", "x-key": "2"})
