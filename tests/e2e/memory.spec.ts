import { readFileSync } from "node:fs";
import type { Browser, Page } from "../../frontend/e2e";
import { dropFile, expect, test } from "./browser";

const NUM_PAGES = 500;

test.use({ reader: "script", settings: { SECONDS_PER_TOKEN: "0" } });

test("a book of 500 pages scrolls with a handful of its pages mounted", async ({
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

  await scrollThrough(page);
  expect(await page.getByRole("article").count()).toBeLessThan(8);

  // A figure, and no bound: 300 MB are wanted, and more are held yet.
  const scrolling = await rendererMegabytes(browser);
  const developer = await page.context().newCDPSession(page);
  await developer.send("HeapProfiler.collectGarbage");
  const collected = await rendererMegabytes(browser);
  console.log(`${String(NUM_PAGES)} pages: ${scrolling.toFixed(0)} MB as it scrolled,`);
  console.log(`${collected.toFixed(0)} MB without what is left to collect`);
});

/** To the last page, a window at a time, as fast as pages are drawn. */
async function scrollThrough(page: Page): Promise<void> {
  const reader = page.getByRole("region", { name: "Pages of the document" });
  const last = page.getByRole("article", { name: `Page ${String(NUM_PAGES)}`, exact: true });
  await expect(page.getByRole("article", { name: "Page 1", exact: true })).toBeVisible();
  while (!(await last.isVisible())) {
    await reader.evaluate((element) => {
      element.scrollTop += 3 * element.clientHeight;
    });
    await page.waitForTimeout(30);
  }
}

/** What the page's own process holds and shares with no other: Chromium's "memory footprint". */
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
