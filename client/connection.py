"""Find out which service to speak to, and with which key."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Self

import typer

from client.errors import Misuse
from client.patience import Patience
from client.screen import Screen
from client.service import Service

DEFAULT_URL = "http://127.0.0.1:9000"
PANEL = "The service (these may also stand before the command)"
_KEY_BYTES = 4096  # more than that is not a key but the wrong file

UrlOption = typer.Option(
    "--url",
    metavar="ADDRESS",
    help=f"Where it answers (WHISPERLINE_URL, else {DEFAULT_URL}).",
    rich_help_panel=PANEL,
    show_default=False,
)
KeyOption = typer.Option(
    "--api-key",
    metavar="KEY",
    help="A key; better in WHISPERLINE_API_KEY, as arguments are seen by all users (ps).",
    rich_help_panel=PANEL,
    show_default=False,
)
KeyFileOption = typer.Option(
    "--api-key-file",
    metavar="FILE",
    help="A file that holds the key.",
    rich_help_panel=PANEL,
    show_default=False,
)
PatienceOption = typer.Option(
    "--patience",
    min=0,
    metavar="SECONDS",
    help="How long to try again while the service is away or full.",
    rich_help_panel=PANEL,
    show_default=False,
)
JsonOption = typer.Option(
    "--json", help="Results as JSON on standard output.", rich_help_panel=PANEL
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """What every command takes; None: what stands before the command, or in the environment."""

    url: Annotated[str | None, UrlOption] = None
    api_key: Annotated[str | None, KeyOption] = None
    api_key_file: Annotated[Path | None, KeyFileOption] = None
    patience: Annotated[float | None, PatienceOption] = None
    as_json: Annotated[bool, JsonOption] = False

    def over(self, outer: Self | None) -> Self:
        """Return these, and where they say nothing, the outer ones."""
        if outer is None:
            return self
        ours = {each.name: getattr(self, each.name) for each in fields(self)}
        if self.api_key or self.api_key_file:  # one of them replaces both of the outer ones
            return type(self)(**_filled(ours, outer, besides=("api_key", "api_key_file")))
        return type(self)(**_filled(ours, outer))

    def screen(self) -> Screen:
        """Return where to say things."""
        return Screen(as_json=self.as_json)

    def connect(
        self, screen: Screen, *, patience_seconds: float = 0, is_patient_at_first: bool = False
    ) -> Service:
        """Return the service; nothing is sent yet.

        Args:
            screen: where to tell what is tried again.
            patience_seconds: where `--patience` says nothing.
            is_patient_at_first: whether it may be away in the beginning.

        Raises:
            Misuse: the address or the key cannot be one.
        """
        key = self._key()
        service = Service(
            self.url or DEFAULT_URL,
            api_key=key,
            patience=Patience(
                seconds=patience_seconds if self.patience is None else self.patience,
                # Who asks for patience means it from the beginning.
                at_first=is_patient_at_first or self.patience is not None,
                remark=screen.warn,
            ),
        )
        if (key or service.exchange.has_password) and not service.exchange.is_private:
            screen.warn(
                f"the key is sent in clear text to {service.exchange.shown_url}: "
                "whoever is on the way can read it; use https://"
            )
        return service

    def _key(self) -> str | None:
        key = self.api_key
        if self.api_key_file is not None:
            key = _key_of(self.api_key_file)  # it wins over the environment's
        if key is not None and not (key.isascii() and key.isprintable()):
            msg = "the API key holds characters that no key has"
            raise Misuse(msg)
        return key or None


def _filled(
    ours: dict[str, Any], outer: Connection, *, besides: tuple[str, ...] = ()
) -> dict[str, Any]:
    return {
        name: getattr(outer, name) if _is_unset(value) and name not in besides else value
        for name, value in ours.items()
    }


def _is_unset(value: object) -> bool:
    return value is None or value is False  # not 0, which is a patience


def _key_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            key = file.read(_KEY_BYTES).decode("utf-8", "replace").strip()
    except OSError as error:
        msg = f"cannot read the key: {error}"
        raise Misuse(msg) from error
    if not key:
        msg = f"there is no key in {path}"
        raise Misuse(msg)
    return key
