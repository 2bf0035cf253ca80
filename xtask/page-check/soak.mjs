// Keeps the overview of a dashboard open in a tab. Arguments: the address, for how many minutes, and perhaps a browser.
// Prints a line of JSON after each minute: how many requests the page has sent, how much memory its script uses once the
// garbage is collected, and how many nodes there are, in the document and in all.

import chromium from "@sparticuz/chromium";
import puppeteer from "puppeteer-core";

const [url, minutes, program] = process.argv.slice(2);
const MINUTE_MS = 60_000;

const browser = await puppeteer.launch({
  args: chromium.args,
  executablePath: program ?? (await chromium.executablePath()),
  headless: "shell",
});
try {
  const page = await browser.newPage();
  const session = await page.createCDPSession();
  let requests = 0;
  page.on("request", () => (requests += 1));
  const begin = Date.now();
  await page.goto(`${url}/`, { waitUntil: "load" });
  for (let minute = 1; minute <= Number(minutes); minute += 1) {
    await new Promise((wait) => setTimeout(wait, begin + minute * MINUTE_MS - Date.now()));
    const sent = requests;
    requests = 0;
    await session.send("HeapProfiler.collectGarbage");
    const { JSHeapUsedSize, Nodes } = await page.metrics();
    const shown = await page.evaluate(() => {
      const walker = document.createTreeWalker(document);
      let count = 1;
      while (walker.nextNode()) count += 1;
      return count;
    });
    const heap_kib = Math.round(JSHeapUsedSize / 1024);
    console.log(JSON.stringify({ requests: sent, heap_kib, nodes: Nodes, shown_nodes: shown }));
  }
} finally {
  await browser.close();
}
