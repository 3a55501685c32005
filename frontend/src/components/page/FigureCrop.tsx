import type { Box, Size } from "@/lib/api";
import { useI18n } from "@/lib/i18n";
import styles from "./FigureCrop.module.css";

/** A figure, cut from the picture of its page. */
export function FigureCrop({ src, size, box }: { src: string; size: Size; box: Box }) {
  const { t } = useI18n();
  const [x0, y0, x1, y1] = box;
  return (
    <svg
      role="img"
      aria-label={t.result.figure}
      className={styles.figure}
      viewBox={[x0, y0, x1 - x0, y1 - y0].join(" ")}
      style={{ aspectRatio: `${String(x1 - x0)} / ${String(y1 - y0)}`, maxWidth: x1 - x0 }}
    >
      <image href={src} width={size.width} height={size.height} preserveAspectRatio="none" />
    </svg>
  );
}
