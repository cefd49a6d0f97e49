"""The install that the page is about, chosen anew where its credentials or its cloud have changed."""

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from deployer.aws.client import client

from portcall.desk.target import Target, choose
from portcall.desk.trouble import Exit, Trouble

Answer = TypeVar("Answer")
# Made before they are needed: a session of botocore makes its clients for one thread at a time.
SERVICES = ("dynamodb", "ecr", "lambda", "logs", "stepfunctions", "sts")


class Source:
    """Asks the target that the command line's options name. Any thread may ask."""

    def __init__(self, options: dict[str, Any], choose: Callable[..., Target] = choose) -> None:
        self._options, self._choose = dict(options), choose
        self._lock = threading.Lock()
        self._target: Target | None = None
        self.name, self.embedded, self.region = "", False, ""

    def ask(self, question: Callable[[Target], Answer]) -> Answer:
        """Raises Trouble. After that the next question goes to a target that is chosen anew."""
        target = self._chosen()
        try:
            return question(target)
        except Trouble as trouble:
            # Nothing of that sort is wrong with the target.
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
                    # It may end; what it must not do then is turn into an account.
                    self._options = {**self._options, "profile": "", "region": "", "local": True}
                for service in SERVICES:
                    client(service)
                target.ask(lambda outputs: outputs)
                self._target = target
            return self._target
