// An app's log, as it is written: bounded, never moved away from under who reads or marks it.
const MOST = 1000;
const log = document.querySelector("#log");
const [search, count, follow, fresh, trouble, version, copy] =
  ["search", "count", "follow", "new", "trouble", "version", "copy"].map(id => document.querySelector(`#log-${id}`));
let pending = [];
let events;
// Where the log was scrolled to when that was looked at last.
let lastTop = 0;

const matches = line => line.textContent.toLowerCase().includes(search.value.toLowerCase());

function shown() {
  const lines = [...log.children];
  for (const line of lines) line.hidden = !matches(line);
  count.textContent = search.value ? `${lines.filter(line => !line.hidden).length} of ${lines.length}` : "";
}

function lineOf(text, kind = "") {
  const line = document.createElement("div");
  line.textContent = text;
  line.className = kind;
  line.hidden = !matches(line);
  return line;
}

const marks = () => {
  const selection = getSelection();
  return !selection.isCollapsed && log.contains(selection.anchorNode);
};

const atEnd = () => log.scrollHeight - log.scrollTop - log.clientHeight < 4;

function scrolled() {
  lastTop = log.scrollTop;
  if (atEnd() !== follow.checked && !(atEnd() && pending.length)) follow.checked = atEnd();
}

function toTheEnd() {
  log.scrollTop = log.scrollHeight;
  lastTop = log.scrollTop;
}

function flush() {
  log.append(...pending);
  pending = [];
  while (log.children.length > MOST) log.firstElementChild.remove();
  fresh.hidden = true;
  if (search.value) shown();
  toTheEnd();
}

function add(lines) {
  pending = [...pending, ...lines].slice(-MOST);
  if (!pending.length) return;
  // The browser tells of a scroll a moment later, perhaps after these lines.
  if (log.scrollTop < lastTop) scrolled();
  if (follow.checked && !marks()) return flush();
  fresh.hidden = false;
  fresh.textContent = `${pending.length} new ${pending.length === 1 ? "line" : "lines"}`;
}

function take({reset, version: of, before = [], lines = [], trouble: wrong}) {
  if (wrong !== undefined) {
    trouble.textContent = wrong;
    trouble.hidden = !wrong;
  }
  if (reset) {
    log.replaceChildren();
    pending = [];
  }
  add(before.map(each => lineOf(each)));
  if (of !== undefined) {
    version.textContent = of;
    if (!reset) add([lineOf(`── ${of} ──`, "rule")]);
  }
  add(lines.map(each => lineOf(each)));
}

function listen() {
  events?.close();
  if (document.hidden) return;
  events = new EventSource(log.dataset.live);
  events.onmessage = event => take(JSON.parse(event.data));
}

if (log) {
  log.addEventListener("scroll", scrolled);
  follow.addEventListener("change", () => follow.checked && flush());
  fresh.addEventListener("click", () => {
    follow.checked = true;
    flush();
  });
  search.addEventListener("input", shown);
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText([...log.children].filter(line => !line.hidden).map(line => line.textContent).join("\n"));
    copy.textContent = "Copied";
    setTimeout(() => (copy.textContent = "Copy"), 2000);
  });
  document.addEventListener("visibilitychange", listen);
  toTheEnd();
  listen();
}
