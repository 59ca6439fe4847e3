"""What the arguments of a batch stand for."""

import json
import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import pytest

from client.errors import Misuse
from client.items import Item
from client.media_files import media_below
from client.plan import planned


def tree(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def plan(*arguments: Path | str, out: Path | str = "/nowhere") -> list[Item]:
    return planned([str(each) for each in arguments], {"task": "t"}, output_dir=Path(out))


def names(items: Sequence[Item]) -> list[str]:
    return [str(item.relative) for item in items]


def test_a_folder_stands_for_the_media_in_it_at_any_depth(tmp_path: Path) -> None:
    tree(
        tmp_path,
        *("b.MP3", "a/z.wav", "a/y.m4a", "a/notes.txt", ".hidden.mp3", ".git/x.mp3", "x.mp3.part"),
        *("x.temp.mp4", "no_suffix"),
    )

    assert names(plan(tmp_path)) == ["b.MP3", "a/y.m4a", "a/z.wav"]


def test_what_is_no_file_is_no_media_whatever_its_name(tmp_path: Path) -> None:
    (tmp_path / "talk.wav").write_bytes(b"x")
    (tmp_path / "folder.wav").mkdir()
    os.mkfifo(tmp_path / "pipe.wav")  # would be read for ever

    assert [path.name for path in media_below(tmp_path)] == ["talk.wav"]


def test_the_output_folder_is_no_input(tmp_path: Path) -> None:
    tree(tmp_path, "a.mp3", "out/b.mp3", "in/out/c.mp3")

    assert names(plan(tmp_path, out=tmp_path / "out")) == ["a.mp3", "in/out/c.mp3"]
    assert len(plan(tmp_path, out=tmp_path)) == 3  # transcripts beside the media


def test_a_pattern_is_mirrored_from_its_first_wildcard_on(tmp_path: Path) -> None:
    tree(tmp_path, "in/2026/a.wav", "in/2025/b.wav", "in/2025/c.bin")

    assert names(plan(tmp_path / "in/*/*.wav")) == ["2025/b.wav", "2026/a.wav"]
    assert names(plan(tmp_path / "in/2025/*")) == ["b.wav", "c.bin"]
    assert names(plan(tmp_path / "in/**/*.wav")) == ["2025/b.wav", "2026/a.wav"]


def test_a_file_whose_name_looks_like_a_pattern_is_a_file(tmp_path: Path) -> None:
    tree(tmp_path, "[live] a.mp3")

    assert names(plan(tmp_path / "[live] a.mp3")) == ["[live] a.mp3"]


@pytest.mark.parametrize("argument", ["missing", "*.mp3", "missing/list.jsonl"])
def test_what_stands_for_nothing_is_told(tmp_path: Path, argument: str) -> None:
    with pytest.raises(Misuse, match="matches nothing"):
        plan(tmp_path / argument)


def test_an_empty_folder_is_no_mistake(tmp_path: Path) -> None:
    assert plan(tmp_path) == []


def test_an_address_gets_a_name_of_its_own() -> None:
    one, other = plan("https://example.com/x/talk.mp3?token=1", "https://example.com/y/talk.mp3")

    assert one.source == {"url": "https://example.com/x/talk.mp3?token=1"}
    assert one.relative.name.startswith("talk-")
    assert one.relative.suffix == ".mp3"
    assert one.relative != other.relative


def test_neighbours_of_one_stem_know_of_each_other(tmp_path: Path) -> None:
    tree(tmp_path, "a.mp3", "A.wav", "b.mp3", "sub/a.ogg")

    alone = {str(item.relative): item.is_alone for item in plan(tmp_path)}
    assert alone == {"a.mp3": False, "A.wav": False, "b.mp3": True, "sub/a.ogg": True}


def test_files_of_one_name_from_two_folders_become_two(tmp_path: Path) -> None:
    tree(tmp_path, "one/a.mp3", "two/a.mp3")

    found = plan(tmp_path / "one", tmp_path / "two", tmp_path / "one")
    assert len(set(names(found))) == len(found) == 2
    assert names(plan(tmp_path / "one", tmp_path / "two")) == names(found)


def manifest(folder: Path, *lines: object) -> Path:
    path = folder / "list.jsonl"
    path.write_text(
        "\n".join(each if isinstance(each, str) else json.dumps(each) for each in lines)
    )
    return path


def test_a_manifest_names_media_with_options_of_its_own(tmp_path: Path) -> None:
    items = plan(
        manifest(
            tmp_path,
            {"path": "sub/a.mp3", "language": "de"},
            "",
            {"url": "https://example.com/talk.mp3", "headers": {"X": "y"}},
            {"s3_uri": "s3://bucket/deep/talk.mp3", "task": "other"},
            {"path": "/abs/../b.mp3"},
            {"path": "../up.mp3"},
        )
    )

    assert [item.relative for item in items[3:]] == [
        PurePosixPath("abs/b.mp3"),
        PurePosixPath("up.mp3"),
    ]
    assert items[0].path == tmp_path / "sub/a.mp3"
    assert items[0].options == {"task": "t", "language": "de"}
    assert (items[0].has_own_options, items[1].has_own_options) == (True, False)
    assert items[1].source == {"url": "https://example.com/talk.mp3", "headers": {"X": "y"}}
    assert items[2].source == {"s3_uri": "s3://bucket/deep/talk.mp3"}
    assert items[2].options == {"task": "other"}
    assert all(".." not in item.relative.parts for item in items)


@pytest.mark.parametrize(
    "line", ["nonsense", "[]", "{}", {"path": ""}, {"path": "a", "url": "b"}, {"path": ".."}]
)
def test_a_broken_line_is_named(tmp_path: Path, line: object) -> None:
    with pytest.raises(Misuse, match=r"list\.jsonl, line 2"):
        plan(manifest(tmp_path, {"path": "a.mp3"}, line))
