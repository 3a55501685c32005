import { RotateCw } from "lucide-react";
import { toApiError } from "@/lib/api";
import { useI18n } from "@/lib/i18n";
import { Button } from "./Button";
import { Notice } from "./Notice";

/** An error in the user's language, with the service's own words on what to do. */
export function ErrorNotice({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const { t } = useI18n();
  const { code, detail, isUnreachable, retryAfterSeconds } = toApiError(error);
  const help = isUnreachable ? t.errors.unreachableHelp : detail;
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
      {help}
      {retryAfterSeconds !== null && <> {t.errors.retryIn(retryAfterSeconds)}</>}
    </Notice>
  );
}
