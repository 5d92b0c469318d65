/** Merkle paths in the form the circuits read: all four children of every node on the path. */
import { poseidon } from '#protocol/crypto/poseidon.ts';
import type { SignedMessages } from '#protocol/message.ts';
import { messagePath } from '#protocol/signing.ts';

const ARITY = 4;
const TREE_LEVELS = 2;

const withNode = (node: bigint, others: readonly bigint[], place: number): bigint[] => [
  ...others.slice(0, place),
  node,
  ...others.slice(place),
];

/** [depth][4] from the leaf upwards. */
export function childrenOnPath(
  leaf: bigint,
  index: number,
  siblings: readonly (readonly bigint[])[],
): bigint[][] {
  let node = leaf;
  let rest = index;
  return siblings.map((others) => {
    const children = withNode(node, others, rest % ARITY);
    node = poseidon(children);
    rest = Math.floor(rest / ARITY);
    return children;
  });
}

/** Place and children of a message in its signed tree; levels above the signed depth hold the node alone. */
export function messageChildren(
  signed: SignedMessages,
  position: number,
): { place: number; children: bigint[][] } {
  const { leaf, siblings } = messagePath(signed.messages, signed.depth, position);
  const padded = Array.from({ length: TREE_LEVELS }, (_, level) => siblings[level] ?? [0n, 0n, 0n]);
  return { place: position, children: childrenOnPath(leaf, position, padded) };
}

/** Of a row that executes nothing. */
export const emptyMessageChildren = (): { place: number; children: bigint[][] } => ({
  place: 0,
  children: childrenOnPath(0n, 0, [
    [0n, 0n, 0n],
    [0n, 0n, 0n],
  ]),
});
