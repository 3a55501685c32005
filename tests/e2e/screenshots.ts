/** Pictures of every view for docs/screenshots, with the small model at work: `npm run screenshots`. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import type { Page } from "../../frontend/e2e";
import {
  answerTo,
  dropFile,
  endedTask,
  expect,
  PYTHON,
  readDocument,
  READING_MS,
  ROOT,
  test as base,
} from "./browser";

const FOLDER = process.env.SCREENSHOTS ?? join(ROOT, "docs/screenshots");
const PHONE = {
  viewport: { width: 390, height: 844 },
  deviceScaleFactor: 2,
  isMobile: true,
  hasTouch: true,
};

const test = base.extend<object, { guide: { pdf: string; png: string } }>({
  guide: [
    async ({ files }, use) => {
      execFileSync(PYTHON, ["-m", "tests.e2e.guide", files.folder], { cwd: ROOT });
      await use({ pdf: files.path("reading-room.pdf"), png: files.path("reading-room.png") });
    },
    { scope: "worker" },
  ],
});

async function shoot(page: Page, name: string): Promise<void> {
  await page.evaluate(() => document.fonts.ready);
  await page.waitForLoadState("networkidle");
  await expect.poll(() => areDrawn(page)).toBe(true);
  await page.screenshot({ path: join(FOLDER, `${name}.png`), animations: "disabled" });
}

/** Whether every picture is there: a canvas has this width until something is drawn on it. */
function areDrawn(page: Page): Promise<boolean> {
  const UNDRAWN = 300;
  return page.evaluate(
    (undrawn) => [...document.querySelectorAll("canvas")].every(({ width }) => width !== undrawn),
    UNDRAWN,
  );
}

function expectZip(page: Page, name: string): Promise<void> {
  const zip = page.getByRole("link", { name: `Download the ZIP of ${name}` });
  return expect(zip).toBeVisible({ timeout: READING_MS });
}

/** Drop the picture, and hover over the block that says most. */
async function readPicture(page: Page, png: string): Promise<string> {
  await page.goto("/");
  const { blocks, task_id: id } = await answerTo(page, () => dropFile(page, png, "image/png"));
  const table = blocks.findIndex(({ label }) => label === "table");
  const number = String(table + 1);
  const name = new RegExp(`^(Block ${number}:|第 ${number} 块)`);
  await page.getByRole("tabpanel").getByRole("group", { name }).hover();
  return id;
}

test("image", async ({ page, guide }) => {
  await page.goto("/");
  await shoot(page, "start");
  const id = await readPicture(page, guide.png);
  await shoot(page, "image");
  await page.goto(`/tasks/${id}`);
  await expect(page.getByRole("heading", { level: 3 }).first()).toBeVisible();
  await shoot(page, "image-task");
});

test("documents", async ({ page, guide, files }) => {
  await readDocument(page, guide.pdf);
  await expectZip(page, "reading-room.pdf");
  await page.getByRole("article").first().getByRole("group", { name: /table/ }).hover();
  await shoot(page, "document");
  await page.getByRole("link", { name: "Documents" }).click();
  for (const name of ["locked.pdf", "damaged.pdf"]) {
    await dropFile(page, files.path(name), "application/pdf");
    await page.getByRole("button", { name: "Read 1 document" }).click();
  }
  await expectZip(page, "damaged.pdf");
  await dropFile(page, files.path("examples.pdf"), "application/pdf");
  await page.getByRole("button", { name: "Read 1 document" }).click();
  await dropFile(page, guide.pdf, "application/pdf");
  await expect(page.getByText(/pages\/s/)).toBeVisible({ timeout: READING_MS });
  await shoot(page, "documents");
  await page.getByRole("link", { name: "examples.pdf", exact: true }).click();
  await expect(page.getByRole("article").first()).toBeVisible({ timeout: READING_MS });
  await shoot(page, "document-running");
  await page.getByRole("link", { name: "Tasks" }).click();
  await expect(page.getByRole("listitem").first()).toBeVisible();
  await shoot(page, "tasks");
});

test("marked pages", async ({ page, request, files }) => {
  const id = await endedTask(request, files.path("damaged.pdf"));
  await page.goto(`/tasks/${id}`);
  await page.getByRole("button", { name: "Page 2 Failed" }).click();
  await page.mouse.move(0, 0); // off the blocks, which would light up
  await shoot(page, "document-failed");
});

test.describe("in the dark", () => {
  test.use({ colorScheme: "dark" });

  test("dark", async ({ page, guide, request }) => {
    await readPicture(page, guide.png);
    await shoot(page, "image-dark");
    await page.goto(`/tasks/${await endedTask(request, guide.pdf)}`);
    await expect(page.getByRole("article").first()).toBeVisible();
    await shoot(page, "document-dark");
  });
});

test.describe("on a phone", () => {
  test.use(PHONE);

  test("phone", async ({ page, guide, request }) => {
    await page.goto("/");
    await shoot(page, "start-phone");
    await readPicture(page, guide.png);
    await page.getByRole("tablist").evaluate((tabs) => {
      tabs.scrollIntoView({ block: "center" });
    });
    await page.mouse.move(0, 0);
    await shoot(page, "image-phone");
    await page.goto(`/tasks/${await endedTask(request, guide.pdf)}`);
    await expect(page.getByRole("article").first()).toBeVisible();
    await shoot(page, "document-phone");
    await page.goto("/documents");
    await shoot(page, "documents-phone");
    await page.goto("/tasks");
    await expect(page.getByRole("listitem").first()).toBeVisible();
    await shoot(page, "tasks-phone");
  });
});

test.describe("in Chinese", () => {
  test.use({ locale: "zh-CN" });

  test("chinese", async ({ page, guide, files, request }) => {
    await readPicture(page, guide.png);
    await shoot(page, "image-chinese");
    await page.goto(`/tasks/${await endedTask(request, guide.pdf)}`);
    await expect(page.getByRole("article").first()).toBeVisible();
    await shoot(page, "document-chinese");
    await page.goto(`/tasks/${await endedTask(request, files.path("damaged.pdf"))}`);
    await page.getByRole("button", { name: "第 2 页 失败" }).click();
    await page.mouse.move(0, 0);
    await shoot(page, "document-failed-chinese");
    await page.goto("/tasks");
    await expect(page.getByRole("listitem").first()).toBeVisible();
    await shoot(page, "tasks-chinese");
  });
});

test.describe("on a wide screen", () => {
  test.use({ viewport: { width: 2560, height: 1300 } });

  test("wide", async ({ page, guide, request }) => {
    await readPicture(page, guide.png);
    await shoot(page, "image-wide");
    await page.goto(`/tasks/${await endedTask(request, guide.pdf)}`);
    await expect(page.getByRole("article").first()).toBeVisible();
    await shoot(page, "document-wide");
  });
});
