/** Times, durations and sizes for people. */
const UNITS = { ms: "ms", s: "s", min: "min", h: "h" };
const CHINESE_UNITS = { ms: "毫秒", s: "秒", min: "分", h: "小时" };

export function formatDuration(milliseconds: number, locale: string): string {
  const { ms, s, min, h } = locale.startsWith("zh") ? CHINESE_UNITS : UNITS;
  const seconds = milliseconds / 1000;
  if (seconds < 1) return `${String(Math.round(milliseconds))} ${ms}`;
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} ${s}`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${String(minutes)} ${min} ${pad(Math.floor(seconds % 60))} ${s}`;
  return `${String(Math.floor(minutes / 60))} ${h} ${pad(minutes % 60)} ${min}`;
}

export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${String(bytes)} B`;
  if (bytes < 1_000_000) return `${(bytes / 1000).toFixed(0)} kB`;
  return `${(bytes / 1_000_000).toFixed(bytes < 10_000_000 ? 1 : 0)} MB`;
}

/** The time of day, with the date where it is not today. */
export function formatTime(iso: string, locale: string, now = new Date()): string {
  const time = new Date(iso);
  const isToday = time.toDateString() === now.toDateString();
  return time.toLocaleString(locale, {
    ...(isToday ? {} : { year: "numeric", month: "short", day: "numeric" }),
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hourCycle: "h23",
  });
}

export function formatSpeed(pagesPerSecond: number): string {
  return pagesPerSecond.toFixed(pagesPerSecond < 10 ? 1 : 0);
}

function pad(value: number): string {
  return String(value).padStart(2, "0");
}
