from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.addresses import MAX_URL_CHARACTERS, Target, is_allowed, parse_target, shown_url


def test_an_address_is_taken_apart() -> None:
    target = parse_target("HTTPS://Files.Example.:8443/a/call%201.wav?token=s3cret#part")

    assert target == Target(
        scheme="https",
        host="files.example",
        port=8443,
        path="/a/call%201.wav",
        query="token=s3cret",
    )
    assert target.url == "https://files.example:8443/a/call%201.wav?token=s3cret"
    assert target.shown == "https://files.example:8443/a/call%201.wav"


@pytest.mark.parametrize(
    ("url", "host", "authority"),
    [
        ("http://files.example", "files.example", "files.example"),
        ("http://files.example:80/", "files.example", "files.example"),
        ("http://files.example:/", "files.example", "files.example"),
        ("https://files.example:80/", "files.example", "files.example:80"),
        ("http://[2606:4700::1111]:81/", "2606:4700::1111", "[2606:4700::1111]:81"),
        ("http://[2606:4700:0:0::1111]/", "2606:4700::1111", "[2606:4700::1111]"),
        ("http://8.8.8.8./", "8.8.8.8", "8.8.8.8"),
        ("http://my_bucket.minio:9000/x", "my_bucket.minio", "my_bucket.minio:9000"),
        ("http://bücher.example/", "xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("http://BÜCHER\u3002example/", "xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("http://localhost/", "localhost", "localhost"),  # for the resolver and is_allowed to say
    ],
)
def test_host_and_port_get_one_spelling(url: str, host: str, authority: str) -> None:
    target = parse_target(url)

    assert target.host == host
    assert target.authority == authority
    assert parse_target(target.url) == target


def test_characters_beyond_ascii_are_percent_encoded() -> None:
    target = parse_target("http://files.example/größe%20é.wav?q=ü&r=%41")

    assert target.resource == "/gr%C3%B6%C3%9Fe%20%C3%A9.wav?q=%C3%BC&r=%41"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "files.example/a.wav",
        "ftp://files.example/a.wav",
        "file:///etc/passwd",
        "gopher://files.example/",
        "javascript:alert(1)",
        "//files.example/a.wav",
        "http:///a.wav",
        "http:files.example",
        "http://",
        "http://.",
        "http://./a",
        "http://files..example/",
        "http://files.example../",
        "http://:80/",
        "http://files.example:0/",
        "http://files.example:65536/",
        "http://files.example:99999999/",
        "http://files.example:٨٠/",
        "http://files.example:+80/",
        "http://files.example:80:80/",
        "http://user@files.example/",
        "http://user:s3cret@files.example/",
        "http://files.example\\@127.0.0.1/",
        "http://files.example/a\\b",
        "http://files.example/a b",
        " http://files.example/",
        "http://files.example/\t",
        "http://files.exa\nmple/",
        "http://files.example/\r\nHost: other",
        "http://files.example/\x00",
        "http://files.example/\u2028",
        "http://files.example/\ud800",
        "http://files%2eexample/",
        "http://%31%32%37.0.0.1/",
        "http://[::1/",
        "http://::1/",
        "http://[::1]x/",
        "http://[fe80::1%25eth0]/",
        "http://[v1.fe80]/",
        "http://[127.0.0.1]/",
        "http://exa$mple/",
        "http://xn--\u0000.example/",
        "http://" + "a" * 64 + ".example/",
        "http://" + "ü" * 64 + ".example/",
        "http://" + "a." * 127 + "example/",
        "http://\u2100.example/",
        "http://files.example/" + "a" * MAX_URL_CHARACTERS,
    ],
)
def test_what_could_be_read_in_two_ways_is_no_address(url: str) -> None:
    with pytest.raises(ValueError, match=r"address|host|port|http") as refusal:
        parse_target(url)

    assert "s3cret" not in str(refusal.value)


def test_credentials_in_an_address_are_sent_to_where_they_belong() -> None:
    with pytest.raises(ValueError, match="send credentials as a header"):
        parse_target("http://user:s3cret@files.example/")


