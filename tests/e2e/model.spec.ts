import { join } from "node:path";
import { blockBox, dropFile, expect, REAL, Service, test, unzip } from "./browser";

const EXAMPLE = join(import.meta.dirname, "../../docs/example.png");

test("the shipped model reads a picture and a PDF through the page", async ({ browser, files }) => {
  test.setTimeout(300_000);
  const service = await Service.make({}, REAL);
  const page = await browser.newPage({ baseURL: service.url });
  try {
    await page.goto("/");
    await dropFile(page, EXAMPLE, "image/png");
    await expect(page.getByRole("heading", { name: "Opening hours" })).toBeVisible({
      timeout: 60_000,
    });
    await expect(blockBox(page, "Block 1: title")).toBeVisible();
    await expect(page.getByText("leave your coat at the desk")).toBeVisible();

    await page.goto("/documents");
    await dropFile(page, files.path("example.pdf"), "application/pdf");
    await page.getByRole("button", { name: "Read 1 document" }).click();
    await page.getByRole("link", { name: "example.pdf", exact: true }).click();
    const zip = page.getByRole("link", { name: "Download the ZIP of example.pdf" });
    await expect(zip).toBeVisible({ timeout: 120_000 });
    const [download] = await Promise.all([page.waitForEvent("download"), zip.click()]);
    const markdown = unzip(await download.path(), "document.md");
    expect(markdown).toContain("<!-- page 2 -->");
    expect(markdown.match(/Opening hours/g)).toHaveLength(2);
  } finally {
    await page.close();
    await service.end();
  }
});
