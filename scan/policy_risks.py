"""Run by the scanners' own Python: reads [[role, policy], ...], writes [[role, kind of risk, actions], ...]."""

import json
import sys

from cloudsplaining.scan.policy_document import PolicyDocument

KINDS = {
    "privilege escalation": "allows_privilege_escalation",
    "data exfiltration": "allows_data_exfiltration_actions",
    "resource exposure": "permissions_management_without_constraints",
    "infrastructure modification": "infrastructure_modification",
    "credentials exposure": "credentials_exposure",
    "all actions of a service": "service_wildcard",
}

found = []
for role, policy in json.load(sys.stdin):
    document = PolicyDocument(policy)
    for kind, name in KINDS.items():
        actions = getattr(document, name)
        if actions:
            found.append((role, kind, [str(each) for each in actions]))
json.dump(found, sys.stdout)
