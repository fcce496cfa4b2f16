/** What a test wants of a Markdown file: its programs, its tables, its links, its headings. */
import { readFileSync } from "node:fs";

const FENCE = /^```(\S*)(?: file=(\S+))?\n([\s\S]*?)^```$/gm;

/** The blocks that are complete programs, ```` ```LANGUAGE file=NAME ````: name to text. */
export function programsOf(path: string): Map<string, string> {
  const programs = new Map<string, string>();
  for (const [, , name, text] of readFileSync(path, "utf8").matchAll(FENCE)) {
    if (name !== undefined && text !== undefined) programs.set(name, text);
  }
  return programs;
}

/** The text without its blocks of code, in which brackets are no links and pipes no tables. */
export function proseOf(path: string): string {
  return readFileSync(path, "utf8").replace(FENCE, "");
}

/** GitHub's anchor of a heading. */
function anchorOf(heading: string): string {
  const text = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase();
  return text.replace(/[^\p{L}\p{N}\p{M}_ -]/gu, "").replaceAll(" ", "-");
}

export function anchorsOf(path: string): Set<string> {
  const headings = [...proseOf(path).matchAll(/^#{1,6} (.+)$/gm)];
  return new Set(headings.map(([, heading = ""]) => anchorOf(heading.trim())));
}

/** Targets of links and pictures that do not lead to another site. */
export function relativeLinksOf(path: string): string[] {
  const prose = proseOf(path).replace(/`[^`\n]*`/g, "");
  const targets = [...prose.matchAll(/\]\(<?([^)\s>]+)>?(?: "[^"]*")?\)/g)].map(
    ([, target = ""]) => target,
  );
  const attributes = [...prose.matchAll(/(?:src|srcset|href)="([^"]+)"/g)].map(
    ([, target = ""]) => target,
  );
  return [...targets, ...attributes].filter((target) => !/^[a-z][a-z0-9+.-]*:/i.test(target));
}

/** The text below a heading, up to the next one of any level. */
export function sectionOf(path: string, heading: string): string {
  const prose = proseOf(path);
  const start = prose.indexOf(`\n${heading}\n`);
  if (start < 0) throw new Error(`${path} has no heading "${heading}"`);
  const rest = prose.slice(start + heading.length + 2);
  const end = rest.search(/^#{1,6} /m);
  return end < 0 ? rest : rest.slice(0, end);
}

/** The rows of the tables in a text, without heads and rulers; cells are trimmed and lose their backquotes. */
export function rowsOf(text: string): string[][] {
  const rows: string[][] = [];
  const lines = text.split("\n");
  lines.forEach((line, index) => {
    const next = lines[index + 1] ?? "";
    if (!line.startsWith("|") || /^\|[-| :]+\|$/.test(line) || /^\|[-| :]+\|$/.test(next)) return;
    const cells = line.slice(1, line.lastIndexOf("|")).split(/(?<!\\)\|/);
    rows.push(cells.map((cell) => cell.trim().replaceAll("`", "").replaceAll('"', "")));
  });
  return rows;
}

/** The members of an enum in a source file: a const enum cannot be walked at run time. */
export function enumMembers(path: string, name: string): Map<string, number> {
  const body = new RegExp(`^export (?:const )?enum ${name} \\{([\\s\\S]*?)^\\}`, "m").exec(
    readFileSync(path, "utf8"),
  )?.[1];
  if (body === undefined) throw new Error(`${path} has no enum ${name}`);
  const members = [...body.matchAll(/^ {2}([A-Z][A-Z0-9_]*) = (0x[0-9a-f]+|\d+),$/gm)];
  return new Map(members.map(([, member = "", value = ""]) => [member, Number(value)]));
}
