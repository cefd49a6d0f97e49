"""`portcall completion`: a script that completes commands, options and app names in a shell."""

import click

SHELLS = {
    "bash": 'eval "$(portcall completion bash)"  # in ~/.bashrc',
    "zsh": 'eval "$(portcall completion zsh)"  # in ~/.zshrc',
    "fish": "portcall completion fish > ~/.config/fish/completions/portcall.fish",
}


@click.command(epilog="\b\n" + "\n".join(SHELLS.values()))
@click.argument("shell", type=click.Choice(list(SHELLS)))
def completion(shell: str) -> None:
    """Print the script that completes commands, options and apps.

    The apps are those of the last `portcall status`: completion needs no network.
    """
    # Imported here: no other command needs it.
    from click.shell_completion import get_completion_class

    root = click.get_current_context().find_root()
    made = get_completion_class(shell)
    if made is None:  # cannot be: the choice has click's own
        raise click.UsageError(f"click completes nothing in {shell}.")
    click.echo(made(root.command, {}, "portcall", "_PORTCALL_COMPLETE").source())
