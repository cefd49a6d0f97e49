"""What has to be tested best, by subject: an error there makes Portcall tell something that is not so."""

SUBJECTS = {
    "ledger": ("aws/ledger/*.py",),
    "sweep": ("domain/sweep.py", "actions/sweep_facts.py", "actions/sweep_acts.py", "events/reconcile.py"),
    "restarts": ("actions/healing.py", "events/restart_app.py"),
    "rollback": ("actions/failing.py", "steps/roll_back.py"),
    "switch-over": ("steps/switch_over.py", "actions/retired.py", "actions/address.py"),
    "admission": ("steps/admit_push.py",),
}
# Of each subject's mutants, those that are not explained (percent).
GOAL = 90
