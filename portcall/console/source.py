"""The install that the page is about; it is chosen again if credentials or the embedded cloud have changed."""

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from deployer.aws.client import client

from portcall.core.target import Target, choose
from portcall.core.trouble import Exit, Trouble

Answer = TypeVar("Answer")
# Created in advance: a botocore session may create clients only in one thread at a time.
SERVICES = ("dynamodb", "ecr", "lambda", "logs", "stepfunctions", "sts")


class Source:
    """Calls the target that the command line's options name. It may be used from any thread."""

    def __init__(self, options: dict[str, Any], choose: Callable[..., Target] = choose) -> None:
        self._options, self._choose = dict(options), choose
        self._lock = threading.Lock()
        self._target: Target | None = None
        self.name, self.embedded, self.region = "", False, ""

    def ask(self, question: Callable[[Target], Answer]) -> Answer:
        """Call with the target. Raises Trouble; then the next call chooses the target again."""
        target = self._chosen()
        try:
            return question(target)
        except Trouble as trouble:
            # These errors do not mean that the target has changed.
            if trouble.exit_code != Exit.NO_SUCH_THING:
                with self._lock:
                    self._target = None
            raise

    def _chosen(self) -> Target:
        with self._lock:
            if self._target is None:
                target = self._choose(**self._options)
                self.name, self.embedded, self.region = target.name, target.embedded, target.region
                if target.embedded:
                    # Even if the embedded cloud stops, the page must not switch to an AWS account.
                    self._options = {**self._options, "profile": "", "region": "", "local": True}
                for service in SERVICES:
                    client(service)
                target.ask(lambda outputs: outputs)
                self._target = target
            return self._target
