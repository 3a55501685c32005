import { execFileSync } from "node:child_process";
import { expect, expectNoAxeViolations, dropFile, test } from "./browser";

// The last page of long.pdf is never done: it runs until it is cancelled.
test.use({ settings: { SECONDS_PER_TOKEN: "0.004", ENDLESS_PAGE: "40" } });

test("a PDF goes from drop to ZIP, and its marked pages say why", async ({ page, files }) => {
  await page.goto("/documents");
  await expectNoAxeViolations(page);
  await dropFile(page, files.path("report.pdf"), "application/pdf");
  await page.getByRole("button", { name: "Read 1 document" }).click();
  await page.getByRole("link", { name: "report.pdf", exact: true }).click();

  const zip = page.getByRole("link", {
    name: "Download the ZIP of report.pdf",
  });
  await expect(zip).toBeVisible({ timeout: 40_000 });
  const [download] = await Promise.all([page.waitForEvent("download"), zip.click()]);
  const listing = execFileSync("python3", ["-m", "zipfile", "-l", await download.path()], {
    encoding: "utf8",
  });
  for (const name of ["document.md", "document.json", "images/page-0001-figure-1.jpg"]) {
    expect(listing).toContain(name);
  }

  const marked = page.getByRole("navigation", { name: "Pages to look at" });
  await expect(marked.getByRole("button", { name: "Page 4 Repaired" })).toBeVisible();
  await expect(marked.getByRole("button", { name: "Page 5 Truncated" })).toBeVisible();
  await marked.getByRole("button", { name: "Page 3 Failed" }).click();
  await expect(page.getByRole("article", { name: "Page 3" })).toContainText(
    "The model could not make anything of this page.",
  );
  await expectNoAxeViolations(page);
});

test("page and text are in step, and a page can be enlarged", async ({ page, files }) => {
  await page.goto("/documents");
  await dropFile(page, files.path("report.pdf"), "application/pdf");
  await page.getByRole("button", { name: "Read 1 document" }).click();
  await page.getByRole("link", { name: "report.pdf", exact: true }).click();
  // Until the end, marks of later pages may move the first one away from under the pointer.
  await expect(page.getByRole("link", { name: "Download the ZIP of report.pdf" })).toBeVisible();
  const first = page.getByRole("article", { name: "Page 1", exact: true });
  await expect(first.getByRole("heading", { name: "Tides of the northern basin" })).toBeVisible();
  await first.getByRole("button", { name: "Block 4: table" }).hover();
  await expect(first.getByRole("group", { name: "Block 4: table" })).toHaveAttribute("data-lit");
  await first.getByRole("button", { name: "Enlarge page 1" }).click();
  await expect(page.getByRole("dialog", { name: "Page 1" })).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toHaveCount(0);
});

test("finished pages are read while others run, until it is cancelled", async ({ page, files }) => {
  await page.goto("/documents");
  await dropFile(page, files.path("long.pdf"), "application/pdf");
  await page.getByRole("button", { name: "Read 1 document" }).click();
  await page.getByRole("link", { name: "long.pdf", exact: true }).click();
  await expect(page.getByRole("progressbar")).toBeVisible();
  await expect(page.getByRole("article", { name: "Page 1", exact: true })).toBeVisible();
  await expect(page.getByText(/pages\/s/)).toBeVisible();
  await page.getByRole("button", { name: "Cancel long.pdf" }).click();
  await expect(page.getByText("Cancelled", { exact: true })).toBeVisible();
  await expect(page.getByRole("article", { name: "Page 1", exact: true })).toBeVisible();
});

test("an encrypted PDF says what to do", async ({ page, files }) => {
  await page.goto("/documents");
  await dropFile(page, files.path("locked.pdf"), "application/pdf");
  await page.getByRole("button", { name: "Read 1 document" }).click();
  await expect(page.getByText("The document is encrypted")).toBeVisible();
  await page.getByRole("link", { name: "locked.pdf", exact: true }).click();
  await expect(page.getByRole("alert")).toContainText("Remove the password and upload it again.");
});

test("only the chosen pages are read", async ({ page, files }) => {
  await page.goto("/documents");
  await page.getByRole("textbox", { name: "Pages" }).fill("2,6");
  await dropFile(page, files.path("report.pdf"), "application/pdf");
  await page.getByRole("button", { name: "Read 1 document" }).click();
  await page.getByRole("link", { name: "report.pdf", exact: true }).click();
  await expect(page.getByText("2 of 2 pages")).toBeVisible();
  await expect(page.getByRole("button", { name: "Go to page 6" })).toBeVisible();
  await expect(page.getByRole("button", { name: "Go to page 1", exact: true })).toHaveCount(0);
});

test("a wrong page range is refused before anything is read", async ({ page, files }) => {
  await page.goto("/documents");
  await page.getByRole("textbox", { name: "Pages" }).fill("5-2");
  await dropFile(page, files.path("report.pdf"), "application/pdf");
  await page.getByRole("button", { name: "Read 1 document" }).click();
  await expect(page.getByRole("alert")).toContainText("The request is not right");
  await page.getByRole("textbox", { name: "Pages" }).fill("1-2");
  await page.getByRole("button", { name: "Upload report.pdf again" }).click();
  await expect(page.getByRole("link", { name: "report.pdf", exact: true })).toBeVisible();
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
  await dropFile(page, files.path("report.pdf"), "application/pdf");
  release();
  await expect(page.getByText("report.pdf")).toBeVisible();
});

test("a document dropped on the list of tasks is handed to the documents", async ({
  page,
  files,
}) => {
  await page.goto("/tasks");
  await dropFile(page, files.path("report.pdf"), "application/pdf");
  await expect(page).toHaveURL(/\/documents$/);
  await expect(page.getByRole("button", { name: "Read 1 document" })).toBeVisible();
});
