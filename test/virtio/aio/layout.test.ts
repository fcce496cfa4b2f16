/** Is the layout of Linux AIO as <linux/aio_abi.h> has it? Asked of a C compiler, where there is one. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { IOCB_FLAG_RESFD, Iocb, IocbCommand, IoEvent } from "../../../host/virtio/aio/aio-layout";
import { AllocateMode } from "../../../host/virtio/aio/zero";

const layout = suite("aio layout");

const EXPECTED: Record<string, number> = {
  "offsetof(struct iocb, aio_data)": Iocb.DATA,
  "offsetof(struct iocb, aio_key)": Iocb.KEY,
  "offsetof(struct iocb, aio_rw_flags)": Iocb.RW_FLAGS,
  "offsetof(struct iocb, aio_lio_opcode)": Iocb.OPCODE,
  "offsetof(struct iocb, aio_reqprio)": Iocb.REQPRIO,
  "offsetof(struct iocb, aio_fildes)": Iocb.FILDES,
  "offsetof(struct iocb, aio_buf)": Iocb.BUF,
  "offsetof(struct iocb, aio_nbytes)": Iocb.NBYTES,
  "offsetof(struct iocb, aio_offset)": Iocb.OFFSET,
  "offsetof(struct iocb, aio_reserved2)": Iocb.RESERVED2,
  "offsetof(struct iocb, aio_flags)": Iocb.FLAGS,
  "offsetof(struct iocb, aio_resfd)": Iocb.RESFD,
  "sizeof(struct iocb)": Iocb.SIZE,
  "offsetof(struct io_event, data)": IoEvent.DATA,
  "offsetof(struct io_event, obj)": IoEvent.OBJ,
  "offsetof(struct io_event, res)": IoEvent.RES,
  "offsetof(struct io_event, res2)": IoEvent.RES2,
  "sizeof(struct io_event)": IoEvent.SIZE,
  IOCB_CMD_FDSYNC: IocbCommand.FDSYNC,
  IOCB_CMD_PREADV: IocbCommand.PREADV,
  IOCB_CMD_PWRITEV: IocbCommand.PWRITEV,
  IOCB_FLAG_RESFD,
  "FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE": AllocateMode.PUNCH_HOLE,
  "FALLOC_FL_KEEP_SIZE | FALLOC_FL_ZERO_RANGE": AllocateMode.ZERO_RANGE,
};

layout("offsets, sizes and values agree with the kernel's headers", () => {
  const folder = mkdtempSync(join(tmpdir(), "wasm-uring-layout-"));
  try {
    const prints = Object.keys(EXPECTED).map((name) => `printf("%ld\\n", (long)(${name}));`);
    const source = `#include <linux/aio_abi.h>
#include <linux/falloc.h>
#include <stddef.h>
#include <stdio.h>
int main(void) { ${prints.join("\n")} return 0; }
`;
    writeFileSync(join(folder, "layout.c"), source);
    const program = join(folder, "layout");
    const compiler = process.env["CC"] ?? "cc";
    const compiled = spawnSync(compiler, ["-o", program, join(folder, "layout.c")], {
      encoding: "utf8",
    });
    if (compiled.error !== undefined) {
      console.log(`skipped: ${compiled.error.message}`);
      return;
    }
    assert.is(compiled.status, 0, compiled.stderr);
    const values = spawnSync(program, { encoding: "utf8" }).stdout.trim().split("\n").map(Number);
    const said = Object.fromEntries(Object.keys(EXPECTED).map((name, at) => [name, values[at]]));
    assert.equal(said, EXPECTED);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

layout.run();
