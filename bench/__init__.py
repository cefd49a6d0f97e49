"""Measures the figures in the docs, and checks what the tests cannot; `make bench` runs most of it.

Each module and folder marked * is a command, `python -m bench.NAME`; the other folders are rooms with the parts
of the commands, and no part imports a command. `python -m bench` times a deployment, warm and cold, against
the manual way.

How long something takes, in an embedded cloud:
  * peers             a deployment, and other ways to get a pushed image to answer; what each costs
  * waking            a cold deployment with and without waking the steps by EventBridge
  * burst             many pushes of many apps at once
  * command_line      the command line itself
  * ledger            the commands' calls with a large ledger
  * console           the page with 200 apps
  * fresh_machine     `make demo` on a fresh Debian

How far it scales, in simulated time and by calculation:
  * drain             bursts within AWS's rates
  * sweep             the calls of a sweep over many apps
  * soak              hours of traffic, and what piles up
  * fleet             many apps over many accounts and regions

Whether each report is true while something fails:
  * faults            campaigns: calls fail, functions die, executions are aborted
  * outages           Docker, a disk or the cloud fails completely

What the tests miss:
  * permissions       permissions that no test needs; the table of docs/security.md
  * mutants           changes of the functions that no test notices
  * explore           schedules that break a promise
  * properties        more examples of Hypothesis

The docs, from bench/results/ or a real run:
  * plots             the plots
  * scale             the tables of docs/scale.md and docs/performance.md
  * reliability       the tables of docs/reliability.md
  * readme            the demo's output in the README
  * pictures          the pictures of the README and the docs
  * workflow_drawing  the picture of the workflow

Rooms:
    cloud             the embedded cloud of a bench, and what pushes to it
    servers           its server with something around it
    ways              with Portcall, by hand, ecs-deploy, a workflow that polls
    measurements      what a deployment or a burst did and took
    rates_and_prices  AWS's published rates and prices
    simulated         bursts and sweeps on the explorer's AWS
    reporting         results, tables and figures
"""
