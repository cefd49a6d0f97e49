"""Each tag as a separate app."""

from typing import Any

from portcall.verify.check import check
from portcall.verify.errors import CheckFailedError, DifferentError
from portcall.verify.images import PROBE
from portcall.verify.run import Run

TAG = "pr-1"


@check("each tag is a separate app, which ends when the tag is deleted")
def preview(run: Run) -> str:
    run.update(Environments="tag")
    document = run.live(run.push_image(run.images.build(TAG, PROBE, VERSION="preview"), TAG))
    if document["app"] != f"{run.state.name}:{TAG}":
        raise DifferentError(f"the app is called {document['app']}")
    before = len(run.mails())
    run.account.client("ecr").batch_delete_image(repositoryName=run.state.name, imageIds=[{"imageTag": TAG}])
    run.say("waiting for the email (ended)")

    def look() -> dict[str, Any] | None:
        return next((each for each in run.mails()[before:] if each["document"]["outcome"] == "ended"), None)

    mail = run.eventually(look, run.pace.mail)
    if mail is None:
        raise CheckFailedError(f"No email within {run.pace.mail:.0f} s of the deletion of the tag.")
    return f"{document['url']}, then: {mail['subject']}"
