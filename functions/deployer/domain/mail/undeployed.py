"""Mails about pushes that are not deployed, and notes that are added to other mails."""

from collections.abc import Sequence
from dataclasses import replace

from deployer.domain import superseded
from deployer.domain.deployment import Deployment
from deployer.domain.mail.parts import Mail, Standing, serving_line, subject_of
from deployer.domain.push import Push
from deployer.domain.text import at, printable


def recorded(push: Push, why: str, standing: Standing, command: str, *, resumes: bool) -> Mail:
    """A push is recorded and not deployed. `command` starts the app, or ends the pin if `resumes`."""
    body = [
        printable(why),
        "",
        f"This push of {push.app} is recorded but not deployed:",
        "",
        f"    {push.repository}:{push.tag}, pushed at {push.time}",
        "",
        f"The current version is still running{at(standing.url) or '.'}"
        if standing.runs
        else "No version is running.",
        "To deploy the newest push anyway:" if resumes else "To start it with its newest push:",
        "",
        f"    {command}",
        "",
        f"Digest:     {push.digest}",
        f"Deployment: {push.deployment}",
    ]
    return Mail(
        subject=subject_of(push.app, "was not deployed: " + _in_short(resumes)),
        text="\n".join(body) + "\n",
        document={
            "outcome": "recorded",
            "app": push.app,
            "tag": push.tag,
            "digest": push.digest,
            "deployment": push.deployment,
            "reason": printable(why),
            "serving": standing.url,
            "command": command,
        },
        attributes={"app": push.app, "outcome": "recorded"},
    )


def _in_short(resumes: bool) -> str:
    return "this version was rolled back" if resumes else "the app is stopped"


def with_notes(news: Mail, notes: Sequence[str]) -> Mail:
    """The same mail with these notes at its end."""
    if not notes:
        return news
    text = "\n".join([news.text.rstrip("\n"), "", *map(printable, notes)]) + "\n"
    return replace(news, text=text, document=news.document | {"notes": [printable(each) for each in notes]})


def with_dashboard(news: Mail, url: str) -> Mail:
    """The same mail, with the link to the dashboard as its last line; '' if the stack has none."""
    if not url:
        return news
    text = f"{news.text.rstrip()}\n\nAll apps: {url}\n"
    return replace(news, text=text, document=news.document | {"dashboard": url})


def not_deployed(push: Push, others: Sequence[Deployment], standing: Standing, deploy_command: str) -> Mail:
    """Pushes that were not deployed, though nothing newer is live; `push` is the newest of them.

    `deploy_command` deploys what its tag points to, unless that was deleted.
    """
    has_tag = others[0].reason != superseded.TAG_WAS_DELETED
    were = "A push of {} was" if len(others) == 1 else f"{len(others)} pushes of {{}} were"
    body = [
        f"{were.format(push.app)} not deployed, and no newer push is live:",
        "",
        *map(printable, superseded.named(others, why=True)),
        "",
        serving_line(standing),
        *(
            [f"To deploy what the tag {push.tag} points to now:", "", f"    {deploy_command}"]
            if has_tag
            else ["Push the tag again to deploy it."]
        ),
    ]
    why = "its push was superseded" if has_tag else "its tag was deleted"
    return Mail(
        subject=subject_of(push.app, f"was not deployed: {why}"),
        text="\n".join(body) + "\n",
        document={
            "outcome": "superseded",
            "app": push.app,
            "tag": push.tag,
            "digest": push.digest,
            "deployment": push.deployment,
            "pushes": [{"tag": each.tag, "digest": each.digest, "reason": each.reason} for each in others],
            "serving": standing.url,
            **({"deploy_command": deploy_command} if has_tag else {}),
        },
        attributes={"app": push.app, "outcome": "superseded"},
    )


def held_back(push: Push, mails: int, until: str, ledger: str) -> Mail:
    """The limit of mails about a repository in an hour is reached; `until` is when the hour ends."""
    text = [
        f"There were {mails} emails about {push.repository} in this hour, which is the limit.",
        "",
        f"Portcall sends no more emails about it until {until}. Its deployments continue, and other "
        "repositories are not affected.",
        f"The outcome of each push is in the DynamoDB table {ledger} and in the EventBridge events.",
        "",
        "If you do not expect this, find out who or what pushes to the repository.",
    ]
    return Mail(
        subject=subject_of(push.repository, f"reached its email limit: no more until {until}"),
        text="\n".join(text) + "\n",
        document={"outcome": "held back", "repository": push.repository, "mails": mails, "until": until},
        attributes={"app": push.app, "outcome": "held back"},
    )
