// The Merkle tree is the one of RFC 6962, however it was grown.
import { createHash } from "node:crypto";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MerkleTree } from "../../../src/ledger/merkle.ts";

// The leaves and roots of Certificate Transparency's own tests (merkle_tree_test.cc).
const LEAVES = [
  "",
  "00",
  "10",
  "2021",
  "3031",
  "40414243",
  "5051525354555657",
  "606162636465666768696a6b6c6d6e6f",
];
const ROOTS = [
  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
  "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
  "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
  "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
  "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
  "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
  "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
  "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
  "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

const sha256 = (...parts: (Buffer | number[])[]): Buffer =>
  createHash("sha256")
    .update(Buffer.concat(parts.map((part) => Buffer.from(part))))
    .digest();

/** RFC 6962 section 2.1, word for word. */
function naive(leaves: readonly Buffer[]): Buffer {
  const [only] = leaves;
  if (only === undefined) return sha256();
  if (leaves.length === 1) return sha256([0], only);
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return sha256([1], naive(leaves.slice(0, k)), naive(leaves.slice(k)));
}

function treeOf(leaves: readonly Buffer[]): MerkleTree {
  const tree = MerkleTree.empty();
  for (const leaf of leaves) tree.append(leaf);
  return tree;
}

describe("the Merkle tree", () => {
  test("has the roots of Certificate Transparency's test vectors", () => {
    const tree = MerkleTree.empty();
    const roots = [tree.root().toString("hex")];
    for (const leaf of LEAVES) {
      tree.append(Buffer.from(leaf, "hex"));
      roots.push(tree.root().toString("hex"));
    }
    expect(roots).toEqual(ROOTS);
  });

  test("grown leaf by leaf, interrupted anywhere, is the one of the definition", () => {
    const leaves = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 300 });
    fc.assert(
      fc.property(leaves, fc.nat(300), (given, at) => {
        const bytes = given.map((leaf) => Buffer.from(leaf));
        const before = treeOf(bytes.slice(0, at));
        const tree = MerkleTree.from(before.size, before.nodes());
        for (const leaf of bytes.slice(at)) tree.append(leaf);
        expect(tree.root()).toEqual(naive(bytes));
        expect(tree.size).toBe(bytes.length);
      }),
    );
  });

  test("put together from pieces, cut anywhere, is the one of the definition", () => {
    const leaves = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 300 });
    fc.assert(
      fc.property(leaves, fc.array(fc.nat(300), { maxLength: 5 }), (given, cuts) => {
        const bytes = given.map((leaf) => Buffer.from(leaf));
        const tree = MerkleTree.empty();
        for (const to of [...cuts.toSorted((a, b) => a - b), bytes.length]) {
          const piece = MerkleTree.pieceAfter(tree.size);
          for (const leaf of bytes.slice(tree.size, to)) piece.append(leaf);
          tree.join(piece.subtrees);
        }
        expect(tree.root()).toEqual(naive(bytes));
        expect(tree.nodes()).toEqual(treeOf(bytes).nodes());
      }),
    );
  });

  test("keeps a node for each binary digit of its size, and no more", () => {
    const leaf = Buffer.from("x");
    expect(treeOf(Array.from({ length: 1023 }, () => leaf)).nodes()).toHaveLength(10);
    expect(treeOf(Array.from({ length: 1024 }, () => leaf)).nodes()).toHaveLength(1);
  });

  test("is not resumed from nodes that its size cannot have", () => {
    const node = Buffer.alloc(32);
    expect(() => MerkleTree.from(3, [node])).toThrow(RangeError);
    expect(() => MerkleTree.from(-1, [])).toThrow(RangeError);
    expect(() => MerkleTree.from(1.5, [node, node])).toThrow(RangeError);
    expect(() => MerkleTree.from(1, [Buffer.alloc(31)])).toThrow(RangeError);
  });

  test("goes on counting where 32 bits end", () => {
    const size = 2 ** 33 - 1;
    const nodes = Array.from({ length: 33 }, (_, i) => Buffer.alloc(32, i));
    const tree = MerkleTree.from(size, nodes);
    tree.append(Buffer.from("x"));
    expect(tree.size).toBe(2 ** 33);
    expect(tree.nodes()).toHaveLength(1);
  });
});
