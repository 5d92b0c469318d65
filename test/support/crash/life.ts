/** One life of the sequencer, seen from the campaign. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { decode, encode } from '#sequencer/ledger/codec.ts';
import type { FromLife, KillRecord, LifeReport, LifeSettings, News, ToLife } from './plan.ts';

export class Life {
  readonly process: ChildProcess;
  /** What its replay led to; rejects when it ends before. It does nothing further until it is told to go. */
  readonly ready: Promise<LifeReport>;
  readonly ended: Promise<void>;
  isEnded = false;
  #output = '';
  #errors = '';
  readonly #waiting = new Map<number, (answer: { text: string; news: News }) => void>();
  #ids = 0;

  constructor(settings: LifeSettings, cacheFolder: string) {
    this.process = spawn(
      process.execPath,
      [join(import.meta.dirname, 'sequencer-process.ts'), encode(settings)],
      { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], env: { ...process.env, NODE_COMPILE_CACHE: cacheFolder } },
    );
    this.process.stdout?.on('data', (chunk: Buffer) => {
      this.#output += chunk.toString();
    });
    this.process.stderr?.on('data', (chunk: Buffer) => {
      this.#errors += chunk.toString();
    });
    this.ended = new Promise((resolve) =>
      this.process.once('close', () => {
        this.isEnded = true;
        resolve();
      }),
    );
    this.ready = new Promise((resolve, reject) => {
      this.process.on('message', (message: FromLife) => {
        if (message.kind === 'ready') resolve(decode<LifeReport>(message.text));
        else this.#waiting.get(message.id)?.({ text: message.text, news: decode<News>(message.news) });
        if (message.kind === 'answer') this.#waiting.delete(message.id);
      });
      void this.ended.then(() => reject(new Error(`a life ended before it was ready: ${this.#errors}`)));
    });
    // One that is killed while it starts is never ready.
    this.ready.catch(() => undefined);
  }

  /** Undefined when it died before it answered. */
  async ask(
    message: { kind: 'submit'; text: string } | { kind: 'report' },
  ): Promise<{ text: string; news: News } | undefined> {
    const id = ++this.#ids;
    const answered = new Promise<{ text: string; news: News }>((resolve) => this.#waiting.set(id, resolve));
    this.tell({ ...message, id } as ToLife);
    return Promise.race([answered, this.ended.then(() => undefined)]);
  }

  get unanswered(): number {
    return this.#waiting.size;
  }

  tell(message: ToLife): void {
    if (this.process.connected) this.process.send(message, () => undefined);
  }

  /** Its last words; undefined when it was killed from outside. @throws when it did not end by SIGKILL */
  lastWords(): KillRecord | undefined {
    if (this.process.signalCode !== 'SIGKILL') {
      throw new Error(`a life ended by itself (code ${this.process.exitCode}): ${this.#errors}`);
    }
    const text = this.#output.trim();
    return text === '' ? undefined : decode<KillRecord>(text);
  }

  /** What it reported as to be tried again. */
  get complaints(): string[] {
    return this.#errors.split('\n').filter((line) => line.startsWith('again: '));
  }
}
