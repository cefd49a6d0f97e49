"""`make scan`: checkov on the template and on what SAM makes of it, cloudsplaining on every policy."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scan.exceptions import CHECKOV, CLOUDSPLAINING
from scan.transformed import transformed
from tests.policies import documents

ROOT = Path(__file__).parents[1]
TOOLS = ROOT / "scan/.venv/bin"
# With these the roles have all that they may ever have.
WIDEST = {
    "AllowedCidr": "198.51.100.0/24",
    "BlockOnFindings": "critical",
    "CreateRepositories": "team",
    "RepositoryPattern": "team/*",
}
Finding = tuple[str, str, str]


def checkov(*templates: Path) -> Iterator[Finding]:
    """(check, resource, what it says) for each check that fails."""
    options = ["--framework", "cloudformation", "--compact", "--quiet", "--skip-download", "-o", "json"]
    ran = subprocess.run(
        [TOOLS / "checkov", "-f", *templates, *options], capture_output=True, text=True, check=False
    )
    try:
        said = json.loads(ran.stdout)
        failed, unread = said["results"]["failed_checks"], said["summary"]["parsing_errors"]
    except (ValueError, KeyError):
        sys.exit(f"checkov did not run:\n{ran.stdout[-2000:]}\n{ran.stderr[-2000:]}")
    if unread:
        sys.exit("checkov cannot read the template.")
    for each in failed:
        yield each["check_id"], each["resource"].rpartition(".")[2], each["check_name"]


def cloudsplaining(policies: list[tuple[str, Any]]) -> Iterator[Finding]:
    """(kind of risk, role, actions) for each risk that a policy has."""
    reader = Path(__file__).with_name("policy_risks.py")
    ran = subprocess.run(
        [TOOLS / "python", reader], input=json.dumps(policies), capture_output=True, text=True, check=True
    )
    for role, risk, actions in json.loads(ran.stdout):
        yield risk, role, ", ".join(actions)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "transformed.json"
        made.write_text(json.dumps(transformed(ROOT / "template.yaml"), indent=1))
        found = set(checkov(ROOT / "template.yaml", made))
    risks = set(cloudsplaining(documents(**WIDEST)))
    problems = [*judged(found, CHECKOV), *judged(risks, CLOUDSPLAINING)]
    for problem in problems:
        print(problem)
    print(f"{len(found) + len(risks)} findings, {len(problems)} open.")
    sys.exit(bool(problems))


def judged(found: set[Finding], exceptions: dict[tuple[str, str], str]) -> Iterator[str]:
    """Findings without an exception, and exceptions without a finding."""
    needed = set()
    for check, resource, says in sorted(found):
        matching = {each for each in exceptions if each[0] == check and re.fullmatch(each[1], resource)}
        needed |= matching
        if not matching:
            yield f"{check} {resource}: {says}"
    for check, pattern in sorted(set(exceptions) - needed):
        yield f"{check} {pattern}: finds nothing any more, so its exception may go"


if __name__ == "__main__":
    main()
