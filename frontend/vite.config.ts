import react from "@vitejs/plugin-react";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

/** Where the API listens while Vite serves the page (`make dev`). */
const apiUrl = process.env.FOLIO_API ?? "http://127.0.0.1:8001";
const proxied = ["/api", "/health", "/docs", "/openapi.json"];

export default defineConfig({
  plugins: [react()],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  server: {
    host: "127.0.0.1",
    proxy: Object.fromEntries(proxied.map((path) => [path, { target: apiUrl }])),
  },
  build: {
    target: "es2022",
    // Inlined assets would be data: URLs, which the content security policy has no need to allow.
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    chunkSizeWarningLimit: 600, // kB before compression; scripts/size.mjs holds the budget
  },
  test: {
    environment: "jsdom",
    setupFiles: ["tests/setup.ts"],
    include: ["tests/**/*.test.{ts,tsx}"],
    css: false,
  },
});
