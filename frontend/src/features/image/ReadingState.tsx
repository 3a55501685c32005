import { X } from "lucide-react";
import { Button } from "@/components/ui/Button";
import { ErrorNotice } from "@/components/ui/ErrorNotice";
import { Notice } from "@/components/ui/Notice";
import { toApiError } from "@/lib/api";
import { useI18n } from "@/lib/i18n";
import { useNow } from "@/lib/useNow";
import styles from "./ReadingState.module.css";
import type { useReading } from "./useReading";

interface ReadingStateProps {
  reading: ReturnType<typeof useReading>;
  onRetry: () => void;
}

/** What stands where the text will be: that it is read, or why it is not. */
export function ReadingState({ reading, onRetry }: ReadingStateProps) {
  const { t } = useI18n();
  const now = useNow(reading.isReading);
  if (reading.error) {
    return (
      <div className={styles.state}>
        <ErrorNotice error={reading.error} onRetry={onRetry} />
      </div>
    );
  }
  if (!reading.isReading) {
    return (
      <div className={styles.state}>
        <Notice tone="info">{reading.wasCanceled ? t.image.canceled : t.image.waiting}</Notice>
      </div>
    );
  }
  const seconds = Math.max(0, (now - reading.startedAt) / 1000).toFixed(1);
  return (
    <div className={styles.state}>
      <div className={styles.line}>
        <p role="timer">{t.image.reading(seconds)}</p>
        <Button icon={<X aria-hidden />} onClick={reading.cancel}>
          {t.image.cancel}
        </Button>
      </div>
      {reading.waitsFor && <Waiting error={reading.waitsFor} />}
      <div className={styles.lines} aria-hidden>
        {[46, 92, 97, 88, 95, 61, 0, 90, 96, 84, 38].map((width, index) => (
          <span key={index} style={{ width: `${String(width)}%` }} />
        ))}
      </div>
    </div>
  );
}

function Waiting({ error }: { error: Error }) {
  const { t } = useI18n();
  return (
    <Notice tone="info" title={t.errors.titles[toApiError(error).code] ?? t.errors.fallback}>
      {t.image.waitsFor}
    </Notice>
  );
}
