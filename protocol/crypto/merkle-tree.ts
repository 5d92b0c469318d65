/**
 * A sparse 4-ary Poseidon Merkle tree whose versions are values.
 *
 * `set` returns a new tree that shares every untouched node with the old one, so a snapshot is a
 * reference and discarding a batch is forgetting one. A node's hash is computed when first asked
 * for: a batch of updates hashes each touched node once. Twin of circuits/state/merkle-path.
 */
import { isFieldElement } from './field.ts';
import { poseidon } from './poseidon.ts';

/** Children of a node; a level consumes two bits of the leaf index. */
export const TREE_ARITY = 4;

/** The value of a leaf nobody has set, where a tree does not choose its own. */
export const EMPTY_LEAF = 0n;

/** Deepest tree: 4^24 = 2^48 leaves keep indices exact in a JavaScript number. */
export const TREE_DEPTH_MAX = 24;

/** The three other children of the parent, in order of position, without the node itself. */
export type Siblings = readonly [bigint, bigint, bigint];

/** All a verifier needs to compute the root from one leaf; levels go from the leaf upwards. */
export interface MerklePath {
  readonly leafIndex: number;
  readonly leaf: bigint;
  /** Siblings by level, `depth` of them, the leaf's own first. */
  readonly siblings: readonly Siblings[];
  /** Place 0 to 3 of the path's node among its parent's children, by level. */
  readonly positions: readonly number[];
}

/** An inner node; an absent child is a subtree of empty leaves. Bottom nodes hold the leaves. */
interface Node {
  readonly children: readonly (Node | bigint | undefined)[];
  /** Filled on first use; never changes after. */
  hash: bigint | undefined;
}

const emptyHashesOfLeaf = new Map<bigint, bigint[]>();

/** Root of a tree of empty leaves that is `height` levels high (0: the empty leaf itself). */
export function emptySubtreeHash(height: number, emptyLeaf: bigint = EMPTY_LEAF): bigint {
  const hashes = emptyHashesOfLeaf.get(emptyLeaf) ?? [emptyLeaf];
  emptyHashesOfLeaf.set(emptyLeaf, hashes);
  while (hashes.length <= height) {
    const child = hashes[hashes.length - 1]!;
    hashes.push(poseidon([child, child, child, child]));
  }
  return hashes[height]!;
}

export class MerkleTree {
  /** Levels between leaves and root; the tree has 4^depth leaves. */
  readonly depth: number;
  readonly emptyLeaf: bigint;
  readonly #top: Node | undefined;

  private constructor(depth: number, emptyLeaf: bigint, top: Node | undefined) {
    this.depth = depth;
    this.emptyLeaf = emptyLeaf;
    this.#top = top;
  }

  /**
   * A tree of empty leaves.
   * @throws RangeError when depth is not an integer from 1 to TREE_DEPTH_MAX, or `emptyLeaf` is not a
   *   field element.
   */
  static empty(depth: number, emptyLeaf: bigint = EMPTY_LEAF): MerkleTree {
    if (!Number.isInteger(depth) || depth < 1 || depth > TREE_DEPTH_MAX) {
      throw new RangeError(`tree depth must be 1 to ${TREE_DEPTH_MAX}, not ${depth}`);
    }
    if (!isFieldElement(emptyLeaf)) throw new RangeError(`empty leaf ${emptyLeaf} is not a field element`);
    return new MerkleTree(depth, emptyLeaf, undefined);
  }

  /** How many leaves the tree has; indices run from 0 to one less. */
  get leafCount(): number {
    return TREE_ARITY ** this.depth;
  }

