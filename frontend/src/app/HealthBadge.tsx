import { useHealth } from "@/lib/api";
import { useI18n } from "@/lib/i18n";
import styles from "./HealthBadge.module.css";
import { useServiceState } from "./useServiceState";

/** A dot and two words on how the service is; the model's name where there is room. */
export function HealthBadge() {
  const { t } = useI18n();
  const { data } = useHealth();
  const state = useServiceState();
  return (
    <div className={styles.badge} data-state={state} role="status" title={data?.model_note ?? ""}>
      <span className="visually-hidden">{t.health.label}: </span>
      <span className={styles.dot} aria-hidden />
      <span className={styles.state}>{t.health[state]}</span>
      {data && <span className={styles.model}>{data.model}</span>}
    </div>
  );
}
