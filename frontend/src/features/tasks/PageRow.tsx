import { Maximize2 } from "lucide-react";
import { memo } from "react";
import { PageBoxes } from "@/components/page/PageBoxes";
import { PageText } from "@/components/page/PageText";
import { ScaledPicture } from "@/components/page/ScaledPicture";
import { useHighlight } from "@/components/page/useHighlight";
import { Button } from "@/components/ui/Button";
import { CopyButton } from "@/components/ui/CopyButton";
import type { Page, Size } from "@/lib/api";
import { useI18n } from "@/lib/i18n";
import { PageFigures } from "./PageFigures";
import { PageReason } from "./PageReason";
import { PageStatusBadge } from "./PageStatusBadge";
import styles from "./PageRow.module.css";

interface PageRowProps {
  page: Page;
  taskId: string;
  onEnlarge: (page: Page) => void;
}

/** One page of a document: its picture and, in step with it, its text. */
export const PageRow = memo(function PageRow({ page, taskId, onEnlarge }: PageRowProps) {
  const { t } = useI18n();
  const { page_number: number, image_url: imageUrl } = page;
  return (
    <article className={styles.row} aria-label={t.task.page(number)}>
      <header className={styles.head}>
        <h2>{t.task.page(number)}</h2>
        <PageStatusBadge status={page.status} />
        <div className={styles.tools}>
          {imageUrl && (
            <Button
              look="quiet"
              icon={<Maximize2 aria-hidden />}
              aria-label={t.task.enlarge(number)}
              onClick={() => onEnlarge(page)}
            />
          )}
          {page.markdown && <CopyButton text={() => page.markdown ?? ""} label={t.result.copy} />}
        </div>
      </header>
      {page.reason && (
        <div className={styles.reason}>
          <PageReason page={page} />
        </div>
      )}
      {(imageUrl ?? page.markdown) && <PageBody page={page} taskId={taskId} />}
    </article>
  );
});

function PageBody({ page, taskId }: Pick<PageRowProps, "page" | "taskId">) {
  const { t } = useI18n();
  const highlight = useHighlight();
  const { page_number: number, image, image_url: imageUrl } = page;
  return (
    <div className={styles.body}>
      {imageUrl && image && (
        <div className={styles.side}>
          <div className={styles.picture} style={{ maxWidth: widthInWindow(image) }}>
            <ScaledPicture src={imageUrl} alt={t.task.page(number)} {...image} />
            <PageBoxes size={image} blocks={page.blocks} highlight={highlight} areDrawn={false} />
          </div>
        </div>
      )}
      <div className={styles.text}>
        <PageText
          label={t.task.pageText(number)}
          blocks={page.blocks}
          highlight={highlight}
          figure={(block) => <PageFigures page={page} taskId={taskId} block={block} />}
        />
      </div>
    </div>
  );
}

/** So wide that the whole page fits the window's height. */
function widthInWindow({ width, height }: Size): string {
  return `calc((100dvh - var(--header) - 60px) * ${String(width / height)})`;
}
