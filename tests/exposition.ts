/** A sample of Prometheus' text format, e.g. `samevec_requests_total{route="/embed"} 3`. It reads `Nan` as Go does. */
const sampleLine =
  /^([a-zA-Z_:][\w:]*)(?:\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? (Na[Nn]|[+-]?Inf|[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/;
const labelPair = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** The samples of a scrape. Throws at what a scraper would refuse: a line of another form, or a metric without a type. */
export class Exposition {
  readonly samples: readonly Sample[];

  constructor(text: string) {
    if (!text.endsWith("\n")) throw new Error("the last line does not end");
    const types = new Map<string, string>();
    const samples: Sample[] = [];
    for (const line of text.split("\n")) {
      const [, typed, type] = /^# TYPE (\S+) (counter|gauge|histogram|summary)$/.exec(line) ?? [];
      if (typed && type) types.set(typed, type);
      if (line === "" || line.startsWith("# ")) continue;
      const [, name, labels = "", value] = sampleLine.exec(line) ?? [];
      if (!name || !value) throw new Error(`no sample: ${line}`);
      const family = types.has(name) ? name : name.replace(/_(bucket|sum|count)$/, "");
      if (!types.has(family)) throw new Error(`no type: ${line}`);
      const pairs = Array.from(labels.matchAll(labelPair), ([, key = "", content = ""]) => [key, content]);
      samples.push({ name, labels: Object.fromEntries(pairs), value: Number(value.replace("Inf", "Infinity")) });
    }
    this.samples = samples;
  }

  /** The sum of a metric's samples that have these labels. Throws when there is none: it would pass for 0. */
  sum(name: string, labels: Readonly<Record<string, string>> = {}): number {
    const found = this.samples.filter(
      (sample) => sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
    );
    if (found.length === 0) throw new Error(`no sample of ${name} ${JSON.stringify(labels)}`);
    return found.reduce((sum, { value }) => sum + value, 0);
  }
}
