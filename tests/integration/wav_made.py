"""Make WAV files that no encoder would write."""


def wav_header(*, channels: int, rate: int, data_bytes: int, bits: int = 16, tag: int = 1) -> bytes:
    """A RIFF header that names no speakers for its channels."""
    block = channels * bits // 8
    form = b"".join(
        number.to_bytes(size, "little")
        for number, size in (
            (tag, 2),
            (channels, 2),
            (rate, 4),
            (rate * block, 4),
            (block, 2),
            (bits, 2),
        )
    )
    chunks = b"WAVEfmt \x10\0\0\0" + form + b"data" + data_bytes.to_bytes(4, "little")
    return b"RIFF" + (len(chunks) + data_bytes).to_bytes(4, "little") + chunks
