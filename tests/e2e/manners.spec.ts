import {
  answerTo,
  dropFile,
  endedTask,
  EXAMPLE,
  expect,
  expectNoAxeViolations,
  test,
} from "./browser";

test.describe("on a phone", () => {
  test.use({ viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });

  test("nothing is wider than the window, and the camera is offered", async ({
    page,
    files,
    request,
  }) => {
    const id = await endedTask(request, files.path("example.pdf"));
    await page.goto("/");
    await expect(page.getByRole("button", { name: "Take a photo" })).toBeVisible();
    await expect(page.getByRole("heading", { name: "Photograph a page" })).toBeVisible();
    await expect(page.locator("input[capture]")).toHaveAttribute("capture", "environment");
    await answerTo(page, () => dropFile(page, EXAMPLE, "image/png"));
    await expect(page.getByRole("heading", { name: "Opening hours" })).toBeVisible();
    for (const path of [null, "/documents", "/tasks", `/tasks/${id}`]) {
      if (path) await page.goto(path);
      await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
      await expect(page.getByText(/drop/i)).toHaveCount(0);
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      expect(width).toBeLessThanOrEqual(360);
      await expectNoAxeViolations(page);
    }
  });
});

test.describe("in Chinese", () => {
  test.use({ locale: "zh-CN" });

  test("the page speaks Chinese, and English when asked to", async ({ page }) => {
    await page.goto("/");
    await expect(page.getByRole("heading", { name: "拖入一页，文字随即显示在旁边" })).toBeVisible();
    await expect(page.locator("html")).toHaveAttribute("lang", "zh-CN");
    await expectNoAxeViolations(page);
    await answerTo(page, () => dropFile(page, EXAMPLE, "image/png"));
    await expect(page.getByRole("tab", { name: "原始输出" })).toBeVisible();
    await page.getByRole("link", { name: "任务", exact: true }).click();
    await expect(page.getByRole("heading", { level: 1, name: "任务" })).toBeVisible();
    await page.getByRole("button", { name: "Switch to English" }).click();
    await expect(page.getByRole("heading", { level: 1, name: "Tasks" })).toBeVisible();
    await page.reload();
    await expect(page.getByRole("heading", { level: 1, name: "Tasks" })).toBeVisible();
  });

  test("errors say in Chinese what to do", async ({ page, files }) => {
    await page.goto("/documents");
    await page.getByRole("textbox", { name: "分辨率" }).fill("9");
    await dropFile(page, files.path("example.pdf"), "application/pdf");
    await page.getByRole("button", { name: "识别 1 个文档" }).click();
    await expect(page.getByRole("alert")).toHaveText(
      "请求有误分辨率有误。请填写 36 到 600 之间的整数。",
    );
    await expectNoAxeViolations(page);
  });
});

for (const colorScheme of ["light", "dark"] as const) {
  test.describe(`in ${colorScheme} colours`, () => {
    test.use({ colorScheme });

    test("no view has anything for axe to find", async ({ page, files, request }) => {
      const id = await endedTask(request, files.path("damaged.pdf"));
      await page.goto("/");
      await expectNoAxeViolations(page);
      const { task_id: imageId } = await answerTo(page, () => dropFile(page, EXAMPLE, "image/png"));
      await expect(page.getByRole("heading", { name: "Opening hours" })).toBeVisible();
      await expectNoAxeViolations(page);
      const views = ["documents", "tasks", `tasks/${id}`, `tasks/${imageId}`, "tasks/none", "none"];
      for (const path of views) {
        await page.goto(`/${path}`);
        await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
        await expectNoAxeViolations(page);
      }
    });
  });
}

test.describe("with a dark system", () => {
  test.use({ colorScheme: "dark" });

  test("light colours can be chosen, and stay", async ({ page }) => {
    await page.goto("/");
    await page.getByRole("button", { name: "Light colours" }).click();
    await expect(page.locator("html")).toHaveAttribute("data-theme", "light");
    await page.reload();
    await expect(page.locator("html")).toHaveAttribute("data-theme", "light");
  });
});

test("the keyboard reaches the content past the header", async ({ page }) => {
  await page.goto("/");
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  await page.keyboard.press("Tab");
  await expect(page.getByRole("link", { name: "Skip to content" })).toBeFocused();
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  await expect(page.getByRole("combobox", { name: "Task" })).toBeFocused();
});
