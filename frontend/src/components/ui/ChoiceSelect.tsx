import { Check, ChevronDown } from "lucide-react";
import { Select } from "radix-ui";
import { useId } from "react";
import styles from "./ChoiceSelect.module.css";

export interface Choice<T extends string> {
  value: T;
  name: string;
  /** What it is for, in a line. */
  purpose: string;
}

interface ChoiceSelectProps<T extends string> {
  label: string;
  choices: readonly Choice<T>[];
  value: T;
  onChange: (value: T) => void;
}

/** One of several, each with what it is for. */
export function ChoiceSelect<T extends string>(props: ChoiceSelectProps<T>) {
  const id = useId();
  const chosen = props.choices.find((choice) => choice.value === props.value);
  return (
    <div className={styles.field}>
      <label htmlFor={id} className={styles.label}>
        {props.label}
      </label>
      <Select.Root value={props.value} onValueChange={(value) => props.onChange(value as T)}>
        <Select.Trigger id={id} className={styles.trigger} aria-label={props.label}>
          <Select.Value>{chosen?.name}</Select.Value>
          <Select.Icon className={styles.icon}>
            <ChevronDown aria-hidden />
          </Select.Icon>
        </Select.Trigger>
        <Select.Portal>
          <Select.Content className={styles.content} position="popper" sideOffset={4}>
            <Select.Viewport>
              {props.choices.map((choice) => (
                <ChoiceItem key={choice.value} {...choice} />
              ))}
            </Select.Viewport>
          </Select.Content>
        </Select.Portal>
      </Select.Root>
    </div>
  );
}

function ChoiceItem({ value, name, purpose }: Choice<string>) {
  return (
    <Select.Item value={value} className={styles.item} textValue={name}>
      <Select.ItemText>{name}</Select.ItemText>
      <span className={styles.purpose}>{purpose}</span>
      <Select.ItemIndicator className={styles.check}>
        <Check aria-hidden />
      </Select.ItemIndicator>
    </Select.Item>
  );
}
