"""The table of docs/security.md: each role, what it may, which tests need it, what an attacker could do with it."""

from __future__ import annotations

import re
from pathlib import Path

from bench.permissions.report import INSTALL, Report
from tests.policies import Statement, statements

SECURITY = Path(__file__).parents[2] / "docs/security.md"
BEGIN, END = "<!-- made by bench.permissions -->\n", "<!-- end -->\n"
NOTHING_MORE = "corrupt its kinds of items in the ledger"
# What an attacker with a role's credentials could do, besides sending false events, if the role may send events.
ATTACKER = {
    "AdmitPushFunction": f"{NOTHING_MORE}; see when images were pushed",
    "CheckFindingsFunction": "read what scans found",
    "CheckHealthFunction": "read the states of tasks",
    "CleanUpFunction": "stop all apps, delete their revisions and the repositories that pushes created; deregister any revision of the account",
    "DashboardFunction": "read the outcome of every push",
    "DeployStateMachine": "run the steps, and so deploy any image in a watched repository",
    "EndPreviewFunction": f"stop apps, send emails, {NOTHING_MORE}",
    "ExecutionRole": "pull the images, read the parameters of all watched repositories, write the apps' logs",
    "IgnorePushFunction": NOTHING_MORE,
    "OperateFunction": f"stop and end apps, point their URLs elsewhere, deploy any image in a watched repository, send emails, {NOTHING_MORE}",
    "OperatorPolicy": "let Portcall stop and end apps, and deploy images of watched repositories and earlier versions",
    "PusherPolicy": "deploy any image in the watched repositories, read their apps' outcomes; with previews, delete their images",
    "PublishUrlFunction": f"send emails with any text and URL, {NOTHING_MORE}",
    "ReadImageFunction": "read the images of the watched repositories",
    "ReadLogFunction": "read the apps' logs",
    "ReconcileFunction": f"stop and start apps, send emails, read logs, {NOTHING_MORE}",
    "RecordTaskStateFunction": "answer a waiting step falsely, if it knows the step's token",
    "RegisterTaskDefinitionFunction": "register revisions of the stack's families, for Fargate, with any image and the names of parameters",
    "RecordPushFunction": f"send emails, {NOTHING_MORE}",
    "RepositoryCreationRole": "create repositories below the prefix",
    "ResolvePublicIpFunction": "see all network interfaces of the account",
    "RestartAppFunction": f"start apps again, send emails, read logs, {NOTHING_MORE}",
    "RollBackFunction": f"stop apps, send emails, read logs, {NOTHING_MORE}",
    "RunTaskFunction": "run any revision of the stack with another command, and so read that app's secrets; open ports of the stack's security groups",
    "SecretsPolicy": "replace an app's secrets, and so redirect its connections; not read them",
    "StopPreviousFunction": f"stop apps, {NOTHING_MORE}",
    "SwitchOverFunction": f"stop apps, point their URLs elsewhere, {NOTHING_MORE}",
    "ViewerPolicy": "read every push's outcome and execution, the apps' logs, the state of the install, and the subscribed email addresses",
    "WaitForRunningFunction": "answer a waiting step falsely, if it knows the step's token",
}  # fmt: skip


def may() -> dict[str, str]:
    """What each role may, by the Sid of the statement: `Sid (action, action)`."""
    found: dict[str, dict[str, Statement]] = {}
    for each in [*statements(**INSTALL), *statements(StableUrl="on")]:
        if each.role != "StepsBoundary":
            found.setdefault(each.role, {})[each.sid] = each
    return {
        role: "; ".join(f"{sid} ({', '.join(each.actions)})" for sid, each in sorted(own.items()))
        for role, own in sorted(found.items())
    }


def needed_by(report: Report, document: str) -> dict[str, str]:
    """The tests that need a role; those that the table had before if nothing was recorded."""
    before = {
        cells[0]: cells[2]
        for row in document.partition(BEGIN)[2].partition(END)[0].splitlines()
        if len(cells := row.strip("| ").split(" | ")) == 4
    }
    found = {role: before.get(role, "") for role in may()}
    for role in found:
        names = {
            test.rpartition("::")[2].partition("[")[0]
            for (owner, _), test in report.used.items()
            if owner == role and test
        }
        found[role] = ", ".join(sorted(names)) or found[role]
    return found


def table(report: Report, document: str) -> str:
    tests = needed_by(report, document)
    rows = [
        "| Role | May | Needed by, for example | An attacker with its credentials could |",
        "|---|---|---|---|",
    ]
    rows += [f"| {role} | {allowed} | {tests[role]} | {ATTACKER[role]} |" for role, allowed in may().items()]
    return "\n".join(rows) + "\n"


def outdated(document: str) -> list[str]:
    """The roles of which the table says something else than the template."""
    rows = [row.strip("| ").split(" | ") for row in document.partition(BEGIN)[2].partition(END)[0].splitlines()]
    there = {cells[0]: cells[1] for cells in rows if len(cells) == 4 and cells[0] != "Role"}
    now = may()
    wrong = {role for role in {*now, *there, *ATTACKER} if not now.get(role) or now[role] != there.get(role)}
    return [
        f"{role}: docs/security.md is out of date; python -m bench.permissions --write"
        for role in sorted(wrong)
    ]


def write(report: Report) -> None:
    text = SECURITY.read_text()
    made = f"{BEGIN}{table(report, text)}{END}"
    SECURITY.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: made, text, flags=re.DOTALL))
