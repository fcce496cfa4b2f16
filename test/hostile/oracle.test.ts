/**
 * The `attr_ptr` oracle of kernels from 6.14 on (docs/threat-model.md), demonstrated: on `mapped` a hostile guest can
 * tell unmapped, zero and other host words apart, because READ_FIXED makes the kernel follow a pointer that no
 * restriction sees. `mirrored` zeroes the field and `emulated` follows nothing, so there every address looks the same.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Feature, Op, Params, RwAttr, SetupFlag } from "../../host/abi";
import { errnoName } from "../../host/errors";
import { linuxSyscalls } from "../../host/ffi";
import type { EngineName } from "../../host/ring/engine";
import { Attacker, answerName, ENGINES, unavailableReason } from "./attacker";
import { Slot } from "./granted";

const oracle = suite("hostile/oracle");

/** IORING_FEAT_* of this kernel, or why they cannot be had. */
function kernelFeatures(): number | string {
  const syscalls = linuxSyscalls();
  const params = new Uint8Array(Params.SIZE);
  const view = new DataView(params.buffer);
  view.setUint32(Params.FLAGS, SetupFlag.R_DISABLED, true);
  const fd = syscalls.ioUringSetup(1, params);
  if (fd < 0) return `io_uring_setup says ${errnoName(-fd)}`;
  syscalls.close(fd);
  return view.getUint32(Params.FEATURES, true);
}

/** What a guest learns about host addresses: [unmapped, zeroes, other bytes]. */
function ask(engine: EngineName): string[] {
  const attacker = new Attacker({ engine, policy: "file-read" });
  try {
    attacker.start();
    const probe = (address: bigint): string =>
      answerName(
        attacker.submitOne({
          opcode: Op.READ_FIXED,
          slot: Slot.EMPTY,
          addr: attacker.at(),
          len: 8,
          addr3: address,
          pad2: BigInt(RwAttr.PI),
        }),
      );
    const answers = [probe(8n), probe(attacker.host.zeroAddress), probe(attacker.host.address)];
    assert.equal(attacker.damage(), { guest: 0, host: 0 });
    return answers;
  } finally {
    attacker.close();
  }
}

oracle("mapped: present where the kernel has attributes, and only there", () => {
  const features = kernelFeatures();
  const unavailable = typeof features === "string" ? features : unavailableReason("mapped");
  if (unavailable !== null) return console.log(`skipped: ${unavailable}`);
  const answers = ask("mapped");
  if ((Number(features) & Feature.RW_ATTR) === 0) {
    console.log("this kernel has no IORING_FEAT_RW_ATTR, and so no oracle");
    return assert.is(new Set(answers).size, 1);
  }
  assert.equal(answers, ["EFAULT", "EBADF", "EINVAL"]);
});

for (const engine of ENGINES) {
  if (engine === "mapped") continue;
  oracle(`${engine}: absent`, () => {
    const unavailable = unavailableReason(engine);
    if (unavailable !== null) return console.log(`skipped ${engine}: ${unavailable}`);
    const answers = ask(engine);
    assert.is(new Set(answers).size, 1, answers.join());
    assert.is.not(answers[0], "EFAULT");
  });
}

oracle("a policy that vets hidden fields never gets the mapped engine by itself", () => {
  const policy = { opcodes: ["READ_FIXED"], vetHiddenFields: true } as const;
  const attacker = new Attacker({ engine: "auto", policy });
  try {
    attacker.start();
    assert.is.not(attacker.engine.name, "mapped");
  } finally {
    attacker.close();
  }
});

oracle.run();
