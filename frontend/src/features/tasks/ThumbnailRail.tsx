import { useVirtualizer } from "@tanstack/react-virtual";
import { memo, useEffect, useRef } from "react";
import { ScaledPicture } from "@/components/page/ScaledPicture";
import type { PageList, Size } from "@/lib/api";
import { useI18n } from "@/lib/i18n";
import styles from "./ThumbnailRail.module.css";

const SHEET = { width: 90, height: 118 };
const AROUND = 34; // above and below a sheet: its number, and what keeps it from the next

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
    estimateSize: (index) => AROUND + sheetSize(pages[index]?.image).height,
    overscan: 4,
    getItemKey: (index) => pages[index]?.page_number ?? index,
  });
  const { scrollToIndex } = thumbnails;
  useEffect(() => scrollToIndex(current, { align: "auto" }), [scrollToIndex, current]);

  return (
    <nav ref={rail} className={styles.rail} aria-label={t.task.thumbnails}>
      <div className={styles.all} style={{ height: thumbnails.getTotalSize() }}>
        {thumbnails.getVirtualItems().map(({ index, key, start, size }) => {
          const page = pages[index];
          return (
            page && (
              <button
                key={key}
                type="button"
                className={styles.thumbnail}
                style={{ transform: `translateY(${String(start)}px)`, height: size }}
                aria-label={t.task.goToPage(page.page_number)}
                aria-current={index === current ? "page" : undefined}
                data-status={page.status}
                onClick={() => onGoTo(index)}
              >
                <span className={styles.sheet}>
                  {page.image_url && page.image ? (
                    <span className={styles.picture} style={{ width: sheetSize(page.image).width }}>
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

/** As large as fits; a whole sheet where there is no picture. */
function sheetSize(picture: Size | null | undefined): Size {
  if (!picture) return SHEET;
  const scale = Math.min(SHEET.width / picture.width, SHEET.height / picture.height);
  return { width: scale * picture.width, height: scale * picture.height };
}
