"""Fetch transcripts and write them to where they belong."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from client.items import Item
from client.job import Job
from client.journal import Entry, Journal
from client.output_names import OutputNames
from client.sending import Contents, Sent, is_known
from client.service import Service
from client.written import write_whole


def write_transcripts(
    service: Service, job_id: str, formats: Iterable[str], target: Path
) -> list[Path]:
    """Write a job's transcripts beside each other and return their paths.

    Args:
        service: which has the job.
        job_id: of a job that succeeded.
        formats: which renderings.
        target: the path without suffix, to which each format adds its own.

    Raises:
        OSError: a file cannot be written.
    """
    written: list[Path] = []
    for form in formats:
        path = output_path(target, form)
        write_whole(path, service.transcript(job_id, form))
        written.append(path)
    return written


def output_path(target: Path, form: str) -> Path:
    """Return where one format goes."""
    return target.with_name(f"{target.name}.{form}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Collector:
    """Knows what of each item is there already, and brings the rest."""

    service: Service
    journal: Journal
    names: OutputNames
    directory: Path
    formats: tuple[str, ...]

    def is_done(self, item: Item, contents: Contents) -> bool:
        """Whether all transcripts of these contents are there."""
        entry = self.journal.find(str(item.relative))
        return is_known(entry, item, contents) and not self._missing(item, entry)

    def is_untouched(self, item: Item) -> bool:
        """Whether nothing has to be done, by the looks of the file: it is not read."""
        entry = self.journal.find(str(item.relative))
        if entry is None or entry.options != item.options_digest or self._missing(item, entry):
            return False
        if item.path is None:
            return entry.sha256 == item.source_digest
        try:
            found = item.path.stat()
        except OSError:
            return False
        return (found.st_size, found.st_mtime_ns) == (entry.size, entry.mtime_ns)

    def collect(self, sent: Sent, job: Job) -> list[Path]:
        """Write what is missing of an item whose job succeeded; return where all of it is."""
        entry = self.journal.find(str(sent.item.relative))
        is_same = is_known(entry, sent.item, sent.contents)
        missing = self._missing(sent.item, entry) if is_same else self.formats
        write_transcripts(self.service, job.id, missing, self._target(sent.item))
        return self.outputs(sent.item)

    def outputs(self, item: Item) -> list[Path]:
        """Return where the transcripts of an item are, or will be."""
        return [output_path(self._target(item), form) for form in self.formats]

    def remember(self, sent: Sent) -> None:
        """Write to the journal that an item is done."""
        item, path = sent.item, str(sent.item.relative)
        entry = self.journal.find(path)
        known = entry if is_known(entry, item, sent.contents) else None
        job_id = sent.job.id if sent.job is not None else ""
        self.journal.add(
            Entry(
                path=path,
                size=sent.contents.size,
                mtime_ns=sent.contents.mtime_ns,
                sha256=sent.contents.sha256,
                options=item.options_digest,
                formats=tuple(sorted({*self.formats, *(known.formats if known else ())})),
                job=job_id or (known.job if known else ""),
                name=self._name(item),
            )
        )

    def name(self, item: Item) -> None:
        """Settle where an item's transcripts go; before any thread asks."""
        self._name(item)

    def _name(self, item: Item) -> str:
        return self.names.name_of(item.relative, is_alone=item.is_alone, path=item.path)

    def _target(self, item: Item) -> Path:
        return self.directory / self._name(item)

    def _missing(self, item: Item, entry: Entry | None) -> list[str]:
        known = entry.formats if entry is not None else ()
        return [
            form
            for form in self.formats
            if form not in known or not output_path(self._target(item), form).is_file()
        ]
