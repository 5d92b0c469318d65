/**
 * A small assembler for WebAssembly: enough of the binary format to write loops over 64-bit integers and
 * over vectors of two doubles or two such integers. An instruction is the list of its bytes behind those of its operands,
 * so that expressions nest as in any language.
 */

/** Bytes of an instruction or of a sequence of them. */
export type Code = readonly number[];

const TYPE = { i32: 0x7f, i64: 0x7e, f64: 0x7c, v128: 0x7b } as const;
export type ValueType = keyof typeof TYPE;

const EMPTY_BLOCK = 0x40;
const VECTOR_PREFIX = 0xfd;
const WITH_MAXIMUM = 1;
const SHARED_WITH_MAXIMUM = 3;

function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  do {
    const byte = rest % 128;
    rest = Math.floor(rest / 128);
    bytes.push(rest > 0 ? byte | 0x80 : byte);
  } while (rest > 0);
  return bytes;
}

function signed(value: bigint): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; ) {
    const byte = Number(rest & 127n);
    rest >>= 7n;
    const isLast = (rest === 0n && byte < 64) || (rest === -1n && byte >= 64);
    bytes.push(isLast ? byte : byte | 0x80);
    if (isLast) return bytes;
  }
}

const text = (name: string): number[] => [...unsigned(name.length), ...new TextEncoder().encode(name)];
const list = (items: readonly Code[]): number[] => [...unsigned(items.length), ...items.flat()];
const section = (id: number, content: Code): number[] => [id, ...unsigned(content.length), ...content];

export const get = (local: number): Code => [0x20, ...unsigned(local)];
export const set = (local: number, value: Code): Code => [...value, 0x21, ...unsigned(local)];
export const i32 = (value: number): Code => [0x41, ...signed(BigInt(value))];
export const i64 = (value: bigint): Code => [0x42, ...signed(BigInt.asIntN(64, value))];

type Binary = (left: Code, right: Code) => Code;
type Unary = (value: Code) => Code;
const binary =
  (...opcode: number[]): Binary =>
  (left, right) => [...left, ...right, ...opcode];
const unary =
  (...opcode: number[]): Unary =>
  (value) => [...value, ...opcode];
const vector = (opcode: number): number[] => [VECTOR_PREFIX, ...unsigned(opcode)];

export const i32Add = binary(0x6a);
export const i32Subtract = binary(0x6b);
export const i32Multiply = binary(0x6c);
export const i32And = binary(0x71);
export const i32Or = binary(0x72);
export const i32ShiftLeft = binary(0x74);
export const i32ShiftRight = binary(0x76);
export const i32IsLess = binary(0x49);
export const i32IsZero = unary(0x45);
export const i64Add = binary(0x7c);
export const i64Subtract = binary(0x7d);
export const i64Multiply = binary(0x7e);
export const i64And = binary(0x83);
export const i64Or = binary(0x84);
export const i64ShiftLeft = binary(0x86);
export const i64ShiftRight = binary(0x88);
export const i64ShiftRightSigned = binary(0x87);
export const i64FromI32 = unary(0xad);
export const i64FromF64 = unary(0xb0);
export const f64FromI64 = unary(0xb9);

const access =
  (opcode: number[], alignment: number) =>
  (address: Code, offset = 0): Code => [...address, ...opcode, alignment, ...unsigned(offset)];
const storing =
  (opcode: number[], alignment: number) =>
  (address: Code, value: Code, offset = 0): Code => [
    ...address,
    ...value,
    ...opcode,
    alignment,
    ...unsigned(offset),
  ];

export const loadI32 = access([0x28], 2);
/** Four bytes, extended by zeros. */
export const loadI64From32 = access([0x35], 2);
export const loadByte = access([0x2d], 0);
export const loadI64 = access([0x29], 3);
export const storeI32 = storing([0x36], 2);
export const storeI64 = storing([0x37], 3);
/** The low four bytes. */
export const storeI64As32 = storing([0x3e], 2);
export const storeF64 = storing([0x39], 3);
export const loadVector = access(vector(0), 3);
export const storeVector = storing(vector(11), 3);
/** Lane 0 from memory, lane 1 zero. */
export const loadLow = access(vector(0x5d), 3);
/** Lane 1 of `value` replaced from memory. */
export const loadHigh = (address: Code, value: Code, offset = 0): Code => [
  ...address,
  ...value,
  ...vector(0x57),
  3,
  ...unsigned(offset),
  1,
];
export const storeLane = (lane: 0 | 1, address: Code, value: Code, offset = 0): Code => [
  ...address,
  ...value,
  ...vector(0x5b),
  3,
  ...unsigned(offset),
  lane,
];

