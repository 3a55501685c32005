import { render, screen } from "@testing-library/react";
import { expect, it } from "vitest";
import { TaskProgressBar } from "@/components/task/TaskProgressBar";
import type { Task } from "@/lib/api";

const task = (progress: Partial<Task["progress"]>, status: Task["status"] = "running"): Task => ({
  task_id: "one",
  kind: "pdf",
  filename: "report.pdf",
  status,
  progress: {
    num_pages: 40,
    pages_done: 10,
    pages_failed: 0,
    percent: 25,
    message: "",
    ...progress,
  },
  timing: {
    queued_at: "2026-01-01T00:00:00Z",
    started_at: null,
    finished_at: null,
    duration_ms: null,
  },
  result: null,
  error: null,
});

it("says how many pages are done, how fast it goes and how long it will take", () => {
  render(<TaskProgressBar task={task({})} speed={{ pagesPerSecond: 2.5, etaSeconds: 12 }} />);
  const bar = screen.getByRole("progressbar", { name: "Progress of report.pdf" });
  expect(bar).toHaveAttribute("aria-valuenow", "25");
  for (const words of ["10 of 40 pages", "2.5 pages/s", "12 s left"]) {
    expect(screen.getByText(words)).toBeInTheDocument();
  }
});

it("says nothing of what is not known yet", () => {
  render(<TaskProgressBar task={task({ num_pages: null, pages_done: 0, percent: 0 })} />);
  expect(screen.getByText("Opening the document")).toBeInTheDocument();
  expect(screen.getByRole("progressbar")).not.toHaveAttribute("aria-valuenow");
  expect(screen.queryByText(/pages\/s|left/)).not.toBeInTheDocument();
});
