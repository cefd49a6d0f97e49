"""`portcall inbox`: the mails, as a person reads them."""

import dataclasses
import json

import click
from rich.rule import Rule
from rich.text import Text

from localcloud.inbox import Received, read
from localcloud.settings import CloudSettings
from portcall.core.terminal import Terminal, plain


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list of emails.")
@click.option("--last", "-n", type=click.IntRange(min=1), help="Only the last N emails.")
def inbox(as_json: bool, last: int | None) -> None:
    """Read the emails that the embedded cloud has sent, oldest first."""
    mails = read(CloudSettings.load().inbox)[-(last or 0) :]
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(mail) for mail in mails], indent=2))
        return
    console = Terminal()
    if not mails:
        console.print("No email yet. Push an image, and its URL arrives here.")
    for mail in mails:
        show(console, mail)


def show(console: Terminal, mail: Received) -> None:
    """Print one mail."""
    console.print(Rule(Text(plain(mail.subject), style="bold"), align="left"))
    console.print(f"From: {mail.sender}\nTo:   {mail.to}\nDate: {mail.date}\n", style="dim")
    console.print(mail.text, soft_wrap=True)
