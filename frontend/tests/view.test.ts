import { expect, it } from "vitest";
import { clampView, FIT, MAX_ZOOM, zoomAt } from "@/components/page/view";

it("keeps the point under the finger where it is", () => {
  const view = zoomAt({ zoom: 2, x: -30, y: -40 }, 1.5, { x: 100, y: 80 });
  const under = (at: { zoom: number; x: number }) => (100 - at.x) / at.zoom;
  expect(under(view)).toBeCloseTo(under({ zoom: 2, x: -30 }));
});

it("never goes below the whole page, nor beyond the most", () => {
  expect(zoomAt(FIT, 0.1, { x: 0, y: 0 }).zoom).toBe(1);
  expect(zoomAt(FIT, 99, { x: 0, y: 0 }).zoom).toBe(MAX_ZOOM);
});

it("cannot be pushed out of sight", () => {
  expect(clampView({ zoom: 2, x: 500, y: -5000 }, 300, 400)).toEqual({ zoom: 2, x: 0, y: -400 });
});
