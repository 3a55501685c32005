import { RotateCw } from "lucide-react";
import { toApiError } from "@/lib/api";
import { errorWords } from "@/lib/errorWords";
import { useI18n } from "@/lib/i18n";
import { Button } from "./Button";
import { Notice } from "./Notice";
import { WordsOf } from "./WordsOf";

/** An error and what to do about it. */
export function ErrorNotice({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const { t } = useI18n();
  const problem = toApiError(error);
  const { code, retryAfterSeconds } = problem;
  return (
    <Notice
      tone="bad"
      title={t.errors.titles[code] ?? t.errors.fallback}
      action={
        onRetry && (
          <Button icon={<RotateCw aria-hidden />} onClick={onRetry}>
            {t.errors.retry}
          </Button>
        )
      }
    >
      <WordsOf {...errorWords(problem, t)} />
      {retryAfterSeconds !== null && <> {t.errors.retryIn(retryAfterSeconds)}</>}
    </Notice>
  );
}
