/** @jsxImportSource preact */
/** Lines over time, as SVG without a library. The figures are also a table, for who cannot see lines. */
import { language } from "../texts.ts";

export interface Series {
  name: string;
  /** One for each time; null where nothing was measured. */
  values: readonly (number | null)[];
}

interface ChartProps {
  title: string;
  /** Milliseconds since 1970, ascending, evenly spaced. */
  timesMs: readonly number[];
  series: readonly Series[];
  format: (value: number) => string;
  /** What a step of the scale is made of: round numbers, or round amounts of bytes. */
  scale?: "decimal" | "bytes";
}

const WIDTH = 480;
const HEIGHT = 170;
/** Room for the figures of the scale. */
const LEFT = 58;
const RIGHT = 8;
const TOP = 12;
const BOTTOM = 22;
const GRID_LINES = 4;
const TIME_LABELS = 4;

export function Chart({ title, timesMs, series, format, scale = "decimal" }: ChartProps) {
  const all = series.flatMap(({ values }) => values.filter((value) => value !== null));
  const top = niceTop(Math.max(...all, 1), scale);
  const x = (index: number) => LEFT + (index / Math.max(1, timesMs.length - 1)) * (WIDTH - LEFT - RIGHT);
  const y = (value: number) => HEIGHT - BOTTOM - (value / top) * (HEIGHT - TOP - BOTTOM);
  const grid = Array.from({ length: GRID_LINES + 1 }, (_, index) => (top / GRID_LINES) * index);
  return (
    <figure class="chart">
      <figcaption>
        {title}
        <span class="legend">
          {series.map(({ name, values }, index) => (
            <span key={name} class={`key line-${index}`}>
              {name} <b>{last(values, format)}</b>
            </span>
          ))}
        </span>
      </figcaption>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={summary(title, series, format)}>
        {grid.map((value) => (
          <g key={value} class="grid">
            <line x1={LEFT} x2={WIDTH - RIGHT} y1={y(value)} y2={y(value)} />
            <text x={LEFT - 6} y={y(value) + 4} text-anchor="end">
              {format(value)}
            </text>
          </g>
        ))}
        {series.map(({ name, values }, index) => (
          <path key={name} class={`line-${index}`} d={pathOf(values, x, y)} />
        ))}
        {timeLabels(timesMs).map((index) => (
          <text
            key={index}
            class="time"
            x={x(index)}
            y={HEIGHT - 6}
            text-anchor={anchor(index, timesMs.length)}
          >
            {timeLabel(timesMs, index)}
          </text>
        ))}
      </svg>
    </figure>
  );
}

/** Breaks where nothing was measured. */
function pathOf(
  values: readonly (number | null)[],
  x: (index: number) => number,
  y: (value: number) => number,
): string {
  let isOpen = false;
  return values
    .map((value, index) => {
      if (value === null) {
        isOpen = false;
        return "";
      }
      const command = isOpen ? "L" : "M";
      isOpen = true;
      return `${command}${x(index).toFixed(1)} ${y(value).toFixed(1)}`;
    })
    .join("");
}

/** The next round value that divides well by the grid. */
function niceTop(value: number, scale: "decimal" | "bytes"): number {
  const unit = scale === "bytes" ? 1024 ** Math.floor(Math.log2(value) / 10) : 1;
  const power = 10 ** Math.floor(Math.log10(value / unit));
  const step = [1, 2, 4, 8, 10].find((each) => each * power * unit >= value) ?? 10;
  // Less than the grid has lines can't be divided where only whole numbers are.
  return Math.max(step * power * unit, GRID_LINES);
}

function last(values: readonly (number | null)[], format: (value: number) => string): string {
  const value = values.findLast((each) => each !== null);
  return value === undefined || value === null ? "–" : format(value);
}

function summary(title: string, series: readonly Series[], format: (value: number) => string): string {
  const parts = series.map(({ name, values }) => {
    const known = values.filter((value) => value !== null);
    if (known.length === 0) return name;
    return `${name}: ${format(Math.min(...known))} – ${format(Math.max(...known))}, ${last(values, format)}`;
  });
  return `${title}. ${parts.join("; ")}`;
}

function timeLabels(timesMs: readonly number[]): number[] {
  if (timesMs.length < 2) return [];
  const step = (timesMs.length - 1) / (TIME_LABELS - 1);
  return [...new Set(Array.from({ length: TIME_LABELS }, (_, index) => Math.round(index * step)))];
}

function timeLabel(timesMs: readonly number[], index: number): string {
  const spanMs = (timesMs.at(-1) ?? 0) - (timesMs[0] ?? 0);
  const options: Intl.DateTimeFormatOptions =
    spanMs > 2 * 86_400_000 ? { day: "numeric", month: "short" } : { hour: "2-digit", minute: "2-digit" };
  return new Intl.DateTimeFormat(language.value, options).format(timesMs[index]);
}

function anchor(index: number, length: number): "start" | "middle" | "end" {
  if (index === 0) return "start";
  return index === length - 1 ? "end" : "middle";
}
