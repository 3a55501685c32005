import { X } from "lucide-react";
import { Button } from "@/components/ui/Button";
import { Notice } from "@/components/ui/Notice";
import { useI18n } from "@/lib/i18n";
import { incomingFiles, useEmptyFolders } from "@/lib/incoming";
import styles from "./EmptyFolderBanner.module.css";

/** Says so where a folder was dropped that has nothing to read in it. */
export function EmptyFolderBanner() {
  const { t } = useI18n();
  const folders = useEmptyFolders();
  if (folders.length === 0) return null;
  return (
    <div className={styles.banner}>
      <Notice
        tone="bad"
        title={t.drop.emptyFolder(folders)}
        action={
          <Button
            look="quiet"
            icon={<X aria-hidden />}
            aria-label={t.drop.hide}
            onClick={() => incomingFiles.forgetEmptyFolders()}
          />
        }
      >
        {t.drop.emptyFolderHelp}
      </Notice>
    </div>
  );
}
