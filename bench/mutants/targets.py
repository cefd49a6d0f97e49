"""The files that must be tested best, by subject: an error there makes Portcall report something false."""

from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
FUNCTIONS = ROOT / "functions" / "deployer"
SUBJECTS = {
    "ledger": ("aws/ledger/*.py",),
    "sweep": (
        "domain/sweep.py",
        "domain/app_facts.py",
        "domain/missed_pushes.py",
        "actions/sweep_facts.py",
        "actions/sweep_acts.py",
        "events/reconcile.py",
    ),
    "restarts": ("actions/restarts.py", "events/restart_app.py"),
    "rollback": (
        "actions/failure_cleanup.py",
        "actions/failure_facts.py",
        "domain/failed_deployment.py",
        "steps/roll_back.py",
    ),
    "switch-over": ("steps/switch_over.py", "actions/previous_tasks.py", "actions/stable_url.py"),
    "admission": ("steps/admit_push.py",),
}
# Of each subject's mutants, those that are not explained (percent).
GOAL = 90


def files(subjects: Mapping[str, Sequence[str]] = SUBJECTS) -> dict[Path, str]:
    """Each file with its subject. Raises FileNotFoundError if a path of a subject names no file."""
    found: dict[Path, str] = {}
    for subject, patterns in subjects.items():
        for pattern in patterns:
            paths = sorted(FUNCTIONS.glob(pattern))
            if not paths:
                raise FileNotFoundError(f"There is no {pattern} below {FUNCTIONS}, a path of '{subject}'.")
            found |= dict.fromkeys(paths, subject)
    return found


def module_of(file: Path) -> str:
    """The name under which the functions import a file."""
    return ".".join(("deployer", *file.relative_to(FUNCTIONS).with_suffix("").parts)).removesuffix(".__init__")
