import type { Words } from "@/lib/errorWords";
import { useI18n } from "@/lib/i18n";
import styles from "./WordsOf.module.css";

/** What is said in the user's language, and behind it in the service's. */
export function WordsOf({ own, original }: Words) {
  const { language } = useI18n();
  return (
    <>
      {own}
      {original && (
        <span
          className={own ? styles.original : undefined}
          lang={language === "en" ? undefined : "en"}
        >
          {original}
        </span>
      )}
    </>
  );
}
