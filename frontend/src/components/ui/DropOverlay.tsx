import { useI18n } from "@/lib/i18n";
import styles from "./DropOverlay.module.css";

/** Over a view that has no drop zone to light up, while files hang over the window. */
export function DropOverlay() {
  const { t } = useI18n();
  return <div className={styles.overlay}>{t.drop.release}</div>;
}
