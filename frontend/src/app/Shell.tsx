import { FileText, Image, ListChecks } from "lucide-react";
import { NavLink, Outlet } from "react-router";
import { useI18n } from "@/lib/i18n";
import { EmptyFolderBanner } from "./EmptyFolderBanner";
import { HealthBadge } from "./HealthBadge";
import { HealthBanner } from "./HealthBanner";
import { LanguageButton, ThemeButton } from "./Preferences";
import styles from "./Shell.module.css";

/** The frame of every view: where one is, how the service is, language and colours. */
export function Shell() {
  const { t } = useI18n();
  const views = [
    { to: "/", name: t.shell.image, Icon: Image },
    { to: "/documents", name: t.shell.documents, Icon: FileText },
    { to: "/tasks", name: t.shell.tasks, Icon: ListChecks },
  ];
  return (
    <div className={styles.shell}>
      <a href="#content" className={styles.skip}>
        {t.shell.skip}
      </a>
      <header className={styles.header}>
        <NavLink to="/" className={styles.brand}>
          <img src="/favicon.svg" alt="" width="24" height="24" />
          Folio
        </NavLink>
        <nav className={styles.nav} aria-label={t.shell.navigation}>
          {views.map(({ to, name, Icon }) => (
            <NavLink key={to} to={to} end={to === "/"} className={styles.link}>
              <Icon aria-hidden />
              {name}
            </NavLink>
          ))}
        </nav>
        <div className={styles.tools}>
          <HealthBadge />
          <LanguageButton />
          <ThemeButton />
        </div>
      </header>
      <HealthBanner />
      <EmptyFolderBanner />
      <main id="content" className={styles.main} tabIndex={-1}>
        <Outlet />
      </main>
    </div>
  );
}
