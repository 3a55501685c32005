import { useEffect, useRef } from "react";
import styles from "./ScaledPicture.module.css";

/** Widths are rounded up to this: few sizes for the browser's cache, never too few pixels. */
const WIDTH_STEP = 64;
/** What flies past for less is not fetched: hundreds of pages are scrolled over at once. */
const SETTLE_MS = 80;

interface ScaledPictureProps {
  /** A page's picture or a figure's, which the service gives in every width. */
  src: string;
  /** Empty: it says nothing that is not said beside it. */
  alt: string;
  width: number;
  height: number;
}

/**
 * A picture kept at the size at which it is shown. Browsers keep an <img> decoded in full, and long
 * after it has gone: of a long document, hundreds of megabytes.
 */
export function ScaledPicture({ src, alt, width, height }: ScaledPictureProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const control = new AbortController();
    const drawn = canvas.current;
    const settling = window.setTimeout(() => {
      void drawScaled(canvas, src, control.signal).catch(() => undefined);
    }, SETTLE_MS);
    return () => {
      window.clearTimeout(settling);
      control.abort();
      if (drawn) drawn.width = 0; // gives its memory back at once
    };
  }, [src]);
  return (
    <canvas
      ref={canvas}
      className={styles.picture}
      style={{ aspectRatio: `${String(width)} / ${String(height)}` }}
      {...(alt ? { role: "img", "aria-label": alt } : { "aria-hidden": true })}
    />
  );
}

/** Fetch and draw as many pixels as the screen has for it. What cannot be fetched stays white. */
async function drawScaled(
  target: { readonly current: HTMLCanvasElement | null },
  src: string,
  signal: AbortSignal,
): Promise<void> {
  const pixels = (target.current?.clientWidth ?? 0) * window.devicePixelRatio;
  const width = WIDTH_STEP * Math.max(1, Math.ceil(pixels / WIDTH_STEP));
  const response = await fetch(`${src}?width=${String(width)}`, { signal });
  if (!response.ok) return;
  const bitmap = await createImageBitmap(await response.blob());
  const canvas = target.current;
  if (canvas && !signal.aborted) {
    canvas.width = bitmap.width;
    canvas.height = bitmap.height;
    canvas.getContext("2d")?.drawImage(bitmap, 0, 0);
  }
  bitmap.close();
}
