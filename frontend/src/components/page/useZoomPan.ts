import {
  useCallback,
  useEffect,
  useRef,
  useState,
  type KeyboardEvent,
  type PointerEvent,
  type RefObject,
} from "react";
import { clampView, FIT, zoomAt, type Point, type View } from "./view";

const WHEEL_STEP = 0.0022;
const KEY_PAN = 60;
const KEY_ZOOM = 1.25;

/** Zoom and pan of an area by wheel, pinch, drag and keys. `view` is a CSS transform's numbers. */
export function useZoomPan(area: RefObject<HTMLElement | null>) {
  const [view, setView] = useState<View>(FIT);
  const pointers = useRef(new Map<number, Point>());

  const change = useCallback(
    (next: (old: View, size: DOMRect) => View) => {
      const size = area.current?.getBoundingClientRect();
      if (size) setView((old) => clampView(next(old, size), size.width, size.height));
    },
    [area],
  );
  const zoomBy = useCallback(
    (factor: number, at?: Point) =>
      change((old, size) =>
        zoomAt(old, factor, {
          x: at ? at.x - size.left : size.width / 2,
          y: at ? at.y - size.top : size.height / 2,
        }),
      ),
    [change],
  );
  const panBy = useCallback(
    (dx: number, dy: number) => change((old) => ({ ...old, x: old.x + dx, y: old.y + dy })),
    [change],
  );

  useEffect(() => {
    const element = area.current;
    if (!element) return undefined;
    // Not through React, whose wheel listeners are passive: the browser would zoom the whole page.
    const onWheel = (event: WheelEvent) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      zoomBy(Math.exp(-event.deltaY * WHEEL_STEP), { x: event.clientX, y: event.clientY });
    };
    element.addEventListener("wheel", onWheel, { passive: false });
    return () => element.removeEventListener("wheel", onWheel);
  }, [area, zoomBy]);

  const handlers = {
    onPointerDown: (event: PointerEvent) => {
      pointers.current.set(event.pointerId, pointOf(event));
    },
    onPointerMove: (event: PointerEvent) => {
      const before = pointers.current.get(event.pointerId);
      if (!before) return;
      const now = pointOf(event);
      const other = [...pointers.current].find(([id]) => id !== event.pointerId)?.[1];
      pointers.current.set(event.pointerId, now);
      if (other) {
        zoomBy(distance(now, other) / Math.max(1, distance(before, other)), middle(now, other));
      } else {
        panBy(now.x - before.x, now.y - before.y);
      }
    },
    onPointerUp: (event: PointerEvent) => pointers.current.delete(event.pointerId),
    onPointerLeave: (event: PointerEvent) => pointers.current.delete(event.pointerId),
    onPointerCancel: (event: PointerEvent) => pointers.current.delete(event.pointerId),
    onKeyDown: (event: KeyboardEvent) => {
      const act = keyAction(event.key);
      if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      act();
    },
  };

  const reset = useCallback(() => setView(FIT), []);
  const keyAction = (key: string): (() => void) | undefined =>
    ({
      "+": () => zoomBy(KEY_ZOOM),
      "=": () => zoomBy(KEY_ZOOM),
      "-": () => zoomBy(1 / KEY_ZOOM),
      "0": reset,
      ArrowLeft: () => panBy(KEY_PAN, 0),
      ArrowRight: () => panBy(-KEY_PAN, 0),
      ArrowUp: () => panBy(0, KEY_PAN),
      ArrowDown: () => panBy(0, -KEY_PAN),
    })[key];

  return { view, zoomBy, reset, handlers };
}

function pointOf(event: PointerEvent): Point {
  return { x: event.clientX, y: event.clientY };
}

function distance(one: Point, other: Point): number {
  return Math.hypot(one.x - other.x, one.y - other.y);
}

function middle(one: Point, other: Point): Point {
  return { x: (one.x + other.x) / 2, y: (one.y + other.y) / 2 };
}
