import { useEffect, useRef } from "react";
import styles from "./ScaledPicture.module.css";

interface ScaledPictureProps {
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
    void drawScaled(canvas, src, control.signal).catch(() => undefined);
    return () => {
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

/** Draw as many pixels as the screen has for it. What cannot be fetched stays white. */
async function drawScaled(
  target: { readonly current: HTMLCanvasElement | null },
  src: string,
  signal: AbortSignal,
): Promise<void> {
  const response = await fetch(src, { signal });
  if (!response.ok) return;
  const blob = await response.blob();
  const shown = target.current;
  if (!shown || signal.aborted) return;
  const resizeWidth = Math.max(1, Math.round(shown.clientWidth * window.devicePixelRatio));
  const bitmap = await createImageBitmap(blob, { resizeWidth, resizeQuality: "high" });
  const canvas = target.current;
  if (canvas && !signal.aborted) {
    canvas.width = bitmap.width;
    canvas.height = bitmap.height;
    canvas.getContext("2d")?.drawImage(bitmap, 0, 0);
  }
  bitmap.close();
}
