// Metrics in the Prometheus text format: base units, bounded labels, never a user or a session.
// @see https://prometheus.io/docs/instrumenting/exposition_formats/

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

type Labels = Readonly<Record<string, string>>;

class Counter {
  readonly name: string;
  readonly help: string;
  private readonly values = new Map<string, { labels: Labels; count: number }>();
  constructor(name: string, help: string) {
    this.name = name;
    this.help = help;
  }
  add(labels: Labels, by = 1): void {
    const key = seriesOf(labels);
    const known = this.values.get(key);
    if (known === undefined) this.values.set(key, { labels, count: by });
    else known.count += by;
  }
  *lines(): Iterable<string> {
    yield* head(this.name, this.help, "counter");
    for (const { labels, count } of this.values.values()) {
      yield `${this.name}${labelText(labels)} ${count}`;
    }
  }
}

class Histogram {
  readonly name: string;
  readonly help: string;
  private readonly series = new Map<
    string,
    { labels: Labels; below: number[]; sum: number; count: number }
  >();
  constructor(name: string, help: string) {
    this.name = name;
    this.help = help;
  }
  observe(labels: Labels, seconds: number): void {
    const key = seriesOf(labels);
    let series = this.series.get(key);
    if (series === undefined) {
      series = { labels, below: SECONDS.map(() => 0), sum: 0, count: 0 };
      this.series.set(key, series);
    }
    series.sum += seconds;
    series.count++;
    const at = SECONDS.findIndex((bound) => seconds <= bound);
    if (at !== -1) series.below[at] = (series.below[at] ?? 0) + 1;
  }
  *lines(): Iterable<string> {
    yield* head(this.name, this.help, "histogram");
    for (const { labels, below, sum, count } of this.series.values()) {
      const bucket = (le: string, n: number): string =>
        `${this.name}_bucket${labelText({ ...labels, le })} ${n}`;
      let so_far = 0;
      for (const [i, bound] of SECONDS.entries()) {
        so_far += below[i] ?? 0;
        yield bucket(String(bound), so_far);
      }
      yield bucket("+Inf", count);
      yield `${this.name}_sum${labelText(labels)} ${sum}`;
      yield `${this.name}_count${labelText(labels)} ${count}`;
    }
  }
}

class Gauge {
  readonly name: string;
  readonly help: string;
  private readonly read: () => number;
  constructor(name: string, help: string, read: () => number) {
    this.name = name;
    this.help = help;
    this.read = read;
  }
  *lines(): Iterable<string> {
    yield* head(this.name, this.help, "gauge");
    yield `${this.name} ${this.read()}`;
  }
}

function* head(name: string, help: string, type: string): Iterable<string> {
  yield `# HELP ${name} ${help}`;
  yield `# TYPE ${name} ${type}`;
}

/** One metric always has the same label names, so the values tell its series apart. */
function seriesOf(labels: Labels): string {
  return Object.values(labels).join("\n");
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => {
    const escaped = value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
    return `${name}="${escaped}"`;
  });
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

/** Every metric that doorless has, by name; `text()` is the body of `/metrics`. */
export class Metrics {
  readonly calls = new Counter("doorless_calls_total", "Tool calls by tool and outcome");
  readonly call_seconds = new Histogram("doorless_call_duration_seconds", "Whole tool calls");
  readonly step_seconds = new Histogram("doorless_step_duration_seconds", "Steps of the gate");
  readonly requests_refused = new Counter(
    "doorless_requests_refused_total",
    "Requests refused before the gate knew who asked, by error code",
  );
  readonly limited = new Counter(
    "doorless_limited_total",
    "Requests and calls over a limit of ours",
  );
  private readonly gauges: Gauge[] = [];

  gauge(name: string, help: string, read: () => number): void {
    this.gauges.push(new Gauge(name, help, read));
  }

  text(): string {
    const all = [
      this.calls,
      this.call_seconds,
      this.step_seconds,
      this.requests_refused,
      this.limited,
      ...this.gauges,
    ];
    return `${all.flatMap((metric) => [...metric.lines()]).join("\n")}\n`;
  }
}
