import type { ReactNode } from "react";
import { MODES, TASKS, type Mode, type OcrTask, type ReadingOptions } from "@/lib/api";
import { useI18n, type Dictionary } from "@/lib/i18n";
import styles from "./OptionsFields.module.css";
import { ChoiceSelect, type Choice } from "./ui/ChoiceSelect";
import { TextField } from "./ui/TextField";

interface OptionsFieldsProps<T extends ReadingOptions> {
  options: T;
  onChange: (options: T) => void;
  children?: ReactNode;
}

/** How a page is read: the task, its words where it needs some, and the mode. */
export function OptionsFields<T extends ReadingOptions>(props: OptionsFieldsProps<T>) {
  const { t } = useI18n();
  const { options, onChange } = props;
  return (
    <div className={styles.options}>
      <ChoiceSelect<OcrTask>
        label={t.options.task}
        choices={choices(TASKS, t.options.tasks)}
        value={options.task}
        onChange={(task) => onChange({ ...options, task })}
      />
      <ChoiceSelect<Mode>
        label={t.options.mode}
        choices={choices(MODES, t.options.modes)}
        value={options.mode}
        onChange={(mode) => onChange({ ...options, mode })}
      />
      {options.task === "locate" && (
        <TextField
          label={t.options.query}
          placeholder={t.options.queryPlaceholder}
          value={options.query}
          onChange={(event) => onChange({ ...options, query: event.target.value })}
        />
      )}
      {options.task === "custom" && (
        <TextField
          label={t.options.prompt}
          placeholder={t.options.promptPlaceholder}
          value={options.prompt}
          onChange={(event) => onChange({ ...options, prompt: event.target.value })}
        />
      )}
      {props.children}
    </div>
  );
}

type Words = Dictionary["options"]["tasks"] | Dictionary["options"]["modes"];

function choices<T extends string>(values: readonly T[], words: Words): Choice<T>[] {
  const all = words as Readonly<Record<string, readonly string[]>>;
  return values.map((value) => {
    const [name = value, purpose = ""] = all[value] ?? [];
    return { value, name, purpose };
  });
}
