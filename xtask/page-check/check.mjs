// Looks at every page of a dashboard in a browser, and at a report. Arguments: the address, the folder for screenshots,
// a report's file or "-", and perhaps a browser. Prints a line for each finding, and ends with status 1 if there is
// one. On a local stack it also sends forms that change something: it forces a breaker closed, and frees it again.

import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import chromium from "@sparticuz/chromium";
import puppeteer from "puppeteer-core";

const [url, folder, report, program] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const findings = [];
const found = (where, what) => findings.push(`${where}: ${what}`);

const FIXED = [
  "/", "/queues", "/jobs", "/jobs?state=dead", "/succeeded", "/dependencies", "/errors?since=24h", "/rejected", "/cars",
  "/operations", "/nothing",
];
const MOST_JOBS = 60;
const MOST_TRIES = 10;
const LEADS_WITHIN_MS = 30_000;
const FOCUSABLE = "a[href], button, input, select, summary";
const DANGEROUS = 'form[action="/confirm"] [data-key], a[href^="/confirm?"][data-key]';

const isReport = (path) => path.startsWith("file:");
const open = (page, path) => page.goto(isReport(path) ? path : url + path, { waitUntil: "load" });
const here = (page) => page.url().slice(url.length);

/** Where the links of a page lead that fit a selector. */
async function links(page, path, selector) {
  await open(page, path);
  return page.$$eval(selector, (all) => [...new Set(all.map((one) => one.getAttribute("href")))]);
}

/** The list of a dealer who has cars, and the first of them. */
async function cars(page) {
  const seen = new Set();
  for (const job of (await links(page, "/succeeded", 'a[href^="/job?"]')).slice(0, MOST_JOBS)) {
    await open(page, job);
    const text = await page.$eval("main", (main) => main.textContent);
    const dealer = /"dealer_slug":\s*"([^"]+)"/.exec(text)?.[1];
    if (!dealer || seen.has(dealer)) continue;
    seen.add(dealer);
    const list = `/cars?dealer=${encodeURIComponent(dealer)}`;
    const [car] = await links(page, list, 'a[href^="/car?"]');
    if (car) return [list, car];
  }
  return [];
}

/** The pages that ask whether to act, of the first form or link of each of these pages that leads to one. */
async function questions(page, paths) {
  const asked = [];
  for (const path of paths) {
    await open(page, path);
    const [form] = await page.$$eval('form[action="/confirm"]', (forms) => {
      return forms.map((form) => `/confirm?${new URLSearchParams(new FormData(form))}`);
    });
    const [link] = await page.$$eval('a[href^="/confirm?"]', (all) => all.map((one) => one.getAttribute("href")));
    asked.push(...[form, link].filter(Boolean));
  }
  return asked;
}

/** Every page, with jobs, cars, acts and entries of the log as far as there are some. */
async function pages(page) {
  const jobs = [];
  for (const list of ["/errors?since=24h", "/jobs", "/rejected", "/succeeded"]) {
    jobs.push(...(await links(page, list, 'a[href^="/job?"]')).slice(0, 1));
  }
  const operations = (await links(page, "/operations", 'a[href^="/operation?"]')).slice(0, 1);
  const asked = await questions(page, ["/dependencies", "/queues", "/errors?since=24h", ...jobs]);
  const paths = [...FIXED, ...jobs, ...(await cars(page)), ...asked, ...operations];
  for (const kind of ["/job?", "/cars?", "/car?", "/confirm?", "/operation?"]) {
    if (!paths.some((path) => path.startsWith(kind))) console.log(`${kind} was not looked at: the stack has none`);
  }
  if (report !== "-") paths.push(pathToFileURL(report).href);
  return [...new Set(paths)];
}

const named = (path) => path.split("/").pop().replace(/[^a-z0-9]+/gi, "-").slice(0, 70) || "overview";

