import { SpinEsbuildPlugin } from "@spinframework/build-tools/plugins/esbuild/index.js";
import { build } from "esbuild";

await build({
  entryPoints: ["src/index.js"],
  outfile: "build/bundle.js",
  bundle: true,
  format: "esm",
  platform: "browser",
  sourcemap: true,
  logLevel: "error",
  plugins: [await SpinEsbuildPlugin()],
});
