import { expect, it } from "vitest";
import { formatDuration } from "@/lib/format";
import { MODES, TASK_STATUSES, TASKS } from "@/lib/api";
import { en } from "@/lib/i18n/en";
import { zh } from "@/lib/i18n/zh";

it("names every mode, task and state in both languages", () => {
  for (const dictionary of [en, zh]) {
    for (const mode of MODES) expect(dictionary.options.modes[mode]).toHaveLength(2);
    for (const task of TASKS) expect(dictionary.options.tasks[task]).toHaveLength(2);
    for (const status of TASK_STATUSES) expect(dictionary.task.status[status]).toBeTruthy();
  }
});

it("explains the same errors in both languages", () => {
  expect(Object.keys(zh.errors.titles)).toEqual(Object.keys(en.errors.titles));
});

it("tells times with each language's units", () => {
  expect(formatDuration(182_000, en.locale)).toBe("3 min 02 s");
  expect(formatDuration(182_000, zh.locale)).toBe("3 分 02 秒");
});
