import { expect, it } from "vitest";
import { lastBeforeGap, mergePages } from "@/lib/api/pages";
import type { Page } from "@/lib/api";

const page = (page_number: number) => ({ page_number }) as Page;

it("knows the last page before the first gap", () => {
  expect(lastBeforeGap([])).toBe(0);
  expect(lastBeforeGap([1, 2, 4].map(page))).toBe(2);
  expect(lastBeforeGap([2, 3].map(page))).toBe(0);
});

it("puts pages in order, and keeps those that it knows", () => {
  const known = [page(1), page(3)];
  const merged = mergePages(known, [page(2), page(3)]);
  expect(merged.map((each) => each.page_number)).toEqual([1, 2, 3]);
  expect(merged[2]).toBe(known[1]);
});
