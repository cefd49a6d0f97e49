"""Dashboard: draws the custom widgets of the CloudWatch dashboard from the ledger."""

import time
from typing import Any

from deployer.aws import ledger
from deployer.domain import app_status, widgets
from deployer.domain.errors import DeployError
from deployer.domain.widgets import Look
from deployer.observe import logger
from deployer.ready import ready


@ready("dynamodb")
@logger.inject_lambda_context
def handler(event: Any, context: Any) -> str:
    """Take a widget's parameters and return its HTML; for others, such as `describe`, the documentation.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/add_custom_widget_dashboard_about.html
    """
    if not isinstance(event, dict) or event.get("describe"):
        return widgets.DOCUMENTATION
    shown = event.get("widgetContext")
    theme = str(shown.get("theme", "")) if isinstance(shown, dict) else ""
    look = Look(theme, time.time(), context.invoked_function_arn)
    try:
        return _draw(str(event.get("widget", "")), str(event.get("app", "")), look)
    except DeployError as error:
        logger.warning("The ledger could not be read", extra={"reason": str(error)})
        return widgets.trouble(str(error))


def _draw(widget: str, app: str, look: Look) -> str:
    if widget == widgets.APP and app:
        known = ledger.deployments(app=app)
        return widgets.history(app, known, look)
    if widget not in (widgets.APPS, widgets.DEPLOYMENTS, widgets.PHASES):
        return widgets.DOCUMENTATION
    records = ledger.overview()
    if widget == widgets.APPS:
        found = (app_status.status_of(each.app, each.current, each.deployments) for each in records)
        return widgets.apps(filter(None, found), look)
    draw = widgets.deployments if widget == widgets.DEPLOYMENTS else widgets.phases
    return draw(((each.app, one) for each in records for one in each.deployments), look)
