import { Notice } from "@/components/ui/Notice";
import { WordsOf } from "@/components/ui/WordsOf";
import type { Page } from "@/lib/api";
import type { Words } from "@/lib/errorWords";
import { useI18n, type Dictionary } from "@/lib/i18n";

/** Why a page did not simply go well, in the user's language. */
export function PageReason({ page }: { page: Page }) {
  const { t } = useI18n();
  if (!page.reason) return null;
  return (
    <Notice tone={page.status === "failed" ? "bad" : "warn"}>
      <WordsOf {...reasonWords(page, t)} />
    </Notice>
  );
}

/**
 * The service's words are English, its codes are everybody's. `original` stands where a code does not
 * say all: what a renderer complained of, or an error's message.
 */
export function reasonWords(page: Page, t: Dictionary): Words {
  const { reason_code: code, reason, mode } = page;
  const original = reason ?? "";
  if (t.locale === "en" || !code) return { own: "", original };
  const whole = t.task.reasons[code];
  if (whole) return { own: whole(mode ?? ""), original: "" };
  return { own: t.task.failures[code] ?? t.errors.titles[code] ?? "", original };
}
