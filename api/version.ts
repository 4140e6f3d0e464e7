/** The package's version, as package.json has it: a test holds the two together, since an isolate reads no files. */
export const version = "0.1.0";
