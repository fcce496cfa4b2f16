/**
 * Which ranges of a guest's memory belong to something of the host's already: a ring's regions, whose pages the kernel
 * has pinned, and devices' windows, whose pages are a memfd's. None may overlap another: the kernel would go on with
 * pages that the guest no longer sees.
 */
interface Range {
  name: string;
  offset: number;
  length: number;
}

export class ReservedRanges {
  readonly #ranges: Range[] = [];

  /** The name of a reserved range that this one overlaps, or null. */
  overlapped(offset: number, length: number): string | null {
    const found = this.#ranges.find(
      (range) => offset < range.offset + range.length && range.offset < offset + length,
    );
    return found?.name ?? null;
  }

  add(name: string, offset: number, length: number): void {
    this.#ranges.push({ name, offset, length });
  }
}
