import { Download } from "lucide-react";
import { Tabs } from "radix-ui";
import { useState, type ReactNode } from "react";
import { saveText } from "@/lib/files";
import { useI18n } from "@/lib/i18n";
import { Button } from "../ui/Button";
import { CopyButton } from "../ui/CopyButton";
import tabStyles from "../ui/Tabs.module.css";
import styles from "./ResultTabs.module.css";

const VIEWS = ["reading", "text", "raw", "json"] as const;
type ResultView = (typeof VIEWS)[number];

const FILES: Record<ResultView, { extension: string; type: string }> = {
  reading: { extension: "md", type: "text/markdown" },
  text: { extension: "txt", type: "text/plain" },
  raw: { extension: "raw.txt", type: "text/plain" },
  json: { extension: "json", type: "application/json" },
};

interface ResultTabsProps {
  /** What is copied and downloaded in each view, and shown in all but the first. */
  texts: Record<ResultView, string>;
  reading: ReactNode;
  /** The file name of downloads, without its extension. */
  name: string;
}

/** One result in four ways: typeset, as text, as the model wrote it, and as JSON. */
export function ResultTabs({ texts, reading, name }: ResultTabsProps) {
  const { t } = useI18n();
  const [view, setView] = useState<ResultView>("reading");
  const file = FILES[view];
  return (
    <Tabs.Root
      value={view}
      onValueChange={(next) => setView(next as ResultView)}
      className={styles.root}
    >
      <div className={styles.bar}>
        <Tabs.List aria-label={t.result.tabList} className={tabStyles.list}>
          {VIEWS.map((each) => (
            <Tabs.Trigger key={each} value={each} className={tabStyles.tab}>
              {t.result.tabs[each]}
            </Tabs.Trigger>
          ))}
        </Tabs.List>
        <div className={styles.tools}>
          <CopyButton text={() => texts[view]} label={t.result.copy} />
          <Button
            look="quiet"
            icon={<Download aria-hidden />}
            aria-label={`${t.result.download}: ${name}.${file.extension}`}
            onClick={() => saveText(texts[view], `${name}.${file.extension}`, file.type)}
          />
        </div>
      </div>
      {VIEWS.map((each) => (
        <Tabs.Content key={each} value={each} className={styles.content}>
          {each === "reading" ? reading : <pre className={styles.plain}>{texts[each]}</pre>}
        </Tabs.Content>
      ))}
    </Tabs.Root>
  );
}