@pytest.mark.parametrize(
    "host",
    [
        "2130706433",  # 127.0.0.1 as one number
        "017700000001",
        "0x7f000001",
        "0X7F000001",
        "0177.0.0.1",
        "0x7f.0.0.1",
        "0x7f.1",
        "127.1",
        "127.0.1",
        "127.0.0.01",
        "127.0.0.0x1",
        "127.0.0.0x",
        "0",
        "256.0.0.1",
        "1.2.3.4.5",
        "files.example.1",
        "\uff12\uff11\uff13\uff10\uff17\uff10\uff16\uff14\uff13\uff13",  # full-width digits
        "0\uff587f.1",
        "127\u30021",
        "127.1.",
    ],
)
def test_an_unusual_spelling_of_an_ipv4_address_never_reaches_a_resolver(host: str) -> None:
    with pytest.raises(ValueError, match="IP address in its usual form"):
        parse_target(f"http://{host}/")


def test_a_usual_address_in_full_width_digits_is_that_address() -> None:
    assert parse_target("http://\uff11\uff12\uff17.0.0.1/").host == "127.0.0.1"


@pytest.mark.parametrize(
    "host", ["metadata.google.internal", "METADATA.google.internal.", "metadata", "instance-data"]
)
def test_the_names_of_metadata_services_are_refused(host: str) -> None:
    with pytest.raises(ValueError, match="metadata service"):
        parse_target(f"http://{host}/computeMetadata/v1/")


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"],
)
def test_public_addresses_are_allowed(address: str) -> None:
    assert is_allowed(ip_address(address), allow_private_addresses=False)


PRIVATE = [
    "0.0.0.0",  # noqa: S104 - an address to refuse, not to bind
    "0.1.2.3",
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.9",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",  # IPv4-compatible
    "::8.8.8.8",
    "::ffff:127.0.0.1",  # IPv4-mapped
    "::ffff:10.0.0.1",
    "::ffff:0:127.0.0.1",  # IPv4-translated
    "64:ff9b::10.0.0.1",  # NAT64
    "64:ff9b::127.0.0.1",
    "64:ff9b:1::8.8.8.8",  # a site's own NAT64
    "100::1",
    "2001::1",  # Teredo
    "2001:db8::1",
    "2002:7f00:1::",  # 6to4 of 127.0.0.1
    "2002:808:808::",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_other_addresses_are_for_the_operator_to_allow(address: str) -> None:
    assert not is_allowed(ip_address(address), allow_private_addresses=False)
    assert is_allowed(ip_address(address), allow_private_addresses=True)


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "64:ff9b::169.254.169.254",
        "169.254.170.2",
        "100.100.100.200",
        "192.0.0.192",
        "168.63.129.16",
        "fd00:ec2::254",
        "fd00:ec2::254%eth0",
    ],
)
@pytest.mark.parametrize("allowed", [True, False])
def test_metadata_services_are_never_called(address: str, *, allowed: bool) -> None:
    assert not is_allowed(ip_address(address), allow_private_addresses=allowed)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:s3cret@Files.example/a.wav?sig=1#x", "https://files.example/a.wav"),
        ("https://files.example/@me/a.wav?x=http://y", "https://files.example/@me/a.wav"),
        ("https://files.example?a=b", "https://files.example/"),
        ("https://u:p@ss@files.example/", "https://files.example/"),
        ("https://user:s3/cret@files.example/", "(unreadable address)"),
        ("http://user:s3@cr/et@files.example/", "(unreadable address)"),
        ("s3cret", "(unreadable address)"),
        ("", "(unreadable address)"),
        ("http://files.example/\n{}", "(unreadable address)"),
    ],
)
def test_an_address_is_shown_without_its_secrets(url: str, shown: str) -> None:
    assert shown_url(url) == shown


@given(st.text() | st.text().map("http://{}/".format) | st.text().map("http://h/{}".format))
def test_any_text_is_a_printable_target_or_refused_in_words(text: str) -> None:
    assert "\n" not in shown_url(text)
    try:
        target = parse_target(text)
    except UnicodeError:  # a ValueError too, whose words would repeat the address
        raise
    except ValueError:
        pass
    else:
        assert target.url.isascii()
        assert target.url.isprintable()
        assert " " not in target.url
