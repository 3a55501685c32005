import { memo } from "react";
import { hasFormulas } from "./formulas";
import styles from "./Markdown.module.css";
import { useTypesetter } from "./typesetter";

/** The model's Markdown, typeset. Until the typesetter is loaded the text stands as it is. */
export const Markdown = memo(function Markdown({ text }: { text: string }) {
  const View = useTypesetter(hasFormulas(text));
  return (
    <div className={styles.markdown}>
      {View ? <View text={text} /> : <p className={styles.plain}>{text}</p>}
    </div>
  );
});
