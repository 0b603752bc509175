import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/**
 * Wakes the inspector of a Node process, and resolves to its address. The process must have been started with
 * `--inspect-port=0`, and its standard error must be piped.
 */
export async function wakeInspector(process: ChildProcess): Promise<string> {
  process.kill('SIGUSR1');
  for (let said = ''; ; ) {
    const [chunk] = await once(process.stderr ?? process, 'data', { signal: AbortSignal.timeout(20_000) });
    said += chunk;
    const address = /ws:\/\/\S+/.exec(said)?.[0];
    if (address !== undefined) return address;
  }
}

/** Has a process collect its garbage, and tell how many bytes are left: objects, and the buffers behind them. */
export async function memoryBytes(inspector: string): Promise<number> {
  // Connected only while it is asked: a process that has a debugger does not end when it fails.
  const socket = new WebSocket(inspector);
  try {
    await once(socket, 'open');
    const ask = async (id: number, method: string, params: object = {}): Promise<unknown> => {
      const answered = once(socket, 'message');
      socket.send(JSON.stringify({ id, method, params }));
      const [{ data }] = await answered;
      return JSON.parse(data).result;
    };
    // Twice: what the first round finalises, the second one frees.
    await ask(1, 'HeapProfiler.collectGarbage');
    await ask(2, 'HeapProfiler.collectGarbage');
    const expression = 'process.memoryUsage().heapUsed + process.memoryUsage().external';
    const answer = (await ask(3, 'Runtime.evaluate', { expression })) as { result: { value: number } };
    return answer.result.value;
  } finally {
    socket.close();
  }
}
