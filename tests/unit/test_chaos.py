"""What the campaigns of faults excuse."""

import random
from dataclasses import replace
from typing import Any, cast

from tests.chaos import Chaos
from tests.promises import Mailed

MAIL = Mailed("chaos-1", "deployment-1", "deployed")


def chaos(*died: str) -> Chaos:
    return Chaos(cast("Any", None), lambda share: None, random.Random(1), died=set(died))


def test_a_mail_may_be_repeated_if_a_function_of_its_deployment_died() -> None:
    campaign = chaos("deployment-1")
    other = replace(MAIL, outcome="failed")
    assert campaign._once([MAIL, MAIL, other]) == [MAIL, other]
    assert campaign.sent_twice == {"deployment-1"}


def test_a_mail_that_is_repeated_without_that_breaks_the_promise() -> None:
    campaign = chaos("deployment-2")
    assert campaign._once([MAIL, MAIL]) == [MAIL, MAIL]
    assert campaign.sent_twice == set()
