/** The dictionary in the user's language. A tiny typed one: two languages need no framework. */
import { createContext, use, useEffect, useMemo, useState, type ReactNode } from "react";
import { readSetting, writeSetting } from "@/lib/settings";
import { en } from "./en";
import { zh } from "./zh";

type Widen<T> = T extends (...args: infer A) => string
  ? (...args: A) => string
  : T extends string
    ? string
    : { readonly [K in keyof T]: Widen<T[K]> };

export type Dictionary = Widen<typeof en>;
export type Language = "en" | "zh";

const dictionaries: Record<Language, Dictionary> = { en, zh };
const SETTING = "language";

interface I18n {
  t: Dictionary;
  language: Language;
  setLanguage: (language: Language) => void;
}

const I18nContext = createContext<I18n>({ t: en, language: "en", setLanguage: () => undefined });

export function I18nProvider({ children }: { children: ReactNode }) {
  const [language, setState] = useState<Language>(initialLanguage);
  useEffect(() => {
    document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  }, [language]);
  const value = useMemo(() => {
    const setLanguage = (next: Language) => {
      writeSetting(SETTING, next);
      setState(next);
    };
    return { t: dictionaries[language], language, setLanguage };
  }, [language]);
  return <I18nContext value={value}>{children}</I18nContext>;
}

export function useI18n(): I18n {
  return use(I18nContext);
}

function initialLanguage(): Language {
  const chosen = readSetting(SETTING);
  if (chosen === "en" || chosen === "zh") return chosen;
  return navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
}
