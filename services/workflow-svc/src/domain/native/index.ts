/** The native form as a file (D20): `read.ts` with line numbers for every fault, `write.ts` for people to read. */
export { type PlacedProblem, readNative } from "./read.ts";
export { writeNative } from "./write.ts";
