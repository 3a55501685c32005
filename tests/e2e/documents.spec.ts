import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Route } from "../../frontend/e2e";
import {
  dragFromDisk,
  dropFile,
  dropFromDisk,
  expect,
  expectNoAxeViolations,
  filesOfZip,
  readDocument,
  READING_MS,
  test,
  unzip,
} from "./browser";

test("a PDF goes from drop to ZIP", async ({ page, files }) => {
  await readDocument(page, files.path("example.pdf"));
  const zip = page.getByRole("link", { name: "Download the ZIP of example.pdf" });
  await expect(zip).toBeVisible({ timeout: READING_MS });
  const [download] = await Promise.all([page.waitForEvent("download"), zip.click()]);

  const path = await download.path();
  expect(download.suggestedFilename()).toBe("example.zip");
  expect(filesOfZip(path)).toEqual([
    "document.md",
    "document.json",
    "pages/page-0001.jpg",
    "pages/page-0002.jpg",
  ]);
  const markdown = unzip(path, "document.md");
  expect(markdown).toContain("<!-- page 2 -->");
  expect(markdown.match(/leave your coat at the desk/g)).toHaveLength(2);
  const { pages } = JSON.parse(unzip(path, "document.json")) as { pages: { status: string }[] };
  expect(pages.map(({ status }) => status)).toEqual(["ok", "ok"]);
});

test("page and text are in step, and a page can be enlarged", async ({ page, files }) => {
  await readDocument(page, files.path("example.pdf"));
  await expect(page.getByRole("link", { name: /^Download the ZIP/ })).toBeVisible({
    timeout: READING_MS,
  });
  const second = page.getByRole("article", { name: "Page 2", exact: true });
  await page.getByRole("button", { name: "Go to page 2" }).click();
  await expect(second.getByRole("heading", { name: "Opening hours" })).toBeVisible();
  await second.getByRole("button", { name: /^Block 1/ }).hover();
  await expect(second.getByRole("group", { name: /^Block 1/ })).toHaveAttribute("data-lit");
  await second.getByRole("button", { name: "Enlarge page 2" }).click();
  await expect(page.getByRole("dialog", { name: "Page 2" })).toBeVisible();
  await expectNoAxeViolations(page);
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toHaveCount(0);
  await expect(second.getByRole("button", { name: "Enlarge page 2" })).toBeFocused();
});

test("finished pages are read while others run, until it is cancelled", async ({ page, files }) => {
  await readDocument(page, files.path("examples.pdf"));
  const first = page.getByRole("article", { name: "Page 1", exact: true });
  await expect(first.getByText("leave your coat at the desk")).toBeVisible({ timeout: READING_MS });
  await expect(page.getByRole("progressbar", { name: "Progress of examples.pdf" })).toBeVisible();
  await expect(page.getByText(/pages\/s/)).toBeVisible();
  await page.getByRole("button", { name: "Cancel examples.pdf" }).click();
  await expect(page.getByText("Cancelled", { exact: true })).toBeVisible();
  await expect(page.getByRole("progressbar")).toHaveCount(0);
  await expect(first).toBeVisible();
});

test("a page that is missing from the file is marked, with the reason", async ({ page, files }) => {
  await readDocument(page, files.path("damaged.pdf"));
  const marked = page.getByRole("navigation", { name: "Pages to look at" });
  await marked.getByRole("button", { name: "Page 2 Failed" }).click({ timeout: READING_MS });
  const failed = page.getByRole("article", { name: "Page 2", exact: true });
  await expect(failed).toContainText("The page cannot be rendered.");
  await expect(page.getByText("3 of 3 pages")).toBeVisible();
  await expect(page.getByRole("link", { name: /^Download the ZIP/ })).toBeVisible();
  await expectNoAxeViolations(page);
});

