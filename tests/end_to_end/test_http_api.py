"""Every example in docs/http-api.md runs as it stands there; its tables say what the code does."""

import re
import shutil
import subprocess
import sys
import wave
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pydantic import BaseModel

from api.asr_options import AsrFields
from api.openai_options import OpenAIFields
from api.problems import status_of
from api.uploads import SINGLE_BYTES
from deploy.local.stack import Stack
from jobs.errors import MediaError, RequestError, ServiceError, Unavailable
from jobs.options import JobOptions
from tests import npm
from tests.end_to_end.test_openai_clients import NPM
from tests.end_to_end.test_readme import shell
from transcript.cue_options import CueOptions
from transcript.renderings import RENDERINGS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "http-api.md").read_text()
ADDRESS = "http://localhost:9000"
PIECE = (6.6, 15.0)  # seconds of the sample call
OPERATION = re.compile(r"`([A-Z]+) (/\S*)`")

# What tells, in the output of each section's examples, that they did what they are there for.
TELLING = {
    "The examples": ["3.1"],
    "Errors look like this": ["422", '"code":"invalid_request"', '"pointer":"/limit"'],
    "`GET /v1/keys`": ["HTTP/1.1 403", "not_allowed"],
    "`POST /v1/keys`": ["HTTP/1.1 403", "sending none"],
    "`DELETE /v1/keys/{name}`": ["HTTP/1.1 403"],
    "`POST /v1/jobs`": [
        "Idempotent-Replayed: true",
        "Preference-Applied: wait=60",
        '"status":"succeeded"',
        '"tags":["demo","calls"]',
        '"code":"fetch_blocked"',
    ],
    "`PUT /v1/jobs/{job_id}`": ["queued"],
    "`GET /v1/jobs/{job_id}`": ['"status":"succeeded"', '"codec":"pcm_s16le"', '"transcript":"/v1'],
    "`GET /v1/jobs/{job_id}/events`": ["event: status", "event: segment", "event: done"],
    "`GET /v1/jobs/{job_id}/transcript`": ["ello", "WEBVTT", "# Transcript", r"**SPEAKER\_00:**"],
    "`GET /v1/jobs/{job_id}/media`": ["RIFF"],
    "`GET /v1/jobs`": ['"has_more":', '"next_cursor":', '"demo"'],
    "`POST /v1/jobs/{job_id}/cancel`": ["canceled"],
    "`POST /v1/jobs/{job_id}/retry`": ["queued"],
    "`DELETE /v1/jobs/{job_id}`": ["204", "HTTP/1.1 410", '"code":"job_purged"'],
    "`POST /v1/batches`": ["HTTP/1.1 422", "/items/0/source", "/items/0/language"],
    "`GET /v1/batches/{batch_id}`": ['"total":1', '"external_id":"monday"'],
    "`GET /v1/batches`": ['"external_id":"monday"', '"has_more":'],
    "`POST /v1/batches/{batch_id}/cancel`": ["bat_"],
    "`GET /v1/batches/{batch_id}/results`": ["results.jsonl"],
    "`DELETE /v1/batches/{batch_id}`": ["204", "HTTP/1.1 410", '"code":"batch_purged"'],
    "`POST /v1/uploads`": [],
    "`GET /v1/uploads/{upload_id}`": ['"has_arrived":true', '"state":"open"'],
    "`POST /v1/uploads/{upload_id}/complete`": ["complete", '"type":"upload"'],
    "`DELETE /v1/uploads/{upload_id}`": ["204"],
    "`POST /v1/webhooks`": ["HTTP/1.1 422", '"code":"webhook_blocked"'],
    "`GET /v1/webhooks`": ['"has_more":false', '"url":"http://localhost:8080/hooks"'],
    "`GET /v1/webhooks/{endpoint_id}`": ["http://localhost:8080/hooks"],
    "`PATCH /v1/webhooks/{endpoint_id}`": ['"description":"the shop"', '"events":["job.failed"]'],
    "`POST /v1/webhooks/{endpoint_id}/rotate-secret`": ["20"],
    "`GET /v1/webhooks/secret`": ['"secret":"whsec_'],
    "`POST /v1/webhooks/rotate-secret`": ["20"],
    "`POST /v1/webhooks/{endpoint_id}/test`": [],
    "`POST /v1/webhooks/test`": ["webhook.test"],
    "`GET /v1/webhooks/deliveries/{delivery_id}`": ['"type":"webhook.test"', '"log":['],
    "`GET /v1/webhooks/{endpoint_id}/deliveries`": ['"type":"webhook.test"', '"has_more":false'],
    "`GET /v1/jobs/{job_id}/deliveries`": ['"data":['],
    "`POST /v1/webhooks/deliveries/{delivery_id}/replay`": ["pending"],
    "`DELETE /v1/webhooks/{endpoint_id}`": ["204"],
    "`GET /v1/queue`": ['"name":"interactive"', '"eta_seconds":'],
    "`GET /v1/workers`": ['"device":"cpu"', '"slots":'],
    "`GET /v1/usage`": ["'succeeded':", "'audio_seconds':"],
    "`POST /asr`": ["00:00:0", '"word_segments":', '"language":"en"'],
    "`POST /detect-language`": ['"detected_language":"english"', '"language_code":"en"'],
    "`GET /queue-metrics`": ['"queued":'],
    "`POST /v1/audio/transcriptions`": ['"avg_logprob":', '"words":', "transcript.text.done"],
    "`POST /v1/audio/translations`": ["ello"],
    "`GET /v1/models`": ['"id":"large-v3"', '"id":"whisper-1"'],
    "`GET /v1/models/{model_id}`": ['"id":"whisper-large-v3"'],
    "`GET /`": ['"service":"whisperline"'],
    "`GET /health`": ['"status":"healthy"'],
    "`GET /ready`": ['"status":"ready"'],
}


