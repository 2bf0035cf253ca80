// What the pages do besides being read: they stay up to date, and keys move through them. Every page works without it.

const main = document.querySelector("main");
const keys = document.getElementById("keys");
const find = document.getElementById("find-job");

// The main part of the same page, read anew. Open tables stay open, and the focus stays where it is.
let reading = false;
async function refresh() {
  const isTyping = main.contains(document.activeElement) && document.activeElement.matches("input, select");
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

// While a tab is hidden it does not listen, so that nothing is read for it.
let events = null;
function listen() {
  if (document.hidden) {
    events?.close();
    events = null;
  } else if (!events) {
    events = new EventSource("/events");
    events.addEventListener("tick", refresh);
  }
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
  else return;
  event.preventDefault();
});
