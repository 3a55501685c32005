import type { ButtonHTMLAttributes, ReactNode } from "react";
import styles from "./Button.module.css";

export type ButtonLook = "primary" | "plain" | "quiet" | "danger";

export interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  look?: ButtonLook;
  icon?: ReactNode;
}

export function buttonClass(look: ButtonLook, isIconOnly = false): string {
  return [styles.button, styles[look], isIconOnly && styles.iconOnly].filter(Boolean).join(" ");
}

/** A button. One with nothing but an icon needs an aria-label. */
export function Button({ look = "plain", icon, children, className, ...rest }: ButtonProps) {
  const isIconOnly = children === undefined || children === null;
  return (
    <button
      type="button"
      className={`${buttonClass(look, isIconOnly)} ${className ?? ""}`}
      title={isIconOnly ? rest["aria-label"] : undefined}
      {...rest}
    >
      {icon}
      {!isIconOnly && <span>{children}</span>}
    </button>
  );
}
