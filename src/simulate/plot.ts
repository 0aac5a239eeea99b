/**
 * A plot of what several ways of balancing made of one scenario, as SVG: how long calls took, by percentile, and how much of
 * the traffic the faulty servers got.
 *
 * The axis of percentiles is stretched towards the end, a step for each further nine: what distinguishes balancers is what
 * they do to the slowest calls. Colours are those of Okabe and Ito, which everybody can tell apart.
 */
import type { Scenario } from "./scenario.js";
import { percentile, type Summary } from "./summary.js";

export interface Plotted {
  readonly name: string;
  readonly summary: Summary;
  /** How long the calls took that succeeded, ascending. */
  readonly latenciesMs: Float64Array;
}

const colours = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#7f7f7f"];
const ROW = 20;
const WIDTH = 860;
const left = { x: 64, y: 64, width: 430, height: 260 };
const right = { x: 544, bars: 700, width: 100 };
/** 50 % to 99.99 %. */
const nines = { from: -Math.log10(0.5), to: 4 };
const ticks = [0.5, 0.9, 0.99, 0.999, 0.9999];

export function plot(scenario: Scenario, results: readonly Plotted[]): string {
  const block = ROW * results.length + 40;
  const height = Math.max(left.y + left.height + 36, left.y + 2 * block);
  const title = `${scenario.name}: ${scenario.description}`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    text(16, 24, title, 'font-size="15" font-weight="bold"'),
    text(left.x, left.y - 16, "latency of calls that succeeded, by percentile", GREY),
    ...latencyAxes(results),
    ...results.map((result, index) => latencyLine(result, index, bounds(results))),
    ...shares("share of traffic that faulty servers got", left.y, results, ({ faulty, whileFaulty }) => [
      faulty,
      whileFaulty,
    ]),
    ...shares("share of calls that failed", left.y + block, results, ({ failed, calls }) => [failed, calls]),
    "</svg>",
    "",
  ].join("\n");
}

/** The powers of ten, or halves of them, between which all latencies lie. */
function bounds(results: readonly Plotted[]): { low: number; high: number } {
  const shown = results.flatMap(({ latenciesMs }) => ticks.map((share) => percentile(latenciesMs, share)));
  const finite = shown.filter((ms) => ms > 0);
  if (finite.length === 0) return { low: 1, high: 10 };
  return { low: nice(Math.min(...finite), Math.floor), high: nice(Math.max(...finite) * 1.01, Math.ceil) };
}

function nice(ms: number, round: (value: number) => number): number {
  const steps = [1, 2, 5, 10];
  const power = 10 ** Math.floor(Math.log10(ms));
  const found =
    round === Math.floor ? steps.findLast((step) => step * power <= ms) : steps.find((step) => step * power >= ms);
  return (found ?? 1) * power;
}

function xOf(share: number): number {
  return left.x + ((-Math.log10(1 - share) - nines.from) / (nines.to - nines.from)) * left.width;
}

function yOf(ms: number, { low, high }: { low: number; high: number }): number {
  return left.y + left.height * (1 - Math.log(ms / low) / Math.log(high / low));
}

function latencyAxes(results: readonly Plotted[]): string[] {
  const range = bounds(results);
  const lines: string[] = [];
  for (let power = 10 ** Math.floor(Math.log10(range.low)); power <= range.high; power *= 10) {
    for (const ms of [1, 2, 5].map((step) => step * power)) {
      if (ms < range.low || ms > range.high) continue;
      const y = yOf(ms, range);
      lines.push(line(left.x, y, left.x + left.width, y, "#dddddd"), text(left.x - 6, y + 4, duration(ms), END));
    }
  }
  const bottom = left.y + left.height;
  for (const share of ticks) {
    const x = xOf(share);
    const label = `p${Number((share * 100).toFixed(2))}`;
    lines.push(line(x, left.y, x, bottom, "#dddddd"), text(x, bottom + 18, label, MIDDLE));
  }
  return lines;
}

function latencyLine({ name, latenciesMs }: Plotted, index: number, range: { low: number; high: number }): string {
  const points: string[] = [];
  for (let step = 0; step <= 100 && latenciesMs.length > 0; step += 1) {
    const share = 1 - 10 ** -(nines.from + (step / 100) * (nines.to - nines.from));
    const ms = Math.max(percentile(latenciesMs, share), range.low);
    points.push(`${xOf(share).toFixed(1)},${yOf(ms, range).toFixed(1)}`);
  }
  const dash = index < 4 ? "" : ' stroke-dasharray="6 3"';
  return `<polyline fill="none" stroke="${colourOf(index)}" stroke-width="2"${dash} points="${points.join(" ")}"><title>${escaped(name)}</title></polyline>`;
}

/** A bar for each result, the longest as long as there is room; their colours are also the legend. */
function shares(
  title: string,
  top: number,
  results: readonly Plotted[],
  partOf: (summary: Summary) => readonly [part: number, whole: number],
): string[] {
  const values = results.map(({ summary }) => {
    const [part, whole] = partOf(summary);
    return whole === 0 ? 0 : part / whole;
  });
  const most = Math.max(...values, Number.MIN_VALUE);
  const rows = results.flatMap(({ name }, index) => {
    const y = top + ROW * index + 4;
    const value = values[index] ?? 0;
    const width = (value / most) * right.width;
    return [
      swatch(right.x, y, 12, index),
      text(right.x + 18, y + 11, name),
      swatch(right.bars, y, width, index),
      text(right.bars + width + 5, y + 11, percent(value)),
    ];
  });
  return [text(right.x, top - 16, title, GREY), ...rows];
}

function swatch(x: number, y: number, width: number, index: number): string {
  return `<rect x="${x}" y="${y}" width="${width.toFixed(1)}" height="12" fill="${colourOf(index)}"/>`;
}

const GREY = 'fill="#555555"';
const END = 'text-anchor="end"';
const MIDDLE = 'text-anchor="middle"';

function colourOf(index: number): string {
  return colours[index % colours.length] ?? "#000000";
}

function text(x: number, y: number, content: string, attributes = ""): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${attributes}>${escaped(content)}</text>`;
}

function line(x1: number, y1: number, x2: number, y2: number, colour: string): string {
  const [a, b, c, d] = [x1, y1, x2, y2].map((each) => each.toFixed(1));
  return `<line x1="${a}" y1="${b}" x2="${c}" y2="${d}" stroke="${colour}"/>`;
}

function duration(ms: number): string {
  return ms < 1_000 ? `${Number(ms.toPrecision(2))} ms` : `${Number((ms / 1_000).toPrecision(2))} s`;
}

function percent(share: number): string {
  return `${Number((share * 100).toPrecision(2))} %`;
}

function escaped(content: string): string {
  return content.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
