"""`portcall wait`: waits for the outcome of a pushed image; reads only the ledger."""

import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import click
from deployer.domain import timing
from rich.text import Text

from portcall.cli.options import SCHEMA, say, target_of, target_options
from portcall.core import duration, github, reading
from portcall.core.target import Target
from portcall.core.terminal import Terminal, fail, plain
from portcall.core.trouble import Exit, Trouble
from portcall.core.waiting import Image, Verdict, last_of, verdict

# In seconds. A push that is older than `EARLIER` when the command starts is not waited for.
EARLIER = 15 * 60
LOOK_EVERY = 2.0
SPEAK_EVERY = 30.0
PATIENCE_SECONDS = 60.0
NO_DEPLOYMENT_YET = (
    "There is no deployment of this push yet. Does its tag match TagPattern? If its event was lost, the sweep "
    "finds the image within seven minutes."
)


class ImageType(click.ParamType):
    """`repo:tag@sha256:...`, `repo@sha256:...` or `repo:tag`."""

    name = "image"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Image:
        """Fail if the text does not name an image."""
        try:
            return value if isinstance(value, Image) else Image.parse(value)
        except ValueError as error:
            self.fail(plain(str(error)), param, ctx)


class Duration(click.ParamType):
    """`90s`, `15m`, `1h30m`; in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Fail if the text is not a duration."""
        try:
            return value if isinstance(value, int) else duration.seconds(value)
        except ValueError as error:
            self.fail(plain(str(error)), param, ctx)


@click.command()
@click.argument("image", type=ImageType())
@click.option(
    "--timeout",
    type=Duration(),
    default="15m",
    show_default=True,
    help="How long to wait. After that, the exit code is 4.",
)
@click.option(
    "--superseded",
    type=click.Choice(["ok", "fail"]),
    default="fail",
    show_default=True,
    help="Whether it is a success if a newer push replaces this one.",
)
@click.option(
    "--github/--no-github",
    "actions",
    default=None,
    help="Write annotation, outputs and summary for GitHub Actions. Default: if GITHUB_ACTIONS is true.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as one line of JSON.")
@target_options
def wait(
    image: Image, timeout: int, superseded: str, actions: bool | None, as_json: bool, **options: Any
) -> None:
    """Wait until a pushed image is live, or is known not to be: flask-app:latest@sha256:...

    Exit code 0: it is live, and its URL is on standard output. 1: it failed. 3: superseded by a newer push.
    4: not known within the time-out. 5: no such image, or not an app. 6: not allowed.
    """
    in_github = github.is_here() if actions is None else actions
    began = time.time()
    try:
        target = target_of(options)
        found = _Wait(target, _with_digest(target, image), began, timeout).verdict()
    except Trouble as trouble:
        if in_github:
            _annotate("The outcome is not known", trouble.message)
        raise
    except KeyboardInterrupt:
        say("Interrupted. The deployment continues.")
        raise click.exceptions.Exit(Exit.INTERRUPTED) from None
    code = Exit.YES if found.code == Exit.SUPERSEDED and superseded == "ok" else found.code
    _report(found, code, as_json=as_json, in_github=in_github)
    raise click.exceptions.Exit(code)


def _with_digest(target: Target, image: Image) -> Image:
    if image.digest:
        return image
    digest = reading.digest_of(target, image.repository, image.tag)
    if not digest:
        raise Trouble(f"There is no image {image.repository}:{image.tag} in ECR.", Exit.NO_SUCH_THING)
    return Image(image.repository, image.tag, digest)


