"""Ids that follow from what is done, so that it is done once."""

from pathlib import Path

from client.identity import client_id, options_digest, sha256_of, source_digest

SHA = "ab" * 32


def test_the_id_of_a_piece_of_work_stays_the_same_from_version_to_version() -> None:
    # Another one would make a second job of everything that was ever sent.
    assert client_id(SHA, options_digest({"language": "de", "diarize": False})) == (
        "cli-b697716eed9335e8af86b52e925ffc2dc6a9ad6d44fb87d1db50762b6bf572c9"
    )


def test_the_order_of_options_and_what_only_sorts_and_keeps_jobs_changes_nothing() -> None:
    plain = options_digest({"language": "de", "task": "translate"})

    assert options_digest({"task": "translate", "language": "de"}) == plain
    assert (
        options_digest(
            {"task": "translate", "language": "de", "priority": "batch", "tags": ["x"]}
            | {"external_id": "1", "metadata": {"a": 1}, "retention_days": 3}
        )
        == plain
    )


def test_whatever_changes_the_transcript_changes_the_id() -> None:
    digests = {
        options_digest(options)
        for options in ({}, {"language": "de"}, {"language": "fr"}, {"diarize": False})
    }
    ids = {client_id(content, digest) for digest in digests for content in (SHA, "cd" * 32)}

    assert len(ids) == 8


def test_after_a_purge_the_id_counts() -> None:
    first = client_id(SHA, "o")

    assert client_id(SHA, "o", purged=1) == f"{first}-2"
    assert client_id(SHA, "o", purged=2) == f"{first}-3"
    assert len(client_id(SHA, "o", purged=999)) <= 128


def test_the_secrets_of_a_source_are_no_part_of_what_it_is() -> None:
    source = {"url": "https://example.com/a.mp3"}

    assert source_digest({**source, "headers": {"Authorization": "x"}}) == source_digest(source)
    assert source_digest({"url": "https://example.com/b.mp3"}) != source_digest(source)


def test_a_files_digest_is_that_of_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")

    assert sha256_of(tmp_path / "a").startswith("ba7816bf8f01cfea414140de5dae2223")
