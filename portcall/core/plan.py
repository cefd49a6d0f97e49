"""What a push of an image would do, by the workflow's rules. Nothing is changed."""

from dataclasses import asdict, dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from deployer.actions import image_reading
from deployer.aws import ecr, ledger
from deployer.domain import holds, image, limits, ports, preview
from deployer.domain.deployment import Current
from deployer.domain.errors import AccessDeniedError, BadLabelError, UnsupportedImageError
from deployer.domain.fargate import Size
from deployer.domain.image_spec import ImageSpec

from portcall.core import local_images, stack, states
from portcall.core.local_images import LocalImage
from portcall.core.price import Price, a_month
from portcall.core.stack_rules import StackRules
from portcall.core.target import Target
from portcall.core.trouble import Exit, Trouble
from portcall.core.waiting import Image

DEPLOY, RECORD, NOTHING, IGNORE, REFUSE = "deploy", "record", "nothing", "ignore", "refuse"
HERE, IN_ECR = "this machine", "ECR"
FREE, TAKEN, UNKNOWN = "free", "taken", "unknown"


@dataclass(frozen=True)
class Plan:
    """`would` is `deploy`, `record`, `nothing`, `ignore` or `refuse`, with its `reason` and what to do.

    `found` is where the image is, `size` its bytes there. Values that were not reached are None or ''. `slot`
    is
    `free`, `taken` or `unknown`; `until_hours` is how long a preview runs, 0 for no end.
    """

    image: str
    app: str
    found: str
    size: int
    would: str = DEPLOY
    reason: str = ""
    do: str = ""
    spec: ImageSpec | None = None
    price: Price | None = None
    replaces: str = ""
    slot: str = ""
    gate: str = "none"
    preview: bool = False
    until_hours: float = 0
    notes: list[str] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """The fields of `--json`."""
        spec, price = self.spec, self.price
        return {
            "image": self.image,
            "app": self.app,
            "found": self.found,
            "bytes": self.size,
            "would": self.would,
            "reason": self.reason,
            "do": self.do,
            "ports": [asdict(each) for each in spec.candidates] if spec else [],
            "architecture": spec.architecture if spec else None,
            "cpu": int(spec.cpu) if spec else None,
            "memory": int(spec.memory) if spec else None,
            "capacity": spec.capacity if spec else None,
            "health": spec.health if spec else None,
            "timeout": spec.timeout if spec else None,
            "usd_a_month": price.total if price else None,
            "replaces": self.replaces,
            "slot": self.slot,
            "gate": self.gate,
            "preview": self.preview,
            "hours": self.until_hours,
            "notes": self.notes,
        }

    def but(self, would: str, reason: str, do: str = "") -> "Plan":
        """The same plan, but not deployed, with this reason."""
        return replace(self, would=would, reason=reason, do=do)


@dataclass(frozen=True)
class _Found:
    """An image in Docker or ECR; `digest` is its digest in the registry, '' if it is not there."""

    name: Image
    local: LocalImage | None
    digest: str
    bytes: int


def plan(target: Target, text: str) -> Plan:
    """What a push of the image would do. Raises Trouble if there is no such image in Docker or ECR."""
    return target.ask(lambda _: _Planning(target).of(text))


