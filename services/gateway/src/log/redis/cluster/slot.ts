/** Slots of a Redis Cluster. */
const SLOTS = 16_384;

/** The slot of keys with this hash tag: CRC-16/XMODEM of it (Redis Cluster specification, "Key distribution model"). */
export function slotOf(hashTag: string): number {
  let crc = 0;
  for (const byte of Buffer.from(hashTag)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = ((crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021) & 0xffff;
  }
  return crc % SLOTS;
}
