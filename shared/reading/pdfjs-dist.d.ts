/** The part of PDF.js that pdf.ts uses. Its own types require the DOM. */
declare module "pdfjs-dist/legacy/build/pdf.min.mjs" {
  interface TextItem {
    readonly str: string;
    /** The last two elements are the start of the baseline, in points from the lower left corner. */
    readonly transform: readonly [number, number, number, number, number, number];
    /** In points. */
    readonly width: number;
    /** In points. */
    readonly height: number;
    readonly hasEOL: boolean;
  }
  interface Page {
    getTextContent(): Promise<{ readonly items: readonly (TextItem | { readonly type: string })[] }>;
    cleanup(): void;
  }
  interface PdfDocument {
    readonly numPages: number;
    getPage(number: number): Promise<Page>;
    getMetadata(): Promise<{ readonly info: { readonly Title?: unknown } }>;
  }
  interface LoadingTask {
    readonly promise: Promise<PdfDocument>;
    destroy(): Promise<void>;
  }
  export function getDocument(source: {
    readonly data: Uint8Array<ArrayBuffer>;
    readonly isEvalSupported: boolean;
    readonly disableFontFace: boolean;
    readonly useSystemFonts: boolean;
    readonly useWorkerFetch: boolean;
    readonly useWasm: boolean;
    readonly isOffscreenCanvasSupported: boolean;
    readonly isImageDecoderSupported: boolean;
    readonly verbosity: number;
  }): LoadingTask;
}

/** PDF.js's worker. After importing it, documents are read on the same thread. */
declare module "pdfjs-dist/legacy/build/pdf.worker.min.mjs";
