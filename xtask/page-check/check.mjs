// Looks at every page of a dashboard in a browser. Arguments: the address, the folder for screenshots, and perhaps a
// browser. Prints a line for each finding, and ends with status 1 if there is one.

import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import chromium from "@sparticuz/chromium";
import puppeteer from "puppeteer-core";

const [url, folder, program] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const findings = [];
const found = (where, what) => findings.push(`${where}: ${what}`);

/** The pages, with a job and a car if there are some. */
async function pages(page) {
  const paths = ["/", "/queues", "/jobs", "/jobs?state=dead", "/succeeded", "/dependencies", "/errors?since=24h", "/rejected", "/cars", "/operations", "/nothing"];
  for (const start of ['a[href^="/confirm?"]', 'a[href^="/operation?"]']) {
    await page.goto(url + (start.includes("confirm") ? "/errors?since=24h" : "/operations"));
    const path = await page.$$eval(start, (links) => links[0]?.getAttribute("href"));
    if (path) paths.push(path);
  }
  for (const list of ["/errors?since=24h", "/jobs", "/rejected"]) {
    await page.goto(url + list);
    const job = await page.$$eval('a[href^="/job?"]', (links) => links[0]?.getAttribute("href"));
    if (job) paths.push(job);
  }
  return [...new Set(paths)];
}

const named = (path) => path.replace(/^\//, "").replace(/[^a-z0-9]+/gi, "-").slice(0, 40) || "overview";

async function look(page, path, scheme, width) {
  const where = `${path} (${scheme}, ${width} px)`;
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  await page.setViewport({ width, height: 900 });
  await page.goto(url + path, { waitUntil: "load" });
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => axe.run());
  for (const { impact, id, help, nodes } of violations) {
    if (impact === "serious" || impact === "critical") found(where, `${id}: ${help} (${nodes[0].html.slice(0, 120)})`);
  }
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  if (wide > 0) found(where, `${wide} px wider than the screen`);
  await page.screenshot({ path: join(folder, `${named(path)}-${scheme}-${width}.png`), fullPage: true });
}

/** Every link and field is reached by Tab and shows that it has the focus; the other keys do what they say. */
async function keyboard(page, path) {
  await page.setViewport({ width: 1280, height: 900 });
  await page.goto(url + path, { waitUntil: "load" });
  const many = await page.$$eval("a[href], button, input, select, summary", (all) => all.filter((one) => one.checkVisibility()).length);
  const reached = new Set();
  for (let step = 0; step < many + 40; step += 1) {
    await page.keyboard.press("Tab");
    const [place, shown] = await page.evaluate(() => {
      const one = document.activeElement;
      const place = [...document.querySelectorAll("a[href], button, input, select, summary")].indexOf(one);
      return [place, getComputedStyle(one).outlineStyle !== "none" || one === document.body];
    });
    if (place >= 0) reached.add(place);
    if (!shown) found(path, "an element does not show that it has the focus");
  }
  if (reached.size < many) found(path, `Tab reaches ${reached.size} of ${many} elements`);
  await page.goto(url + path, { waitUntil: "load" });
  await page.keyboard.press("/");
  if ((await page.evaluate(() => document.activeElement.id)) !== "find-job") found(path, "/ does not lead to the search");
  await page.keyboard.press("Escape");
  await page.keyboard.press("?");
  if (!(await page.$eval("#keys", (dialog) => dialog.open))) found(path, "? does not show the keys");
  await page.keyboard.press("Escape");
  const rows = await page.$$eval("main tbody td:first-child a", (links) => links.filter((one) => one.offsetParent).length);
  await page.keyboard.press("j");
  const isRow = await page.evaluate(() => document.activeElement.matches("tbody td:first-child a"));
  if (rows > 0 && !isRow) found(path, "j does not lead to a row");
}

async function withoutScript(page, path) {
  await page.setJavaScriptEnabled(false);
  const answer = await page.goto(url + path, { waitUntil: "load" });
  const html = await answer.text();
  for (const part of ["<h1>", "<nav", "<section", "</html>"]) {
    if (!html.includes(part)) found(path, `without JavaScript, ${part} is missing`);
  }
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
  const paths = await pages(page);
  for (const path of paths) {
    for (const scheme of ["light", "dark"]) {
      for (const width of [1280, 320]) await look(page, path, scheme, width);
    }
    await keyboard(page, path);
    await withoutScript(page, path);
  }
  console.log(`${paths.length} pages in two colour schemes and two widths; screenshots in ${folder}`);
} finally {
  await browser.close();
}
for (const finding of [...new Set(findings)]) console.log(finding);
process.exitCode = findings.length > 0 ? 1 : 0;
