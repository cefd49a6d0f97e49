"""`portcall stop`: stops an app's task until the app is started again."""

from typing import Any

import click

from portcall.cli.acting import acting_options, confirm, finish, target_to_change, which_answers
from portcall.cli.options import complete_app, say
from portcall.core.operating import operate


@click.command()
@click.argument("app", shell_complete=complete_app)
@acting_options
def stop(app: str, reason: str, yes: bool, as_json: bool, **options: Any) -> None:
    """Stop an app. Pushes are recorded but not deployed until `start`.

    The app still counts toward MaxApps or MaxPreviews.
    """
    target = target_to_change(options, reason)
    plan = operate(target, action="stop", app=app, dry_run="yes", by="")
    confirm(f"Stop {app}{which_answers(plan['url'])}?", yes=yes)
    answer = operate(target, action="stop", app=app, reason=reason)
    finish(
        {"action": "stop", **answer, "outcome": "stopped", "url": "", "reason": reason, "exit_code": 0},
        as_json=as_json,
    )
    say(f"{app} is stopped. Pushes are recorded but not deployed. To start it: portcall start {app}")
