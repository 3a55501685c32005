import {
  answerTo,
  dropFile,
  EXAMPLE,
  expect,
  expectNoAxeViolations,
  readDocument,
  READING_MS,
  test,
} from "./browser";

test("a task is found by its id, and a reload keeps it", async ({ page }) => {
  await page.goto("/");
  const { task_id: id } = await answerTo(page, () => dropFile(page, EXAMPLE, "image/png"));
  await page.getByRole("link", { name: `Task ${id.slice(0, 8)}` }).click();
  await expect(page).toHaveURL(new RegExp(`/tasks/${id}$`));
  await page.goto("/tasks");
  await page.getByRole("textbox", { name: "Look up a task by its id" }).fill(` ${id} `);
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(new RegExp(`/tasks/${id}$`));
  await page.reload();
  await expect(page.getByRole("heading", { level: 1, name: "example.png" })).toBeVisible();
  await expect(page.getByRole("heading", { name: "Opening hours" })).toBeVisible();
  await expect(page.getByText("Duration")).toBeVisible();
  await expectNoAxeViolations(page);
});

test("an id that is none says so", async ({ page }) => {
  await page.goto("/tasks/not-an-id");
  await expect(page.getByRole("heading", { name: "There is no such task" })).toBeVisible();
  await expectNoAxeViolations(page);
});

test("tasks are listed by status, and deleted once that is confirmed", async ({ page }) => {
  await page.goto("/");
  await answerTo(page, () => dropFile(page, EXAMPLE, "image/png"));
  await page.getByRole("link", { name: "Tasks", exact: true }).click();
  const list = page.getByRole("list", { name: "Tasks, newest first" });
  await expect(list.getByRole("listitem").first()).toContainText("example.png");
  await expectNoAxeViolations(page);
  await page.getByRole("radio", { name: "Queued" }).click();
  await expect(page).toHaveURL(/status=queued/);
  await expect(page.getByText("No tasks with the status")).toBeVisible();
  await page.getByRole("radio", { name: "All" }).click();
  await expect(list.getByRole("listitem").first()).toBeVisible();
  const before = await list.getByRole("listitem").count();
  await list.getByRole("button", { name: "Delete example.png" }).first().click();
  const dialog = page.getByRole("alertdialog");
  await expectNoAxeViolations(page);
  await dialog.getByRole("button", { name: "Keep it" }).click();
  await expect(list.getByRole("listitem")).toHaveCount(before);
  await list.getByRole("button", { name: "Delete example.png" }).first().click();
  await dialog.getByRole("button", { name: "Delete" }).click();
  await expect(page.getByRole("listitem")).toHaveCount(before - 1);
});

test("a service that goes away and comes back is survived without a reload", async ({
  page,
  service,
  files,
}) => {
  test.setTimeout(300_000);
  await readDocument(page, files.path("examples.pdf"), "1-24");
  await expect(page.getByRole("article", { name: "Page 1", exact: true })).toBeVisible({
    timeout: READING_MS,
  });
  await service.stop();
  await expect(page.getByText("The service cannot be reached.")).toBeVisible();
  await service.start();
  await expect(page.getByText("The service cannot be reached.")).toHaveCount(0);
  await expect(page.getByRole("link", { name: "Download the ZIP of examples.pdf" })).toBeVisible({
    timeout: READING_MS,
  });
  await expect(page.getByText("24 of 24 pages")).toBeVisible();
});