async function look(page, path, scheme, width) {
  const where = `${path} (${scheme}, ${width} px)`;
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  await page.setViewport({ width, height: 900 });
  await open(page, path);
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => axe.run());
  for (const { impact, id, help, nodes } of violations) {
    if (impact !== "serious" && impact !== "critical") continue;
    found(where, `${id}: ${help} (${nodes[0].html.slice(0, 120)})`);
  }
  const wide = await page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    return scrollWidth - clientWidth;
  });
  if (wide > 0) found(where, `${wide} px wider than the screen`);
  await page.screenshot({ path: join(folder, `${named(path)}-${scheme}-${width}.png`), fullPage: true });
}

/** Every link and field is reached by Tab and shows that it has the focus. */
async function tabs(page, path) {
  await page.setViewport({ width: 1280, height: 900 });
  await open(page, path);
  const many = await page.$$eval(FOCUSABLE, (all) => all.filter((one) => one.checkVisibility()).length);
  const reached = new Set();
  for (let step = 0; step < many + 40; step += 1) {
    await page.keyboard.press("Tab");
    const [place, shown] = await page.evaluate((focusable) => {
      const one = document.activeElement;
      const place = [...document.querySelectorAll(focusable)].indexOf(one);
      return [place, getComputedStyle(one).outlineStyle !== "none" || one === document.body];
    }, FOCUSABLE);
    if (place >= 0) reached.add(place);
    if (!shown) found(path, "an element does not show that it has the focus");
  }
  if (reached.size < many) found(path, `Tab reaches ${reached.size} of ${many} elements`);
}

/** The keys do what the list of keys says. */
async function keys(page, path) {
  await open(page, path);
  await page.keyboard.press("/");
  const isSearch = await page.evaluate(() => document.activeElement.id === "find-job");
  if (!isSearch) found(path, "/ does not lead to the search");
  await page.keyboard.press("Escape");
  await page.keyboard.press("?");
  if (!(await page.$eval("#keys", (dialog) => dialog.open))) found(path, "? does not show the keys");
  await page.keyboard.press("Escape");
  const rows = "main tbody tr td:first-child a";
  const many = await page.$$eval(rows, (all) => all.filter((one) => one.offsetParent).length);
  for (const [key, row] of [["j", 0], ["j", 1], ["k", 0]]) {
    await page.keyboard.press(key);
    const place = await page.$$eval(rows, (all) => {
      return all.filter((one) => one.offsetParent).indexOf(document.activeElement);
    });
    if (many > row && place !== row) found(path, `${key} leads to row ${place + 1}, expected ${row + 1}`);
    if (many <= 1) break;
  }
  await capital(page, path);
}

/** The capital of a change that is asked about first leads to the page that asks, if it stands for one change only. */
async function capital(page, path) {
  const key = await page.evaluate((dangerous) => {
    const isOnlyOne = (one) => {
      const part = one.closest("tr") ?? one.closest("section");
      const same = [...part.querySelectorAll("[data-key]")].filter((other) => other.dataset.key === one.dataset.key);
      return same.length === 1;
    };
    const one = [...document.querySelectorAll(dangerous)].find(isOnlyOne);
    one?.focus();
    return one?.dataset.key;
  }, DANGEROUS);
  if (!key) return;
  const leads = page.waitForNavigation({ timeout: LEADS_WITHIN_MS }).catch(() => null);
  await page.keyboard.press(key);
  await leads;
  if (!here(page).startsWith("/confirm?")) found(path, `${key} leads to ${here(page)}, expected the page that asks`);
}

async function withoutScript(page, path) {
  await page.setJavaScriptEnabled(false);
  const answer = await open(page, path);
  const html = isReport(path) ? readFileSync(report, "utf8") : await answer.text();
  for (const part of ["<h1>", isReport(path) ? "<main" : "<nav", "<section", "</html>"]) {
    if (!html.includes(part)) found(path, `without JavaScript, ${part} is missing`);
  }
  if (isReport(path) && html.includes("<script")) found(path, "a report has a script");
  await page.setJavaScriptEnabled(true);
}

