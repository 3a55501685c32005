import { useEffect, useRef, useState, type ReactNode } from "react";
import { useI18n } from "@/lib/i18n";
import styles from "./WideTable.module.css";

/** A table that scrolls where it is too wide: then it is a stop for the keyboard, else none. */
export function WideTable({ children }: { children?: ReactNode }) {
  const { t } = useI18n();
  const box = useRef<HTMLDivElement>(null);
  const [isWide, setWide] = useState(false);
  useEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    const observer = new ResizeObserver(() => setWide(element.scrollWidth > element.clientWidth));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  const asStop = isWide && { tabIndex: 0, role: "region", "aria-label": t.result.wideTable };
  return (
    <div ref={box} className={styles.box} {...asStop}>
      <table>{children}</table>
    </div>
  );
}
