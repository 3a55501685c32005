/** What goes wrong in pages and connections, always in the same way: a script reads, not the model. */
import type { Page } from "../../frontend/e2e";
import {
  blockBox,
  dropFile,
  endedTask,
  expect,
  expectNoAxeViolations,
  filesOfZip,
  readDocument,
  READING_MS,
  test,
} from "./browser";

test.use({ reader: "script", settings: { SECONDS_PER_TOKEN: "0.01" } });

test("pages that failed, were repaired or cut short are marked and say why", async ({
  page,
  files,
}) => {
  await readDocument(page, files.path("report.pdf"));
  const zip = page.getByRole("link", { name: "Download the ZIP of report.pdf" });
  await expect(zip).toBeVisible({ timeout: READING_MS });
  const [download] = await Promise.all([page.waitForEvent("download"), zip.click()]);
  expect(filesOfZip(await download.path())).toContain("images/page-0001-figure-1.jpg");

  const marked = page.getByRole("navigation", { name: "Pages to look at" });
  const reasons = [
    ["Page 3 Failed", "The model could not make anything of this page."],
    ["Page 4 Repaired", "repeat"],
    ["Page 5 Truncated", "missing"],
  ] as const;
  for (const [name, reason] of reasons) {
    await marked.getByRole("button", { name }).click();
    const article = page.getByRole("article", { name: name.slice(0, 6), exact: true });
    await expect(article).toContainText(reason);
  }
  await expectNoAxeViolations(page);
});

test.describe("in Chinese", () => {
  test.use({ locale: "zh-CN" });

  test("the reasons of pages are Chinese too", async ({ page, files, request }) => {
    await page.goto(`/tasks/${await endedTask(request, files.path("report.pdf"))}`);
    const marked = page.getByRole("navigation", { name: "需要留意的页面" });
    const reasons = [
      [3, "模型无法处理这一页。"],
      [4, "模型曾开始重复，加强防重复限制后读完了这一页。"],
      [5, "末尾可能缺失。"],
    ] as const;
    for (const [number, reason] of reasons) {
      const name = `第 ${String(number)} 页`;
      await marked.getByRole("button", { name }).click();
      await expect(page.getByRole("article", { name, exact: true })).toContainText(reason);
    }
  });

  test("what a task failed of is said with its numbers", async ({ page, files, request }) => {
    const id = await endedTask(request, files.path("report.pdf"), { pages: "9000" });
    await page.goto(`/tasks/${id}`);
    await expect(page.getByRole("alert")).toHaveText(
      /^请求有误所选页码超出范围：文档只有 \d+ 页。$/,
    );
  });

  test("the reason of the service's trouble leads in Chinese", async ({ page }) => {
    const reason = "The broker does not answer.";
    const trouble = { status: "unhealthy", reason, reason_code: "broker_unavailable" };
    await page.route("**/health", (route) => route.fulfill({ status: 503, json: trouble }));
    await page.goto("/");
    await expect(page.getByText("任务队列无法访问。")).toBeVisible();
    await expect(page.getByText(reason)).toBeVisible();
    await expectNoAxeViolations(page);
  });
});

test("where events fail, progress is asked for every second", async ({ page, files }) => {
  await page.route("**/events", (route) => route.abort());
  const polls: number[] = [];
  page.on("request", (request) => {
    if (/\/api\/tasks\/[0-9a-f-]{36}$/.test(request.url())) polls.push(Date.now());
  });
  await readDocument(page, files.path("long.pdf"));
  await expect(page.getByRole("article", { name: "Page 1", exact: true })).toBeVisible();
  await expect(page.getByRole("link", { name: /^Download the ZIP/ })).toBeVisible({
    timeout: READING_MS,
  });
  expect(polls.length).toBeGreaterThan(2);
});

