/** Random changes to names, with characters that some programs treat specially. */

const special = [
  ..."/?#@:\\%[]()<>\"'`~!$&*+,;=^|{} \t\r\n\0_.-",
  ..."．。｡／？＃＠％：℀⁄∕\u00ad\u200b\u200c\u200d\u2060\ufeff\ufdd0\ufffe\uffff\ufffd\u0130\u017f\u212a\u1e9e\u202e\u00a0\u2028ｖ",
  "\ud800",
  "%2f",
  "%00",
  "%2e",
  "&#46;",
  "://",
  "xn--",
  "..",
];

/** Pseudo-random integers below a bound (mulberry32). The seed determines them, so that failures can be reproduced. */
export function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** The victim's name, alone or joined with another, with one to three changes. */
export function mutated(victim: string, random: (below: number) => number): string {
  let text = [victim, `${victim}.evil.com`, `evil.com.${victim}`, `x.${victim}`][random(4)] as string;
  for (let changes = 1 + random(3); changes > 0; changes--) {
    const at = random(text.length + 1);
    text = text.slice(0, at) + special[random(special.length)] + text.slice(at + random(2));
  }
  return random(4) === 0 ? text.toUpperCase() : text;
}
