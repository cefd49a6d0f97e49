"""The Lambda functions of Portcall: handlers in `steps` and `events`, rules in `domain`, AWS calls in `aws`."""

import gc
import os

if "AWS_LAMBDA_INITIALIZATION_TYPE" in os.environ:
    # A function keeps what it loads. Looking for garbage in it is an eighth of a cold start; `ready` ends this.
    gc.disable()
