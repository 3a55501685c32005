import { useCallback, useEffect, useRef, useState } from "react";
import { preloadTypesetter } from "@/components/page/typesetter";
import { PagePicture, ratioStyle } from "@/components/page/PagePicture";
import { useHighlight } from "@/components/page/useHighlight";
import { Notice } from "@/components/ui/Notice";
import { useI18n } from "@/lib/i18n";
import { ReadingResult } from "./ReadingResult";
import { ReadingState } from "./ReadingState";
import styles from "./ReadingPanes.module.css";
import type { Picture, useReading } from "./useReading";

interface ReadingPanesProps {
  picture: Picture;
  reading: ReturnType<typeof useReading>;
  onRetry: () => void;
}

/** The picture on one side, what was read on the other. */
export function ReadingPanes({ picture, reading, onRetry }: ReadingPanesProps) {
  const { t } = useI18n();
  const [isBroken, setBroken] = useState(false);
  const highlight = useHighlight();
  const text = useRef<HTMLElement>(null);
  const { result, isReading } = reading;
  const shown = isReading ? undefined : result;
  useEffect(preloadTypesetter, []);
  const src = isBroken ? null : picture.url;

  const pick = useCallback((index: number) => {
    const blocks = text.current?.querySelectorAll<HTMLElement>("[data-kind][tabindex]");
    blocks?.[index]?.focus();
  }, []);

  return (
    <div className={styles.panes}>
      <section
        className={styles.picture}
        style={shown && ratioStyle(shown.image)}
        aria-label={t.image.picture}
      >
        {isBroken && <Notice tone="info">{t.image.noPreview}</Notice>}
        <PagePicture
          src={src}
          alt={picture.file.name}
          size={shown?.image ?? null}
          blocks={shown?.blocks ?? []}
          highlight={highlight}
          onPick={pick}
          onBroken={() => setBroken(true)}
        />
      </section>
      <section
        ref={text}
        className={styles.result}
        aria-label={t.image.result}
        aria-busy={isReading}
      >
        <h2 className="visually-hidden">{t.image.result}</h2>
        {shown ? (
          <ReadingResult
            result={shown}
            src={src}
            filename={picture.file.name}
            highlight={highlight}
          />
        ) : (
          <ReadingState reading={reading} onRetry={onRetry} />
        )}
      </section>
    </div>
  );
}
