import { X } from "lucide-react";
import { Dialog } from "radix-ui";
import { useRef } from "react";
import { PagePicture } from "@/components/page/PagePicture";
import { useHighlight } from "@/components/page/useHighlight";
import { Button } from "@/components/ui/Button";
import type { Page } from "@/lib/api";
import { useI18n } from "@/lib/i18n";
import styles from "./PageDialog.module.css";

/** A page's picture over the whole window, to zoom into. */
export function PageDialog({ page, onClose }: { page: Page | null; onClose: () => void }) {
  const { t } = useI18n();
  const highlight = useHighlight();
  const opener = useRef<Element | null>(null);
  const title = page ? t.task.page(page.page_number) : "";
  return (
    <Dialog.Root open={page !== null} onOpenChange={(isOpen) => (isOpen ? undefined : onClose())}>
      <Dialog.Portal>
        <Dialog.Content
          className={styles.content}
          aria-describedby={undefined}
          onOpenAutoFocus={() => (opener.current = document.activeElement)}
          onCloseAutoFocus={(event) => {
            event.preventDefault();
            if (opener.current instanceof HTMLElement) opener.current.focus();
          }}
        >
          <div className={styles.head}>
            <Dialog.Title className={styles.title}>{title}</Dialog.Title>
            <Dialog.Close asChild>
              <Button look="quiet" icon={<X aria-hidden />} aria-label={t.task.close} />
            </Dialog.Close>
          </div>
          <div className={styles.picture}>
            {page && (
              <PagePicture
                src={page.image_url}
                alt={title}
                size={page.image}
                blocks={page.blocks}
                highlight={highlight}
                hasBoxes
              />
            )}
          </div>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
