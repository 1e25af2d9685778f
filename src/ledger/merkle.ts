// The Merkle tree over the log's lines, one append at a time: what a checkpoint's root stands for.
import { hash } from "node:crypto";

const LEAF = Buffer.from([0x00]);
const NODE = Buffer.from([0x01]);
const HASH_BYTES = 32;

/**
 * The Merkle tree hash of RFC 6962 over leaves in their order, as a compact range: it holds the
 * roots of the perfect subtrees that the size's binary digits name, O(log size) of them.
 * @see [RFC 6962 section 2.1](https://www.rfc-editor.org/rfc/rfc6962.html#section-2.1)
 */
export class MerkleTree {
  /** Roots of the perfect subtrees, the largest (the oldest leaves) first. */
  private readonly subtrees: Buffer[];
  private leaves: number;

  private constructor(size: number, nodes: readonly Buffer[]) {
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
    return new MerkleTree(size, nodes);
  }

  get size(): number {
    return this.leaves;
  }

  append(leaf: Buffer): void {
    let node: Buffer = hash("sha256", Buffer.concat([LEAF, leaf]), "buffer");
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
    return larger.reduce((right, left) => nodeHash(left, right), last);
  }

  /** What `from` needs to go on; the largest subtree first. */
  nodes(): Buffer[] {
    return [...this.subtrees];
  }
}

function nodeHash(left: Buffer, right: Buffer): Buffer {
  return hash("sha256", Buffer.concat([NODE, left, right]), "buffer");
}
