import { Maximize, SquareDashed, ZoomIn, ZoomOut } from "lucide-react";
import { useRef, useState, type CSSProperties } from "react";
import type { Block, Size } from "@/lib/api";
import { useI18n } from "@/lib/i18n";
import { Button } from "../ui/Button";
import { PageBoxes } from "./PageBoxes";
import styles from "./PagePicture.module.css";
import type { Highlight } from "./useHighlight";
import { useZoomPan } from "./useZoomPan";
import type { View } from "./view";

const STEP = 1.4;

interface PagePictureProps {
  /** Null: the boxes stand on an empty page. */
  src: string | null;
  alt: string;
  size: Size | null;
  blocks: readonly Block[];
  highlight: Highlight;
  /** Whether the picture has the boxes drawn into it. */
  hasBoxes?: boolean;
  onPick?: (index: number) => void;
  onBroken?: () => void;
}

/** A picture of a page with its boxes, to zoom and to move about. */
export function PagePicture(props: PagePictureProps) {
  const { src, size, hasBoxes = false } = props;
  const { t } = useI18n();
  const area = useRef<HTMLDivElement>(null);
  const [areDrawn, setDrawn] = useState(!hasBoxes);
  const [natural, setNatural] = useState<Size | null>(null);
  const { view, zoomBy, reset, handlers } = useZoomPan(area);
  const shown = size ?? natural;

  return (
    <div className={styles.frame}>
      {/* Moving about with the keyboard needs a focus stop. */}
      <div
        ref={area}
        className={styles.area}
        data-zoomed={view.zoom > 1 || undefined}
        role="group"
        aria-label={t.zoom.area}
        tabIndex={0}
        {...handlers}
      >
        <div className={styles.stage} style={{ transform: transformOf(view) }}>
          <div className={styles.sheet} style={sheetStyle(shown)}>
            {src !== null && (
              <img
                className={styles.picture}
                src={src}
                alt={props.alt}
                draggable={false}
                onError={props.onBroken}
                onLoad={({ currentTarget: image }) =>
                  setNatural({ width: image.naturalWidth, height: image.naturalHeight })
                }
              />
            )}
            {size && (
              <PageBoxes
                size={size}
                blocks={props.blocks}
                highlight={props.highlight}
                areDrawn={areDrawn}
                onPick={props.onPick}
              />
            )}
          </div>
        </div>
      </div>
      <div className={styles.tools} role="toolbar" aria-label={t.zoom.tools}>
        {!hasBoxes && (
          <Button
            look="quiet"
            icon={<SquareDashed aria-hidden />}
            aria-label={t.zoom.showBoxes}
            aria-pressed={areDrawn}
            onClick={() => setDrawn(!areDrawn)}
          />
        )}
        <Button
          look="quiet"
          icon={<ZoomOut aria-hidden />}
          aria-label={t.zoom.out}
          onClick={() => zoomBy(1 / STEP)}
        />
        <output className={styles.level}>{t.zoom.level(Math.round(view.zoom * 100))}</output>
        <Button
          look="quiet"
          icon={<ZoomIn aria-hidden />}
          aria-label={t.zoom.in}
          onClick={() => zoomBy(STEP)}
        />
        <Button
          look="quiet"
          icon={<Maximize aria-hidden />}
          aria-label={t.zoom.fit}
          onClick={reset}
        />
      </div>
    </div>
  );
}

/** For the style sheet of what is around a picture: its width over its height. */
export function ratioStyle({ width, height }: Size): CSSProperties {
  return { "--ratio": width / height } as CSSProperties;
}

function transformOf({ x, y, zoom }: View): string {
  return `translate(${String(x)}px, ${String(y)}px) scale(${String(zoom)})`;
}

/** As large as the area allows. Without a size there is nothing to show yet. */
function sheetStyle(size: Size | null): CSSProperties {
  if (!size) return { visibility: "hidden" };
  const ratio = String(size.width / size.height);
  return { aspectRatio: ratio, width: `min(100cqw, 100cqh * ${ratio})` };
}