/** Writes into a field, or chooses a button, and presses Enter. Returns whether a page came of it. */
async function enter(page, selector, text) {
  await page.focus(selector);
  if (text) await page.keyboard.type(text);
  const leads = page.waitForNavigation({ waitUntil: "load", timeout: LEADS_WITHIN_MS }).catch(() => null);
  await page.keyboard.press("Enter");
  return (await leads)?.ok() ?? false;
}

/** Forms that only ask work without JavaScript. */
async function forms(page, dealer) {
  const [job] = await links(page, "/succeeded", 'a[href^="/job?"]');
  const key = job && new URLSearchParams(job.slice(job.indexOf("?"))).get("id");
  const asked = [
    ["/", "#find-job", key, "/job?id="],
    ["/jobs", "form.filter button", "", "/jobs?"],
    ["/errors", "form.filter button", "", "/errors?since="],
    ["/cars", 'form.filter input[name="dealer"]', dealer, "/cars?dealer="],
  ];
  await page.setJavaScriptEnabled(false);
  for (const [path, field, text, leads] of asked) {
    if (text === undefined) continue;
    await open(page, path);
    const isGood = await enter(page, field, text);
    if (!isGood || !here(page).startsWith(leads)) found(path, `without JavaScript, its form leads to ${here(page)}`);
  }
  await page.setJavaScriptEnabled(true);
}

/** On a local stack, forms that change something do so without JavaScript, and lead to the entry of the log. */
async function acts(page) {
  await open(page, "/dependencies");
  const isLocal = (await page.$eval(".badge", (badge) => badge.textContent.trim())) === "local";
  const close = 'form[action="/confirm"]:has(input[name="do"][value="close"])';
  const dependency = await page.$$eval(`${close} input[name="dependency"]`, (all) => all[0]?.value);
  if (!isLocal || !dependency) return console.log("No form was sent that changes something: not local, or read-only");
  await page.setJavaScriptEnabled(false);
  const of = `:has(input[name="dependency"][value="${dependency}"])`;
  const free = `form[action="/act"]:has(input[name="do"][value="auto"])${of}`;
  await open(page, "/dependencies");
  await enter(page, `${close}${of} button`);
  const isAsked = here(page).startsWith("/confirm?");
  const isDone = isAsked && (await enter(page, 'form[action="/act"] input[name="reason"]', "page-check"));
  const isLogged = () => here(page).startsWith("/operation?");
  if (!isDone || !isLogged()) found("/dependencies", `forcing a breaker closed ends at ${here(page)}`);
  for (let tries = 0; tries < MOST_TRIES; tries += 1) {
    await open(page, "/dependencies");
    if (await page.$(free)) break;
    await new Promise((wait) => setTimeout(wait, 500));
  }
  const isFree = (await page.$(free)) && (await enter(page, `${free} input[name="reason"]`, "page-check"));
  if (!isFree || !isLogged()) found("/dependencies", `letting a breaker decide ends at ${here(page)}`);
  await page.setJavaScriptEnabled(true);
}

mkdirSync(folder, { recursive: true });
const browser = await puppeteer.launch({
  args: chromium.args,
  executablePath: program ?? (await chromium.executablePath()),
  headless: "shell",
});
try {
  const page = await browser.newPage();
  page.on("console", (message) => {
    if (message.type() === "error" && !message.text().includes("404")) found(page.url(), message.text());
  });
  page.on("pageerror", (error) => found(page.url(), error.message));
  // First, so that the log has an entry to look at.
  await acts(page);
  const paths = await pages(page);
  const list = paths.find((path) => path.startsWith("/cars?dealer="));
  await forms(page, list && decodeURIComponent(list.slice("/cars?dealer=".length)));
  for (const path of paths) {
    for (const scheme of ["light", "dark"]) {
      for (const width of [1280, 320]) await look(page, path, scheme, width);
    }
    await tabs(page, path);
    if (!isReport(path)) await keys(page, path);
    await withoutScript(page, path);
  }
  console.log(`${paths.length} pages in two colour schemes and two widths; screenshots in ${folder}`);
} finally {
  await browser.close();
}
for (const finding of [...new Set(findings)]) console.log(finding);
process.exitCode = findings.length > 0 ? 1 : 0;
