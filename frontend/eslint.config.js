import js from "@eslint/js";
import importX from "eslint-plugin-import-x";
import jsxA11y from "eslint-plugin-jsx-a11y";
import reactHooks from "eslint-plugin-react-hooks";
import globals from "globals";
import tseslint from "typescript-eslint";

/** The page's rooms, as the backend's: shared -> features -> app, and no feature knows another. */
const features = ["image", "pdf", "tasks"];
const zones = [
  {
    target: ["./src/lib", "./src/components"],
    from: ["./src/features", "./src/app"],
    message: "Shared code knows neither features nor the app.",
  },
  { target: "./src/lib", from: "./src/components", message: "lib knows no components." },
  { target: "./src/features", from: "./src/app", message: "Features do not know the app." },
  ...features.map((name) => ({
    target: `./src/features/${name}`,
    from: "./src/features",
    except: [`./${name}`],
    message: "No feature imports another; share through components or lib.",
  })),
];

export default tseslint.config(
  { ignores: ["dist", "src/lib/api/schema.d.ts"] },
  js.configs.recommended,
  ...tseslint.configs.strict,
  reactHooks.configs.flat["recommended-latest"] ?? reactHooks.configs["recommended-latest"],
  jsxA11y.flatConfigs.recommended,
  {
    plugins: { "import-x": importX },
    languageOptions: { globals: { ...globals.browser, ...globals.node } },
    settings: {
      "import-x/resolver": { typescript: { project: "./tsconfig.json" } },
    },
    rules: {
      "import-x/no-restricted-paths": ["error", { basePath: import.meta.dirname, zones }],
      "import-x/no-cycle": "error",
      // Nothing here goes through the React Compiler.
      "react-hooks/preserve-manual-memoization": "off",
      "max-lines": ["error", { max: 320 }],
      // A list that Safari shows without markers loses its role; and the page's blocks take focus.
      "jsx-a11y/no-redundant-roles": ["error", { ul: ["list"], ol: ["list"] }],
      "jsx-a11y/no-noninteractive-tabindex": ["error", { roles: ["group", "tabpanel", "region"] }],
    },
  },
);
