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

/**
 * The Merkle tree hash of RFC 6962 over leaves in their order, as a compact range: it holds the
 * roots of the perfect subtrees that the size's binary digits name, O(log size) of them.
 * @see [RFC 6962 section 2.1](https://www.rfc-editor.org/rfc/rfc6962.html#section-2.1)
 */
export class MerkleTree {
  /** Roots of the perfect subtrees, the largest (the oldest leaves) first. */
  private readonly subtrees: Hash[];
  private leaves: number;

  private constructor(size: number, nodes: readonly Hash[]) {
    this.leaves = size;
    this.subtrees = [...nodes];
  }

  static empty(): MerkleTree {
    return new MerkleTree(0, []);
  }

  /** The tree that had this `size` and these `nodes()`. */
  static from(size: number, nodes: readonly Buffer[]): MerkleTree {
    const whole = Number.isSafeInteger(size) && size >= 0;
    const wanted = whole ? size.toString(2).replaceAll("0", "").length : -1;
    if (nodes.length !== wanted || nodes.some((node) => node.length !== HASH_BYTES)) {
      throw new RangeError(`${nodes.length} nodes are no compact range of ${size} leaves`);
    }
    return new MerkleTree(
      size,
      nodes.map((node) => node.toString("latin1")),
    );
  }

  get size(): number {
    return this.leaves;
  }

  append(leaf: Buffer): void {
    let node = leafHash(leaf);
    // As in adding one to a binary number: each carry joins two subtrees of equal height.
    for (let rest = this.leaves; rest % 2 === 1; rest = (rest - 1) / 2) {
      const left = this.subtrees.pop();
      if (left !== undefined) node = nodeHash(left, node);
    }
    this.subtrees.push(node);
    this.leaves++;
  }

  root(): Buffer {
    const [last, ...larger] = this.subtrees.toReversed();
    if (last === undefined) return hash("sha256", "", "buffer");
    return bytesOf(larger.reduce((right, left) => nodeHash(left, right), last));
  }

  /** What `from` needs to go on; the largest subtree first. */
  nodes(): Buffer[] {
    return this.subtrees.map(bytesOf);
  }
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
