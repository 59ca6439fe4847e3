"""Manage the keys of a service: `whisperline keys create NAME`."""

from typing import Annotated

import typer

from client.connection import Connection
from client.option_groups import with_groups

keys = typer.Typer(no_args_is_help=True, help="List, create and revoke keys, where you may.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="Whose key: jobs belong to this name.")]


@keys.command("list")
@with_groups
def listed(context: typer.Context, connection: Connection) -> None:
    """Show whose keys there are; the keys themselves are not kept anywhere."""
    connection = connection.over(context.obj)
    screen = connection.screen()
    with connection.connect(screen) as service:
        found = service.document("/v1/keys")
    screen.value(found)
    columns = ("name", "sha256", "created_at", "source")
    screen.table(columns, [[key.get(name) for name in columns] for key in found.get("data", ())])


@keys.command()
@with_groups
def create(context: typer.Context, name: Name, connection: Connection) -> None:
    """Make a key and print it: this once, on standard output."""
    connection = connection.over(context.obj)
    screen = connection.screen()
    with connection.connect(screen) as service:
        made = service.create_key(name)
    screen.value(made)
    screen.text(str(made.get("key")))
    screen.remark(f"a key of {name}; it is not shown again")
    if notice := made.get("notice"):
        screen.warn(str(notice))


@keys.command()
@with_groups
def revoke(context: typer.Context, name: Name, connection: Connection) -> None:
    """Make all keys of a name void."""
    connection = connection.over(context.obj)
    screen = connection.screen()
    with connection.connect(screen) as service:
        service.revoke_keys(name)
    screen.value({"name": name, "revoked": True})
    screen.remark(f"the keys of {name} are void")
