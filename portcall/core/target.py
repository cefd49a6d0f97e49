"""The install that a command is about: in an account, or in the embedded cloud."""

import hashlib
import json
import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError
from deployer.aws import table
from deployer.aws.client import CONFIG, DENIALS, use
from deployer.domain.errors import DeployError

from portcall.core import cache
from portcall.core.trouble import Exit, Trouble, code_of, trouble_of

STACK = "portcall"
# Errors that mean that the cached names of the stack's resources are out of date.
GONE = {"ResourceNotFoundException", "ValidationException", *DENIALS}
Answer = TypeVar("Answer")


class Target:
    """An install of Portcall, and its clients.

    `endpoint` is '' for AWS's own, `embedded` says that it is the cloud on this machine. The stack's outputs
    are cached in a file between commands.
    """

    def __init__(
        self,
        session: botocore.session.Session,
        *,
        stack: str,
        region: str,
        profile: str = "",
        endpoint: str = "",
        embedded: bool = False,
    ) -> None:
        self.stack, self.region, self.profile = stack, region, profile
        self.endpoint, self.embedded = endpoint, embedded
        self._session = session
        self._outputs: dict[str, str] = {}
        self._remembered = False
        self._clients: dict[tuple[str, Config], Any] = {}
        # Threads may share botocore's clients, but not its sessions.
        self._making = threading.Lock()
        use(session, endpoint)

    def client(self, service: str, config: Config = CONFIG) -> Any:
        """A client of one of its APIs, created once per configuration."""
        with self._making:
            if (service, config) not in self._clients:
                self._clients[service, config] = self._session.create_client(
                    service, config=config, endpoint_url=self.endpoint or None
                )
            return self._clients[service, config]

    @property
    def expires_at(self) -> float:
        """When the credentials expire, in UNIX seconds; 0 if they do not, or if unknown."""
        # botocore has it only in a private attribute; for keys in the environment there is a variable.
        kept = getattr(self._session.get_credentials(), "_expiry_time", None)
        if isinstance(kept, datetime):
            return kept.timestamp()
        with suppress(ValueError):
            return datetime.fromisoformat(os.environ.get("AWS_CREDENTIAL_EXPIRATION", "")).timestamp()
        return 0.0

    def regions(self, service: str) -> set[str]:
        """The regions of a service that the installed SDK knows."""
        partition = self._session.get_partition_for_region(self.region)
        return set(self._session.get_available_regions(service, partition))

    def ask(self, question: Callable[[dict[str, str]], Answer]) -> Answer:
        """Call with the stack's outputs; again if the cached ones are out of date. Raises Trouble."""
        try:
            if not self._outputs:
                self._recall()
            try:
                return self._answer(question)
            except (DeployError, ClientError) as error:
                if not (self._remembered and code_of(error) in GONE):
                    raise
            self._look_up()
            return self._answer(question)
        except (DeployError, ClientError, BotoCoreError) as error:
            raise trouble_of(error, stack=self.stack, region=self.region, profile=self.profile) from error

    def _answer(self, question: Callable[[dict[str, str]], Answer]) -> Answer:
        table.use(self._outputs.get("LedgerTableName", ""))
        return question(self._outputs)

    @property
    def name(self) -> str:
        """A name for people; reads the outputs."""
        if self.embedded:
            return f"the embedded cloud at {self.endpoint.removeprefix('http://')}"
        account = self.ask(lambda outputs: outputs["StateMachineArn"].split(":")[4])
        profile = f" (profile {self.profile})" if self.profile else ""
        return f"{self.stack} in {self.region}, account {account}{profile}"

    def version(self, own: str) -> str:
        """The stack's version, '' if unknown. If the cached one is not `own`, it is read again."""
        found = self.ask(lambda outputs: outputs.get("Version", ""))
        if found != own and self._remembered:
            self.ask(lambda _: self._look_up())
            found = self._outputs.get("Version", "")
        return found

    def _recall(self) -> None:
        with suppress(OSError, ValueError):
            kept = json.loads(self._file.read_text())
            if isinstance(kept, dict) and all(isinstance(each, str) for each in kept.values()) and kept:
                self._outputs, self._remembered = kept, True
                return
        self._look_up()

    def _look_up(self) -> None:
        (stack,) = self.client("cloudformation").describe_stacks(StackName=self.stack)["Stacks"]
        found = {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])}
        if "LedgerTableName" not in found:
            raise Trouble(
                f"The stack {self.stack} in {self.region} is not ready, or is not an install of Portcall: it "
                f"is {stack['StackStatus']} and has no output LedgerTableName.",
                Exit.NOT_ALLOWED,
            )
        self._outputs, self._remembered = found, False
        cache.write(self._file, found)

    def remember_apps(self, names: list[str]) -> None:
        """Cache the names of the apps, for completion."""
        cache.write(self._file.with_suffix(cache.APPS), names)

    @property
    def _file(self) -> Path:
        credentials = self._session.get_credentials()
        if credentials is None:
            raise NoCredentialsError
        # The keys of a profile change every hour; keys in the environment have no profile name.
        whose = credentials.access_key if credentials.method in ("env", "explicit") else self.profile
        key = hashlib.sha256(f"{whose} {self.endpoint}".encode()).hexdigest()[:16]
        return cache.folder() / f"{self.stack}-{self.region}-{key}.json"


def choose(*, stack: str = "", profile: str = "", region: str = "", local: bool = False) -> Target:
    """The target that the options or, as for the AWS CLI, environment variables name.

    Without any, it is the embedded cloud if one runs, else the account of the default profile. AWS_REGION alone
    names no target, because many shells set it.
    """
    env = os.environ
    stack = stack or env.get("PORTCALL_STACK", "")
    own = profile or env.get("AWS_PROFILE") or env.get("AWS_DEFAULT_PROFILE") or ""
    if local and (profile or region):
        raise Trouble(
            "--local is the cloud on this machine: it takes no --profile and no --region.", Exit.USAGE
        )
    if local or not (stack or own or region):
        if found := _embedded(stack or STACK):
            return found
        # If the state folder is set, the user means the embedded cloud.
        if local or env.get("PORTCALL_STATE_DIR"):
            raise Trouble("The embedded cloud is not running. Start it: portcall up")
    return _in_account(stack or STACK, own, region)


def _in_account(stack: str, profile: str, region: str) -> Target:
    try:
        session = botocore.session.Session(profile=profile or None)
        chosen = region or os.environ.get("AWS_REGION") or session.get_config_variable("region")
        if not chosen:
            raise NoRegionError
        session.set_config_variable("region", chosen)
        endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
        return Target(session, stack=stack, region=chosen, profile=profile, endpoint=endpoint)
    except BotoCoreError as error:
        raise trouble_of(error, stack=stack, region=region, profile=profile) from error


def _embedded(stack: str) -> Target | None:
    """The embedded cloud, if one runs."""
    try:
        # Imported here: the command line works for an account without the embedded cloud's package.
        from localcloud import aws_session
        from localcloud.settings import CloudSettings
    except ImportError:
        return None
    settings = CloudSettings.load()
    if not settings.secret or not _listens(settings.port):
        return None
    session = aws_session.session()
    session.set_credentials(settings.account, settings.secret)
    session.set_config_variable("region", settings.region)
    return Target(session, stack=stack, region=settings.region, endpoint=settings.endpoint, embedded=True)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