/** Two 64-bit lanes with the same bits. */
export function bothI64(bits: bigint): Code {
  const bytes = Array.from({ length: 8 }, (_, at) => Number((bits >> BigInt(8 * at)) & 255n));
  return [...vector(12), ...bytes, ...bytes];
}
export function bothF64(value: number): Code {
  return bothI64(new BigUint64Array(Float64Array.of(value).buffer)[0]);
}
export const splatI64 = unary(...vector(0x12));
export const replaceHighI64 = (value: Code, lane: Code): Code => [...value, ...lane, ...vector(0x1e), 1];
export const laneF64 = (lane: 0 | 1, value: Code): Code => [...value, ...vector(0x21), lane];
/** Lanes of two vectors by index: 0, 1 of the first, 2, 3 of the second. */
export const shuffle = (left: Code, right: Code, low: number, high: number): Code => [
  ...left,
  ...right,
  ...vector(13),
  ...Array.from({ length: 8 }, (_, at) => 8 * low + at),
  ...Array.from({ length: 8 }, (_, at) => 8 * high + at),
];

export const and = binary(...vector(0x4e));
export const andNot = binary(...vector(0x4f));
export const or = binary(...vector(0x50));
export const xor = binary(...vector(0x51));
/** Bits of `one` where the mask is set, of `other` elsewhere. */
export const select = (one: Code, other: Code, mask: Code): Code => [
  ...one,
  ...other,
  ...mask,
  ...vector(0x52),
];
export const isAnyTrue = unary(...vector(0x53));
export const i64x2ShrUnsigned = (value: Code, bits: number): Code => [
  ...value,
  ...i32(bits),
  ...vector(0xcd),
];
export const i64x2Add = binary(...vector(0xce));
export const i64x2Equal = binary(...vector(0xd6));
export const f64x2Add = binary(...vector(0xf0));
export const f64x2Subtract = binary(...vector(0xf1));
export const f64x2Abs = unary(...vector(0xec));
export const f64x2IsGreater = binary(...vector(0x4a));
/** left·right + addend; "relaxed": rounded once where the processor can, which the caller must test. */
export const f64x2MultiplyAdd = (left: Code, right: Code, addend: Code): Code => [
  ...left,
  ...right,
  ...addend,
  ...vector(0x107),
];

export const when = (condition: Code, ...body: Code[]): Code => [
  ...condition,
  0x04,
  EMPTY_BLOCK,
  ...body.flat(),
  0x0b,
];
export const loop = (...body: Code[]): Code => [0x03, EMPTY_BLOCK, ...body.flat(), 0x0b];
/** Calls a function of the same module by its place in it. */
export const call = (place: number, ...values: Code[]): Code => [...values.flat(), 0x10, ...unsigned(place)];
/** Goes on at the head of the loop `depth` blocks out, or behind the block there. */
export const branchIf = (condition: Code, depth: number): Code => [...condition, 0x0d, ...unsigned(depth)];

/** One function under construction; parameters are its first locals. */
export class FunctionCode {
  readonly name: string;
  readonly parameterTypes: readonly ValueType[];
  readonly #localTypes: ValueType[] = [];
  readonly #body: number[] = [];

  constructor(name: string, parameterTypes: readonly ValueType[]) {
    this.name = name;
    this.parameterTypes = parameterTypes;
  }

  local(type: ValueType): number {
    this.#localTypes.push(type);
    return this.parameterTypes.length + this.#localTypes.length - 1;
  }

  locals(type: ValueType, count: number): number[] {
    return Array.from({ length: count }, () => this.local(type));
  }

  emit(...codes: Code[]): void {
    for (const code of codes) for (const byte of code) this.#body.push(byte);
  }

  /** Collects what `write` emits instead of appending it, so that it can be put into a block. */
  capture(write: () => void): Code {
    const start = this.#body.length;
    write();
    return this.#body.splice(start);
  }

  /** Emits `body` for a counter from 0 in steps while it is below `count`. */
  repeat(count: Code, body: (counter: number) => void, step = 1): void {
    const counter = this.local('i32');
    const round = this.capture(() => body(counter));
    this.emit(
      set(counter, i32(0)),
      when(
        i32IsLess(get(counter), count),
        loop(
          round,
          set(counter, i32Add(get(counter), i32(step))),
          branchIf(i32IsLess(get(counter), count), 0),
        ),
      ),
    );
  }

  bytes(): Code {
    const content = [...list(this.#localTypes.map((type) => [1, TYPE[type]])), ...this.#body, 0x0b];
    return [...unsigned(content.length), ...content];
  }
}

/** A module of functions without results over one imported memory, `env.memory`, shared between threads or not. */
export function assembleModule(
  functions: readonly FunctionCode[],
  pagesMax: number,
  sharing: 'shared' | 'unshared',
): Uint8Array<ArrayBuffer> {
  const types = functions.map(
    ({ parameterTypes }): Code => [0x60, ...list(parameterTypes.map((type) => [TYPE[type]])), 0],
  );
  const limits = sharing === 'shared' ? SHARED_WITH_MAXIMUM : WITH_MAXIMUM;
  const memory = [...text('env'), ...text('memory'), 2, limits, 0, ...unsigned(pagesMax)];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, list(types)),
    ...section(2, list([memory])),
    ...section(3, list(functions.map((_, at) => unsigned(at)))),
    ...section(7, list(functions.map(({ name }, at) => [...text(name), 0, ...unsigned(at)]))),
    ...section(10, list(functions.map((item) => item.bytes()))),
  ]);
}
