// Takes the screenshots of README.md from a dashboard whose stack is in an outage. Arguments: the address, the folder,
// and perhaps a browser. It waits until a breaker refuses calls, or until jobs wait after failures. Each picture has at
// most 256 colours.

import { mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import chromium from "@sparticuz/chromium";
import puppeteer from "puppeteer-core";

const [url, folder, program] = process.argv.slice(2);
const UPNG = createRequire(import.meta.url)("upng-js");
const OUTAGE_WITHIN_MS = 240_000;
const POLL_EVERY_MS = 500;
const MOST_BYTES = 200_000;
const VIEW = { width: 1200, height: 820 };

// The charts need some buckets before they show anything.
const PAST_MS = 36_000;

/** Whether a job waits for another try. */
async function waits() {
  const list = await (await fetch(`${url}/jobs?state=waiting`)).text();
  return list.includes('href="/job?');
}

/** Returns once a breaker refuses calls, or later once a job waits. */
async function outage() {
  const begin = Date.now();
  const end = begin + OUTAGE_WITHIN_MS;
  while (Date.now() < end) {
    const metrics = await (await fetch(`${url}/metrics`)).text();
    if (/^evenkeel_breaker_refuses_calls\{.*\} 1$/m.test(metrics)) return;
    if (Date.now() > begin + PAST_MS && (await waits())) return;
    await new Promise((wait) => setTimeout(wait, POLL_EVERY_MS));
  }
  throw new Error("no breaker has opened, and no job has waited");
}

/** The path of a job with a story: one that is parked, or waits, or was given up. */
async function job(page) {
  for (const list of ["/jobs?state=parked", "/jobs?state=waiting", "/jobs", "/errors?since=1h"]) {
    await page.goto(url + list);
    const path = await page.$$eval('main a[href^="/job?"]', (links) => links[0]?.getAttribute("href"));
    if (path) return path;
  }
  throw new Error("there is no job to show");
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
