/**
 * "Did you mean ...": the known word nearest to a mistyped one, for error messages. Case and the
 * kernel's prefixes do not count, so that IORING_OP_READ_FIXED finds READ_FIXED and Stream finds
 * stream.
 */
const KERNEL_PREFIX = /^(ioring_op_|iosqe_)/;

/** Words longer than this are not worth a quadratic comparison. */
const LENGTH_MAX = 64;

function fold(word: string): string {
  return word.toLowerCase().replace(KERNEL_PREFIX, "").replaceAll("_", "-");
}

/**
 * Edits between two words: insert, delete, replace, or swap two neighbours (optimal string
 * alignment).
 */
function editDistance(source: string, target: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: target.length + 1 }, (_, column) => column);
  for (let row = 1; row <= source.length; row++) {
    const current = [row];
    for (let column = 1; column <= target.length; column++) {
      const same = source[row - 1] === target[column - 1];
      let edits = Math.min(
        (previous[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (previous[column - 1] ?? 0) + (same ? 0 : 1),
      );
      const swapped =
        row > 1 &&
        column > 1 &&
        source[row - 1] === target[column - 2] &&
        source[row - 2] === target[column - 1];
      if (swapped) edits = Math.min(edits, (beforePrevious[column - 2] ?? 0) + 1);
      current.push(edits);
    }
    beforePrevious = previous;
    previous = current;
  }
  return previous[target.length] ?? 0;
}

/** The nearest of `candidates`, or undefined when none is near enough to have been meant. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  if (word.length > LENGTH_MAX) return undefined;
  const wanted = fold(word);
  let best: string | undefined;
  let bestEdits = Math.max(1, Math.floor(wanted.length / 3)) + 1;
  for (const candidate of candidates) {
    const edits = editDistance(wanted, fold(candidate));
    if (edits < bestEdits) {
      best = candidate;
      bestEdits = edits;
    }
  }
  return best;
}
