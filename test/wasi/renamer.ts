/**
 * The adversary of the escape tests, as the text of a program for a process of its own: it swaps a
 * directory that a guest uses for links that lead out, and moves it out and back, as fast as it
 * can.
 */
export const RENAMER = `
const fs = require("node:fs");
const { relative } = require("node:path");
const [inside, outside, milliseconds] = process.argv.slice(1);
const until = Date.now() + Number(milliseconds);
const attempt = (call) => { try { call(); } catch {} };
let rounds = 0;
process.send?.("started");
while (Date.now() < until) {
  for (const target of [outside, relative(inside + "/x", outside)]) {
    attempt(() => fs.renameSync(inside + "/x/dir", inside + "/x/parked"));
    attempt(() => fs.symlinkSync(target, inside + "/x/dir"));
    attempt(() => fs.unlinkSync(inside + "/x/dir"));
    attempt(() => fs.renameSync(inside + "/x/parked", inside + "/x/dir"));
  }
  attempt(() => fs.renameSync(inside + "/x/dir", outside + "/moved"));
  attempt(() => fs.renameSync(outside + "/moved", inside + "/x/dir"));
  rounds++;
}
console.log(rounds);
`;
