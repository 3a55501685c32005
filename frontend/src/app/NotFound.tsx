import { Link } from "react-router";
import { buttonClass } from "@/components/ui/Button";
import { useI18n } from "@/lib/i18n";
import { useTitle } from "@/lib/useTitle";
import styles from "./NotFound.module.css";

export function NotFound() {
  const { t } = useI18n();
  useTitle(t.title.missing);
  return (
    <div className={styles.page}>
      <h1>{t.shell.notFound}</h1>
      <Link to="/" className={buttonClass("primary")}>
        {t.shell.home}
      </Link>
    </div>
  );
}
