import { readFileSync } from 'node:fs';
import { type Gateway, metric } from './gateway.ts';

export const MiB = 1024 * 1024;

/**
 * What a node that reads much and keeps none of it may well have in memory all the same: V8 begins to collect read buffers,
 * which lie outside of its heap, when 64 MiB of them have come together (`kExternalAllocationSoftLimit`).
 */
export const GARBAGE = 64 * MiB;

/**
 * Bytes that a node's process has had in memory at most since it started, which Linux keeps count of (proc(5), `VmHWM`);
 * elsewhere, what it has now.
 */
export async function peakMemory(gateway: Gateway): Promise<number> {
  if (process.platform !== 'linux') return metric(gateway, 'process_resident_memory_bytes');
  const status = readFileSync(`/proc/${gateway.process.pid}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}
