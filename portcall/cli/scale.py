"""`portcall scale`: explains that there is no scaling, and what to use instead."""

import click

from portcall.core.trouble import Exit, Trouble


@click.command(hidden=True, context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def scale() -> None:
    """Say why there is no scaling."""
    raise Trouble(
        "An app is one task; its size is in the image: LABEL portcall.cpu=512 portcall.memory=1024", Exit.USAGE
    )
