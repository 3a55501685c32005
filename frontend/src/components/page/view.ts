/** The arithmetic of zooming: a view is "scale by zoom, then move by x, y" from the top left. */
export interface View {
  zoom: number;
  x: number;
  y: number;
}

export interface Point {
  x: number;
  y: number;
}

export const FIT: View = { zoom: 1, x: 0, y: 0 };
export const MAX_ZOOM = 8;

/** Zoom so that what lies under the point stays there. */
export function zoomAt(view: View, factor: number, at: Point): View {
  const zoom = Math.min(MAX_ZOOM, Math.max(1, view.zoom * factor));
  const real = zoom / view.zoom;
  return { zoom, x: at.x - (at.x - view.x) * real, y: at.y - (at.y - view.y) * real };
}

/** Never out of sight: the area stays filled. */
export function clampView(view: View, width: number, height: number): View {
  const clamp = (value: number, size: number) =>
    Math.min(0, Math.max(size * (1 - view.zoom), value));
  return { zoom: view.zoom, x: clamp(view.x, width), y: clamp(view.y, height) };
}
