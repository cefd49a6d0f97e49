"""All checks, in running order: importing them is what registers them."""

from portcall.verify.check import CHECKS

from portcall.verify.checks import pushes  # isort: skip
from portcall.verify.checks import failures  # isort: skip
from portcall.verify.checks import restarts  # isort: skip
from portcall.verify.checks import network  # isort: skip
from portcall.verify.checks import stable_url  # isort: skip
from portcall.verify.checks import previews  # isort: skip
from portcall.verify.checks import removal  # isort: skip

__all__ = ["CHECKS", "failures", "network", "previews", "pushes", "removal", "restarts", "stable_url"]