  get root(): bigint {
    return hashOf(this.#top, this.depth, this.emptyLeaf);
  }

  /** The leaf at `leafIndex`. @throws RangeError outside the tree. */
  get(leafIndex: number): bigint {
    this.#requireInside(leafIndex);
    let node: Node | bigint | undefined = this.#top;
    for (let height = this.depth; height > 0 && typeof node === 'object'; height--) {
      node = node.children[positionAt(leafIndex, height)];
    }
    return typeof node === 'bigint' ? node : this.emptyLeaf;
  }

  /**
   * The tree with one leaf changed; this tree stays as it was.
   * @throws RangeError outside the tree, or when `leaf` is not a field element.
   */
  set(leafIndex: number, leaf: bigint): MerkleTree {
    this.#requireInside(leafIndex);
    if (!isFieldElement(leaf)) throw new RangeError(`leaf ${leaf} is not a field element`);
    return new MerkleTree(this.depth, this.emptyLeaf, withLeaf(this.#top, this.depth, leafIndex, leaf));
  }

  /** The leaf with its siblings up to the root. @throws RangeError outside the tree. */
  prove(leafIndex: number): MerklePath {
    this.#requireInside(leafIndex);
    const siblings: Siblings[] = [];
    const positions: number[] = [];
    let node = this.#top;
    for (let height = this.depth; height > 0; height--) {
      const position = positionAt(leafIndex, height);
      const others = [0, 1, 2, 3].filter((place) => place !== position);
      siblings.push(
        others.map((place) => hashOf(node?.children[place], height - 1, this.emptyLeaf)) as [
          bigint,
          bigint,
          bigint,
        ],
      );
      positions.push(position);
      node = node?.children[position] as Node | undefined;
    }
    return {
      leafIndex,
      leaf: this.get(leafIndex),
      siblings: siblings.reverse(),
      positions: positions.reverse(),
    };
  }

  #requireInside(leafIndex: number): void {
    if (!Number.isInteger(leafIndex) || leafIndex < 0 || leafIndex >= this.leafCount) {
      throw new RangeError(`leaf index ${leafIndex} is outside a tree of ${this.leafCount} leaves`);
    }
  }
}

/**
 * The root the path leads to, whether or not it is the expected one.
 * @throws RangeError on a value that is not a field element or a position outside 0 to 3.
 */
export function rootOfPath(
  leaf: bigint,
  siblings: readonly Siblings[],
  positions: readonly number[],
): bigint {
  return siblings.reduce((hash, others, level) => {
    const position = positions[level];
    if (position === undefined || ![0, 1, 2, 3].includes(position)) {
      throw new RangeError(`position ${position} at level ${level} is not 0 to 3`);
    }
    return poseidon([...others.slice(0, position), hash, ...others.slice(position)]);
  }, leaf);
}

/**
 * Whether `path` shows its leaf at its index in the tree of `depth` levels under `root`.
 * Never throws: a malformed path from outside is simply not valid.
 */
export function verifyMerklePath(root: bigint, depth: number, path: MerklePath): boolean {
  const { leafIndex, leaf, siblings, positions } = path;
  if (!Number.isInteger(leafIndex) || leafIndex < 0 || leafIndex >= TREE_ARITY ** depth) return false;
  if (siblings.length !== depth || positions.length !== depth) return false;
  if (positions.some((position, level) => position !== positionAt(leafIndex, level + 1))) return false;
  if (siblings.some((others) => others.length !== TREE_ARITY - 1)) return false;
  if (![leaf, ...siblings.flat()].every(isFieldElement)) return false;
  return rootOfPath(leaf, siblings, positions) === root;
}

/** The base-4 digit of the index that picks the child of a node `height` levels above the leaves. */
function positionAt(leafIndex: number, height: number): number {
  return Math.floor(leafIndex / TREE_ARITY ** (height - 1)) % TREE_ARITY;
}

function hashOf(node: Node | bigint | undefined, height: number, emptyLeaf: bigint): bigint {
  if (node === undefined) return emptySubtreeHash(height, emptyLeaf);
  if (typeof node === 'bigint') return node;
  node.hash ??= poseidon(node.children.map((child) => hashOf(child, height - 1, emptyLeaf)));
  return node.hash;
}

function withLeaf(node: Node | undefined, height: number, leafIndex: number, leaf: bigint): Node {
  const children: (Node | bigint | undefined)[] = node
    ? [...node.children]
    : [undefined, undefined, undefined, undefined];
  const position = positionAt(leafIndex, height);
  children[position] =
    height === 1 ? leaf : withLeaf(children[position] as Node | undefined, height - 1, leafIndex, leaf);
  return { children, hash: undefined };
}
