import { type PlotOptions, plot } from "@observablehq/plot";
import { parseHTML } from "linkedom";

/** One of the drawings of BENCHMARKS.md. */
export interface Figure {
  /** Of the file, without `.svg`. */
  readonly name: string;
  /** What it shows, for those who do not see it, and above it for those who do. */
  readonly title: string;
  readonly svg: string;
}

export interface Panel {
  readonly title: string;
  readonly options: PlotOptions;
  readonly width: number;
}

/** Ours, and what it is compared to. Each has contrast enough on the white of the card. */
export const colours = { ours: "#1d4ed8", oursToo: "#60a5fa", others: "#94a3b8", ink: "#1f2937", faint: "#64748b" } as const;

const font = "ui-sans-serif, system-ui, 'Segoe UI', Helvetica, Arial, sans-serif";
const padding = 16;
const headline = 26;
const subline = 22;

/**
 * Panels side by side on a white card, so that they read the same on a dark page. There is no browser in it: the same figures give
 * the same file, byte for byte.
 * @param height of each panel, in px
 */
export function drawFigure(name: string, title: string, panels: readonly Panel[], height: number): Figure {
  const { document } = parseHTML("<html></html>");
  let left = padding;
  const drawn = panels.map((panel) => {
    const style = { fontFamily: font, fontSize: "11px", background: "none", color: colours.ink, overflow: "visible" };
    const svg = plot({ document, width: panel.width, height, style, ...panel.options });
    svg.setAttribute("x", String(left));
    svg.setAttribute("y", String(padding + headline + subline));
    const caption = `<text x="${left + (panel.options.marginLeft ?? 40)}" y="${padding + headline + 6}" font-size="12" font-weight="600">${escaped(panel.title)}</text>`;
    left += panel.width;
    return caption + withoutNames(svg.outerHTML);
  });
  const width = left + padding;
  const full = padding * 2 + headline + subline + height;
  const svg = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${full}" width="${width}" height="${full}" font-family="${font}" fill="${colours.ink}" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${width}" height="${full}" rx="8" fill="#fff"/>`,
    `<text x="${padding}" y="${padding + 12}" font-size="14" font-weight="700">${escaped(title)}</text>`,
    ...drawn,
    "</svg>",
  ];
  return { name, title, svg: `${svg.join("\n")}\n` };
}

/** Class names are for pages with many plots, and their style sheet says nothing that is not set here. */
const withoutNames = (svg: string) => svg.replace(/<style>[\s\S]*?<\/style>/, "");

const escaped = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

/** Labels for the ends of lines: moved apart where they would stand upon each other, by as little as can be. */
export function apart<T extends { readonly y: number }>(labels: readonly T[], gap: number): T[] {
  const sorted = [...labels].sort((a, b) => a.y - b.y);
  let lowest = Number.NEGATIVE_INFINITY;
  return sorted.map((label) => {
    lowest = Math.max(label.y, lowest + gap);
    return { ...label, y: lowest };
  });
}
