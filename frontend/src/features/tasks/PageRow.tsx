import { Maximize2 } from "lucide-react";
import { memo } from "react";
import { PageBoxes } from "@/components/page/PageBoxes";
import { PageText } from "@/components/page/PageText";
import { ScaledPicture } from "@/components/page/ScaledPicture";
import { useHighlight } from "@/components/page/useHighlight";
import { Button } from "@/components/ui/Button";
import { CopyButton } from "@/components/ui/CopyButton";
import { Notice } from "@/components/ui/Notice";
import type { Block, Page, Size } from "@/lib/api";
import { figureBoxes } from "@/lib/blocks";
import { useI18n } from "@/lib/i18n";
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
          <Notice tone={page.status === "failed" ? "bad" : "warn"}>{page.reason}</Notice>
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
          figure={(block) => <Figures page={page} taskId={taskId} block={block} />}
        />
      </div>
    </div>
  );
}

interface FiguresProps extends Pick<PageRowProps, "page" | "taskId"> {
  block: Block;
}

/** The pictures that the service has cut out for a block. */
function Figures({ page, taskId, block }: FiguresProps) {
  const { t } = useI18n();
  const all = figureBoxes(page.blocks).map(String);
  const names = block.boxes
    .map(
      (box) =>
        `images/page-${pad(page.page_number)}-figure-${String(all.indexOf(String(box)) + 1)}.jpg`,
    )
    .filter((name) => page.markdown?.includes(name));
  return names.map((name) => (
    <img
      key={name}
      className={styles.figure}
      src={`/api/tasks/${taskId}/files/${name}`}
      alt={t.result.figure}
      loading="lazy"
    />
  ));
}

/** So wide that the whole page fits the window's height. */
function widthInWindow({ width, height }: Size): string {
  return `calc((100dvh - var(--header) - 60px) * ${String(width / height)})`;
}

function pad(pageNumber: number): string {
  return String(pageNumber).padStart(4, "0");
}
