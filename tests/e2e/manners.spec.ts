import { dropFile, expect, expectNoAxeViolations, test } from "./browser";

test.describe("on a phone", () => {
  test.use({
    viewport: { width: 390, height: 844 },
    hasTouch: true,
    isMobile: true,
  });

  test("nothing is wider than the window, and the camera is offered", async ({ page, files }) => {
    await page.goto("/");
    await expect(page.getByRole("button", { name: "Take a photo" })).toBeVisible();
    await expect(page.locator("input[capture]")).toHaveAttribute("capture", "environment");
    await dropFile(page, files.path("tides.png"), "image/png");
    await expect(page.getByRole("cell", { name: "Narrows" })).toBeVisible();
    for (const path of [null, "/documents", "/tasks"]) {
      if (path) await page.goto(path);
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      expect(width).toBeLessThanOrEqual(390);
      await expectNoAxeViolations(page);
    }
  });
});

test.describe("in Chinese", () => {
  test.use({ locale: "zh-CN" });

  test("the page speaks Chinese, and English when asked to", async ({ page }) => {
    await page.goto("/");
    await expect(page.getByRole("heading", { name: "放入页面，文字即在旁边" })).toBeVisible();
    await expect(page.locator("html")).toHaveAttribute("lang", "zh-CN");
    await expectNoAxeViolations(page);
    await page.getByRole("button", { name: "Switch to English" }).click();
    await expect(page.getByRole("heading", { name: /Drop a page/ })).toBeVisible();
    await page.reload();
    await expect(page.getByRole("heading", { name: /Drop a page/ })).toBeVisible();
  });
});

test.describe("in the dark", () => {
  test.use({ colorScheme: "dark" });

  test("every view has enough contrast, and light can be chosen", async ({ page, files }) => {
    await page.goto("/");
    await dropFile(page, files.path("tides.png"), "image/png");
    await expect(page.getByRole("cell", { name: "Narrows" })).toBeVisible();
    await expectNoAxeViolations(page);
    for (const path of ["/documents", "/tasks"]) {
      await page.goto(path);
      await expectNoAxeViolations(page);
    }
    await page.getByRole("button", { name: "Light colours" }).click();
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