def sections() -> Iterator[tuple[str, str]]:
    """Yield the title and text of each section, up to the next one of any level."""
    parts = re.split(r"^#{2,3} (.+)\n", TEXT, flags=re.MULTILINE)
    return zip(parts[1::2], parts[2::2], strict=True)


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def rows(title: str, *, table: int = 0) -> list[list[str]]:
    """Return the cells of a section's table, without its head."""
    tables = re.findall(r"(?:^\|.*\n)+", dict(sections())[title], flags=re.MULTILINE)
    return [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in tables[table].splitlines()[2:]
    ]


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def leaves(kind: type[ServiceError]) -> Iterator[type[ServiceError]]:
    for each in kind.__subclasses__():
        yield from leaves(each) if each.__subclasses__() else (each,)


@pytest.fixture
def folder(call: Path, tmp_path: Path) -> Path:
    """A working directory as the examples want it."""
    with wave.open(str(call)) as whole, wave.open(str(tmp_path / "call.wav"), "wb") as piece:
        piece.setparams(whole.getparams())
        start, end = (round(seconds * whole.getframerate()) for seconds in PIECE)
        whole.setpos(start)
        piece.writeframes(whole.readframes(end - start))
    return tmp_path


# ---- the examples


def test_the_examples_run_from_top_to_bottom(service: Stack, folder: Path) -> None:
    script = "".join(
        f"printf '\\n@@ %s\\n' '{title}'\n{block}\n"
        for title, text in sections()
        for block in blocks(text, "sh")
    )
    # A refused call must fail the script; those that are to be refused are shown with `curl -i`.
    script = script.replace("curl -s ", "curl -sS --fail-with-body ").replace(ADDRESS, service.url)

    ran = shell(script, directory=folder)

    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    told: dict[str, str] = {}
    for part in ran.stdout.split("\n@@ ")[1:]:
        title, _, output = part.partition("\n")
        told[title] = told.get(title, "") + output
    assert told.keys() == TELLING.keys()
    for title, telling in TELLING.items():
        assert [each for each in telling if each not in told[title]] == [], (title, told[title])
    assert (folder / "call.docx").read_bytes().startswith(b"PK")


