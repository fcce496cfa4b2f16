/**
 * A guest that means ill: tries to get out of its arena, its grants and its policy by everything
 * that a ring and the host's calls offer, and prints what came back. Exit code 0 when all was
 * refused, 1 when one attempt escaped.
 */
import { Errno, exit, openGrant, printError } from "../../assembly";
import { tryOpcodes } from "./guest/opcodes";
import {
  tryAddresses,
  tryDescriptors,
  tryHiddenFields,
  tryOracle,
  tryOrdinary,
  tryReadOnly,
} from "./guest/operands";
import { RawRing } from "./guest/raw-ring";
import { Report } from "./guest/report";
import { tryScribbles } from "./guest/scribbles";
import { tryCallsWithoutRing, tryCallsWithRing, trySetups } from "./guest/setup";

export function _start(): void {
  openGrant("input");
  const ring = new RawRing();
  const report = new Report(ring);

  tryCallsWithoutRing(report);
  trySetups(report);
  const result = ring.setup();
  if (result < 0) {
    printError("hostile: the ordinary set-up was refused: " + Errno[-result]);
    exit(2);
  }
  tryCallsWithRing(report);

  tryOrdinary(report, "");
  tryOpcodes(report);
  tryDescriptors(report);
  tryAddresses(report);
  tryHiddenFields(report);
  tryReadOnly(report);
  tryScribbles(report);
  tryOrdinary(report, " after all that");
  tryOracle(report);
  exit(report.close());
}