test("a picture waits for a model that is still loading", async ({ page, files }) => {
  const problem = { code: "engine_not_ready", detail: "The model is still loading." };
  await page.route("**/api/ocr/image", (route) => route.fulfill({ status: 503, json: problem }));
  await page.goto("/");
  await dropFile(page, files.path("tides.png"), "image/png");
  await expect(page.getByText("The model is not ready")).toBeVisible();
  await expectNoAxeViolations(page);
  await page.unroute("**/api/ocr/image");
  await expect(page.getByRole("cell", { name: "Narrows" })).toBeVisible();
});

test("a reading can be stopped, and begun again", async ({ page, files }) => {
  await page.goto("/");
  await dropFile(page, files.path("tides.png"), "image/png");
  await page.getByRole("button", { name: "Cancel" }).click();
  await expect(page.getByText("Reading was cancelled.")).toBeVisible();
  await page.getByRole("button", { name: "Read again" }).click();
  await expect(page.getByRole("cell", { name: "Narrows" })).toBeVisible();
});

test("locate asks for words, and finds them", async ({ page, files }) => {
  await page.goto("/");
  await page.getByRole("combobox", { name: "Task" }).click();
  await page.getByRole("option", { name: "Locate" }).click();
  await page.getByRole("textbox", { name: "What to look for" }).fill("the second heading");
  await dropFile(page, files.path("tides.png"), "image/png");
  await expect(blockBox(page, "Block 1: text")).toBeVisible();
});

test("tables, formulas and HTML as printed are typeset", async ({ page, files }) => {
  await page.goto("/");
  await dropFile(page, files.path("tides.png"), "image/png");
  await expect(page.getByRole("cell", { name: "Narrows" })).toBeVisible();
  await expect(page.locator(".katex").first()).toBeVisible();
  await expect(page.getByText("see <i>chapter 4</i>")).toBeVisible();
  await page.getByRole("tab", { name: "Text" }).click();
  await expect(page.getByRole("tabpanel")).toContainText("Inlet\t3.5\t0.4");
});

test("hostile output runs no script and loads nothing", async ({ page, files }) => {
  // The service itself lets no HTML through but tables: here it does, so that the page is alone.
  await page.route("**/api/ocr/image", async (route) => {
    const response = await route.fetch();
    const answer = (await response.json()) as { raw_text: string; blocks: object[] };
    const blocks = answer.blocks.map((block) => ({ ...block, markdown: answer.raw_text }));
    await route.fulfill({ response, json: { ...answer, blocks } });
  });
  await page.goto("/");
  await page.getByRole("combobox", { name: "Task" }).click();
  await page.getByRole("option", { name: "Own prompt" }).click();
  await page.getByRole("textbox", { name: "Your prompt" }).fill("hostile");
  await dropFile(page, files.path("tides.png"), "image/png");
  const result = page.getByRole("tabpanel");
  await expect(result.getByText("After it.")).toBeVisible();
  await expect(result.getByText("a styled paragraph")).toBeVisible();
  await expect(result.locator(".katex").first()).toBeVisible();

  expect(await foreignParts(page)).toEqual([]);
  await result.getByText("a styled paragraph").click();
  await expect(page).toHaveTitle(/^Image/);
  await expect(result.getByText("<script>in code</script>")).toBeVisible();
  const outward = result.getByRole("link", { name: "a link" });
  await expect(outward).toHaveAttribute("rel", /noopener/);
  await expectNoAxeViolations(page);
  // The table is as wide as it is and scrolls by itself; the page is not.
  await expect(result.getByRole("region", { name: "A wide table" })).toBeVisible();
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  expect(width).toBeLessThanOrEqual(1440);
});

/** What the sanitiser should have left out of the result. */
function foreignParts(page: Page): Promise<string[]> {
  return page.getByRole("tabpanel").evaluate((panel) => {
    const elements = panel.querySelectorAll(
      "script, iframe, form, object, img[src], [onclick], [onerror], [href^='javascript:'], [href^='data:'], p[style]",
    );
    return [...elements].map((element) => element.outerHTML);
  });
}
