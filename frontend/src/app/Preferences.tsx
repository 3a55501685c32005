import { Languages, Moon, Sun } from "lucide-react";
import { Button } from "@/components/ui/Button";
import { useI18n } from "@/lib/i18n";
import { useTheme } from "@/lib/theme";

export function LanguageButton() {
  const { t, language, setLanguage } = useI18n();
  const isChinese = language === "zh";
  return (
    <Button
      look="quiet"
      icon={<Languages aria-hidden />}
      aria-label={isChinese ? t.shell.toEnglish : t.shell.toChinese}
      lang={isChinese ? "en" : "zh-CN"}
      onClick={() => setLanguage(isChinese ? "en" : "zh")}
    />
  );
}

export function ThemeButton() {
  const { t } = useI18n();
  const [theme, setTheme] = useTheme();
  const isDark = theme === "dark";
  const Icon = isDark ? Sun : Moon;
  return (
    <Button
      look="quiet"
      icon={<Icon aria-hidden />}
      aria-label={isDark ? t.shell.toLight : t.shell.toDark}
      onClick={() => setTheme(isDark ? "light" : "dark")}
    />
  );
}
