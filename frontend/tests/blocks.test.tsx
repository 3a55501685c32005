import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it } from "vitest";
import { PageBoxes } from "@/components/page/PageBoxes";
import { PageText } from "@/components/page/PageText";
import { useHighlight } from "@/components/page/useHighlight";
import type { Block } from "@/lib/api";

const blocks: Block[] = [
  { label: "title", text: "# A", markdown: "# A", box: [0, 0, 50, 10], boxes: [[0, 0, 50, 10]] },
  { label: "text", text: "b", markdown: "b", box: [0, 20, 100, 40], boxes: [[0, 20, 100, 40]] },
  { label: "text", text: "c", markdown: "c", box: null, boxes: [] },
];

function Both() {
  const highlight = useHighlight();
  return (
    <>
      <PageBoxes
        size={{ width: 100, height: 200 }}
        blocks={blocks}
        highlight={highlight}
        areDrawn
      />
      <PageText label="text" blocks={blocks} highlight={highlight} />
    </>
  );
}

it("lights up the text of a box, and the box of a text", async () => {
  render(<Both />);
  const box = screen.getByRole("button", { name: "Block 2: text" });
  const text = screen.getByRole("group", { name: "Block 2: text" });
  await userEvent.hover(box);
  expect(text).toHaveAttribute("data-lit");
  await userEvent.hover(screen.getByRole("group", { name: "Block 1: title" }));
  expect(screen.getByRole("button", { name: "Block 1: title" })).toHaveAttribute("data-lit");
  expect(text).not.toHaveAttribute("data-lit");
});

it("is one stop for the Tab key, with arrows between the blocks", async () => {
  render(<Both />);
  await userEvent.tab();
  expect(screen.getByRole("group", { name: "Block 1: title" })).toHaveFocus();
  await userEvent.keyboard("{ArrowDown}{End}");
  expect(screen.getByRole("group", { name: "Block 3: text" })).toHaveFocus();
  await userEvent.tab();
  expect(document.body).toHaveFocus();
});

it("places boxes in per cent of the page", () => {
  render(<Both />);
  const { style } = screen.getByRole("button", { name: "Block 2: text" });
  expect([style.left, style.top, style.width, style.height]).toEqual(["0%", "10%", "100%", "10%"]);
});
