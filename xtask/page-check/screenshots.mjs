// Takes the screenshots of README.md from a dashboard whose stack is about to be in an outage. Arguments: the address,
// the folder, and perhaps a browser. It waits until the breaker of the link shortener has been open for a minute that
// the sweeper has reported. Each picture has at most 256 colours.

import { mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import chromium from "@sparticuz/chromium";
import puppeteer from "puppeteer-core";

const [url, folder, program] = process.argv.slice(2);
const UPNG = createRequire(import.meta.url)("upng-js");
const OUTAGE_WITHIN_MS = 240_000;
const REPORT_WITHIN_MS = 200_000;
const POLL_EVERY_MS = 500;
const MOST_BYTES = 200_000;
const VIEW = { width: 1200, height: 820 };
const MOST_JOBS = 12;

const OPEN = /^evenkeel_breaker_refuses_calls\{dependency="rebrandly"\} 1$/m;
const REPORTED_AT = /^evenkeel_observed_timestamp_seconds (\S+)$/m;

const metrics = async () => (await fetch(`${url}/metrics`)).text();

async function until(what, withinMs, holds) {
  const end = Date.now() + withinMs;
  while (Date.now() < end) {
    if (await holds()) return;
    await new Promise((wait) => setTimeout(wait, POLL_EVERY_MS));
  }
  throw new Error(`${what}: not within ${withinMs / 1000} s`);
}

/** Returns once the sweeper has reported a whole minute of the outage. */
async function outage() {
  await until("an open breaker", OUTAGE_WITHIN_MS, async () => OPEN.test(await metrics()));
  const wanted = Date.now() / 1000 + 60;
  const isReported = async () => Number(REPORTED_AT.exec(await metrics())?.[1]) > wanted;
  await until("a report of the sweeper", REPORT_WITHIN_MS, isReported);
}

/** The path of the job with the longest story, of those that are parked, or else of all unfinished ones. */
async function job(page) {
  const found = new Set();
  for (const list of ["/jobs?state=parked", "/jobs"]) {
    await page.goto(url + list);
    const links = 'main a[href^="/job?"]';
    for (const path of await page.$$eval(links, (all) => all.map((one) => one.getAttribute("href")))) found.add(path);
  }
  let [best, most] = [null, 0];
  for (const path of [...found].slice(0, MOST_JOBS)) {
    await page.goto(url + path);
    const moments = await page.$$eval(".timeline li", (all) => all.length);
    if (moments > most) [best, most] = [path, moments];
  }
  if (!best) throw new Error("there is no job to show");
  return best;
}

function small(png) {
  const decoded = UPNG.decode(png.buffer.slice(png.byteOffset, png.byteOffset + png.byteLength));
  return new Uint8Array(UPNG.encode([UPNG.toRGBA8(decoded)[0]], decoded.width, decoded.height, 256));
}

mkdirSync(folder, { recursive: true });
const browser = await puppeteer.launch({
  args: chromium.args,
  executablePath: program ?? (await chromium.executablePath()),
  headless: "shell",
});
try {
  // While this tab is open, the dashboard reads, so that its charts have a past.
  const open = await browser.newPage();
  await open.goto(`${url}/`, { waitUntil: "load" });
  await outage();
  const page = await browser.newPage();
  await page.setViewport(VIEW);
  const pages = [["overview", "/"], ["job", await job(page)], ["errors", "/errors?since=1h"]];
  const taken = [];
  for (const [name, path] of pages) {
    for (const scheme of ["light", "dark"]) {
      await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
      await page.goto(url + path, { waitUntil: "load" });
      taken.push([`${name}-${scheme}.png`, await page.screenshot()]);
    }
  }
  for (const [name, png] of taken) {
    const picture = small(png);
    writeFileSync(join(folder, name), picture);
    console.log(`${name}: ${picture.length} bytes`);
    if (picture.length > MOST_BYTES) {
      console.log(`${name}: expected at most ${MOST_BYTES} bytes`);
      process.exitCode = 1;
    }
  }
} finally {
  await browser.close();
}
