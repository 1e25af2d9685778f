// The Merkle tree over the log's lines, one append at a time: what a checkpoint's root stands for.
import { hash } from "node:crypto";

const HASH_BYTES = 32;
const LEAF = 0x00;
const NODE = 0x01;

/**
 * A hash as a string of its bytes: what Node makes of one several times as fast as a Buffer, which
 * counts where there are two hashes a record.
 */
type Hash = string;

/** The root over 2^height leaves, the first of which stands at a multiple of that. */
export interface Subtree {
  readonly height: number;
  readonly node: Hash;
}

/**
 * The Merkle tree hash of RFC 6962 over leaves in their order, as a compact range: it holds the
 * roots of the perfect subtrees that the size's binary digits name, O(log size) of them.
 * @see [RFC 6962 section 2.1](https://www.rfc-editor.org/rfc/rfc6962.html#section-2.1)
 */
export class MerkleTree {
  /** The oldest leaves first. */
  private readonly perfect: Subtree[];
  private leaves: number;

  private constructor(size: number, subtrees: readonly Subtree[]) {
    this.leaves = size;
    this.perfect = [...subtrees];
  }

  static empty(): MerkleTree {
    return new MerkleTree(0, []);
  }

  /** What comes after the first `size` leaves, to be joined to the tree that has them. */
  static pieceAfter(size: number): MerkleTree {
    return new MerkleTree(size, []);
  }

  /** The tree that had this `size` and these `nodes()`. */
  static from(size: number, nodes: readonly Buffer[]): MerkleTree {
    const heights = Number.isSafeInteger(size) && size >= 0 ? heightsOf(size) : undefined;
    if (nodes.length !== heights?.length || nodes.some(({ length }) => length !== HASH_BYTES)) {
      throw new RangeError(`${nodes.length} nodes are no compact range of ${size} leaves`);
    }
    return new MerkleTree(
      size,
      nodes.map((node, i) => ({ height: heights[i] ?? 0, node: node.toString("latin1") })),
    );
  }

  get size(): number {
    return this.leaves;
  }

  /** What `join` takes. */
  get subtrees(): readonly Subtree[] {
    return this.perfect;
  }

  append(leaf: Buffer): void {
    this.push(0, leafHash(leaf));
  }

  /** Appends a piece that was made after this size. */
  join(subtrees: readonly Subtree[]): void {
    for (const { height, node } of subtrees) this.push(height, node);
  }

  // As in adding to a binary number: each carry joins two subtrees of equal height. Of a piece the
  // left one of the two may be elsewhere.
  private push(height: number, node: Hash): void {
    let joined: Subtree = { height, node };
    for (let rest = this.leaves / 2 ** height; rest % 2 === 1; rest = (rest - 1) / 2) {
      const left = this.perfect.at(-1);
      if (left?.height !== joined.height) break;
      this.perfect.pop();
      joined = { height: joined.height + 1, node: nodeHash(left.node, joined.node) };
    }
    this.perfect.push(joined);
    this.leaves += 2 ** height;
  }

  root(): Buffer {
    const [last, ...larger] = this.perfect.map(({ node }) => node).toReversed();
    if (last === undefined) return hash("sha256", "", "buffer");
    return bytesOf(larger.reduce((right, left) => nodeHash(left, right), last));
  }

  /** What `from` needs to go on; the largest subtree first. */
  nodes(): Buffer[] {
    return this.perfect.map(({ node }) => bytesOf(node));
  }
}

/** Of the perfect subtrees of a tree of that size: where its binary digits are ones. */
function heightsOf(size: number): number[] {
  const digits = size.toString(2);
  return digits.split("").flatMap((digit, i) => (digit === "1" ? [digits.length - 1 - i] : []));
}

// What is hashed is put together here: a buffer of its own for each would cost as much as its hash.
let room = Buffer.alloc(65_536);

function leafHash(leaf: Buffer): Hash {
  if (leaf.length >= room.length) room = Buffer.alloc(2 * leaf.length);
  room[0] = LEAF;
  leaf.copy(room, 1);
  return hash("sha256", room.subarray(0, 1 + leaf.length), "latin1");
}

const pair = Buffer.alloc(1 + 2 * HASH_BYTES, NODE);

function nodeHash(left: Hash, right: Hash): Hash {
  pair.write(left, 1, "latin1");
  pair.write(right, 1 + HASH_BYTES, "latin1");
  return hash("sha256", pair, "latin1");
}

function bytesOf(node: Hash): Buffer {
  return Buffer.from(node, "latin1");
}
