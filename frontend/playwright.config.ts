import { defineConfig } from "@playwright/test";

/** Browser tests against the real service with a scripted engine; see ../tests/e2e. */
export default defineConfig({
  testDir: "../tests/e2e",
  outputDir: "test-results",
  // Two cores, and each test file runs a service of its own.
  workers: 1,
  timeout: 60_000,
  expect: { timeout: 15_000 },
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
