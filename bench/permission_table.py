"""The table of docs/security.md: each role, what it may, which tests need it, what a thief could do with it."""

from __future__ import annotations

import re
from pathlib import Path

from bench.permissions import INSTALL, Report
from tests.policies import Statement, statements

SECURITY = Path(__file__).parents[1] / "docs/security.md"
BEGIN, END = "<!-- made by bench.permissions -->\n", "<!-- end -->\n"
NOTHING_MORE = "write its own kinds of items of the ledger, so spoil what Portcall remembers"
# What the key of a role is worth, besides sending false events to other programs, where it may.
THIEF = {
    "AdmitPushFunction": f"{NOTHING_MORE}; see when images were pushed",
    "CheckFindingsFunction": "read what scans found",
    "CheckHealthFunction": "read the states of tasks",
    "CleanUpFunction": "stop all apps, delete their revisions and the repositories that pushes created; deregister any revision of the account",
    "DashboardFunction": "read what became of every push",
    "DeployStateMachine": "run the steps, and so deploy whatever a watched repository has",
    "EndPreviewFunction": f"stop apps, send mails, {NOTHING_MORE}",
    "ExecutionRole": "pull the images, read the parameters of all watched repositories, write the apps' logs",
    "IgnorePushFunction": NOTHING_MORE,
    "OperateFunction": f"stop and end apps, point their URLs elsewhere, deploy whatever a watched repository has, send mails, {NOTHING_MORE}",
    "OperatorPolicy": "have Portcall stop and end apps, and deploy what a watched repository has or had live",
    "PusherPolicy": "deploy any image in the watched repositories, read what became of their apps; with previews, delete their images",
    "PublishUrlFunction": f"send mails with any text and URL, {NOTHING_MORE}",
    "ReadImageFunction": "read the images of the watched repositories",
    "ReadLogFunction": "read the apps' logs",
    "ReconcileFunction": f"stop and start apps, send mails, read logs, {NOTHING_MORE}",
    "RecordTaskStateFunction": "end a waiting step with untrue news, of which it must know the token",
    "RegisterTaskDefinitionFunction": "register revisions of the stack's families, for Fargate, with any image and the names of parameters",
    "RecordPushFunction": f"send mails, {NOTHING_MORE}",
    "RepositoryCreationRole": "create repositories below the prefix",
    "ResolvePublicIpFunction": "see all network interfaces of the account",
    "RestartAppFunction": f"start apps again, send mails, read logs, {NOTHING_MORE}",
    "RollBackFunction": f"stop apps, send mails, read logs, {NOTHING_MORE}",
    "RunTaskFunction": "run any revision of the stack with another command, and so read that app's secrets; open ports of the stack's security groups",
    "SecretsPolicy": "replace an app's secrets, and so what it connects to; read none",
    "StopPreviousFunction": f"stop apps, {NOTHING_MORE}",
    "SwitchOverFunction": f"stop apps, point their URLs elsewhere, {NOTHING_MORE}",
    "ViewerPolicy": "read what became of every push and what its workflow did, the apps' logs, how the install is, and the mail addresses that hear of it",
    "WaitForRunningFunction": "end a waiting step with untrue news, of which it must know the token",
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
    rows = ["| Role | May | Needed by, for example | A thief could |", "|---|---|---|---|"]
    rows += [
        f"| {role} | {allowed} | {tests[role]} | {THIEF.get(role, '')} |" for role, allowed in may().items()
    ]
    return "\n".join(rows) + "\n"


def outdated(document: str) -> list[str]:
    """The roles of which the table says something else than the template."""
    rows = [row.strip("| ").split(" | ") for row in document.partition(BEGIN)[2].partition(END)[0].splitlines()]
    there = {cells[0]: cells[1] for cells in rows if len(cells) == 4 and cells[0] != "Role"}
    now = may()
    wrong = {role for role in {*now, *there, *THIEF} if not now.get(role) or now[role] != there.get(role)}
    return [
        f"{role}: docs/security.md is out of date; python -m bench.permissions --write"
        for role in sorted(wrong)
    ]


def write(report: Report) -> None:
    text = SECURITY.read_text()
    made = f"{BEGIN}{table(report, text)}{END}"
    SECURITY.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: made, text, flags=re.DOTALL))
