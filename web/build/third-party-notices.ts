import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import license, { type Dependency } from "rollup-plugin-license";
import type { Plugin } from "vite";

/** Terms under which a package may be redistributed. */
interface Notice {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly text: string;
}

/** File name of the notices in the site and in the npm package. */
const noticesFile = "third-party-notices.txt";

/** The folder of package.json. A build may be started elsewhere. */
const projectFolder = fileURLToPath(new URL("../..", import.meta.url));

/** Copyright lines of packages that declare the MIT license without containing its text. */
const copyrights: Readonly<Record<string, string>> = {
  "franc-min": "Copyright (c) 2014 Titus Wormer <tituswormer@gmail.com>",
  "onnxruntime-common": "Copyright (c) Microsoft Corporation",
  "onnxruntime-web": "Copyright (c) Microsoft Corporation",
};

/** Packages that are bundled into another package. The bundler reports only the outer package. */
const contained: Readonly<Record<string, readonly string[]>> = {
  "@huggingface/transformers": ["@huggingface/jinja", "@huggingface/tokenizers"],
};

/** Packages that the bundler does not process: the engine's WebAssembly contains functions of AssemblyScript's standard library. */
const outsideBundles = ["assemblyscript"];

/** Additional texts by package, which its license file lacks. */
const additions: Readonly<Record<string, (version: string) => string>> = {
  "onnxruntime-web": (version) =>
    `The WebAssembly contains the works that https://github.com/microsoft/onnxruntime/blob/v${version}/ThirdPartyNotices.txt lists.`,
  "pdfjs-dist": () =>
    `The files contain core-js, https://github.com/zloirock/core-js:\n\n${mitLicense(
      "Copyright (c) 2013-2025 Denis Pushkarev\nCopyright (c) 2025-2026 CoreJS Company",
    )}`,
  "swagger-ui-dist": () => readFileSync(join(folderOf("swagger-ui-dist"), "swagger-ui-es-bundle.js.LICENSE.txt"), "utf8"),
};

/**
 * Collects the notices of all packages that are bundled, over several builds.
 * @example
 * const notices = new ThirdPartyNotices();
 * defineConfig({ plugins: [notices.collect(), notices.write(["dist/web"])] });
 */
export class ThirdPartyNotices {
  readonly #notices = new Map<string, Notice>();

  /** Collects the packages of one bundle. Each build, and each worker of a build, needs a plugin of its own. */
  collect(): Plugin {
    const output = (dependencies: Dependency[]) => {
      for (const dependency of dependencies) this.#add(dependency);
    };
    const plugin = license({ cwd: projectFolder, thirdParty: { includeSelf: false, multipleVersions: true, output } });
    // The plugin is typed for Rollup. Vite calls the hooks that it implements in the same way.
    return { ...(plugin as unknown as Plugin), apply: "build" };
  }

  /** Writes the notices into each folder after all bundles are written. */
  write(folders: readonly string[]): Plugin {
    return {
      name: "third-party-notices",
      apply: "build",
      closeBundle: () => {
        for (const name of outsideBundles) this.#addInstalled(name);
        for (const folder of folders) writeFileSync(join(folder, noticesFile), this.#format());
      },
    };
  }

  #add(dependency: Pick<Dependency, "name" | "version" | "license" | "licenseText" | "noticeText">): void {
    const { name, version, license } = dependency;
    if (!name || !version || !license) throw new Error(`The bundled package ${name} declares no version or no license`);
    const key = `${name}@${version}`;
    if (this.#notices.has(key)) return;
    const copyright = copyrights[name];
    const text = dependency.licenseText ?? (license === "MIT" && copyright ? mitLicense(copyright) : null);
    if (!text)
      throw new Error(`${key} does not contain its license (${license}): add its copyright line in web/build/third-party-notices.ts`);
    const texts = [text, dependency.noticeText, additions[name]?.(version)].flatMap((part) => part?.trim() || []);
    this.#notices.set(key, { name, version, license, text: texts.join("\n\n") });
    for (const inner of contained[name] ?? []) this.#addInstalled(inner);
  }

  #addInstalled(name: string): void {
    const folder = folderOf(name);
    const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { version: string; license: string };
    const notice = join(folder, "NOTICE");
    this.#add({
      name,
      version,
      license,
      licenseText: readFileSync(join(folder, "LICENSE"), "utf8"),
      noticeText: existsSync(notice) ? readFileSync(notice, "utf8") : null,
    });
  }

  #format(): string {
    const sorted = [...this.#notices].sort(([a], [b]) => (a < b ? -1 : 1));
    const parts = sorted.map(([, { name, version, license, text }]) => `${rule}\n${name} ${version} (${license})\n${rule}\n\n${text}\n`);
    return ["Samevec contains code of the packages below. The terms of each follow its name.\n", ...parts].join("\n");
  }
}

const rule = "-".repeat(80);

/** The folder of an installed package. `resolve` cannot be used: a package may not export its package.json. */
function folderOf(name: string): string {
  const folders = createRequire(import.meta.url).resolve.paths(name) ?? [];
  const folder = folders.map((parent) => join(parent, name)).find((path) => existsSync(join(path, "package.json")));
  if (folder === undefined) throw new Error(`The package ${name} is not installed`);
  return folder;
}

function mitLicense(copyright: string): string {
  return `MIT License

${copyright}

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation
files (the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy,
modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the
Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE,
ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.`;
}
