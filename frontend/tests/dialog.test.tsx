import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { useState } from "react";
import { expect, it } from "vitest";
import { PageDialog } from "@/features/tasks/PageDialog";
import type { Page } from "@/lib/api";

const page = { page_number: 2, image_url: "/2.jpg", image: null, blocks: [] } as unknown as Page;

function Opener() {
  const [shown, setShown] = useState<Page | null>(null);
  return (
    <>
      <button onClick={() => setShown(page)}>Enlarge</button>
      <PageDialog page={shown} onClose={() => setShown(null)} />
    </>
  );
}

it("gives the focus back to where the page was enlarged from", async () => {
  render(<Opener />);
  await userEvent.click(screen.getByRole("button", { name: "Enlarge" }));
  expect(screen.getByRole("dialog", { name: "Page 2" })).toBeVisible();
  await userEvent.keyboard("{Escape}");
  expect(screen.queryByRole("dialog")).not.toBeInTheDocument();
  await expect.poll(() => document.activeElement).toBe(screen.getByText("Enlarge"));
});
