// The browser tests lie in tests/e2e, from where Node does not find this folder's packages.
export * from "@playwright/test";
export { AxeBuilder } from "@axe-core/playwright";
