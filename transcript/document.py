"""Write a transcript as minutes of a meeting, in the form of a Word document (DOCX).

The same transcript gives the same bytes, and they say nothing of who made them, where or when:
neither the document's properties nor the dates in its ZIP archive.
"""

import io
import re
from typing import TYPE_CHECKING
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from transcript.characters import printable
from transcript.cue_options import CueOptions
from transcript.paragraphs import clock, paragraphs_of
from transcript.transcript import Transcript

if TYPE_CHECKING:
    from docx.document import Document

# What `printable` leaves in place and XML 1.0 forbids.
_NOT_XML = re.compile("[\ufffe\uffff]")


def to_docx(transcript: Transcript, options: CueOptions) -> bytes:
    """Write a title, the duration and language, and a paragraph for each turn.

    A paragraph holds when it begins, who speaks (in bold, where known and wanted), and what is
    said.
    """
    # Only who asks for this format pays for its import, and only the API has the library.
    from docx import Document

    document = Document()
    _forget_the_template(document)
    document.add_heading("Transcript", level=0)
    language = f" · Language: {_allowed(transcript.language)}" if transcript.language else ""
    document.add_paragraph(f"Duration: {clock(transcript.duration)}{language}")
    for spoken in paragraphs_of(transcript):
        paragraph = document.add_paragraph(f"{clock(spoken.start)} ")
        if spoken.speaker and options.speaker_labels:
            paragraph.add_run(f"{_allowed(spoken.speaker)}:").bold = True
            paragraph.add_run(" ")
        paragraph.add_run(_allowed(spoken.text))
    return _bytes(document)


def _allowed(text: str) -> str:
    return _NOT_XML.sub("", printable(text))


def _forget_the_template(document: "Document") -> None:
    """Leave out the template's author, program, dates and picture."""
    from docx.opc.constants import RELATIONSHIP_TYPE

    relationships = document.part.package.rels
    for relationship in list(relationships.values()):
        if relationship.reltype in (
            RELATIONSHIP_TYPE.EXTENDED_PROPERTIES,
            RELATIONSHIP_TYPE.THUMBNAIL,
        ):
            del relationships[relationship.rId]
    # Left out altogether, readers would make properties up.
    properties = document.part.package.part_related_by(RELATIONSHIP_TYPE.CORE_PROPERTIES)
    for element in list(properties.element):
        properties.element.remove(element)
    document.core_properties.title = "Transcript"


def _bytes(document: "Document") -> bytes:
    """Save the document without the time at which that happens."""
    saved, dateless = io.BytesIO(), io.BytesIO()
    document.save(saved)
    with ZipFile(saved) as source, ZipFile(dateless, "w", ZIP_DEFLATED) as target:
        for name in source.namelist():
            entry = ZipInfo(name)  # dated 1980, where ZIP's calendar begins
            entry.compress_type = ZIP_DEFLATED
            target.writestr(entry, source.read(name))
    return dateless.getvalue()
