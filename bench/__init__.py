"""Measures the figures in the docs, and checks what the tests cannot; `make bench` runs most of it.

Those marked * are commands: `python -m bench.NAME`. `python -m bench` measures road, manual and imports.

Measured with an embedded cloud:
    road              a deployment with Portcall, from the push to the mail
    manual            the manual way of the tutorials
    polling           a workflow that polls instead of waiting for events
    service           an ECS service and `ecs deploy`
  * peers             Portcall against these ways
  * waking            with and without waking the steps by EventBridge
  * burst             many pushes of many apps at once
    burst_result      its figures, and what must hold
    imports           the imports of each function
  * command_line      the command line itself
  * console           the page
  * fresh_machine     `make demo` on a fresh Debian
  * ledger            the commands' calls with a large ledger
What these share:
    setting           a separate embedded cloud, with its app pushed once
    answers           when an app first answered over HTTP
    meter             what a deployment takes of AWS
  * counting          the embedded cloud, noting each signed call
    browser           opens a page in Chromium
    registry          pushes many images without building any
    observed          what an install did, from the cloud's own APIs
    invocations       what each call of a function took
  * behind_rates      the embedded cloud within AWS's rates
    rates             which calls are within the rates

Failures in an embedded cloud:
  * faults            campaigns: calls fail, functions die, executions are aborted
    campaign          the stack of a campaign
  * outages           Docker, a disk or the cloud fails completely
  * behind_proxy      the embedded cloud of a campaign

Played in simulated time, by tests/explorer:
  * drain             bursts within AWS's rates
    throttling        AWS's rates in front of the explorer's AWS
  * sweep             the calls of a sweep over many apps
  * soak              hours of traffic, and what piles up

Calculated:
    quotas            AWS's documented rates
    prices            AWS's prices
    costs             what a deployment and an idle month cost
  * fleet             many apps over many accounts and regions

Checked:
  * permissions       whether each permission is needed by a test
    permission_report what the recorded calls have needed
    permission_table  the table of docs/security.md
  * mutants           changes of the functions that no test notices
  * explore           a schedule that breaks a promise
  * properties        more examples of Hypothesis

Written and drawn:
    results           the raw results in bench/results/
  * plots             the plots of the docs, from the results
    pages             tables in a page of the docs
  * scale             the tables of docs/scale.md, from the results
  * reliability       the tables of docs/reliability.md, from the results
  * readme            the demo's output in the README
  * pictures          the pictures of the README and the docs
  * workflow_drawing  the picture of the workflow
"""