test("an encrypted PDF says what to do", async ({ page, files }) => {
  await page.goto("/documents");
  await dropFile(page, files.path("locked.pdf"), "application/pdf");
  await page.getByRole("button", { name: "Read 1 document" }).click();
  await expect(page.getByText("The document is encrypted")).toBeVisible();
  await expectNoAxeViolations(page);
  await page.getByRole("link", { name: "locked.pdf", exact: true }).click();
  await expect(page.getByRole("alert")).toContainText("Remove the password and upload it again.");
  await expectNoAxeViolations(page);
});

test("only the chosen pages are read", async ({ page, files }) => {
  await readDocument(page, files.path("examples.pdf"), "2,6");
  await expect(page.getByText("2 of 2 pages")).toBeVisible({ timeout: READING_MS });
  await expect(page.getByRole("button", { name: "Go to page 6" })).toBeVisible();
  await expect(page.getByRole("button", { name: "Go to page 1", exact: true })).toHaveCount(0);
});

test("a wrong page range is refused before anything is read", async ({ page, files }) => {
  await page.goto("/documents");
  await page.getByRole("textbox", { name: "Pages" }).fill("5-2");
  await dropFile(page, files.path("example.pdf"), "application/pdf");
  await page.getByRole("button", { name: "Read 1 document" }).click();
  await expect(page.getByRole("alert")).toContainText("The request is not right");
  await page.getByRole("textbox", { name: "Pages" }).fill("1-2");
  await page.getByRole("button", { name: "Upload example.pdf again" }).click();
  await expect(page.getByRole("link", { name: "example.pdf", exact: true })).toBeVisible();
});

test("what is dropped while the view's code is on its way is not lost", async ({ page, files }) => {
  let release = () => {};
  const released = new Promise<void>((resolve) => (release = resolve));
  await page.route("**/assets/pdf-*.js", async (route) => {
    await released;
    await route.continue();
  });
  await page.goto("/documents", { waitUntil: "commit" });
  await expect(page.getByRole("link", { name: "Documents" })).toBeVisible();
  await dropFile(page, files.path("example.pdf"), "application/pdf");
  release();
  await expect(page.getByText("example.pdf")).toBeVisible();
});

test("a document dropped on the list of tasks is handed to the documents", async ({
  page,
  files,
}) => {
  await page.goto("/tasks");
  await dropFile(page, files.path("example.pdf"), "application/pdf");
  await expect(page).toHaveURL(/\/documents$/);
  await expect(page.getByRole("button", { name: "Read 1 document" })).toBeVisible();
});

test("what is let go over a view that has only just come is taken", async ({ page, files }) => {
  let held: Route | undefined;
  await page.route(/\/pdf-.*\.js$/, (route) => (held = route));
  await page.goto("/documents", { waitUntil: "commit" });
  await expect.poll(() => held).toBeDefined();
  const letGo = await dragFromDisk(page, files.path("example.pdf"));
  await held?.continue();
  await expect(page.getByText("Let go to add")).toBeVisible();
  await letGo();
  await expect(page.getByRole("button", { name: "Read 1 document" })).toBeVisible();
});

test("of a dropped folder the documents are taken, and one that has none says so", async ({
  page,
  files,
}) => {
  const scans = join(files.folder, "scans");
  const notes = join(files.folder, "notes");
  for (const folder of [join(scans, "2024"), notes]) mkdirSync(folder, { recursive: true });
  copyFileSync(files.path("example.pdf"), join(scans, "2024", "letter.pdf"));
  for (const folder of [scans, notes]) writeFileSync(join(folder, "notes.txt"), "nothing");
  await page.goto("/documents");
  await dropFromDisk(page, notes);
  const banner = page.getByRole("alert").filter({ hasText: "Nothing to read in notes" });
  await expect(banner).toContainText("PDF, TIFF and picture files are taken");
  await expectNoAxeViolations(page);
  await dropFromDisk(page, scans, files.path("locked.pdf"));
  await expect(banner).toBeHidden();
  const chosen = page.getByRole("region", { name: "Documents" }).getByRole("listitem");
  await expect(chosen).toHaveText([/^letter\.pdf/, /^locked\.pdf/]);
});
