import { Check, Copy, X } from "lucide-react";
import { useEffect, useState } from "react";
import { copyText } from "@/lib/files";
import { useI18n } from "@/lib/i18n";
import { Button, type ButtonLook } from "./Button";

const SHOWN_MS = 1_600;

interface CopyButtonProps {
  text: () => string;
  /** The accessible name where the button shows an icon only. */
  label?: string;
  look?: ButtonLook;
}

/** Copies, and says so for a moment. */
export function CopyButton({ text, label, look = "quiet" }: CopyButtonProps) {
  const { t } = useI18n();
  const [outcome, setOutcome] = useState<"copied" | "failed" | null>(null);
  useEffect(() => {
    if (outcome === null) return undefined;
    const timer = window.setTimeout(() => setOutcome(null), SHOWN_MS);
    return () => window.clearTimeout(timer);
  }, [outcome]);

  const message = { copied: t.result.copied, failed: t.result.copyFailed };
  const Icon = outcome === "copied" ? Check : outcome === "failed" ? X : Copy;
  const words = outcome ? message[outcome] : (label ?? t.result.copy);
  return (
    <>
      <Button
        look={look}
        icon={<Icon aria-hidden />}
        aria-label={words}
        onClick={() => void copyText(text()).then((ok) => setOutcome(ok ? "copied" : "failed"))}
      >
        {label === undefined ? words : undefined}
      </Button>
      <span className="visually-hidden" role="status">
        {outcome && message[outcome]}
      </span>
    </>
  );
}
