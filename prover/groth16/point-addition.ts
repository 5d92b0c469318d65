/**
 * Affine additions of many pairs of points that share one inversion, as WebAssembly.
 *
 * A list of additions is three 32-bit words each: addresses of left point, right point and sum. Two
 * additions, a group, are done at once; those of one call may not depend on each other.
 *
 * `forward` multiplies all denominators x₂ − x₁ up, `invert` inverts the product, `backward` peels the
 * single inverses off again. A denominator of 0 shows as a product of 0: then, and for points at infinity,
 * `repair` puts a denominator that works in its place (2y of an equal point, else 1) and leaves masks by
 * which `backward` picks the right numerator and the right result. So every case is exact.
 */

import {
  and,
  andNot,
  bothF64,
  branchIf,
  type Code,
  call,
  type FunctionCode,
  f64x2Abs,
  f64x2IsGreater,
  get,
  i32,
  i32Add,
  i32And,
  i32IsZero,
  i32Multiply,
  i32Or,
  i32Subtract,
  isAnyTrue,
  loadByte,
  loadI32,
  loadVector,
  loop,
  or,
  select,
  set,
  storeI32,
  storeVector,
  when,
} from '#protocol/crypto/wasm-assembler.ts';
import {
  ADDITION_BYTES,
  type Degree,
  ELEMENT_BYTES,
  PointCode,
  type Value,
  VECTOR_BYTES,
} from './point-code.ts';

/** The top digit that marks infinity, and what no other top digit reaches. */
export const INFINITY_DIGIT = 2 ** 60;
const DIGIT_LIMIT = 2 ** 55;
const TOP_DIGIT = 4;
/** Words of an addition. */
const [LEFT, RIGHT, SUM] = [0, 4, 8];
/** In the last cache line of a point's first 80 bytes, which `forward` reads. */
const LAST_WORD = 72;
export const EXPONENT_BITS = 254;

/** Where a group's parts lie in scratch memory. */
function groupLayout(degree: Degree) {
  const valueBytes = 5 * degree * VECTOR_BYTES;
  const masks = 3 * valueBytes;
  const isRepaired = masks + 4 * VECTOR_BYTES;
  return {
    prefix: 0,
    denominator: valueBytes,
    numerator: 2 * valueBytes,
    isDouble: masks,
    isLeft: masks + VECTOR_BYTES,
    isRight: masks + 2 * VECTOR_BYTES,
    isInfinity: masks + 3 * VECTOR_BYTES,
    isRepaired,
    bytes: isRepaired + VECTOR_BYTES,
  };
}

/** Bytes of scratch memory a group takes between `forward` and `backward`. */
export const groupBytes = (degree: Degree): number => groupLayout(degree).bytes;

/**
 * The functions for one group, whose places in the module begin at `place`:
 * `…Repair(addition, scratch)` is internal;
 * `…Forward(additions, groups, scratch, product)` and `…Backward(additions, groups, scratch, inverse)`;
 * `…Invert(product, exponentBits)` inverts in place by the power modulus − 2, whose bits are bytes in memory.
 */
export function pointAdditions(
  name: string,
  place: number,
  modulus: bigint,
  degree: Degree,
): readonly FunctionCode[] {
  return [
    repair(new PointCode(`${name}Repair`, 2, modulus, degree)),
    forward(new PointCode(`${name}Forward`, 4, modulus, degree), place),
    backward(new PointCode(`${name}Backward`, 4, modulus, degree)),
    invert(new PointCode(`${name}Invert`, 2, modulus, degree)),
  ];
}

const isFar = (x: Value): Code => f64x2IsGreater(f64x2Abs(get(x[0][TOP_DIGIT])), bothF64(DIGIT_LIMIT));

