import { defineConfig } from "@playwright/test";

/** Browser tests against the service with the small model, or with a script in its place. */
export default defineConfig({
  testDir: "../tests/e2e",
  outputDir: "test-results",
  projects: [
    { name: "tests", testMatch: "*.spec.ts" },
    { name: "screenshots", testMatch: "screenshots.ts" },
  ],
  // Two cores, and the service takes both.
  workers: 1,
  timeout: 180_000, // of a test: the machine may be busy
  expect: { timeout: 30_000 },
  reporter: [["list"]],
  forbidOnly: Boolean(process.env.CI),
  use: {
    locale: "en-US",
    viewport: { width: 1440, height: 900 },
    screenshot: "only-on-failure",
    launchOptions: {
      // Debian's Chromium: nothing is downloaded. No sandbox: containers run as root.
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      args: ["--no-sandbox", "--disable-gpu", "--disable-quic"],
    },
  },
});