class _Planning:
    def __init__(self, target: Target) -> None:
        install = stack.describe(target)
        self._rules = StackRules.of(install.parameters)
        self._registries = [install.outputs["RepositoryUri"].partition("/")[0]]
        if port := urlsplit(target.endpoint).port:
            # Docker's name for an image in the embedded cloud's registry.
            self._registries.append(f"localhost:{port}")

    def of(self, text: str) -> Plan:
        found, rules = self._find(text), self._rules
        repository, tag = found.name.repository, found.name.tag
        app = rules.app(repository, tag)
        where = HERE if found.local else IN_ECR
        made = Plan(text, app, where, found.bytes, gate=rules.refuses_findings, preview=rules.is_preview(app))
        if why := rules.why_not_watched(repository, tag):
            return made.but(NOTHING, why, "Push under another name, or change RepositoryPattern or TagPattern.")
        try:
            spec = self._read(found)
        except (UnsupportedImageError, BadLabelError) as refused:
            return made.but(REFUSE, str(refused), "Fix that in the Dockerfile and build the image again.")
        if spec is None:
            return made.but(IGNORE, "It is not an app: it is a signature, a chart or a similar artifact.")
        current = ledger.current(app=app)
        made = replace(made, **self._sized(spec), **self._surroundings(app, spec, current))
        if found.local and not ecr.has_repository(repository) and not rules.creates(repository):
            do = f"aws ecr create-repository --repository-name {repository}"
            return made.but(REFUSE, f"There is no repository {repository} in ECR, so docker push fails.", do)
        return self._held(self._slot(made, current), found, current)

    def _find(self, text: str) -> _Found:
        named = text if ":" in text.rpartition("/")[2] or "@" in text else f"{text}:latest"
        try:
            name = Image.parse(named)
        except ValueError as wrong:
            raise Trouble(f"{text} is not an image: {wrong}", Exit.USAGE) from wrong
        if not name.tag:
            raise Trouble(f"Add the tag: {name.repository}:latest@{name.digest}", Exit.USAGE)
        unwatched = self._rules.why_not_watched(name.repository, name.tag)
        # The caller may not be allowed to read other repositories.
        digest = "" if unwatched else ecr.digest_of(repository=name.repository, tag=name.tag)
        at_home = [f"{registry}/{name.repository}:{name.tag}" for registry in self._registries]
        looked = [local_images.find(each) for each in (named, *at_home)]
        local, why = next((each for each in looked if each[0]), looked[0])
        if local and not name.digest:
            pushed = {each.partition("@")[2] for each in local.digests}
            return _Found(name, local, digest if digest in pushed else "", local.bytes)
        wanted = name.digest or digest
        if unwatched:
            raise Trouble(f"There is no image {text}: {why}. {unwatched}", Exit.NO_SUCH_THING)
        if not wanted or not ecr.has_image(repository=name.repository, digest=wanted):
            raise Trouble(
                f"There is no image {text}: {why}, and ECR has none of that name.", Exit.NO_SUCH_THING
            )
        return _Found(name, None, wanted, ecr.size_of(repository=name.repository, digest=wanted))

    def _read(self, found: _Found) -> ImageSpec | None:
        rules = self._rules
        if found.local:
            return image.spec(
                found.local.config, digests=[found.digest], defaults=rules.defaults, limits=rules.limits
            )
        return image_reading.read(
            found.name.repository, found.digest, defaults=rules.defaults, limits=rules.limits
        )

    @staticmethod
    def _sized(spec: ImageSpec) -> dict[str, Any]:
        size = Size(int(spec.cpu), int(spec.memory))
        return {"spec": spec, "price": a_month(size, architecture=spec.architecture, capacity=spec.capacity)}

    def _surroundings(self, app: str, spec: ImageSpec, current: Current | None) -> dict[str, Any]:
        rules = self._rules
        hours, most = rules.preview_hours, rules.max_preview_hours
        is_preview = rules.is_preview(app)
        until = preview.until(0, asked=spec.expires, preview=is_preview, hours=hours, most_hours=most)
        cut = is_preview and preview.is_cut(spec.expires, hours=hours, most_hours=most)
        replaces = states.version(current.tag, current.digest) if current and states.answers(current) else ""
        notes = [preview.CUT] if cut else []
        if spec.candidates and spec.candidates[0].named_by == ports.DEFAULT:
            notes.append("The image names no port. If that port is wrong, add EXPOSE to the Dockerfile.")
        return {"replaces": replaces, "until_hours": until / 3600, "notes": notes}

    def _slot(self, made: Plan, current: Current | None) -> Plan:
        most = self._rules.slots(made.app)
        try:
            taken = ledger.taken_slots()
        except AccessDeniedError:
            return replace(made, slot=UNKNOWN)
        runs = current is not None and not current.gave_up_reason
        if runs or not limits.is_full(taken, most, made.app):
            return replace(made, slot=FREE)
        return replace(made, slot=TAKEN).but(
            REFUSE, str(limits.refusal(taken, most)), "End an app, or set a larger limit."
        )

    def _held(self, made: Plan, found: _Found, current: Current | None) -> Plan:
        """Whether a stop or a pin holds the push, or the same image is in ECR already."""
        if made.would != DEPLOY:
            return made
        open_ones = ledger.open_deployments(app=made.app)
        if why := holds.why_not(found.digest, current, open_ones, {}):
            command = "start" if current and current.stop else "resume"
            return made.but(RECORD, why, f"To deploy it anyway: portcall {command} {made.app}")
        notes = list(made.notes)
        if current and current.pin and found.digest != current.pin.digest:
            notes.append("The app is pinned by a rollback; this version would end that.")
        if found.digest:
            again = f"{found.name.repository}:{found.name.tag}"
            notes.append(
                f"ECR has it under this tag, so pushing it again starts nothing. Use portcall deploy {again}"
            )
        return replace(made, notes=notes)