function repair(point: PointCode): FunctionCode {
  const { code } = point;
  const [addition, scratch] = [0, 1];
  const layout = groupLayout(point.degree);
  const [left, right, plain] = [code.locals('i32', 2), code.locals('i32', 2), code.locals('i32', 2)];
  const [x1, y1, x2, y2, one, sum] = Array.from({ length: 6 }, () => point.value());
  const [isDouble, isLeft, isRight, isInfinity] = code.locals('v128', 4);
  point.setAddresses(addition, LEFT, left);
  point.setAddresses(addition, RIGHT, right);
  point.loadPoint(left, x1, y1, plain);
  point.loadPoint(right, x2, y2, plain);
  point.setOne(one);
  // A product is less than the modulus: of a multiple of it, in whatever form, it is 0 in all digits.
  code.emit(set(isLeft, isFar(x2)), set(isRight, andNot(isFar(x1), get(isLeft))));
  point.subtract(x2, x1, x2);
  point.multiply(x2, one, sum);
  code.emit(set(isInfinity, andNot(point.isZero(sum), or(get(isLeft), get(isRight)))));
  point.subtract(y2, y1, sum);
  point.multiply(sum, one, sum);
  code.emit(set(isDouble, and(get(isInfinity), point.isZero(sum))));
  code.emit(set(isInfinity, andNot(get(isInfinity), get(isDouble))));
  point.add(y1, y1, sum);
  const isTrivial = or(or(get(isLeft), get(isRight)), get(isInfinity));
  choose(code, sum, x2, get(isDouble));
  choose(code, one, x2, isTrivial);
  point.storeValue(get(scratch), layout.denominator, x2);
  point.square(x1, sum);
  point.reduce(sum);
  point.add(sum, sum, x2);
  point.add(x2, sum, sum);
  point.storeValue(get(scratch), layout.numerator, sum);
  code.emit(
    storeVector(get(scratch), get(isDouble), layout.isDouble),
    storeVector(get(scratch), get(isLeft), layout.isLeft),
    storeVector(get(scratch), get(isRight), layout.isRight),
    storeVector(get(scratch), get(isInfinity), layout.isInfinity),
  );
  return code;
}

/** Replaces `value` by `other` in the lanes of the mask. */
function choose(code: FunctionCode, other: Value, value: Value, mask: Code): void {
  const [from, to] = [other.flat(), value.flat()];
  to.forEach((digit, at) => {
    code.emit(set(digit, select(get(from[at]), get(digit), mask)));
  });
}

function forward(point: PointCode, repairPlace: number): FunctionCode {
  const { code } = point;
  const [additions, groups, scratchStart, product] = [0, 1, 2, 3];
  const layout = groupLayout(point.degree);
  const [left, right, plain] = [code.locals('i32', 2), code.locals('i32', 2), code.locals('i32', 2)];
  const [x1, x2, accumulated, next] = Array.from({ length: 4 }, () => point.value());
  const [addition, scratch, isRepaired] = code.locals('i32', 3);
  point.setOne(accumulated);
  touchPoints(code, additions, groups, isRepaired);
  code.repeat(get(groups), (group) => {
    code.emit(
      set(addition, i32Add(get(additions), i32Multiply(get(group), i32(2 * ADDITION_BYTES)))),
      set(scratch, i32Add(get(scratchStart), i32Multiply(get(group), i32(layout.bytes)))),
      set(isRepaired, i32(0)),
    );
    point.setAddresses(addition, LEFT, left);
    point.setPlain(left, plain);
    point.loadCoordinate(plain, 0, x1);
    point.setAddresses(addition, RIGHT, right);
    point.setPlain(right, plain);
    point.loadCoordinate(plain, 0, x2);
    point.subtract(x2, x1, x2);
    point.storeValue(get(scratch), layout.denominator, x2);
    point.storeValue(get(scratch), layout.prefix, accumulated);
    const attempt = code.capture(() => {
      point.multiply(x2, accumulated, next);
      const needsRepair = i32Or(isAnyTrue(isFar(x2)), isAnyTrue(point.isZero(next)));
      const again = code.capture(() => {
        code.emit(call(repairPlace, get(addition), get(scratch)), set(isRepaired, i32(1)));
        point.loadValue(get(scratch), layout.denominator, x2);
        code.emit(branchIf(i32(1), 1));
      });
      code.emit(when(i32And(needsRepair, i32IsZero(get(isRepaired))), again));
    });
    code.emit(loop(attempt), storeI32(get(scratch), get(isRepaired), layout.isRepaired));
    next.forEach((element, at) => {
      point.field.copy(element, accumulated[at]);
    });
  });
  point.storeValue(get(product), 0, accumulated);
  return code;
}

/**
 * Reads a word of the first two cache lines of every summand. They lie anywhere in the key: a short loop that does
 * nothing else has many of them fetched at once, where the long one would wait for each.
 */
function touchPoints(code: FunctionCode, additions: number, groups: number, sum: number): void {
  code.repeat(i32Multiply(get(groups), i32(2)), (at) => {
    const addition = i32Add(get(additions), i32Multiply(get(at), i32(ADDITION_BYTES)));
    for (const side of [LEFT, RIGHT]) {
      const point = i32And(loadI32(addition, side), i32(-8));
      for (const offset of [0, LAST_WORD]) {
        code.emit(set(sum, i32Add(get(sum), loadI32(point, offset))));
      }
    }
  });
}

