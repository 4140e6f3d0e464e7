import { EncoderError } from "../../shared/errors.ts";
import { cosineSimilarity } from "../../shared/vector.ts";
import type { EmbeddedText } from "../search/service.ts";
import { announce } from "./announcements.ts";
import { find, make } from "./elements.ts";
import type { Search } from "./state.ts";

/** ms for the server's answer: it may still be loading the model. */
const serverTimeout = 60_000;

/** The panel that embeds a text in the page and on the server, and compares the vectors. */
export function mountComparison(service: Search): void {
  const section = find("#comparison", HTMLElement);
  const form = find("form", HTMLFormElement, section);
  const input = find("input", HTMLInputElement, section);
  const button = find("button", HTMLButtonElement, section);
  const outcome = find(".outcome", HTMLElement, section);

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = input.value.toWellFormed();
    button.disabled = true;
    outcome.replaceChildren("Embedding");
    try {
      const [here, there] = await Promise.all([service.then((search) => search.embed(text)), embedOnServer(text)]);
      outcome.replaceChildren(...comparison(here, there));
    } catch (error) {
      outcome.replaceChildren(error instanceof NoServerError ? error.message : EncoderError.from(error).message);
    } finally {
      announce(outcome.innerText);
      button.disabled = false;
    }
  });
}

class NoServerError extends Error {
  constructor(options?: ErrorOptions) {
    super("No server answers at /embed. The search does not need one.", options);
  }
}

/** Throws {@link NoServerError} when no Samevec server answers. */
async function embedOnServer(text: string): Promise<EmbeddedText> {
  const start = performance.now();
  try {
    const response = await fetch("/embed", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ inputs: text }),
      signal: AbortSignal.timeout(serverTimeout),
    });
    if (!response.ok) throw new Error(`The server answered ${response.status}`);
    const [vector] = (await response.json()) as [number[]];
    return { vector: Float32Array.from(vector), time: performance.now() - start };
  } catch (error) {
    throw new NoServerError({ cause: error });
  }
}

function comparison(here: EmbeddedText, there: EmbeddedText): Node[] {
  const cosine = cosineSimilarity(here.vector, there.vector);
  const time = ({ time }: EmbeddedText) => `${Math.max(1, Math.round(time))} ms`;
  return [
    make("p", "cosine", make("strong", "", cosine.toFixed(4)), " cosine"),
    mirrorChart(here.vector, there.vector),
    make("p", "times", `Above: this page, ${time(here)}. Below: the server, ${time(there)}.`),
  ];
}

const svg = "http://www.w3.org/2000/svg";

/** A bar for the magnitude of each component: one vector upwards, the other downwards. Equal vectors mirror each other. */
function mirrorChart(above: Float32Array, below: Float32Array): SVGElement {
  const largest = Math.max(...above.map(Math.abs), ...below.map(Math.abs));
  const bars = (vector: Float32Array, direction: 1 | -1) => {
    const path = document.createElementNS(svg, "path");
    const heights = Array.from(vector, (component) => (direction * 50 * Math.abs(component)) / largest);
    path.setAttribute("d", heights.map((height, i) => `M${i + 0.5} 0v${height.toFixed(1)}`).join(""));
    return path;
  };
  const chart = document.createElementNS(svg, "svg");
  chart.setAttribute("viewBox", `0 -52 ${above.length} 104`);
  chart.setAttribute("preserveAspectRatio", "none");
  chart.setAttribute("role", "img");
  chart.setAttribute("aria-label", "The components of both vectors, mirrored");
  chart.append(bars(above, -1), bars(below, 1));
  return chart;
}
