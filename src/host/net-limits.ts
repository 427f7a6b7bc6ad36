/** Bytes that the kernel takes as the MTU of a network device. */
export const mtuRange = { least: 68, most: 0xffff } as const;
/** Queue pairs that it makes one with. */
export const queuePairsRange = { least: 1, most: 0x8000 } as const;
