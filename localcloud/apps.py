"""The running apps, from ECS, with the URL of the current ones from the ledger."""

from dataclasses import dataclass
from typing import Any

from localcloud.settings import CloudSettings
from localcloud.stack import client, outputs


@dataclass(frozen=True)
class App:
    """One running app. `since` is ISO 8601; `url` is '' until it has answered."""

    app: str
    url: str
    image: str
    digest: str
    tag: str
    task_arn: str
    state: str
    since: str


def running(settings: CloudSettings) -> list[App]:
    """The apps, by name and then by age. Raises CloudError if no cloud runs."""
    stack = outputs(settings)
    cluster = stack["ClusterArn"]
    ecs = client(settings, "ecs")
    arns = [
        arn for page in ecs.get_paginator("list_tasks").paginate(cluster=cluster) for arn in page["taskArns"]
    ]
    tasks: list[dict[str, Any]] = []
    for begin in range(0, len(arns), 100):
        answer = ecs.describe_tasks(cluster=cluster, tasks=arns[begin : begin + 100], include=["TAGS"])
        tasks += answer["tasks"]
    apps = [_app(settings, stack["LedgerTableName"], task) for task in tasks if task["lastStatus"] != "STOPPED"]
    return sorted(apps, key=lambda each: (each.app, each.since))


def _app(settings: CloudSettings, ledger: str, task: dict[str, Any]) -> App:
    tags = {tag["key"]: tag["value"] for tag in task.get("tags", [])}
    # A tag's value has at most 256 characters, an app's name up to 385.
    app = tags.get("portcall:app", "") + tags.get("portcall:app-continued", "")
    container = task["containers"][0] if task["containers"] else {}
    image = container.get("image", "")
    since = task.get("startedAt") or task.get("createdAt")
    return App(
        app=app,
        url=_url(settings, ledger, app, task["taskArn"]),
        image=image,
        digest=image.partition("@")[2],
        tag=tags.get("portcall:tag", ""),
        task_arn=task["taskArn"],
        state=task["lastStatus"],
        since=since.isoformat() if since else "",
    )


def _url(settings: CloudSettings, ledger: str, app: str, task: str) -> str:
    """The app's URL, '' if this task is not the current one."""
    key = {name: {"S": value} for name, value in key_of_current(app).items()}
    item = client(settings, "dynamodb").get_item(TableName=ledger, Key=key).get("Item") or {}
    return str(item["url"]["S"]) if item.get("task", {}).get("S") == task else ""


def key_of_current(app: str) -> dict[str, str]:
    """The same key as in `deployer.aws.ledger_keys`, which is packed with the functions and not with this."""
    return {"pk": f"app#{app}", "sk": "current"}
