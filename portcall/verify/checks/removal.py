"""Deleting the install: nothing is left."""

from portcall.verify import install, leftovers, queues
from portcall.verify.check import check
from portcall.verify.errors import DifferentError
from portcall.verify.run import Run


@check("`sam delete` succeeds while apps are running")
def delete(run: Run) -> str:
    run.events("aws.ecs")
    run.mails()
    run.say("sam delete")
    install.delete(run.account, run.state, run.tools)
    stack = install.describe(run.account, run.state.name)
    if stack is not None:
        reasons = install.refusals(run.account, run.state.name)
        raise DifferentError("; ".join([f"the stack is {stack['StackStatus']}", *reasons]))
    return "the stack is gone"


@check("nothing is left except SAM's own bucket", needs=("install", "delete"))
def nothing_left(run: Run) -> str:
    queues.close_queues(run.account, run.state.name)
    leftovers.delete_uploads(run.account, run.state.name)
    run.say("looking for what is left")
    found = run.eventually(lambda: not leftovers.inventory(run.account, run.state), run.pace.event)
    left = [] if found else leftovers.inventory(run.account, run.state)
    if left:
        raise DifferentError("; ".join(left))
    return f"looked for {', '.join(leftovers.KINDS)}"
