"""Know all commands, and turn what goes wrong into a line and an exit code."""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from client import exit_codes
from client.batch import batch
from client.connection import PANEL, Connection, JsonOption, KeyFileOption
from client.errors import Misuse, ServiceRefused, ServiceUnreachable
from client.exchange import own_version
from client.getting import get
from client.inspecting import cancel, status, wait
from client.keys import keys
from client.operations import queue, workers
from client.option_groups import with_groups
from client.screen import Screen, silence
from client.submitting import submit
from client.transcribing import transcribe
from client.watching import watch

_EPILOG = (
    "Exit codes: 0 all is well, 1 a job failed, 2 refused or misused, 3 nobody answers, "
    "130 interrupted."
)


class _Commands(TyperGroup):
    """The commands, none of which ends in a traceback that its user could have caused."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        screen = Screen(as_json=False)
        try:
            return super().invoke(ctx)
        except (Misuse, ServiceRefused) as error:
            told = str(error) if isinstance(error, Misuse) else f"refused, {error}"
            screen.complain(told)
            raise typer.Exit(exit_codes.REFUSED) from error
        except ServiceUnreachable as error:
            screen.complain(str(error))
            raise typer.Exit(exit_codes.UNREACHABLE) from error
        except KeyboardInterrupt as error:
            raise typer.Exit(exit_codes.INTERRUPTED) from error
        except BrokenPipeError as error:
            silence()
            raise typer.Exit(exit_codes.BROKEN_PIPE) from error
        except OSError as error:
            screen.complain(str(error))
            raise typer.Exit(exit_codes.REFUSED) from error


app = typer.Typer(
    cls=_Commands, no_args_is_help=True, pretty_exceptions_enable=False, epilog=_EPILOG
)


def _show_version(is_asked: bool) -> None:  # noqa: FBT001  # as typer calls it
    if is_asked:
        typer.echo(f"whisperline {own_version()}")
        raise typer.Exit


@app.callback()
def whisperline(
    context: typer.Context,
    *,
    url: Annotated[
        str | None,
        typer.Option(
            envvar="WHISPERLINE_URL",
            metavar="ADDRESS",
            help="Where the service answers.",
            rich_help_panel=PANEL,
        ),
    ] = None,
    api_key: Annotated[
        str | None,
        typer.Option(
            envvar="WHISPERLINE_API_KEY",
            metavar="KEY",
            rich_help_panel=PANEL,
            help="A key; arguments are seen by all users (ps), the environment is not.",
        ),
    ] = None,
    api_key_file: Annotated[Path | None, KeyFileOption] = None,
    as_json: Annotated[bool, JsonOption] = False,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show it and leave."),
    ] = False,
) -> None:
    """Transcribe speech with a Whisperline service.

    Results go to standard output, everything else to standard error.
    """
    del version
    context.obj = Connection(url=url, api_key=api_key, api_key_file=api_key_file, as_json=as_json)


for _command in (transcribe, submit, status, wait, get, cancel, queue, workers, batch, watch):
    app.command()(with_groups(_command))
app.add_typer(keys, name="keys")
