/**
 * How wide a text will be, without a browser to ask: an estimate on the safe side for the usual
 * fonts without serifs.
 */
const EMS_PER_CHARACTER = 0.57;

/** @param fontSize px */
export function textWidth(text: string, fontSize: number): number {
  return text.length * EMS_PER_CHARACTER * fontSize;
}
