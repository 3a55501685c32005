import { ScaledPicture } from "@/components/page/ScaledPicture";
import type { Block, Box, Page, Size } from "@/lib/api";
import { figureBoxes } from "@/lib/blocks";
import { useI18n } from "@/lib/i18n";
import styles from "./PageFigures.module.css";

const MAX_HEIGHT = 340; // pixels of the style sheet: some text stands beside every figure

interface PageFiguresProps {
  page: Page;
  taskId: string;
  block: Block;
}

/** The pictures that the service has cut out for a block. */
export function PageFigures({ page, taskId, block }: PageFiguresProps) {
  const { t } = useI18n();
  const numbers = figureBoxes(page.blocks).map(String);
  return block.boxes.map((box) => {
    const name = figureName(page.page_number, numbers.indexOf(String(box)) + 1);
    if (!page.image || !page.markdown?.includes(name)) return null;
    const size = sizeOnPage(box as Box, page.image);
    return (
      <div key={name} className={styles.figure} style={{ width: shownWidth(size) }}>
        <ScaledPicture src={`/api/tasks/${taskId}/files/${name}`} alt={t.result.figure} {...size} />
      </div>
    );
  });
}

function figureName(pageNumber: number, number: number): string {
  return `images/page-${String(pageNumber).padStart(4, "0")}-figure-${String(number)}.jpg`;
}

/** The service cuts what lies on the page. */
function sizeOnPage([x0, y0, x1, y1]: Box, page: Size): Size {
  return {
    width: Math.min(x1, page.width) - Math.max(x0, 0),
    height: Math.min(y1, page.height) - Math.max(y0, 0),
  };
}

/** Its own width, or less, where it would be too high. */
function shownWidth({ width, height }: Size): number {
  return Math.min(width, (MAX_HEIGHT * width) / height);
}
