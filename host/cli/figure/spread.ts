/**
 * Medians with their spread: figures drift on a shared machine, and a median alone hides by how
 * much.
 */

export interface Spread {
  median: number;
  min: number;
  max: number;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}

export function spread(values: readonly number[]): Spread {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

export function showSpread({ median: middle, min, max }: Spread, digits: number): string {
  const show = (value: number) => value.toFixed(digits);
  return min === max ? show(middle) : `${show(middle)} (${show(min)}–${show(max)})`;
}
