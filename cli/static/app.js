// What the pages do besides being read: they stay up to date, and keys move through them. Every page works without it.

const main = document.querySelector("main");
const keys = document.getElementById("keys");
const find = document.getElementById("find-job");

// Whether somebody has chosen or written something that would be lost.
function isFilledIn(field) {
  if (!field.options) return field.value !== field.defaultValue;
  const usual = [...field.options].findIndex((option) => option.defaultSelected);
  return field.selectedIndex !== Math.max(usual, 0);
}

// The main part of the same page, read anew. Open tables stay open, and the focus stays where it is.
let reading = false;
async function refresh() {
  const fields = [...main.querySelectorAll("input:not([type=hidden]), select")];
  const isTyping = fields.includes(document.activeElement) || fields.some(isFilledIn);
  const isSelecting = !(document.getSelection()?.isCollapsed ?? true);
  if (reading || document.hidden || isTyping || isSelecting || keys.open) return;
  reading = true;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    const text = await answer.text();
    const next = new DOMParser().parseFromString(text, "text/html").querySelector("main");
    if (next) replace(next);
  } catch {
    document.getElementById("age").textContent = "The dashboard does not answer: is it still running?";
  } finally {
    reading = false;
  }
}

function replace(next) {
  const open = [...main.querySelectorAll("details[open]")].map((details) => details.id);
  const places = [...main.querySelectorAll(".scroll")].map((box) => [box.scrollLeft, box.scrollTop]);
  const focusable = "a, button, summary, .scroll";
  const focused = [...main.querySelectorAll(focusable)].indexOf(document.activeElement);
  main.replaceChildren(...next.childNodes);
  for (const id of open) {
    const details = document.getElementById(id);
    if (details) details.open = true;
  }
  main.querySelectorAll(".scroll").forEach((box, number) => {
    [box.scrollLeft, box.scrollTop] = places[number] ?? [0, 0];
  });
  if (focused >= 0) main.querySelectorAll(focusable)[focused]?.focus({ preventScroll: true });
}

// While a tab is hidden it does not listen, so that nothing is read for it. A page that asks whether to act stays as it is.
// After a failure it listens again later each time, and not at the same time as other tabs.
const LONGEST_WAIT = 60_000;
let events = null;
let failures = 0;
let waiting = 0;
function listen() {
  if (document.hidden || main.hasAttribute("data-still")) {
    clearTimeout(waiting);
    waiting = 0;
    events?.close();
    events = null;
  } else if (!events && !waiting) {
    events = new EventSource("/events");
    events.addEventListener("open", () => (failures = 0));
    events.addEventListener("tick", refresh);
    events.addEventListener("error", again);
  }
}

function again() {
  events?.close();
  events = null;
  const wait = Math.min(LONGEST_WAIT, 1000 * 2 ** failures) * (0.5 + Math.random() / 2);
  failures += 1;
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    waiting = 0;
    listen();
  }, wait);
}
document.addEventListener("visibilitychange", listen);
listen();

// The links that begin the rows of tables.
function move(step) {
  const rows = [...main.querySelectorAll("tbody tr td:first-child a")].filter((link) => link.offsetParent);
  const place = rows.indexOf(document.activeElement);
  const next = place < 0 ? (step > 0 ? 0 : rows.length - 1) : place + step;
  rows[next]?.focus();
}

// A capital sends the form, or follows the link, that shows it: of the row or the section with the focus, or the only one
// of the page. A form that lacks something says so.
function act(key) {
  const here = document.activeElement;
  for (const part of [here.closest("tr"), here.closest("section"), main]) {
    const found = [...(part?.querySelectorAll("[data-key]") ?? [])].filter((one) => one.dataset.key === key);
    if (found.length === 1) return found[0].click() ?? true;
    if (found.length > 1) return false;
  }
  return false;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches("input, select, textarea")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (event.key === "/") find.focus();
  else if (event.key === "?") keys.open ? keys.close() : keys.showModal();
  else if (event.key === "j" && !keys.open) move(1);
  else if (event.key === "k" && !keys.open) move(-1);
  else if (/^[A-Z]$/.test(event.key) && !keys.open && act(event.key)) return event.preventDefault();
  else return;
  event.preventDefault();
});
