import { Camera, FolderOpen, Upload } from "lucide-react";
import { useRef, type ReactNode } from "react";
import { useI18n } from "@/lib/i18n";
import { useIsTouch } from "@/lib/useIsTouch";
import { Button } from "./Button";
import styles from "./DropZone.module.css";

const PASTE_KEY = navigator.userAgent.includes("Mac OS") ? "⌘" : "Ctrl";

interface DropZoneProps {
  label: string;
  /** Instead of the label where a finger points. */
  touchLabel: string;
  accept: string;
  /** Whether files hang over the window: they may be let go anywhere. */
  isOver: boolean;
  multiple?: boolean;
  withCamera?: boolean;
  onFiles: (files: File[]) => void;
  children?: ReactNode;
}

/** Says where files may be dropped; takes those that are chosen, or just photographed. */
export function DropZone(props: DropZoneProps) {
  const { t } = useI18n();
  const isTouch = useIsTouch();
  const { isOver, multiple = false, withCamera = false } = props;
  const hasCamera = withCamera && isTouch;
  const label = isTouch ? props.touchLabel : props.label;
  return (
    <section className={styles.zone} data-over={isOver || undefined} aria-label={label}>
      <Upload aria-hidden className={styles.icon} />
      <p className={styles.label}>{isOver ? t.drop.release : label}</p>
      {!isTouch && (
        <p className={styles.or}>
          {t.drop.orChoose} <kbd>{PASTE_KEY}</kbd> <kbd>V</kbd>
        </p>
      )}
      <div className={styles.buttons}>
        {hasCamera && <FileButton {...props} label={t.drop.camera} look="primary" isCamera />}
        <FileButton
          {...props}
          label={multiple ? t.drop.chooseMany : t.drop.choose}
          look={hasCamera ? "plain" : "primary"}
        />
      </div>
      {props.children}
    </section>
  );
}

interface FileButtonProps extends Pick<DropZoneProps, "accept" | "multiple" | "onFiles"> {
  label: string;
  look: "primary" | "plain";
  isCamera?: boolean;
}

function FileButton({ label, look, accept, multiple, onFiles, isCamera }: FileButtonProps) {
  const input = useRef<HTMLInputElement>(null);
  const Icon = isCamera ? Camera : FolderOpen;
  return (
    <>
      <Button look={look} icon={<Icon aria-hidden />} onClick={() => input.current?.click()}>
        {label}
      </Button>
      <input
        ref={input}
        type="file"
        hidden
        accept={isCamera ? "image/*" : accept}
        multiple={isCamera ? false : multiple}
        capture={isCamera ? "environment" : undefined}
        aria-label={label}
        onChange={(event) => {
          const files = [...(event.target.files ?? [])];
          event.target.value = ""; // so that the same file can be chosen again
          if (files.length > 0) onFiles(files);
        }}
      />
    </>
  );
}
