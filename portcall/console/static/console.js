// What the pages do besides showing: times, filter, keys, copying. Everything else the server says.
const all = (selector, within = document) => [...within.querySelectorAll(selector)];

// ── Times: the server's are UTC and exact; people read their own clock, and how long ago

function span(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "min"]])
    if (whole >= 2 * size) return `${Math.floor(whole / size)} ${unit}`;
  return `${whole} s`;
}

const today = new Intl.DateTimeFormat(undefined, {hour: "2-digit", minute: "2-digit", second: "2-digit"});
const other = new Intl.DateTimeFormat(undefined, {dateStyle: "medium", timeStyle: "short"});

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function showTimes() {
  const now = Date.now();
  for (const time of all("time[datetime]")) {
    const at = new Date(time.dateTime);
    const ago = (now - at) / 1000;
    if (time.className === "age") write(time, ago < -1 ? `in ${span(-ago)}` : span(ago));
    else write(time, (at.toDateString() === new Date(now).toDateString() ? today : other).format(at));
    if (!time.title) time.title = at.toString();
  }
}

// ── Filter

function filter() {
  for (const input of all("[data-filter]")) {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const rows = all(`${input.dataset.filter} tbody tr`);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every(word => text.includes(word));
      shown += !row.hidden;
    }
    write(input.nextElementSibling, words.length ? `${shown} of ${rows.length}` : "");
  }
}

function refresh() {
  showTimes();
  filter();
  const title = document.querySelector("#page")?.dataset.title;
  if (title) document.title = title;
}

// ── Keys

function move(by) {
  const rows = all("[data-row]").filter(each => !each.closest("[hidden]"));
  const next = rows[Math.max(0, Math.min(rows.length - 1, rows.indexOf(document.activeElement) + by))];
  next?.focus();
}

let before = "";
document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.matches("input, textarea, select");
  if (event.key === "Escape" && event.target.matches("[type=search]")) {
    event.target.value = "";
    filter();
    event.target.blur();
  }
  if (typing || document.querySelector("dialog[open]")) return;
  if (event.key === "/") {
    const search = document.querySelector("[type=search]");
    if (!search) return;
    event.preventDefault();
    search.focus();
  } else if (event.key === "j") move(1);
  else if (event.key === "k") move(-1);
  else if (event.key === "?") document.querySelector("#keys").showModal();
  else if (event.key === "a" && before === "g") document.querySelector(".brand").click();
  before = event.key;
});

// ── Copying

async function copy(button) {
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Not copied";
  }
  setTimeout(() => (button.textContent = "Copy"), 2000);
}

document.addEventListener("click", event => {
  const button = event.target.closest?.("[data-copy]");
  if (button) copy(button);
});
document.addEventListener("input", filter);

// ── The dialog: what an action would do, as the server has just found out

const dialog = document.querySelector("#dialog");
document.addEventListener("htmx:after:swap", () => {
  if (dialog.querySelector("#act") && !dialog.open) dialog.showModal();
});
dialog.addEventListener("close", () => dialog.replaceChildren());
dialog.addEventListener("click", event => {
  if (event.target.closest("[data-close]")) {
    event.preventDefault();
    dialog.close();
  }
});
document.addEventListener("submit", event => {
  const button = event.target.matches("[data-once]") && event.target.querySelector("[type=submit]");
  if (button) button.disabled = true;
});

// ── The connection, said where it is lost, until it is back

const LOST = "The page does not answer. Is `portcall console` still running? Trying again…";
const say = text => write(document.querySelector("#connection"), text);

document.addEventListener("htmx:after:swap", refresh);
document.addEventListener("htmx:sse:after:connection", () => say(""));
document.addEventListener("htmx:sse:error", event => {
  const status = event.detail.status;
  say(status === 401
    ? "The page was restarted. Open the link that its terminal shows."
    : LOST);
});

document.addEventListener("htmx:response:error", event => {
  if (event.target.closest("#view")) say(`The page cannot show this (${event.detail.ctx.response.status}). See its terminal.`);
});

// ── The stream of changes. A browser has six connections to a server, for all tabs: only a tab that is seen has one

const view = document.querySelector("#view");
let listens = false;

function listen() {
  if (listens || document.hidden) return;
  listens = true;
  htmx.trigger(view, "shown");
}

// Once it was connected, htmx connects again by itself.
document.addEventListener("htmx:error", event => {
  if (event.target !== view) return;
  say(LOST);
  listens = false;
  setTimeout(listen, 1000);
});
document.addEventListener("visibilitychange", listen);
// htmx reads the page at this event, too, and was told so before.
document.addEventListener("DOMContentLoaded", listen);

setInterval(showTimes, 1000);
document.addEventListener("visibilitychange", showTimes);
refresh();
