import { writeFileSync } from 'node:fs';
import { buildBn128 } from 'ffjavascript';
import * as snarkjs from 'snarkjs';
import { FIELD_MODULUS } from '#protocol/crypto/field.ts';
import type { ToxicWaste } from '#prover/setup/toxic-waste.ts';
import { withCurve } from '#prover/snarkjs.ts';

/**
 * Writes a prepared powers-of-tau file for known trapdoors, by the ordinary scalar multiplication
 * of ffjavascript: an independent way to the keys that our writer makes directly. Slow beyond 2^8.
 */
export function writeKnownPtau(path: string, power: number, waste: ToxicWaste): Promise<void> {
  return withCurve(() => writePtau(path, power, waste));
}

async function writePtau(path: string, power: number, waste: ToxicWaste): Promise<void> {
  const curve = await buildBn128();
  const size = 2 ** power;
  const points = (group: typeof curve.G1, factor: bigint, count: number): Uint8Array => {
    const pointBytes = group.F.n8 * 2;
    const bytes = new Uint8Array(count * pointBytes);
    let scalar = factor;
    for (let place = 0; place < count; place++) {
      const point = group.toAffine(group.timesFr(group.g, curve.Fr.e(scalar)));
      group.toRprLEM(bytes, place * pointBytes, point);
      scalar = (scalar * waste.tau) % FIELD_MODULUS;
    }
    return bytes;
  };
  const header = Buffer.alloc(4 + 32 + 8);
  header.writeUInt32LE(32, 0);
  Buffer.from(curve.q.toString(16).padStart(64, '0'), 'hex').reverse().copy(header, 4);
  header.writeUInt32LE(power, 36);
  header.writeUInt32LE(power, 40);
  const sections: Uint8Array[] = [
    header,
    points(curve.G1, 1n, 2 * size - 1),
    points(curve.G2, 1n, size),
    points(curve.G1, waste.alpha, size),
    points(curve.G1, waste.beta, size),
    points(curve.G2, waste.beta, 1),
    Buffer.alloc(4),
  ];
  const parts = [Buffer.from('ptau'), Buffer.from([1, 0, 0, 0, sections.length, 0, 0, 0])];
  sections.forEach((content, index) => {
    const head = Buffer.alloc(12);
    head.writeUInt32LE(index + 1, 0);
    head.writeBigUInt64LE(BigInt(content.length), 4);
    parts.push(head, Buffer.from(content));
  });
  writeFileSync(`${path}.unprepared`, Buffer.concat(parts));
  await snarkjs.powersOfTau.preparePhase2(`${path}.unprepared`, path);
}
