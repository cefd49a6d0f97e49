# `make demo` and `make test` do all the set-up themselves, on a fresh machine, each time it is needed.

PORTCALL := .venv/bin/portcall
TOOLS := .venv/.ready

.PHONY: demo test unit unit-lambda check tools up down bench pictures readme verify-aws wheel clean help

help: ## What there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(TOOLS) ## All of it on this machine: cloud, docker push, mail, URL
	@$(PORTCALL) demo

# Python and pytest keep what they compile, whatever the machine says: each of these processes would compile again.
KEEP_BYTECODE := PYTHONDONTWRITEBYTECODE=

# The second half waits as much as it works, so four run side by side on two cores.
test: $(TOOLS) ## All tests: unit, workflow, local, e2e, and the page in a browser
	@.tools/bin/uv sync --quiet --locked --compile-bytecode --inexact --group browser
	@rm -rf .portcall/iam-decisions
	@$(KEEP_BYTECODE) PORTCALL_IAM_DECISIONS=.portcall/iam-decisions .venv/bin/python -m pytest -n 3 --dist worksteal tests/unit tests/workflow
	@$(KEEP_BYTECODE) PORTCALL_IAM_DECISIONS=.portcall/iam-decisions .venv/bin/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder \
		tests/local tests/e2e tests/console
	@.venv/bin/python -m bench.permissions --parts --whole .portcall/iam-decisions

unit: $(TOOLS) ## Unit and workflow tests alone, the fastest verdict. ARGS="-k stable_url" for some
	@$(KEEP_BYTECODE) PORTCALL_QUICK=1 .venv/bin/python -m pytest -n 3 --dist worksteal tests/unit tests/workflow $(ARGS)

unit-lambda: $(TOOLS) ## The same tests on Lambda's version of Python, which uv gets if this machine does not have it
	@.tools/bin/uv run --quiet --isolated --locked --python 3.13 \
		python -m pytest -n 3 --dist worksteal tests/unit tests/workflow $(ARGS)

check: $(TOOLS) ## Format, lint, types, template; changes nothing
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/mypy
	@.venv/bin/python -m bench.permissions
	@AWS_DEFAULT_REGION=us-east-1 SAM_CLI_TELEMETRY=0 .venv/bin/sam validate --lint
	@.venv/bin/cfn-lint template.yaml bench/ways/polling.yaml

tools: $(TOOLS) ## SAM, uv and portcall, in .venv/bin

scan: $(TOOLS) ## Security scanners on the template and its policies
	@.tools/bin/uv sync --quiet --locked --project scan
	@.venv/bin/python -m scan

up: $(TOOLS) ## The embedded cloud, left running
	@$(PORTCALL) up --detach

down: $(TOOLS) ## Nothing is left of it
	@$(PORTCALL) down

bench: $(TOOLS) ## What the figures in docs/performance.md come from
	@.tools/bin/uv sync --quiet --locked --compile-bytecode --inexact --group bench
	@.venv/bin/python -m bench
	@.venv/bin/python -m bench.peers
	@.venv/bin/python -m bench.mutants
	@.venv/bin/python -m bench.explore
	@.venv/bin/python -m bench.properties

pictures: $(TOOLS) ## The pictures of the README and the docs, from a real run
	@.tools/bin/uv sync --quiet --locked --compile-bytecode --inexact --group browser
	@.venv/bin/python -m bench.pictures

readme: $(TOOLS) ## The output of the demo in the README, from a real run
	@.venv/bin/python -m bench.readme

verify-aws: $(TOOLS) ## Everything in your AWS account, under a name of its own; some cents. ARGS="--only first-push"
	@$(PORTCALL) verify-aws $(ARGS)

wheel: $(TOOLS) ## The package with the stack in it, for `portcall install` without a clone: dist/
	@.venv/bin/python -m release

clean: ## Throw away what the set-up made
	rm -rf .venv .tools .portcall .aws-sam dist portcall/_stack

.PHONY: requirements sbom
requirements: $(TOOLS) ## functions/requirements.txt, as the lock file has it
	@{ echo "# Made by: make requirements. boto3 comes with the Lambda runtime."; \
	.tools/bin/uv export --quiet --frozen --only-group functions --no-header --no-annotate; } > functions/requirements.txt

sbom: $(TOOLS) ## What is packed with the functions, as CycloneDX: .aws-sam/functions.cdx.json
	@mkdir -p .aws-sam
	@.tools/bin/uv export --quiet --frozen --only-group functions --format cyclonedx1.5 \
	--preview-features sbom-export --output-file .aws-sam/functions.cdx.json > /dev/null

demo test up: export WITH_DOCKER := yes
$(TOOLS): pyproject.toml uv.lock bootstrap.sh
	@sh bootstrap.sh
