import { useMemo } from "react";
import { Link } from "react-router";
import { FigureCrop } from "@/components/page/FigureCrop";
import { PageText } from "@/components/page/PageText";
import { ResultTabs } from "@/components/page/ResultTabs";
import type { Highlight } from "@/components/page/useHighlight";
import { TimingList } from "@/components/task/TimingList";
import { Notice } from "@/components/ui/Notice";
import type { Block, ImageOcrResponse } from "@/lib/api";
import { baseName } from "@/lib/files";
import { useI18n } from "@/lib/i18n";
import styles from "./ReadingResult.module.css";

interface ReadingResultProps {
  result: ImageOcrResponse;
  src: string | null;
  filename: string;
  highlight: Highlight;
}

export function ReadingResult({ result, src, filename, highlight }: ReadingResultProps) {
  const { t } = useI18n();
  const texts = useMemo(
    () => ({
      reading: result.markdown,
      text: result.text,
      raw: result.raw_text,
      json: JSON.stringify(result, null, 2),
    }),
    [result],
  );
  const figure = (block: Block) =>
    src && block.box ? <FigureCrop src={src} size={result.image} box={block.box} /> : null;

  return (
    <>
      <ReadingWarning result={result} />
      <div className={styles.tabs}>
        <ResultTabs
          texts={texts}
          name={baseName(filename)}
          reading={
            <PageText
              label={t.result.blocks}
              blocks={result.blocks}
              highlight={highlight}
              figure={figure}
            />
          }
        />
      </div>
      <footer className={styles.foot}>
        <TimingList timing={result.timing} />
        <span className={styles.about}>
          {t.result.details(result.usage.completion_tokens, result.mode)}
          <Link to={`/tasks/${result.task_id}`}>{t.task.short(result.task_id.slice(0, 8))}</Link>
        </span>
      </footer>
    </>
  );
}

function ReadingWarning({ result }: { result: ImageOcrResponse }) {
  const { t } = useI18n();
  const warning = {
    stop: result.blocks.length === 0 ? t.image.empty : null,
    length: t.image.cutLength,
    repetition: t.image.cutRepetition,
  }[result.finish_reason];
  return warning && <Notice tone="warn">{warning}</Notice>;
}