function backward(point: PointCode): FunctionCode {
  const { code } = point;
  const [additions, groups, scratchStart, inverse] = [0, 1, 2, 3];
  const layout = groupLayout(point.degree);
  const [left, right, sum] = [code.locals('i32', 2), code.locals('i32', 2), code.locals('i32', 2)];
  const [plainLeft, plainRight] = [code.locals('i32', 2), code.locals('i32', 2)];
  const [x1, y1, x2, y2, slope, accumulated, work] = Array.from({ length: 7 }, () => point.value());
  const [addition, scratch, back] = code.locals('i32', 3);
  const whenRepaired = (write: () => void) =>
    code.emit(when(loadI32(get(scratch), layout.isRepaired), code.capture(write)));
  const mask = (offset: number): Code => loadVector(get(scratch), offset);
  point.loadValue(get(inverse), 0, accumulated);
  code.repeat(get(groups), (group) => {
    code.emit(
      set(back, i32Subtract(i32Subtract(get(groups), i32(1)), get(group))),
      set(addition, i32Add(get(additions), i32Multiply(get(back), i32(2 * ADDITION_BYTES)))),
      set(scratch, i32Add(get(scratchStart), i32Multiply(get(back), i32(layout.bytes)))),
    );
    point.loadValue(get(scratch), layout.prefix, work);
    point.multiply(work, accumulated, slope);
    point.loadValue(get(scratch), layout.denominator, work);
    point.multiply(work, accumulated, accumulated);

    point.setAddresses(addition, LEFT, left);
    point.setAddresses(addition, RIGHT, right);
    point.loadPoint(left, x1, y1, plainLeft);
    point.loadPoint(right, x2, y2, plainRight);
    point.subtract(y2, y1, work);
    whenRepaired(() => {
      // An equal point: the tangent's slope instead of the secant's.
      work.flat().forEach((digit, at) => {
        {
          const tangent = loadVector(get(scratch), layout.numerator + at * VECTOR_BYTES);
          code.emit(set(digit, select(tangent, get(digit), mask(layout.isDouble))));
        }
      });
    });
    point.multiply(work, slope, slope);
    point.square(slope, work);
    point.subtract(work, x1, work);
    point.subtract(work, x2, work);
    point.reduce(work);
    // x1 − x3 while x1 is still whole; `work` is x3 from here on.
    const y3 = point.value();
    point.subtract(x1, work, y3);
    point.multiply(slope, y3, y3);
    point.subtract(y3, y1, y3);
    point.reduce(y3);
    whenRepaired(() => {
      choose(code, x1, work, mask(layout.isLeft));
      choose(code, y1, y3, mask(layout.isLeft));
      choose(code, x2, work, mask(layout.isRight));
      choose(code, y2, y3, mask(layout.isRight));
      // Infinity has one form: that of two such points the difference is 0 makes their sum's repair certain.
      for (const digit of work.flat()) {
        code.emit(set(digit, andNot(get(digit), mask(layout.isInfinity))));
      }
      const top = work[0][TOP_DIGIT];
      code.emit(set(top, select(bothF64(INFINITY_DIGIT), get(top), mask(layout.isInfinity))));
    });
    point.setAddresses(addition, SUM, sum);
    point.storeCoordinate(sum, 0, work);
    point.storeCoordinate(sum, ELEMENT_BYTES * point.degree, y3);
  });
  return code;
}

/** 1/a = a^(p−2); 1/(a + bi) = (a − bi)/(a² + b²). */
function invert(point: PointCode): FunctionCode {
  const { code, field } = point;
  const [product, exponentBits] = [0, 1];
  const value = point.value();
  const [norm, power] = [field.element(), field.element()];
  point.loadValue(get(product), 0, value);
  const [real, imaginary] = value;
  if (imaginary === undefined) {
    field.copy(real, norm);
  } else {
    field.multiply(
      value.map((element) => [element, element] as const),
      norm,
    );
    field.reduce(norm);
  }
  field.copy(norm, power);
  code.repeat(i32(EXPONENT_BITS - 1), (bit) => {
    field.square(power, power);
    const step = code.capture(() => field.multiply([[power, norm]], power));
    code.emit(when(loadByte(i32Add(get(exponentBits), get(bit))), step));
  });
  if (imaginary === undefined) {
    field.copy(power, real);
  } else {
    field.reduce(power);
    const zero = field.element();
    field.setConstant(0n, zero);
    field.multiply([[real, power]], real);
    field.subtract(zero, imaginary, imaginary);
    field.multiply([[imaginary, power]], imaginary);
    point.reduce(value);
  }
  point.storeValue(get(product), 0, value);
  return code;
}
