"""The dashboard's widgets: HTML without scripts, and escaped text."""

import json
import re
from html.parser import HTMLParser

import pytest
from deployer.domain import widgets
from deployer.domain.app_status import AppStatus, status_of
from deployer.domain.deployment import Current, Deployment
from deployer.domain.widgets import COLOURS, Look

NOW = 1_800_000_000.0
FUNCTION = "arn:aws:lambda:eu-west-1:111122223333:function:portcall-DashboardFunction-x"
LIGHT = Look("light", NOW, FUNCTION)
HOSTILE = "<img src=x onerror=alert(1)>\"'&\x1b[31m</td></table><script>alert(2)</script>"
# What CloudWatch shows of ours; all else would come from somebody's text.
TAGS = {
    "h3",
    "p",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "a",
    "span",
    "div",
    "svg",
    "rect",
    "cwdb-action",
}


class Read(HTMLParser):
    """The tags of some HTML, and its text."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.text, self.attributes = [], "", []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes

    def handle_data(self, text):
        self.text += text


def current(app, **facts):
    known = {"sequence": 7, "task": "task", "url": f"http://203.0.113.7/{app}", "digest": "sha256:" + "a" * 64}
    since = "2027-01-15T07:00:00Z"
    return Current(
        **{"deployment": "push-1", "tag": "v1", "revision": "rev:1", "since": since, **known, **facts}
    )


def deployment(outcome="failed", **facts):
    known = {"time": "2027-01-15T07:30:00Z", "tag": "v2", "digest": "sha256:" + "b" * 64, "sequence": 8}
    ended = {"began_at": int(NOW) - 600, "ended_at": int(NOW) - 300} if outcome else {"began_at": int(NOW) - 60}
    return Deployment(**{"deployment": "push-2", **known, **ended, "outcome": outcome, **facts})


def live(app):
    return status_of(app, current(app), [])


def failed(app, **facts):
    return status_of(app, None, [deployment(**{"reason": "exit code 1", **facts})])


def names_in(html):
    return [json.loads(each)["app"] for each in re.findall(r"<cwdb-action[^>]*>(.*?)</cwdb-action>", html)]


def test_apps_that_need_attention_come_first():
    html = widgets.apps([live("b"), live("a"), failed("z")], LIGHT)
    assert names_in(html) == ["z", "a", "b"]
    assert "1 of 3 needs attention" in html


def test_it_says_that_nothing_is_wrong():
    assert "Nothing is wrong" in widgets.apps([live("a")], LIGHT)
    assert "No apps yet" in widgets.apps([], LIGHT)


def test_deployments_under_way_are_apart_from_the_last_failures():
    known = [("a", deployment("")), ("b", deployment(reason="exit code 1\nmore", hint="Read the log"))]
    going, _, gone = widgets.deployments(known, LIGHT).partition("<h3>Last pushes that failed</h3>")
    assert names_in(going) == ["a"]
    assert "1 min ago" in going or "60 s ago" in going
    assert names_in(gone) == ["b"]
    assert "exit code 1" in gone
    assert "Read the log" in gone
    assert "more" not in Read(gone).text


def test_the_last_failures_are_a_few():
    known = [(f"app-{n:02}", deployment(time=f"2027-01-15T07:{n:02}:00Z")) for n in range(30)]
    assert names_in(widgets.deployments(known, LIGHT)) == [f"app-{n:02}" for n in range(29, 19, -1)]


def test_phases_are_those_of_the_last_deployment_of_each_app_that_went_live():
    old = deployment("deployed", time="2027-01-14T00:00:00Z", phases={"start": "900"})
    new = deployment("deployed", phases={"admit": "1", "start": "20"})
    other = deployment("deployed", phases={"admit": "3", "start": "10"})
    html = widgets.phases([("a", new), ("a", old), ("b", other), ("c", deployment())], LIGHT)
    assert "last deployment of 2 apps" in html
    cells = re.findall(r"<tr><td>(\w+)</td><td>([\d.]+ s)</td><td>([\d.]+ s)</td>", html)
    assert cells == [("admit", "2.0 s", "3.0 s"), ("start", "15.0 s", "20.0 s")]
    assert "No app went live yet" in widgets.phases([("a", deployment())], LIGHT)


def test_no_time_at_all_divides_by_nothing():
    assert "0.0 s" in widgets.phases([("a", deployment("deployed", phases={"admit": "0"}))], LIGHT)


def test_the_history_of_an_app_has_each_outcome():
    html = widgets.history("a", [deployment(""), deployment(reason="exit code 1")], LIGHT)
    assert re.findall(r"[◐✗] (\w+)", html) == ["deploying", "failed"]
    assert "No deployment of a is kept" in widgets.history("a", [], LIGHT)


@pytest.mark.parametrize("draw", ["apps", "deployments", "phases", "history", "trouble"])
def test_text_of_others_is_escaped(draw):
    facts = {"reason": HOSTILE, "hint": HOSTILE, "tag": HOSTILE, "digest": HOSTILE, "url": HOSTILE}
    push = deployment(**facts)
    status = AppStatus(HOSTILE, "failed", current("x", url=HOSTILE, tag=HOSTILE), push, 0, HOSTILE)
    html = {
        "apps": lambda: widgets.apps([status], LIGHT),
        "deployments": lambda: widgets.deployments(
            [(HOSTILE, push), (HOSTILE, deployment("", **facts))], LIGHT
        ),
        "phases": lambda: widgets.phases([(HOSTILE, deployment("deployed", phases={"admit": "1"}))], LIGHT),
        "history": lambda: widgets.history(HOSTILE, [push], LIGHT),
        "trouble": lambda: widgets.trouble(HOSTILE),
    }[draw]()
    read = Read(html)
    assert set(read.tags) <= TAGS
    assert "\x1b" not in html
    assert not [name for name, _ in read.attributes if name.startswith("on") or name == "src"]
    assert draw == "phases" or "<script>alert(2)</script>" in read.text
    for name, value in read.attributes:
        assert name != "href" or value.startswith(("http://", "https://"))


def test_a_javascript_url_is_not_a_link():
    status = status_of("a", current("a", url="javascript:alert(1)"), [])
    assert "href" not in widgets.apps([status], Look("light", NOW))


@pytest.mark.parametrize("theme", COLOURS)
def test_colours_are_those_of_the_theme_and_can_be_read_on_it(theme):
    # The consoles' backgrounds, in the lighter of its dark themes.
    ground = {"light": "#ffffff", "dark": "#1d2635"}[theme]
    html = widgets.apps([live("a"), failed("b")], Look(theme, NOW))
    used = set(re.findall(r"color:(#\w+)", html))
    assert used == {COLOURS[theme]["good"], COLOURS[theme]["bad"]}
    assert min(contrast(each, ground) for each in COLOURS[theme].values()) >= 4.5


def contrast(one, other):
    """https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio"""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour):
    parts = [int(colour[begin : begin + 2], 16) / 255 for begin in (1, 3, 5)]
    red, green, blue = (each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_an_unknown_theme_is_the_light_one():
    assert widgets.apps([live("a")], Look("", NOW)) == widgets.apps([live("a")], Look("light", NOW))
