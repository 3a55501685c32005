import { readFileSync } from "node:fs";
import {
  answerTo,
  blockBox,
  blockText,
  dropFile,
  EXAMPLE,
  expect,
  expectNoAxeViolations,
  pasteFile,
  test,
} from "./browser";

test("a dropped image is read, and box and text light up together", async ({ page }) => {
  await page.goto("/");
  const { blocks } = await answerTo(page, () => dropFile(page, EXAMPLE, "image/png"));
  await expect(page.getByRole("heading", { name: "Opening hours" })).toBeVisible();
  await expect(page.getByText("leave your coat at the desk")).toBeVisible();

  expect(blocks.length).toBeGreaterThan(1);
  const [first, second] = ["Block 1:", "Block 2:"];
  await blockText(page, first).hover();
  await expect(blockBox(page, first)).toHaveAttribute("data-lit");
  await blockBox(page, second).hover();
  await expect(blockText(page, second)).toHaveAttribute("data-lit");
  await expect(blockBox(page, first)).not.toHaveAttribute("data-lit");
});

test("boxes lie where the answer says in the picture", async ({ page }) => {
  await page.goto("/");
  const choose = () => page.getByLabel("Choose a file").last().setInputFiles(EXAMPLE);
  const { image, blocks } = await answerTo(page, choose);
  const picture = page.getByRole("img", { name: "example.png" });
  const title = blockBox(page, "Block 1:");
  await expect(title).toBeVisible();
  const [sheet, box] = [await picture.boundingBox(), await title.boundingBox()];
  if (!sheet || !box) throw new Error("not shown");

  const scale = image.width / sheet.width;
  const [left, top] = [(box.x - sheet.x) * scale, (box.y - sheet.y) * scale];
  const drawn = [left, top, left + box.width * scale, top + box.height * scale];
  expect(blocks[0]?.box).toHaveLength(4);
  blocks[0]?.box.forEach((edge, side) => {
    expect(Math.abs((drawn[side] ?? 0) - edge)).toBeLessThan(3);
  });
});

test("a pasted image is read; its text is shown in four ways, copied and saved", async ({
  page,
  context,
}) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.goto("/");
  const { markdown } = await answerTo(page, () => pasteFile(page, EXAMPLE, "image/png"));
  await page.getByRole("tab", { name: "Raw" }).click();
  await expect(page.getByRole("tabpanel")).toContainText("<|det|>");
  await page.getByRole("tab", { name: "JSON" }).click();
  await expect(page.getByRole("tabpanel")).toContainText('"finish_reason": "stop"');
  await page.getByRole("tab", { name: "Text" }).click();
  await expect(page.getByRole("tabpanel")).not.toContainText("# Opening hours");
  await page.getByRole("tab", { name: "Reading" }).click();

  await page.getByRole("button", { name: "Copy", exact: true }).click();
  await expect(page.getByRole("button", { name: "Copied" })).toBeVisible();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(markdown);
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: "Download: example.md" }).click(),
  ]);
  expect(readFileSync(await download.path(), "utf8")).toBe(markdown);
});

test("queued, started, finished and duration are shown", async ({ page }) => {
  await page.goto("/");
  await answerTo(page, () => dropFile(page, EXAMPLE, "image/png"));
  for (const name of ["Queued", "Started", "Finished", "Duration"]) {
    await expect(page.getByRole("term").filter({ hasText: name })).toBeVisible();
  }
});

test("the keyboard goes from block to block, zooms and moves", async ({ page }) => {
  await page.goto("/");
  await answerTo(page, () => dropFile(page, EXAMPLE, "image/png"));
  const [first, second] = ["Block 1:", "Block 2:"];
  await blockText(page, first).focus();
  await page.keyboard.press("ArrowDown");
  await expect(blockText(page, second)).toBeFocused();
  await expect(blockBox(page, second)).toHaveAttribute("data-lit");

  const picture = page.getByRole("group", { name: /^Picture of the page/ });
  await picture.focus();
  await page.keyboard.press("+");
  await expect(page.getByText("125%")).toBeVisible();
  const before = await blockBox(page, first).boundingBox();
  await page.keyboard.press("ArrowRight");
  await expect
    .poll(async () => (await blockBox(page, first).boundingBox())?.x)
    .toBeLessThan(before?.x ?? 0);
  await page.getByRole("button", { name: "Fit to view" }).click();
  await expect(page.getByText("100%")).toBeVisible();
});

test("what is no image is refused with what to do", async ({ page }) => {
  await page.goto("/");
  const notes = { name: "notes.png", mimeType: "image/png", buffer: Buffer.from("just words") };
  await page.getByLabel("Choose a file").last().setInputFiles(notes);
  await expect(page.getByRole("alert")).toContainText("This kind of file cannot be read");
  await expect(page.getByRole("button", { name: "Try again" })).toBeVisible();
  await expectNoAxeViolations(page);
});

test("a PDF dropped on the image view is handed to the documents", async ({ page, files }) => {
  await page.goto("/");
  await dropFile(page, files.path("example.pdf"), "application/pdf");
  await page.getByRole("button", { name: "Read as a document" }).click();
  await expect(page).toHaveURL(/\/documents$/);
  await expect(page.getByText("example.pdf")).toBeVisible();
});
