// Another Worker asks this one by a service binding: nothing leaves the machine that both run on. In its wrangler.toml:
//
//   services = [{ binding = "SAMEVEC", service = "samevec" }]
//
// GET /?query=why+does+the+sea+come+and+go answers with the passage that fits best.

const passages = ["The moon's pull makes the tides.", "Bleed a radiator with its key.", "Sourdough needs a warm kitchen."];

export default {
  async fetch(request, { SAMEVEC }) {
    // Of the URL only the path counts. With API_KEYS set, add `authorization: Bearer …`.
    const embed = async (inputs, prompt_name) => {
      const response = await SAMEVEC.fetch("https://samevec/embed", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ inputs, prompt_name }),
      });
      if (!response.ok) throw new Error(`/embed answered ${response.status}`);
      return response.json();
    };
    const query = new URL(request.url).searchParams.get("query") ?? "";
    const [[asked], vectors] = [await embed(query, "query"), await embed(passages, "passage")];
    // Vectors have length 1: their dot product is the cosine.
    const scores = vectors.map((vector) => vector.reduce((sum, component, i) => sum + component * asked[i], 0));
    return new Response(passages[scores.indexOf(Math.max(...scores))]);
  },
};
