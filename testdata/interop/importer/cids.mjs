// Prints, for each size in bytes that is given, the size and the CID of a file of that size in the profile
// unixfs-v1-2025: CIDv1, raw leaves of 1 MiB, 1,024 links a node, balanced. Byte n of the file is byte n modulo 1 MiB of
// a fixed sequence (xorshift32 from 2463534242), XOR the number of the MiB in its low 8 bits.
import { BlackHoleBlockstore } from 'blockstore-core/black-hole'
import { importer } from 'ipfs-unixfs-importer'
import { fixedSize } from 'ipfs-unixfs-importer/chunker'
import { balanced } from 'ipfs-unixfs-importer/layout'

const MIB = 1 << 20
const pattern = new Uint8Array(MIB)
let state = 2463534242
for (let at = 0; at < MIB; at++) {
  state ^= state << 13
  state ^= state >>> 17
  state ^= state << 5
  pattern[at] = state & 255
}

async function * content (size) {
  for (let nth = 0; nth * MIB < size; nth++) {
    const leaf = pattern.map((byte) => byte ^ (nth & 255))
    yield leaf.subarray(0, Math.min(MIB, size - nth * MIB))
  }
}

for (const size of process.argv.slice(2).map(Number)) {
  const options = {
    cidVersion: 1,
    rawLeaves: true,
    reduceSingleLeafToSelf: true,
    chunker: fixedSize({ chunkSize: MIB }),
    layout: balanced({ maxChildrenPerNode: 1024 })
  }
  let last
  for await (const entry of importer([{ content: content(size) }], new BlackHoleBlockstore(), options)) last = entry
  console.log(size, last.cid.toString())
}
