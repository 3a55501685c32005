import { CircleAlert, Info, TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";
import styles from "./Notice.module.css";

type Tone = "info" | "warn" | "bad";

const icons = { info: Info, warn: TriangleAlert, bad: CircleAlert };

interface NoticeProps {
  tone: Tone;
  title?: string;
  children?: ReactNode;
  action?: ReactNode;
}

/** Something the user should know; `bad` is announced at once. */
export function Notice({ tone, title, children, action }: NoticeProps) {
  const Icon = icons[tone];
  return (
    <div className={styles.notice} data-tone={tone} role={tone === "bad" ? "alert" : "status"}>
      <Icon aria-hidden className={styles.icon} />
      <div className={styles.words}>
        {title !== undefined && <strong>{title}</strong>}
        {children !== undefined && children !== "" && <div>{children}</div>}
      </div>
      {action}
    </div>
  );
}
