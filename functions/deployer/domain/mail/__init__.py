"""The mails about deployments, each as text for people and as a JSON document for machines."""

from deployer.domain.mail.ending import FIX_IT as FIX_IT
from deployer.domain.mail.ending import WATCH_IT as WATCH_IT
from deployer.domain.mail.ending import ended as ended
from deployer.domain.mail.ending import given_up as given_up
from deployer.domain.mail.ending import unwatched as unwatched
from deployer.domain.mail.failure import DETAIL_LINES as DETAIL_LINES
from deployer.domain.mail.failure import failed as failed
from deployer.domain.mail.parts import LOG_LINE_LIMIT as LOG_LINE_LIMIT
from deployer.domain.mail.parts import LOG_LINES as LOG_LINES
from deployer.domain.mail.parts import NAME_LIMIT as NAME_LIMIT
from deployer.domain.mail.parts import NOTHING as NOTHING
from deployer.domain.mail.parts import SUBJECT_LIMIT as SUBJECT_LIMIT
from deployer.domain.mail.parts import Context as Context
from deployer.domain.mail.parts import Mail as Mail
from deployer.domain.mail.parts import Standing as Standing
from deployer.domain.mail.parts import log_excerpt as log_excerpt
from deployer.domain.mail.parts import standing_of as standing_of
from deployer.domain.mail.success import WORKER as WORKER
from deployer.domain.mail.success import live as live
from deployer.domain.mail.success import live_again as live_again
from deployer.domain.mail.success import stopped as stopped
from deployer.domain.mail.undeployed import held_back as held_back
from deployer.domain.mail.undeployed import not_deployed as not_deployed
from deployer.domain.mail.undeployed import recorded as recorded
from deployer.domain.mail.undeployed import with_dashboard as with_dashboard
from deployer.domain.mail.undeployed import with_notes as with_notes
