import { useVirtualizer } from "@tanstack/react-virtual";
import { memo, useEffect, useRef } from "react";
import { ScaledPicture } from "@/components/page/ScaledPicture";
import type { PageList, Size } from "@/lib/api";
import { useI18n } from "@/lib/i18n";
import styles from "./ThumbnailRail.module.css";

const THUMBNAIL_HEIGHT = 152;
const SHEET = { width: 90, height: 118 };

interface ThumbnailRailProps {
  pages: PageList;
  current: number;
  onGoTo: (index: number) => void;
}

/** Small pictures of the pages; the one being read is marked and kept in sight. */
export const ThumbnailRail = memo(function ThumbnailRail(props: ThumbnailRailProps) {
  const { pages, current, onGoTo } = props;
  const { t } = useI18n();
  const rail = useRef<HTMLElement>(null);
  const thumbnails = useVirtualizer({
    count: pages.length,
    getScrollElement: () => rail.current,
    estimateSize: () => THUMBNAIL_HEIGHT,
    overscan: 4,
    getItemKey: (index) => pages[index]?.page_number ?? index,
  });
  const { scrollToIndex } = thumbnails;
  useEffect(() => scrollToIndex(current, { align: "auto" }), [scrollToIndex, current]);

  return (
    <nav ref={rail} className={styles.rail} aria-label={t.task.thumbnails}>
      <div className={styles.all} style={{ height: thumbnails.getTotalSize() }}>
        {thumbnails.getVirtualItems().map(({ index, key, start }) => {
          const page = pages[index];
          return (
            page && (
              <button
                key={key}
                type="button"
                className={styles.thumbnail}
                style={{ transform: `translateY(${String(start)}px)` }}
                aria-label={t.task.goToPage(page.page_number)}
                aria-current={index === current ? "page" : undefined}
                data-status={page.status}
                onClick={() => onGoTo(index)}
              >
                <span className={styles.sheet}>
                  {page.image_url && page.image ? (
                    <span className={styles.picture} style={thumbnailWidth(page.image)}>
                      <ScaledPicture src={page.image_url} alt="" {...page.image} />
                    </span>
                  ) : (
                    <span className={styles.noPicture} />
                  )}
                </span>
                <span className={styles.number}>{page.page_number}</span>
              </button>
            )
          );
        })}
      </div>
    </nav>
  );
});

/** As wide as fits a sheet of the rail. */
function thumbnailWidth({ width, height }: Size): { width: number } {
  return { width: Math.min(SHEET.width, (SHEET.height * width) / height) };
}
