import { useMemo, type CSSProperties } from "react";
import type { Block, Box, Size } from "@/lib/api";
import { blockKind, labelText } from "@/lib/blocks";
import { useI18n } from "@/lib/i18n";
import styles from "./PageBoxes.module.css";
import type { Highlight } from "./useHighlight";

interface PageBoxesProps {
  size: Size;
  blocks: readonly Block[];
  highlight: Highlight;
  /** Boxes that the picture itself shows are drawn only when they are lit. */
  areDrawn: boolean;
  onPick?: (index: number) => void;
}

/** Every block's boxes over the picture, in per cent of it. Small ones lie above large ones. */
export function PageBoxes({ size, blocks, highlight, areDrawn, onPick }: PageBoxesProps) {
  const { t } = useI18n();
  const places = useMemo(() => placesOf(blocks), [blocks]);
  return (
    <div className={styles.boxes} role="group" aria-label={t.result.boxes}>
      {places.map(({ box, index, label, isFirst }) => (
        <button
          key={`${String(index)} ${String(box)}`}
          type="button"
          tabIndex={-1}
          aria-label={t.result.block(index + 1, labelText(label, t.result.labels))}
          aria-hidden={!isFirst || undefined}
          className={styles.box}
          style={position(box, size)}
          data-kind={blockKind(label)}
          data-drawn={areDrawn || undefined}
          data-lit={highlight.index === index || undefined}
          onPointerEnter={() => highlight.light(index, "picture")}
          onPointerLeave={() => highlight.light(null, "picture")}
          onClick={() => onPick?.(index)}
        />
      ))}
    </div>
  );
}

interface Place {
  box: Box;
  index: number;
  label: string;
  isFirst: boolean;
}

function placesOf(blocks: readonly Block[]): Place[] {
  const places = blocks.flatMap((block, index) =>
    block.boxes.map((box, nth) => ({
      box: box as Box,
      index,
      label: block.label,
      isFirst: nth === 0,
    })),
  );
  return places.sort((one, other) => area(other.box) - area(one.box));
}

function area([x0, y0, x1, y1]: Box): number {
  return (x1 - x0) * (y1 - y0);
}

function position([x0, y0, x1, y1]: Box, { width, height }: Size): CSSProperties {
  const percent = (part: number, whole: number) => `${String((100 * part) / whole)}%`;
  return {
    left: percent(x0, width),
    top: percent(y0, height),
    width: percent(x1 - x0, width),
    height: percent(y1 - y0, height),
  };
}
