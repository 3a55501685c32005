import { expect, expectNoAxeViolations, dropFile, Service, test } from "./browser";

test("a task is found by its id, and a reload keeps it", async ({ page, files }) => {
  await page.goto("/");
  await dropFile(page, files.path("tides.png"), "image/png");
  await page.getByRole("link", { name: "Task id" }).click();
  await expect(page).toHaveURL(/\/tasks\/[0-9a-f-]{36}$/);
  const id = page.url().split("/").at(-1) ?? "";
  await page.goto("/tasks");
  await page.getByRole("textbox", { name: "Look up a task by its id" }).fill(` ${id} `);
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(new RegExp(`/tasks/${id}$`));
  await page.reload();
  await expect(page.getByRole("heading", { name: "tides.png" })).toBeVisible();
  await expect(page.getByText("Duration")).toBeVisible();
  await expectNoAxeViolations(page);
});

test("an id that is none says so", async ({ page }) => {
  await page.goto("/tasks/not-an-id");
  await expect(page.getByRole("heading", { name: "There is no such task" })).toBeVisible();
  await expectNoAxeViolations(page);
});

test("tasks are listed by status, and deleted once that is confirmed", async ({ page, files }) => {
  await page.goto("/");
  await dropFile(page, files.path("tides.png"), "image/png");
  await expect(page.getByRole("link", { name: "Task id" })).toBeVisible();
  await page.getByRole("link", { name: "Tasks", exact: true }).click();
  const list = page.getByRole("list", { name: "Tasks, newest first" });
  await expect(list).toBeVisible();
  await expectNoAxeViolations(page);
  await page.getByRole("radio", { name: "Queued" }).click();
  await expect(page).toHaveURL(/status=queued/);
  await expect(page.getByText("No tasks with the status")).toBeVisible();
  await page.getByRole("radio", { name: "All" }).click();
  await expect(list.getByRole("listitem").first()).toBeVisible();
  const before = await list.getByRole("listitem").count();
  await list.getByRole("button", { name: "Delete tides.png" }).first().click();
  const dialog = page.getByRole("alertdialog");
  await expectNoAxeViolations(page);
  await dialog.getByRole("button", { name: "Keep it" }).click();
  await expect(list.getByRole("listitem")).toHaveCount(before);
  await list.getByRole("button", { name: "Delete tides.png" }).first().click();
  await dialog.getByRole("button", { name: "Delete" }).click();
  await expect(page.getByRole("listitem")).toHaveCount(before - 1);
});

test("a service that goes away and comes back is survived without a reload", async ({
  browser,
  files,
}) => {
  const service = await Service.make({ SECONDS_PER_TOKEN: "0.01" });
  const page = await browser.newPage({ baseURL: service.url });
  try {
    await page.goto("/documents");
    await dropFile(page, files.path("long.pdf"), "application/pdf");
    await page.getByRole("button", { name: "Read 1 document" }).click();
    await page.getByRole("link", { name: "long.pdf", exact: true }).click();
    await expect(page.getByRole("article", { name: "Page 1", exact: true })).toBeVisible();
    await service.stop();
    await expect(page.getByText("The service cannot be reached.")).toBeVisible();
    await service.start();
    await expect(page.getByText("The service cannot be reached.")).toHaveCount(0);
    await expect(page.getByRole("link", { name: "Download the ZIP of long.pdf" })).toBeVisible({
      timeout: 40_000,
    });
  } finally {
    await page.close();
    await service.end();
  }
});
