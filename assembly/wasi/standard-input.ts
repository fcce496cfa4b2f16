/** All of standard input, for guests that are filters or are told by it what to do. */
import { fdRead } from "./host";

const cells = memory.data(16, 8);

/** Everything up to the end of standard input; null when reading it failed. */
export function readStandardInput(): ArrayBuffer | null {
  let capacity: usize = 65536;
  let bytes = heap.alloc(capacity);
  let length: usize = 0;
  while (true) {
    if (length == capacity) {
      bytes = heap.realloc(bytes, capacity * 2);
      capacity *= 2;
    }
    store<u32>(cells, <u32>(bytes + length));
    store<u32>(cells, <u32>(capacity - length), 4);
    if (fdRead(0, cells, 1, cells + 8) != 0) return null;
    const read = load<u32>(cells, 8);
    if (read == 0) break;
    length += read;
  }
  const whole = new ArrayBuffer(<i32>length);
  memory.copy(changetype<usize>(whole), bytes, length);
  heap.free(bytes);
  return whole;
}
