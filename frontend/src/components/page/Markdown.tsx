import { lazy, memo, Suspense } from "react";
import { hasFormulas } from "./formulas";
import styles from "./Markdown.module.css";

const PlainMarkdown = lazy(() => import("./PlainMarkdown"));
const MathMarkdown = lazy(() => import("./MathMarkdown"));

/** The model's Markdown, typeset. Until the typesetter is loaded the text stands as it is. */
export const Markdown = memo(function Markdown({ text }: { text: string }) {
  const View = hasFormulas(text) ? MathMarkdown : PlainMarkdown;
  return (
    <div className={styles.markdown}>
      <Suspense fallback={<p className={styles.plain}>{text}</p>}>
        <View text={text} />
      </Suspense>
    </div>
  );
});