@dataclass
class _Wait:
    """Reads the ledger until there is a verdict or the time is up."""

    target: Target
    image: Image
    began: float
    timeout: int

    def verdict(self) -> Verdict:
        start = spoken = time.monotonic()
        seen = asked = False
        said = f"Waiting for {self.image.repository} {self.image.digest[:19]}"
        trouble = ""
        with _spinner(said) as speak:
            while True:
                passed = time.monotonic() - start
                try:
                    found, on_its_way = self._look(patient=passed < PATIENCE_SECONDS)
                    seen, trouble = seen or bool(on_its_way), ""
                    if found:
                        return found
                except Trouble as error:
                    # Throttled, or no connection: this does not affect the deployment.
                    if error.exit_code != Exit.NOT_KNOWN:
                        raise
                    trouble, on_its_way = error.message, ""
                if passed >= self.timeout:
                    return self._unknown(seen, on_its_way, trouble)
                if not seen and not asked and passed >= PATIENCE_SECONDS and not trouble:
                    asked = True
                    speak(NO_DEPLOYMENT_YET, lasting=True)
                elif time.monotonic() - spoken >= SPEAK_EVERY:
                    spoken = time.monotonic()
                    state = trouble or ("in progress" if seen else "no deployment yet")
                    speak(f"{said}: {state}, {passed:.0f} s")
                time.sleep(min(LOOK_EVERY, max(0.0, self.timeout - passed)))

    def _look(self, *, patient: bool) -> tuple[Verdict | None, str]:
        """The verdict, if there is one, and the id of a deployment in progress, '' if there is none."""
        on_its_way = ""
        for found in reading.histories_of(self.target, self.image.repository, self.image.tag):
            known = verdict(
                found.app,
                self.image.digest,
                found.current,
                found.deployments,
                since=self.began - EARLIER,
                patient=patient,
            )
            if known:
                return known, ""
            last = last_of(found.deployments, self.image.digest)
            if last and last.to_come:
                on_its_way = last.deployment
        return None, on_its_way

    def _unknown(self, seen: bool, deployment: str, trouble: str) -> Verdict:
        if trouble:
            said = f"Its outcome is not known: {trouble}"
        elif seen:
            said = f"The deployment is still in progress after {self.timeout} s."
            said += f" To see it: portcall show {deployment}" if deployment else ""
        else:
            said = f"There was no deployment of the push within {self.timeout} s."
        app, digest = self.image.repository, self.image.digest
        return Verdict("unknown", Exit.NOT_KNOWN, app, said, digest=digest, deployment=deployment)


def _spinner(said: str) -> AbstractContextManager[Callable[..., None]]:
    """Shows the progress: a spinner on a terminal, elsewhere a line now and then."""
    console = Terminal(stderr=True)
    if not console.is_terminal:
        say(f"{said} ...")

        def line(text: str, *, lasting: bool = False) -> None:
            say(f"{time.strftime('%H:%M:%S')} {text}")

        return nullcontext(line)
    status = console.status(Text(plain(f"{said} ...")))

    class Turning(AbstractContextManager[Callable[..., None]]):
        def __enter__(self) -> Callable[..., None]:
            status.start()
            return self.speak

        def speak(self, text: str, *, lasting: bool = False) -> None:
            if lasting:
                console.print(text, soft_wrap=True)
            else:
                status.update(Text(plain(text)))

        def __exit__(self, *_: object) -> None:
            status.stop()

    return Turning()


def _report(found: Verdict, code: Exit, *, as_json: bool, in_github: bool) -> None:
    if as_json:
        # GitHub would read `##[` as a command; as JSON the escaped form means the same.
        click.echo(json.dumps({**SCHEMA, **found.document()}).replace("##[", "\\u0023#["))
    elif code == Exit.YES and found.url:
        click.echo(found.url)
    if code == Exit.YES:
        say(found.said)
    else:
        lines = [found.said, found.reason, found.hint]
        if found.log:
            lines += ["", "The end of its log:", *(f"| {line}" for line in found.log)]
        text = "\n".join(line for line in lines if line or line == "")
        fail("\n".join(map(github.harmless, text.split("\n"))) if in_github else text)
    if in_github:
        _report_to_github(found, code)


def _report_to_github(found: Verdict, code: Exit) -> None:
    if code != Exit.YES:
        _annotate(found.said, "\n".join(filter(None, [found.reason, found.hint])) or found.said)
    github.write_outputs(
        {
            "url": found.url,
            "outcome": found.outcome,
            "deployment": found.deployment,
            "digest": found.digest,
            "seconds": str(found.seconds),
        }
    )
    github.write_summary(_summary(found))


def _annotate(title: str, message: str) -> None:
    # Not with the console, which would wrap the line and remove control characters.
    click.echo(github.annotation(plain(title), plain(message)), err=True)


def _summary(found: Verdict) -> str:
    word = github.word
    lines = [f"### {word(found.app)}: {word(found.outcome)}", "", word(found.said), ""]
    lines += [part for each in (found.reason, found.hint) if each for part in (word(each), "")]
    names = [name for name in timing.NAMES if name in found.phases]
    facts = [("URL", found.url), ("Digest", found.digest), ("Deployment", found.deployment)]
    rows = [(name, value) for name, value in facts if value]
    rows += [(name, f"{float(found.phases[name]):.1f} s") for name in names]
    if rows:
        lines += ["| | |", "|---|---|", *(f"| {word(name)} | {word(value)} |" for name, value in rows), ""]
    if found.log:
        lines += ["The end of its log:", "", github.fenced("\n".join(map(plain, found.log)))]
    return "\n".join(lines) + "\n"