def test_the_python_example_runs(service: Stack, folder: Path) -> None:
    (example,) = blocks(TEXT, "python")
    code = example.replace(ADDRESS, service.url)

    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert ran.returncode == 0, ran.stderr
    *said, streamed = ran.stdout.splitlines()
    assert said[0].startswith("[SPEAKER_00] ")
    assert "ello" in streamed


def test_the_node_example_runs(service: Stack, folder: Path) -> None:
    (example,) = blocks(TEXT, "js")
    for file in ("package.json", "package-lock.json"):
        shutil.copy(NPM / file, folder)
    npm.install(folder)
    (folder / "example.mjs").write_text(example.replace(ADDRESS, service.url))

    ran = npm.run([*npm.node(), "example.mjs"], folder)

    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("[SPEAKER_00] ")


# ---- the tables


def test_every_operation_has_its_section_and_its_example(http: httpx.Client) -> None:
    paths = http.get("/openapi.json").json()["paths"]
    offered = {(method.upper(), path) for path, item in paths.items() for method in item}
    shown = {
        found.groups(): text for title, text in sections() if (found := OPERATION.match(title))
    }

    assert shown.keys() == offered
    for (_, path), text in shown.items():
        called = ADDRESS + re.sub(r"\\\{\w+\\\}", r"[^\\s/?]+", re.escape(path)) + r'[\s?"]'
        assert any(re.search(called, block) for block in blocks(text, "sh")), path


def test_every_error_code_stands_in_the_table_with_its_status() -> None:
    told = {names(code)[0]: int(status) for code, status, _ in rows("Error codes")}

    errors = [*leaves(RequestError), *leaves(Unavailable)]
    assert told == {error.code: int(status_of(error.__new__(error))) for error in errors}


def test_every_failure_code_stands_in_the_table() -> None:
    told = {names(code)[0]: retryable for code, retryable, _ in rows("Failure codes")}

    never = {error.code for error in leaves(MediaError)}
    later = {error.code for error in leaves(Unavailable)}
    source = "".join(
        path.read_text() for path in (*ROOT.glob("jobs/*.py"), *ROOT.glob("worker/*.py"))
    )
    others = set(re.findall(r'Failure\(\s*code="(\w+)"', source))
    assert others >= {"internal", "stalled"}
    assert told.keys() == never | later | others
    for code in never | later:
        expected = {(True, False): "no", (False, True): "yes", (True, True): "by cause"}
        assert told[code] == expected[(code in never, code in later)], code


@pytest.mark.parametrize(
    ("title", "model"),
    [
        ("Options of a job", JobOptions),
        ("Captions", CueOptions),
        ("`POST /asr`", AsrFields),
        ("`POST /v1/audio/transcriptions`", OpenAIFields),
    ],
)
def test_every_option_stands_in_the_table(title: str, model: type[BaseModel]) -> None:
    told = [name for row in rows(title) for name in names(row[0])]

    assert set(told) - {"vad_filter", "video_file"} == set(model.model_fields)
    assert len(told) == len(set(told))


def test_every_format_stands_in_the_table() -> None:
    told = {names(name)[0]: names(kind)[0] for name, kind, _ in rows("Formats")}

    assert told == {name: rendering.media_type for name, rendering in RENDERINGS.items()}


def test_defaults_and_settings_are_those_of_the_code() -> None:
    cues = {names(row[0])[0]: row[2].strip("`") for row in rows("Captions")}
    assert cues == {
        name: f"{field.default:g}" if type(field.default) is float else str(field.default).lower()
        for name, field in CueOptions.model_fields.items()
    }
    known = re.findall(r"^([A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), flags=re.MULTILINE)
    assert {name for row in rows("Limits") for name in names(row[2]) if name.isupper()} <= {*known}
    assert f"one up to {SINGLE_BYTES // 1024**2} MiB" in TEXT


def test_every_link_inside_leads_somewhere() -> None:
    titles = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title, _ in sections()}

    links = re.findall(r"\]\(#([^)]+)\)", TEXT)
    assert len(links) > 10
    assert set(links) <= titles
    for path in re.findall(r"\]\((\.\.?/[^)#]+)\)", TEXT):
        assert (ROOT / "docs" / path).exists(), path
