import { join } from "node:path";

const folder = join(import.meta.dir, "../../testdata/standards");
const files = ["spf.yaml", "dkim.yaml", "arc.yaml", "dmarc.yaml", "message.yaml"];

export interface Case {
  name: string;
  result: string;
  /** Our result where it differs on purpose. */
  deviates?: { result: string; why: string };
}

export interface Section<C> {
  section: string;
  cases: C[];
}

/** Reads one file of testdata/standards. */
export async function table<S>(name: string): Promise<S[]> {
  return Bun.YAML.parse(await Bun.file(join(folder, name)).text()) as S[];
}

/** The tables of docs/standards.md: how many cases each section has, and those in which e2a deviates. */
export async function standardsTables(): Promise<string> {
  const sections = (await Promise.all(files.map((name) => table<Section<Case>>(name)))).flat();
  const deviating = (cases: readonly Case[]) => cases.filter(({ deviates }) => deviates);
  const total = sections.reduce((sum, { cases }) => sum + cases.length, 0);
  const allDeviating = sections.flatMap(({ section, cases }) => deviating(cases).map((one) => ({ ...one, section })));
  return [
    "| Section | Cases | As the RFC says | On purpose not |",
    "|---|---|---|---|",
    ...sections.map(({ section, cases }) => {
      const apart = deviating(cases).length;
      return `| ${section} | ${cases.length} | ${cases.length - apart} | ${apart} |`;
    }),
    `| **All** | **${total}** | **${total - allDeviating.length}** | **${allDeviating.length}** |`,
    "",
    "| Case | RFC | e2a | Why |",
    "|---|---|---|---|",
    ...allDeviating.map(
      ({ section, name, result, deviates }) =>
        `| ${section}: ${name} | ${result} | ${deviates?.result} | ${deviates?.why} |`,
    ),
    "",
  ].join("\n");
}
