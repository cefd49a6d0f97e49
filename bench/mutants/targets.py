"""What has to be tested best, by subject: an error there makes Portcall tell something that is not so."""

SUBJECTS = {
    "ledger": ("aws/ledger/*.py",),
    "sweep": ("domain/sweep.py", "sweep_facts.py", "sweep_acts.py", "steps/reconcile.py"),
    "restarts": ("healing.py", "steps/restart_app.py"),
    "rollback": ("failing.py", "steps/roll_back.py"),
    "switch-over": ("steps/switch_over.py", "retired.py", "address.py"),
    "admission": ("steps/admit_push.py",),
}
# Of each subject's mutants, those that are not explained (percent).
GOAL = 90
