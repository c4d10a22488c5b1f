/**
 * The text that monitoring reads: Prometheus 0.0.4, or OpenMetrics 1.0 for those who ask for it. Pure.
 * The peers' `maddy_*` counters have names without `_total`, which OpenMetrics allows for type `unknown` only.
 */

export type MetricType = "counter" | "gauge" | "histogram";

export interface Sample {
  /** Added to the family's name: `_bucket`, `_sum`, `_count`. */
  readonly suffix?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Family {
  /** Of a counter without `_total`. */
  readonly name: string;
  readonly type: MetricType;
  readonly help: string;
  /** Name as it was before `_total` became the rule. */
  readonly isLegacyName?: boolean;
  readonly samples: readonly Sample[];
}

export const CLASSIC_TYPE = "text/plain; version=0.0.4; charset=utf-8";
export const OPEN_METRICS_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8";

export function exposition(families: readonly Family[], form: "classic" | "openMetrics"): string {
  const lines = families.flatMap((family) => familyLines(family, form));
  if (form === "openMetrics") lines.push("# EOF");
  return `${lines.join("\n")}\n`;
}

function familyLines(
  { name, type, help, isLegacyName, samples }: Family,
  form: "classic" | "openMetrics",
): string[] {
  const total = type === "counter" && isLegacyName !== true ? "_total" : "";
  // OpenMetrics names the family, the classic form the metric.
  const shown = form === "classic" ? `${name}${total}` : name;
  const shownType = form === "openMetrics" && isLegacyName === true ? "unknown" : type;
  return [
    `# HELP ${shown} ${help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}`,
    `# TYPE ${shown} ${shownType}`,
    ...samples.map((sample) => `${name}${sample.suffix ?? total}${labelText(sample.labels)} ${sample.value}`),
  ];
}

function labelText(labels: Readonly<Record<string, string>> | undefined): string {
  const pairs = Object.entries(labels ?? {}).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
