import { readFileSync } from "node:fs";
import type { Browser, CDPSession, Page } from "../../frontend/e2e";
import { dropFile, expect, test } from "./browser";

const NUM_PAGES = 500;
const MAX_MEGABYTES = 300;
const PIXELS_PER_SECOND = 4000; // four and a half windows: as fast as eyes find a page by its look
const SCROLLED_SECONDS = 10;
// Beside plain text in the same browser: frames per second, and what a processor does in a second, are the
// machine's. Nine to ten times is usual, a quarter of the main thread's time on a quick machine.
const MAX_BUSY_RATIO = 16;

test.use({ reader: "script", settings: { SECONDS_PER_TOKEN: "0" } });

test("a book of 500 pages scrolls smoothly, with little of it in memory", async ({
  page,
  browser,
  files,
}) => {
  test.setTimeout(480_000);
  await page.goto("/documents");
  await dropFile(page, files.path("book.pdf"), "application/pdf");
  await page.getByRole("button", { name: "Read 1 document" }).click();
  await page.getByRole("link", { name: "book.pdf", exact: true }).click();
  await expect(page.getByRole("link", { name: "Download the ZIP of book.pdf" })).toBeVisible({
    timeout: 400_000,
  });
  await page.reload();
  await expect(page.getByRole("article", { name: "Page 1", exact: true })).toBeVisible();

  const developer = await page.context().newCDPSession(page);
  await developer.send("Performance.enable", { timeDomain: "threadTicks" });
  const before = await busySeconds(developer);
  const { frames, worst, late, blocked } = await scrollSmoothly(page);
  const busy = (await busySeconds(developer)) - before;
  const plain = await busySecondsOfPlainText(page);
  const rate = frames / SCROLLED_SECONDS;
  console.log(`${rate.toFixed(0)} frames/s at ${String(PIXELS_PER_SECOND)} px/s; ${String(late)}`);
  console.log(`of ${String(frames)} frames after more than 50 ms, the worst after ${worst} ms;`);
  console.log(`${blocked} ms in tasks of more than 50 ms, of ${String(SCROLLED_SECONDS)} s`);
  console.log(`the page's main thread is busy for ${busy.toFixed(2)} s of that,`);
  console.log(`plain text's for ${plain.toFixed(2)} s: ${(busy / plain).toFixed(1)} times as long`);
  expect(busy / plain).toBeLessThan(MAX_BUSY_RATIO);

  await scrollThrough(page);
  expect(await page.getByRole("article").count()).toBeLessThan(8);
  const scrolling = await rendererMegabytes(browser);
  await developer.send("HeapProfiler.collectGarbage");
  const collected = await rendererMegabytes(browser);
  console.log(`${String(NUM_PAGES)} pages: ${scrolling.toFixed(0)} MB as it scrolled,`);
  console.log(`${collected.toFixed(0)} MB without what is left to collect`);
  expect(scrolling).toBeLessThan(MAX_MEGABYTES);
});

/** What the page's main thread has worked so far. */
async function busySeconds(developer: CDPSession): Promise<number> {
  const { metrics } = await developer.send("Performance.getMetrics");
  return metrics.find(({ name }) => name === "TaskDuration")?.value ?? Number.NaN;
}

/** The same for a page of nothing but text, as it scrolls at the same pace: what any page costs here. */
async function busySecondsOfPlainText(page: Page): Promise<number> {
  const plain = await page.context().newPage();
  const paragraph = `<p>${"Nothing but words in lines. ".repeat(40)}</p>`;
  await plain.setContent(
    `<div role="region" aria-label="Pages of the document" style="height: 100vh; overflow: auto">
      ${paragraph.repeat(1000)}</div>`,
  );
  const developer = await page.context().newCDPSession(plain);
  await developer.send("Performance.enable", { timeDomain: "threadTicks" });
  const before = await busySeconds(developer);
  await scrollSmoothly(plain);
  const busy = (await busySeconds(developer)) - before;
  await plain.close();
  return busy;
}

/** At a steady pace, a step each frame, and how that went. */
function scrollSmoothly(page: Page) {
  const reader = page.getByRole("region", { name: "Pages of the document" });
  return reader.evaluate(
    async (element, { pace, seconds }) => {
      const tasks: number[] = [];
      const observer = new PerformanceObserver((list) => {
        tasks.push(...list.getEntries().map(({ duration }) => duration));
      });
      observer.observe({ type: "longtask" });
      const frames: number[] = [];
      const begin = performance.now();
      for (let last = begin; last - begin < 1000 * seconds;) {
        const now = await new Promise<number>((resolve) => requestAnimationFrame(resolve));
        frames.push(now - last);
        element.scrollTop += (pace * (now - last)) / 1000;
        last = now;
      }
      return {
        frames: frames.length,
        late: frames.filter((gap) => gap > 50).length,
        worst: Math.max(...frames).toFixed(0),
        blocked: tasks.reduce((sum, task) => sum + task, 0).toFixed(0),
      };
    },
    { pace: PIXELS_PER_SECOND, seconds: SCROLLED_SECONDS },
  );
}

/** To the last page, three windows at a time, as fast as pages are drawn. */
async function scrollThrough(page: Page): Promise<void> {
  const reader = page.getByRole("region", { name: "Pages of the document" });
  const last = page.getByRole("article", { name: `Page ${String(NUM_PAGES)}`, exact: true });
  while (!(await last.isVisible())) {
    await reader.evaluate((element) => {
      element.scrollTop += 3 * element.clientHeight;
    });
    await page.waitForTimeout(30);
  }
}

/**
 * What the page's own process holds and shares with no other: Private_Clean, Private_Dirty and Swap of
 * Linux. Chromium's own "memory footprint" is less: it leaves shared memory out, where pictures lie.
 */
async function rendererMegabytes(browser: Browser): Promise<number> {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  const footprints = processInfo
    .filter(({ type }) => type === "renderer")
    .map(({ id }) => readFileSync(`/proc/${String(id)}/smaps_rollup`, "utf8"))
    .map((rollup) =>
      [...rollup.matchAll(/^(?:Private_Clean|Private_Dirty|Swap):\s+(\d+) kB$/gm)]
        .map(([, kilobytes]) => Number(kilobytes) / 1000)
        .reduce((sum, part) => sum + part, 0),
    );
  return Math.max(...footprints);
}
