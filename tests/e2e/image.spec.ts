import {
  blockBox,
  blockText,
  dropFile,
  expect,
  expectNoAxeViolations,
  pasteFile,
  test,
} from "./browser";

test("a dropped image is read, and box and text light up together", async ({ page, files }) => {
  await page.goto("/");
  await expectNoAxeViolations(page);
  await dropFile(page, files.path("tides.png"), "image/png");
  const heading = page.getByRole("heading", {
    name: "Tides of the northern basin",
  });
  await expect(heading).toBeVisible();

  await blockText(page, "Block 4: table").hover();
  await expect(blockBox(page, "Block 4: table")).toHaveAttribute("data-lit");
  await blockBox(page, "Block 2: text").hover();
  await expect(blockText(page, "Block 2: text")).toHaveAttribute("data-lit");
  await expect(blockBox(page, "Block 4: table")).not.toHaveAttribute("data-lit");
  await expectNoAxeViolations(page);
});

test("boxes lie where the block stands in the picture", async ({ page, files }) => {
  await page.goto("/");
  await page.getByLabel("Choose a file").last().setInputFiles(files.path("tides.png"));
  const picture = page.getByRole("img", { name: "tides.png" });
  const table = blockBox(page, "Block 4: table");
  await expect(table).toBeVisible();
  const [sheet, box] = [await picture.boundingBox(), await table.boundingBox()];
  if (!sheet || !box) throw new Error("not shown");
  expect((box.x - sheet.x) / sheet.width).toBeCloseTo(110 / 1240, 2);
  expect((box.y - sheet.y) / sheet.height).toBeCloseTo(500 / 1754, 2);
});

test("a pasted image is read; text, raw output and JSON are shown", async ({ page, files }) => {
  await page.goto("/");
  await pasteFile(page, files.path("tides.png"), "image/png");
  await expect(page.getByRole("cell", { name: "Narrows" })).toBeVisible();
  await expect(page.locator(".katex").first()).toBeVisible();
  await page.getByRole("tab", { name: "Raw" }).click();
  await expect(page.getByRole("tabpanel")).toContainText("<|det|>");
  await page.getByRole("tab", { name: "JSON" }).click();
  await expect(page.getByRole("tabpanel")).toContainText('"finish_reason": "stop"');
  await page.getByRole("tab", { name: "Text" }).click();
  await expect(page.getByRole("tabpanel")).toContainText("Inlet\t3.5\t0.4");
});

test("the model's HTML is text, and no picture of its own is loaded", async ({ page, files }) => {
  await page.goto("/");
  await pasteFile(page, files.path("tides.png"), "image/png");
  await expect(page.getByText("see <i>chapter 4</i>")).toBeVisible();
  await expect(page.locator('img[src*="example.com"]')).toHaveCount(0);
});

test("locate asks for words, and finds them", async ({ page, files }) => {
  await page.goto("/");
  await page.getByRole("combobox", { name: "Task" }).click();
  await page.getByRole("option", { name: "Locate" }).click();
  await page.getByRole("textbox", { name: "What to look for" }).fill("the second heading");
  await dropFile(page, files.path("tides.png"), "image/png");
  await expect(blockBox(page, "Block 1: text")).toBeVisible();
});

test("the keyboard goes from block to block, zooms and moves", async ({ page, files }) => {
  await page.goto("/");
  await dropFile(page, files.path("tides.png"), "image/png");
  await blockText(page, "Block 1: title").focus();
  await page.keyboard.press("ArrowDown");
  await expect(blockText(page, "Block 2: text")).toBeFocused();
  await expect(blockBox(page, "Block 2: text")).toHaveAttribute("data-lit");

  await page.getByRole("group", { name: /^Picture of the page/ }).focus();
  await page.keyboard.press("+");
  await expect(page.getByText("125%")).toBeVisible();
  await page.getByRole("button", { name: "Fit to view" }).click();
  await expect(page.getByText("100%")).toBeVisible();
});

test("what is no image is refused with what to do", async ({ page }) => {
  await page.goto("/");
  const notes = {
    name: "notes.png",
    mimeType: "image/png",
    buffer: Buffer.from("just words"),
  };
  await page.getByLabel("Choose a file").last().setInputFiles(notes);
  await expect(page.getByRole("alert")).toContainText("This kind of file cannot be read");
  await expect(page.getByRole("button", { name: "Try again" })).toBeVisible();
});

test("a PDF dropped on the image view is handed to the documents", async ({ page, files }) => {
  await page.goto("/");
  await dropFile(page, files.path("report.pdf"), "application/pdf");
  await page.getByRole("button", { name: "Read it as a document" }).click();
  await expect(page).toHaveURL(/\/documents$/);
  await expect(page.getByText("report.pdf")).toBeVisible();
});
