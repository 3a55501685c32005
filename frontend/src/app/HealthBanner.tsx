import { Notice } from "@/components/ui/Notice";
import { WordsOf } from "@/components/ui/WordsOf";
import { useHealth } from "@/lib/api";
import { useI18n } from "@/lib/i18n";
import styles from "./HealthBanner.module.css";
import { useRefreshOnReturn, useServiceState } from "./useServiceState";

/** Says so while the service is away, still starting, or in trouble. */
export function HealthBanner() {
  const { t } = useI18n();
  const { data } = useHealth();
  const state = useServiceState();
  useRefreshOnReturn(state);
  if (state === "healthy" || state === "connecting") return null;
  return (
    <div className={styles.banner}>
      {state === "unreachable" && (
        <Notice tone="bad" title={t.health.lost}>
          {t.health.lostHelp}
        </Notice>
      )}
      {state === "starting" && <Notice tone="warn">{t.health.startingHelp}</Notice>}
      {state === "unhealthy" && (
        <Notice tone="bad" title={t.health.unhealthyHelp}>
          <WordsOf
            own={t.health.reasons[data?.reason_code ?? ""] ?? ""}
            original={data?.reason ?? ""}
          />
        </Notice>
      )}
    </div>
  );
}
