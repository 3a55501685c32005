import { useId, type InputHTMLAttributes } from "react";
import styles from "./TextField.module.css";

interface TextFieldProps extends InputHTMLAttributes<HTMLInputElement> {
  label: string;
  /** A unit behind the value. */
  unit?: string;
  isLabelHidden?: boolean;
}

export function TextField({ label, unit, isLabelHidden = false, ...rest }: TextFieldProps) {
  const id = useId();
  return (
    <div className={styles.field}>
      <label htmlFor={id} className={isLabelHidden ? "visually-hidden" : styles.label}>
        {label}
      </label>
      <div className={styles.box}>
        <input id={id} className={styles.input} autoComplete="off" spellCheck={false} {...rest} />
        {unit !== undefined && <span className={styles.unit}>{unit}</span>}
      </div>
    </div>
  );
}
